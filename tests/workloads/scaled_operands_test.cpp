// SPDX-License-Identifier: Apache-2.0
// Scales of FP8 operands: the history of amax slot by slot, and a scaled product against its
// formula.
#include "workloads/training/scaled_operands.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <random>

#include "ops_support.h"
#include "tests/source_dir.h"
#include "workload_text.h"
#include "workloads/training/recipe_sections.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using precision::round_to;
using precision::Rounding;

Recipe shipped(const std::string& name) {
  return load_recipe(std::string(test::source_dir()) + "/configs/recipes/" + name + ".json");
}

Tensor scalar(double value) {
  return testing::typed_tensor({}, ElementType::floating, {value});
}

/// A history as a queue: the step's amax goes in, the largest of the last `length` counts; what
/// leaves the queue is forgotten. Of `length` slots one is always kept free for the next step.
class History {
 public:
  History(std::size_t length, double largest, bool most_recent)
      : length_(length), largest_(largest), most_recent_(most_recent) {}
  double step(double amax) {
    seen_.push_back(amax);
    double top = 0.0;
    bool finite = true;
    for (const double value : seen_) {
      finite = finite && std::isfinite(value);
      top = std::fmax(top, value);
    }
    if (most_recent_) {
      top = amax;
      finite = std::isfinite(amax);
    }
    if (finite && top > 0.0) {
      const float exact = static_cast<float>(largest_) / static_cast<float>(top);
      scale_ = std::isinf(exact) ? static_cast<double>(std::numeric_limits<float>::max())
                                 : static_cast<double>(exact);
    }
    while (seen_.size() > length_ - 1) seen_.pop_front();
    return scale_;
  }

 private:
  std::size_t length_;
  double largest_;
  bool most_recent_;
  std::deque<double> seen_;
  double scale_ = 1.0;
};

TEST(ScaledOperands, AmaxHistoryAndScaleStepByStep) {
  for (const bool most_recent : {false, true})
    for (const std::int64_t length : {1, 2, 5}) {
      std::mt19937 generator(static_cast<unsigned>(length));
      History expected(static_cast<std::size_t>(length), 448.0 / 4.0, most_recent);
      Tensor history({length});
      Tensor scale = scalar(1.0);
      for (int step = 0; step < 40; ++step) {
        double amax = std::ldexp(1.0 + static_cast<double>(generator() % 100) / 100.0,
                                 static_cast<int>(generator() % 20) - 10);
        if (step % 11 == 3) amax = 0.0;
        if (step % 13 == 4) amax = 1e-40;  // 112 / 1e-40 is beyond binary32
        if (step % 17 == 5 && most_recent) amax = std::numeric_limits<double>::infinity();
        const Tensor x =
            testing::typed_tensor({3}, ElementType::floating, {0.5 * amax, -amax, 0.0});
        const std::vector<Tensor> next =
            testing::run_op_outputs("DelayedScale", {x, history, scale},
                                    {{"largest", 448.0},
                                     {"margin", 2.0},
                                     {"most_recent", testing::one(most_recent ? 1 : 0)}},
                                    2);
        history = next[0];
        scale = next[1];
        ASSERT_EQ(scale.values[0], expected.step(amax)) << length << " step " << step;
        EXPECT_EQ(history.values[0], 0.0);  // free for the next step
        EXPECT_EQ(history.values.back(), length > 1 ? amax : 0.0);
      }
    }
}

TEST(ScaledOperands, CurrentScaleBringsTheLargestValueToTheFormatsLargest) {
  const auto scale = [](std::vector<double> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return testing::run_op(
               "AmaxScale",
               {testing::typed_tensor({count}, ElementType::floating, std::move(values))},
               {{"largest", 448.0}})
        .values[0];
  };
  EXPECT_EQ(scale({1.0, -3.5, 2.0}), 128.0);
  EXPECT_EQ(scale({0.3}), static_cast<double>(448.0F / 0.3F));
  EXPECT_EQ(scale({0.0, 0.0}), 1.0);
  EXPECT_EQ(scale({1.0, std::numeric_limits<double>::infinity()}), 1.0);
}

constexpr const char* kLayer = R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [2, 1, 4, 4], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": [2], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 1}}],
"initializers": [{"name": "w", "shape": [2, 1, 4, 4], "initializer": {"kind": "normal"}},
                 {"name": "b", "shape": [2], "initializer": {"kind": "normal"}},
                 {"name": "v", "shape": [2, 2], "initializer": {"kind": "normal"}},
                 {"name": "c", "shape": [2], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Conv", "name": "conv", "inputs": ["x", "w", "b"]},
          {"op": "Flatten", "name": "flat", "inputs": ["conv.out"]},
          {"op": "Gemm", "name": "fc", "inputs": ["flat.out", "v", "c"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.5}}})";

