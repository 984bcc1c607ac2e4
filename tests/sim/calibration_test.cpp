// SPDX-License-Identifier: Apache-2.0
#include "sim/calibration.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>

#include "sim/catalog.h"
#include "sim/run.h"
#include "tests/source_dir.h"
#include "workloads/op.h"

namespace npusim::sim {
namespace {

using workloads::Initializer;
using workloads::TensorRole;

/// Conv, BatchNormalization, Relu, twice, on images far from mean 0 and variance 1.
class Calibrated : public ::testing::Test {
 protected:
  void SetUp() override {
    Initializer image = of(Initializer::Kind::normal);
    image.mean = 3.0;
    image.stddev = 5.0;
    add("image", {2, 3, 9, 9}, image, TensorRole::input);
    graph_.inputs = {0};
    std::int32_t x = 0;
    for (const char* layer : {"first", "second"}) x = normalised(x, layer);
    graph_.outputs = {x};
  }

  static Initializer of(Initializer::Kind kind) {
    Initializer initializer;
    initializer.kind = kind;
    return initializer;
  }

  std::int32_t add(const std::string& name, const workloads::Shape& shape,
                   const Initializer& initializer, TensorRole role) {
    workloads::TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = role;
    info.initializer = initializer;
    return graph_.add_tensor(info);
  }

  std::int32_t normalised(std::int32_t x, const std::string& layer) {
    const std::int64_t channels = graph_.tensor(x).shape[1];
    Initializer one = of(Initializer::Kind::constant);
    one.value = 1.0;
    Initializer filters = of(Initializer::Kind::kaiming_normal);
    filters.filter_mean = 0.5;
    const auto w = add(layer + ".w", {4, channels, 3, 3}, filters, TensorRole::weight);
    const auto scale = add(layer + ".scale", {4}, one, TensorRole::weight);
    const auto bias =
        add(layer + ".bias", {4}, of(Initializer::Kind::constant), TensorRole::weight);
    const auto mean =
        add(layer + ".mean", {4}, of(Initializer::Kind::calibrated_mean), TensorRole::statistics);
    const auto variance = add(layer + ".variance", {4}, of(Initializer::Kind::calibrated_variance),
                              TensorRole::statistics);
    const auto y = graph_.add_node("Conv", layer, {x, w}, {}, {layer + ".y"});
    const auto z = graph_.add_node("BatchNormalization", layer + ".norm",
                                   {y[0], scale, bias, mean, variance}, {}, {layer + ".z"});
    return graph_.add_node("Relu", layer + ".relu", {z[0]}, {}, {layer + ".a"})[0];
  }

  workloads::Graph graph_;
};

TEST_F(Calibrated, FirstStatisticsAreThoseOfTheProductInLongDouble) {
  const CalibratedValues found = calibrate(graph_, 5, precision::serial());
  EXPECT_EQ(found.size(), 4U);
  Initializer image = *graph_.tensor(0).initializer;
  const auto x = workloads::make_values(image, {2, 3, 9, 9}, workloads::ElementType::floating,
                                        "image/calibration", 5);
  const auto w = workloads::make_values(*graph_.tensor(1).initializer, {4, 3, 3, 3},
                                        workloads::ElementType::floating, "first.w", 5);
  for (std::size_t k = 0; k < 4; ++k) {
    std::vector<long double> y;
    for (std::size_t n = 0; n < 2; ++n)
      for (std::size_t i = 0; i < 7; ++i)
        for (std::size_t j = 0; j < 7; ++j) {
          long double sum = 0;
          for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t r = 0; r < 3; ++r)
              for (std::size_t s = 0; s < 3; ++s)
                sum += static_cast<long double>(x.values[((n * 3 + c) * 9 + i + r) * 9 + j + s]) *
                       w.values[((k * 3 + c) * 3 + r) * 3 + s];
          y.push_back(sum);
        }
    long double mean = 0, variance = 0;
    for (const long double value : y) mean += value / 98;
    for (const long double value : y) variance += (value - mean) * (value - mean) / 98;
    EXPECT_NEAR(found.at("first.mean").values[k], static_cast<double>(mean), 1e-5);
    EXPECT_NEAR(found.at("first.variance").values[k], static_cast<double>(variance),
                1e-5 * static_cast<double>(variance));
  }
}

TEST_F(Calibrated, DependOnTheSeedAndNotOnTheOrderOfWork) {
  const precision::ParallelFor backwards = [](std::int64_t count,
                                              const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = count; i-- > 0;) body(i);
  };
  const CalibratedValues one = calibrate(graph_, 5, precision::serial());
  const CalibratedValues same = calibrate(graph_, 5, backwards);
  const CalibratedValues other = calibrate(graph_, 6, precision::serial());
  for (const auto& [name, tensor] : one) {
    EXPECT_EQ(tensor.values, same.at(name).values) << name;
    EXPECT_NE(tensor.values, other.at(name).values) << name;
  }
}

TEST_F(Calibrated, NothingIsDoneWhereNothingWaitsForIt) {
  for (workloads::TensorInfo& info : graph_.tensors)
    if (info.initializer && workloads::is_calibrated(info.initializer->kind))
      info.initializer = of(Initializer::Kind::constant);
  EXPECT_FALSE(needs_calibration(graph_));
  EXPECT_TRUE(calibrate(graph_, 5, precision::serial()).empty());
}

// Seeded weights must neither blow up nor die out: every format is to be tried on this network.
TEST(ResNet50, ActivationsStayInRange) {
  setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
  RunRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", "resnet50");
  RunOptions options;
  options.quiet = true;
  options.timing = false;
  const Result result = run_all({request}, options);
  ASSERT_TRUE(result.runs[0].numerics) << result.runs[0].error;
  EXPECT_GT(result.runs[0].numerics->by_op.size(), 150U);
  for (const OpError& op : result.runs[0].numerics->by_op) {
    ASSERT_TRUE(op.output) << op.node;
    const precision::Distribution& values = op.output->values;
    EXPECT_LT(values.max_abs, 200.0) << op.node;
    EXPECT_GT(std::hypot(values.mean, values.stddev), op.op == "Softmax" ? 1e-4 : 0.05) << op.node;
  }
}

}  // namespace
}  // namespace npusim::sim
