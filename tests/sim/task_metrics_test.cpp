// SPDX-License-Identifier: Apache-2.0
// Agreement and loss of scores by hand.
#include "sim/task_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace npusim::sim {
namespace {

workloads::Tensor tensor(const workloads::Shape& shape, std::vector<double> values) {
  workloads::Tensor result(shape);
  result.values = std::move(values);
  return result;
}

TEST(TaskMetrics, OfTwoSamplesByHand) {
  const workloads::Tensor exact = tensor({2, 3}, {1, 2, 3, 5, 4, 0});
  const workloads::Tensor emulated = tensor({2, 3}, {1, 2, 3, 4, 5, 0});  // the second differs
  const TaskMetrics m = task_metrics(emulated, exact, {2, 0});
  EXPECT_EQ(m.predictions, 2);
  EXPECT_EQ(m.agreement, 0.5);
  const double first = std::log(std::exp(-2.0) + std::exp(-1.0) + 1.0);
  const double tail = std::log(1.0 + std::exp(-1.0) + std::exp(-5.0));
  EXPECT_NEAR(*m.reference_loss, (first + tail) / 2, 1e-15);
  EXPECT_NEAR(*m.loss, (first + tail + 1.0) / 2, 1e-15);
}

// A language model's scores are (samples, classes, positions).
TEST(TaskMetrics, PositionsAreSideBySide) {
  const workloads::Tensor exact = tensor({1, 2, 3}, {0, 9, 0, 9, 0, 9});  // classes 1, 0, 1
  workloads::Tensor emulated = exact;
  std::swap(emulated.values[0], emulated.values[3]);
  const TaskMetrics m = task_metrics(emulated, exact, {1, 0, 0});
  EXPECT_EQ(m.predictions, 3);
  EXPECT_NEAR(m.agreement, 2.0 / 3.0, 1e-15);
  const double right = std::log(1.0 + std::exp(-9.0));
  EXPECT_NEAR(*m.reference_loss, (3 * right + 9.0) / 3, 1e-14);
  EXPECT_NEAR(*m.loss, (3 * right + 18.0) / 3, 1e-14);
}

TEST(TaskMetrics, WithoutLabelsThereIsNoLoss) {
  const workloads::Tensor scores = tensor({2, 2}, {1, 0, 0, 1});
  const TaskMetrics m = task_metrics(scores, scores, {});
  EXPECT_EQ(m.agreement, 1.0);
  EXPECT_FALSE(m.loss.has_value());
}

}  // namespace
}  // namespace npusim::sim