/// Values of every tensor, each rounded as it is stored.
std::vector<Tensor> stored_values(const Graph& graph, const Recipe& recipe) {
  const std::vector<precision::Arithmetic> storage = storage_formats(graph, recipe);
  std::vector<Tensor> given(graph.tensors.size());
  const std::vector<int> writer = writers(graph);
  const auto round = [&](std::size_t i, Tensor& tensor) {
    if (tensor.type != ElementType::floating) return;
    for (double& value : tensor.values) value = round_to(value, storage[i]);
  };
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (writer[i] >= 0) continue;
    const TensorInfo& info = graph.tensors[i];
    given[i] = make_values(*info.initializer, info.shape, info.type, info.name, 3);
    round(i, given[i]);
  }
  std::vector<Tensor> values = given;
  for (const Node& node : graph.nodes) {
    Graph one;  // the node alone, so that each result can be rounded before it is read
    one.tensors = graph.tensors;
    one.nodes = {node};
    const std::vector<Tensor> after = testing::evaluate(one, values, testing::fp32_rounder());
    for (const TensorId id : node.outputs) {
      values[static_cast<std::size_t>(id)] = after[static_cast<std::size_t>(id)];
      round(static_cast<std::size_t>(id), values[static_cast<std::size_t>(id)]);
    }
  }
  return values;
}

double fp32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// Quantised with a scale: round_E4M3(fl32(value * scale)), saturated.
std::vector<double> quantised(const std::vector<double>& values, double scale) {
  precision::Format e4m3 = precision::format_from_name("fp8_e4m3");
  e4m3.overflow = precision::Overflow::saturate;
  std::vector<double> result;
  for (const double value : values)
    result.push_back(round_to(fp32(value * scale), e4m3, Rounding::rne));
  return result;
}

double scale_of(const std::vector<double>& values) {
  double amax = 0.0;
  for (const double value : values) amax = std::fmax(amax, std::fabs(value));
  return static_cast<double>(448.0F / static_cast<float>(amax));
}

/// Rows of A and of B, K values each, with scales, in FP32 around an exact sum.
std::vector<double> scaled_product(const std::vector<double>& a, const std::vector<double>& b,
                                   const std::vector<double>& bias, std::size_t k,
                                   const precision::Format& format) {
  const double sa = scale_of(a), sb = scale_of(b);
  const std::vector<double> qa = quantised(a, sa), qb = quantised(b, sb);
  const double inverse = fp32(fp32(1.0 / sa) * fp32(1.0 / sb));
  std::vector<double> y;
  for (std::size_t i = 0; i < a.size() / k; ++i)
    for (std::size_t j = 0; j < b.size() / k; ++j) {
      double sum = 0.0;
      for (std::size_t t = 0; t < k; ++t) sum += qa[i * k + t] * qb[j * k + t];
      y.push_back(round_to(fp32(fp32(fp32(sum) * inverse) + bias[j]), format, Rounding::rne));
    }
  return y;
}

TEST(ScaledOperands, AProductIsScaledQuantisedSummedAndScaledBack) {
  const Recipe recipe = shipped("fp8_current_scaling");
  const Graph graph = make_training_step(testing::read_text(kLayer), recipe);
  const std::vector<Tensor> values = stored_values(graph, recipe);
  const auto of = [&](const char* name) -> const std::vector<double>& {
    return values[static_cast<std::size_t>(graph.find(name))].values;
  };
  // The image is one window, so the convolution is a product over 16 values.
  EXPECT_EQ(of("conv.out"), scaled_product(of("x"), of("w"), of("b"), 16, precision::bf16()));
  EXPECT_EQ(of("logits"), scaled_product(of("flat.out"), of("v"), of("c"), 2, precision::bf16()));
}

TEST(ScaledOperands, OneCopyATensorGradientsInTheirOwnFormat) {
  const Recipe recipe = shipped("fp8_delayed_scaling");
  const Graph graph = make_training_step(testing::read_text(kLayer), recipe);
  int copies = 0;
  for (const Node& node : graph.nodes) copies += node.op == "QuantizeByScale" ? 1 : 0;
  EXPECT_EQ(copies, 6);  // x, w, flat.out, v, and the gradients of both results
  const auto format = [&](const std::string& name) {
    const TensorId id = graph.find(name);
    return id == kNoTensor
               ? "absent"
               : storage_formats(graph, recipe)[static_cast<std::size_t>(id)].format.name;
  };
  EXPECT_EQ(format("v.fp8_e4m3"), "fp8_e4m3");
  EXPECT_EQ(format("loss.dx.out.fp8_e5m2"), "fp8_e5m2");
  EXPECT_EQ(format("conv.dw.out"), "fp32");
  EXPECT_EQ(format("flat.out"), "bf16");
  // Scales go from step to step; inference reads them and changes nothing.
  EXPECT_EQ(graph.tensor(graph.find("v.fp8_e4m3.amax")).shape, Shape{1024});
  EXPECT_NE(
      std::find(graph.outputs.begin(), graph.outputs.end(), graph.find("v.fp8_e4m3.scale.next")),
      graph.outputs.end());
  const Graph forward =
      scale_operands(testing::read_text(kLayer).graph, *operand_scaling_of(recipe));
  EXPECT_NE(forward.find("v.fp8_e4m3.scale"), kNoTensor);
  EXPECT_EQ(forward.find("v.fp8_e4m3.scale.next"), kNoTensor);
}

}  // namespace
}  // namespace npusim::workloads
