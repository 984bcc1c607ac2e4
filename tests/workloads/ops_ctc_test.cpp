// SPDX-License-Identifier: Apache-2.0
// CtcLoss against its definition: the sum over all alignments, written out one by one in FP64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::labels_tensor;
using testing::one;
using testing::random_tensor;
using testing::run_op;

using Labels = std::vector<std::int64_t>;

/// What an alignment says: equal neighbours once, without blanks.
Labels collapsed(const Labels& alignment, std::int64_t blank) {
  Labels result;
  for (std::size_t t = 0; t < alignment.size(); ++t)
    if (alignment[t] != blank && (t == 0 || alignment[t] != alignment[t - 1]))
      result.push_back(alignment[t]);
  return result;
}

/// -log of the sum over all classes^steps alignments that say `labels`; `share` (steps * classes)
/// becomes the share of those that are at a class in a step.
double brute_force(const double* scores, std::int64_t steps, std::int64_t classes,
                   const Labels& labels, std::int64_t blank, std::vector<double>* share = nullptr) {
  Labels alignment(static_cast<std::size_t>(steps), 0);
  std::vector<double> visits(static_cast<std::size_t>(steps * classes), 0.0);
  double total = 0.0;
  for (;;) {
    if (collapsed(alignment, blank) == labels) {
      double sum = 0.0;
      for (std::int64_t t = 0; t < steps; ++t)
        sum += scores[t * classes + alignment[static_cast<std::size_t>(t)]];
      total += std::exp(sum);
      for (std::int64_t t = 0; t < steps; ++t)
        visits[static_cast<std::size_t>(t * classes + alignment[static_cast<std::size_t>(t)])] +=
            std::exp(sum);
    }
    std::size_t t = 0;
    while (t < alignment.size() && ++alignment[t] == classes) alignment[t++] = 0;
    if (t == alignment.size()) break;
  }
  if (share != nullptr) {
    for (double& visit : visits) visit /= total;
    *share = visits;
  }
  return -std::log(total);
}

/// Samples of 6 steps and 3 classes: labels, some of them repeated, filled up with -1.
struct Case {
  std::int64_t blank;
  std::vector<Labels> labels;
};

std::vector<Case> cases() {
  return {{0, {{1}, {2}, {1}}},
          {0, {{1, 2, 1}, {2, 2, 1}, {1, 1, 1}}},
          {0, {{1, 2}, {2, -1}, {-1, -1}}},
          {2, {{0, 1, 0, 1}, {1, 1, -1, -1}, {0, 0, 1, -1}}}};
}

Tensor tensor_of(const std::vector<Labels>& labels) {
  Labels all;
  for (const Labels& of_sample : labels) all.insert(all.end(), of_sample.begin(), of_sample.end());
  Tensor tensor = labels_tensor(all);
  tensor.shape = {static_cast<std::int64_t>(labels.size()),
                  static_cast<std::int64_t>(labels[0].size())};
  return tensor;
}

Labels without_filling(Labels labels) {
  while (!labels.empty() && labels.back() < 0) labels.pop_back();
  return labels;
}

TEST(CtcLoss, IsTheSumOverAllAlignments) {
  for (const Case& c : cases()) {
    const Tensor scores = random_tensor({3, 6, 3}, 7);
    const Tensor labels = tensor_of(c.labels);
    const Tensor each = run_op("CtcLoss", {scores, labels},
                               {{"blank", one(c.blank)}, {"reduction", std::string("none")}});
    double sum = 0.0;
    for (std::size_t i = 0; i < 3; ++i) {
      const double expected =
          brute_force(&scores.values[i * 18], 6, 3, without_filling(c.labels[i]), c.blank);
      EXPECT_NEAR(each.values[i], expected, 1e-13);
      sum += expected;
    }
    const Attributes blank = {{"blank", one(c.blank)}};
    EXPECT_NEAR(run_op("CtcLoss", {scores, labels}, blank).values[0], sum / 3.0, 1e-13);
    EXPECT_NEAR(run_op("CtcLoss", {scores, labels},
                       {{"blank", one(c.blank)}, {"reduction", std::string("sum")}})
                    .values[0],
                sum, 1e-13);
  }
}

TEST(CtcLoss, GradientIsTheShareOfAlignments) {
  for (const Case& c : cases()) {
    const Tensor scores = random_tensor({3, 6, 3}, 8);
    const Tensor dloss = random_tensor({3}, 9);
    const Tensor dx = run_op("CtcLossGradient", {dloss, scores, tensor_of(c.labels)},
                             {{"blank", one(c.blank)}, {"reduction", std::string("none")}});
    for (std::size_t i = 0; i < 3; ++i) {
      std::vector<double> share;
      brute_force(&scores.values[i * 18], 6, 3, without_filling(c.labels[i]), c.blank, &share);
      for (std::size_t at = 0; at < share.size(); ++at)
        EXPECT_NEAR(dx.values[i * 18 + at], -dloss.values[i] * share[at], 1e-13);
    }
  }
}

TEST(CtcLoss, GradientsEqualCentralDifferences) {
  const Tensor scores = random_tensor({2, 5, 4}, 3);
  const Tensor labels = tensor_of({{1, 3, 3}, {2, -1, -1}});
  for (const char* reduction : {"mean", "sum", "none"})
    testing::expect_right_gradients("CtcLoss", {scores, labels},
                                    {{"reduction", std::string(reduction)}});
}

// Two equal labels need a blank between them: three steps.
TEST(CtcLoss, WithoutAnAlignmentIsInfiniteAndHasNoGradient) {
  const Tensor scores = random_tensor({1, 2, 3}, 1);
  const Tensor labels = tensor_of({{1, 1}});
  EXPECT_EQ(run_op("CtcLoss", {scores, labels}).values[0], std::numeric_limits<double>::infinity());
  Tensor dloss(Shape{});
  dloss.values = {1.0};
  for (const double slope : run_op("CtcLossGradient", {dloss, scores, labels}).values)
    EXPECT_EQ(slope, 0.0);
}

TEST(CtcLoss, RefusesLabelsThatAreNone) {
  const Tensor scores = random_tensor({1, 4, 3}, 1);
  EXPECT_THROW(run_op("CtcLoss", {scores, tensor_of({{1, 0}})}), base::InputError);      // blank
  EXPECT_THROW(run_op("CtcLoss", {scores, tensor_of({{1, 3}})}), base::InputError);      // no class
  EXPECT_THROW(run_op("CtcLoss", {scores, tensor_of({{1, -1, 2}})}), base::InputError);  // behind
  EXPECT_THAT(error_of("CtcLoss", {{4, 3}, {4}}), HasSubstr("rank 3"));
}

}  // namespace
}  // namespace npusim::workloads
