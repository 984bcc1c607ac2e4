// SPDX-License-Identifier: Apache-2.0
#include "sim/sampled_numerics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "workloads/ops/product_layout.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

using workloads::Initializer;
using workloads::Shape;
using workloads::Tensor;
using workloads::TensorId;

Initializer drawn(double mean) {
  Initializer initializer = standard_normal();
  initializer.mean = mean;
  return initializer;
}

TensorId add(workloads::Graph& graph, const std::string& name, const Shape& shape, double mean) {
  workloads::TensorInfo info;
  info.name = name;
  info.shape = shape;
  info.role = workloads::TensorRole::weight;
  info.initializer = drawn(mean);
  return graph.add_tensor(info);
}

npu::MappedGraph mapped(const workloads::Graph& graph, const char* recipe) {
  return npu::map_graph(npu::load_npu(find_file("npu", "cube16_fp16")), graph,
                        workloads::load_recipe(find_file("recipe", recipe)));
}

workloads::Graph product(std::int64_t m, std::int64_t k, std::int64_t n) {
  workloads::Graph graph;
  graph.name = "product";
  const TensorId x = add(graph, "x", {m, k}, 0.25);
  const TensorId w = add(graph, "w", {k, n}, 0.1);
  graph.inputs = {x};
  graph.outputs = graph.add_node("MatMul", "y", {x, w}, {}, {"y"});
  return graph;
}

NumericOptions options_of(std::uint64_t seed) {
  NumericOptions options;
  options.seed = seed;
  options.most_macs = 0;
  return options;
}

TEST(SampledNumerics, AProductOfFewElementsIsComputedWhole) {
  const npu::MappedGraph graph = mapped(product(20, 300, 24), "fp16_fp16_accumulate");
  const SampledNumerics sampled = sample_numerics(graph, options_of(3), precision::serial());
  NumericOptions whole;
  whole.seed = 3;
  const Numerics all =
      execute(graph, workloads::load_recipe(find_file("recipe", "fp16_fp16_accumulate")), whole,
              precision::serial());
  ASSERT_EQ(sampled.by_op.size(), 1U);
  const SampledOpError& op = sampled.by_op[0];
  EXPECT_EQ(op.elements, 480);
  EXPECT_EQ(op.local.max_abs, all.by_op[0].local.max_abs);
  EXPECT_NEAR(*op.local.rel_fro, *all.by_op[0].local.rel_fro, 1e-12);
  EXPECT_NEAR(op.rel_fro_low, *op.local.rel_fro, 1e-12);
  EXPECT_NEAR(op.rel_fro_high, *op.local.rel_fro, 1e-12);
}

// 95% intervals over 60 seeds; fewer than 50 hits have a probability below 1e-3.
TEST(SampledNumerics, IntervalsHoldTheErrorOfTheWholeProduct) {
  const npu::MappedGraph graph = mapped(product(160, 128, 192), "fp16_fp16_accumulate");
  const workloads::Recipe recipe =
      workloads::load_recipe(find_file("recipe", "fp16_fp16_accumulate"));
  int held = 0;
  constexpr int kSeeds = 60;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    NumericOptions whole;
    whole.seed = seed;
    const double error = *execute(graph, recipe, whole, precision::serial()).by_op[0].local.rel_fro;
    const SampledOpError op =
        sample_numerics(graph, options_of(seed), precision::serial()).by_op[0];
    EXPECT_EQ(op.elements, 1024);
    EXPECT_EQ(op.of_elements, 160 * 192);
    EXPECT_LT(op.rel_fro_high - op.rel_fro_low, 0.5 * error);
    if (op.rel_fro_low <= error && error <= op.rel_fro_high) ++held;
  }
  EXPECT_GE(held, 50);
}

TEST(SampledNumerics, NoTensorIsHeldHoweverLarge) {
  workloads::Graph graph;
  graph.name = "large";
  const std::int64_t wide = 1 << 16;  // weights of 2^32 elements: 32 GB
  const TensorId x = add(graph, "x", {8, 1 << 12}, 0.0);
  const TensorId up = add(graph, "up", {1 << 12, wide}, 0.0);
  const TensorId wider = add(graph, "wider", {wide, wide}, 0.0);
  const auto h = graph.add_node("MatMul", "first", {x, up}, {}, {"h"});
  const auto a = graph.add_node("Relu", "relu", {h[0]}, {}, {"a"});
  graph.outputs = graph.add_node("MatMul", "second", {a[0], wider}, {}, {"y"});
  const npu::MappedGraph all = mapped(graph, "fp16_fp32_master");
  const Numerics numerics =
      execute(all, workloads::load_recipe(find_file("recipe", "fp16_fp32_master")), options_of(1),
              precision::serial());
  ASSERT_TRUE(numerics.sampled.has_value());
  ASSERT_EQ(numerics.sampled->by_op.size(), 2U);
  for (const SampledOpError& op : numerics.sampled->by_op) EXPECT_GT(*op.local.rel_fro, 0.0);
  // Through Relu half of the draws are 0.
  EXPECT_NEAR(numerics.sampled->by_op[1].inputs[0].values.zero_pct, 50.0, 1.0);
}

TEST(SampledNumerics, ActivationsAreDrawnAsStated) {
  workloads::Graph graph;
  const TensorId x = add(graph, "x", {64, 64}, 0.0);
  const TensorId w = add(graph, "w", {64, 64}, 0.0);
  const auto h = graph.add_node("Add", "twice", {x, x}, {}, {"h"});
  graph.outputs = graph.add_node("MatMul", "product", {h[0], w}, {}, {"y"});
  NumericOptions options = options_of(1);
  options.activations = drawn(100.0);
  const SampledNumerics sampled =
      sample_numerics(mapped(graph, "fp16_fp32_master"), options, precision::serial());
  ASSERT_EQ(sampled.by_op.size(), 1U);
  EXPECT_NEAR(sampled.by_op[0].inputs[0].values.mean, 100.0, 0.1);
  EXPECT_NEAR(sampled.by_op[0].inputs[1].values.mean, 0.0, 0.1);
  EXPECT_EQ(sampled.skipped.at("Add"), 1);
}

/// Moments of a product's operand that `op` and `moves` made of normal draws.
precision::Distribution seen_through(const std::string& op, const std::vector<TensorId>& more,
                                     workloads::Graph graph, const TensorId x,
                                     const std::vector<std::string>& moves = {}) {
  const auto h = graph.add_node("Add", "twice", {x, x}, {}, {"h"});
  std::vector<TensorId> inputs = {h[0]};
  inputs.insert(inputs.end(), more.begin(), more.end());
  TensorId a = graph.add_node(op, "function", inputs, {}, {"a"})[0];
  for (const std::string& move : moves) a = graph.add_node(move, move, {a}, {}, {move + ".out"})[0];
  const TensorId w = add(graph, "w", {64, 64}, 0.0);
  graph.outputs = graph.add_node("MatMul", "product", {a, w}, {}, {"y"});
  return sample_numerics(mapped(graph, "fp16_fp32_master"), options_of(1), precision::serial())
      .by_op.at(0)
      .inputs.at(0)
      .values;
}

TEST(SampledNumerics, DrawsGoThroughActivationFunctions) {
  workloads::Graph graph;
  const TensorId x = add(graph, "x", {64, 64}, 0.0);
  // Of a standard normal number z: mean of z sigmoid(z) 0.2066, of z Phi(z) 1 / (2 sqrt(pi)).
  EXPECT_NEAR(seen_through("Swish", {}, graph, x).mean, 0.2066, 0.02);
  EXPECT_NEAR(seen_through("Gelu", {}, graph, x).mean, 0.28209, 0.02);
  EXPECT_NEAR(seen_through("Sigmoid", {}, graph, x).mean, 0.5, 0.01);
  EXPECT_NEAR(seen_through("Tanh", {}, graph, x).mean, 0.0, 0.02);
}

TEST(SampledNumerics, DrawsGoThroughGainAndOffsetOfANormalisation) {
  workloads::Graph graph;
  const TensorId x = add(graph, "x", {64, 64}, 0.0);
  const TensorId gain = add(graph, "gain", {64}, 0.0);
  const TensorId offset = add(graph, "offset", {64}, 0.0);
  const auto set = [&](TensorId id, double mean, double share) {
    Initializer initializer = drawn(mean);
    initializer.stddev = 0.0;
    initializer.outlier_channels = share;
    initializer.outlier_scale = 20.0;
    graph.tensors[static_cast<std::size_t>(id)].initializer = initializer;
  };
  set(gain, 1.0, 1.0 / 64.0);  // one channel of 64 is 20 times larger: variance (63 + 400) / 64
  set(offset, 0.5, 0.0);
  for (const char* op : {"LayerNormalization", "RMSNormalization"}) {
    const bool centred = op == std::string("LayerNormalization");
    const std::vector<TensorId> inputs =
        centred ? std::vector<TensorId>{gain, offset} : std::vector<TensorId>{gain};
    const precision::Distribution seen = seen_through(op, inputs, graph, x);
    EXPECT_NEAR(seen.mean, centred ? 0.5 : 0.0, 0.2) << op;
    EXPECT_NEAR(seen.stddev, std::sqrt(463.0 / 64.0), 0.5) << op;
    EXPECT_GT(seen.max_abs, 20.0) << op;
    // Behind a transpose the channels are not where they were: plain draws.
    EXPECT_NEAR(seen_through(op, inputs, graph, x, {"Transpose"}).stddev, 1.0, 0.1) << op;
  }
}

// Attention runs as its parts there: keys are multiplied as they are stored.
TEST(SampledNumerics, ShippedLlamaGivesAnErrorForEachProduct) {
  for (const char* name : {"llama2_7b_prefill", "llama2_7b_decode"}) {
    const workloads::Workload llama =
        workloads::load_workload(find_file("workload", name),
                                 {base::parse_override("workload.parameters.layers=1").override});
    const npu::MappedGraph graph =
        npu::map_graph(npu::load_npu(find_file("npu", "google_tpu_v3")), llama.graph,
                       workloads::load_recipe(find_file("recipe", "bf16_fp32_master")));
    const SampledNumerics sampled = sample_numerics(graph, options_of(1), precision::serial());
    ASSERT_EQ(sampled.by_op.size(), 10U)
        << name;  // q, k, v, o, gate, up, down, head, scores, values
    for (const SampledOpError& op : sampled.by_op) {
      EXPECT_GT(*op.local.rel_fro, 1e-8) << op.node;  // FP32 where an addition is fused behind it
      EXPECT_LT(*op.local.rel_fro, 1e-2) << op.node;
      EXPECT_LE(op.rel_fro_low, *op.local.rel_fro) << op.node;
      EXPECT_GE(op.rel_fro_high, *op.local.rel_fro) << op.node;
    }
    EXPECT_GT(sampled.by_op[0].inputs[0].values.kurtosis, 20.0) << name;  // outlier channels
  }
}

TEST(SampledNumerics, DoNotDependOnTheOrderOfWork) {
  const npu::MappedGraph graph = mapped(product(200, 64, 200), "fp16_fp16_accumulate");
  const precision::ParallelFor backwards = [](std::int64_t count,
                                              const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = count; i-- > 0;) body(i);
  };
  const SampledNumerics a = sample_numerics(graph, options_of(3), precision::serial());
  const SampledNumerics b = sample_numerics(graph, options_of(3), backwards);
  EXPECT_EQ(*a.by_op[0].local.rel_fro, *b.by_op[0].local.rel_fro);
  EXPECT_EQ(a.by_op[0].rel_fro_low, b.by_op[0].rel_fro_low);
  EXPECT_NE(*a.by_op[0].local.rel_fro,
            *sample_numerics(graph, options_of(4), precision::serial()).by_op[0].local.rel_fro);
}

TEST(SampledNumerics, StudentQuantilesAreThoseOfTheTables) {
  const std::map<std::int64_t, double> table = {{1, 12.706}, {2, 4.303},   {5, 2.571},
                                                {10, 2.228}, {31, 2.0395}, {1000, 1.962}};
  for (const auto& [n, quantile] : table) EXPECT_NEAR(student_quantile_95(n), quantile, 0.004) << n;
}

/// Records the operands of each product.
class Recorder final : public workloads::MatrixEngine {
 public:
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias&, precision::GemmOutput&) const override {
    for (const precision::OperandRows* rows : {&a, &b}) {
      std::vector<double> all;
      for (std::int64_t r = 0; r < rows->rows(); ++r) {
        std::vector<double> row(static_cast<std::size_t>(k));
        rows->read(r, row.data());
        all.insert(all.end(), row.begin(), row.end());
      }
      seen.push_back(std::move(all));
    }
  }
  mutable std::vector<std::vector<double>> seen;  ///< a and b of each product
};

/// Every row of the layout against what forward() hands to the engine.
void expect_layout(const std::string& op, const std::vector<Shape>& shapes,
                   const workloads::Attributes& attributes) {
  workloads::Graph graph;
  std::vector<TensorId> ids;
  std::vector<Tensor> values;
  for (const Shape& shape : shapes) {
    ids.push_back(add(graph, "t" + std::to_string(ids.size()), shape, 0.0));
    values.push_back(workloads::make_values(drawn(0.0), shape, workloads::ElementType::floating,
                                            "t" + std::to_string(ids.size()), 1));
  }
  graph.add_node(op, "node", ids, attributes, {"out"});
  const workloads::NodeView view(graph, graph.nodes[0]);
  std::vector<const Tensor*> inputs;
  for (const Tensor& value : values) inputs.push_back(&value);
  std::vector<Tensor> outputs = {Tensor(view.output().shape)};
  const Recorder recorder;
  const precision::Rounder exact;
  const precision::ParallelFor serial = precision::serial();
  workloads::Evaluation evaluation{view, inputs, outputs, recorder, exact, serial};
  workloads::ops().at(op).forward(evaluation);
  const auto layout = workloads::product_layout(view);
  ASSERT_TRUE(layout.has_value()) << op;
  ASSERT_EQ(recorder.seen.size(), static_cast<std::size_t>(2 * layout->products)) << op;
  for (std::int64_t product = 0; product < layout->products; ++product)
    for (const auto* operand : {&layout->a, &layout->b}) {
      const std::vector<double>& seen =
          recorder.seen[static_cast<std::size_t>(2 * product + (operand == &layout->b ? 1 : 0))];
      ASSERT_EQ(seen.size(), static_cast<std::size_t>(operand->rows * layout->k)) << op;
      for (std::int64_t row = 0; row < operand->rows; ++row)
        for (std::int64_t k = 0; k < layout->k; ++k) {
          const std::int64_t at = operand->element(product, row, k);
          const double value = at < 0 ? 0.0
                                      : values[static_cast<std::size_t>(operand->input)]
                                            .values[static_cast<std::size_t>(at)];
          ASSERT_EQ(value, seen[static_cast<std::size_t>(row * layout->k + k)])
              << op << " product " << product << " row " << row << " term " << k;
        }
    }
}

TEST(ProductLayout, IsWhatTheOpsHandToTheirEngine) {
  using Integers = std::vector<std::int64_t>;
  const std::int64_t yes = 1;
  expect_layout("Gemm", {{3, 5}, {5, 4}, {4}}, {});
  expect_layout("Gemm", {{5, 3}, {4, 5}}, {{"transA", yes}, {"transB", yes}});
  expect_layout("MatMul", {{3, 5}, {5, 4}}, {});
  expect_layout("MatMul", {{2, 1, 3, 5}, {4, 5, 2}}, {});
  expect_layout("MatMul", {{5}, {2, 5, 3}}, {});
  expect_layout("MatMul", {{2, 5, 3}, {2, 4, 5}}, {{"transA", yes}, {"transB", yes}});
  expect_layout("MatMul", {{3, 2, 4, 5}, {1, 2, 6, 5}}, {{"transB", yes}});
  expect_layout("Conv", {{2, 3, 6, 5}, {4, 3, 3, 2}, {4}}, {{"pads", Integers{1, 0, 2, 1}}});
  expect_layout("Conv", {{1, 4, 7, 7}, {6, 2, 3, 3}},
                {{"group", std::int64_t{2}},
                 {"strides", Integers{2, 1}},
                 {"dilations", Integers{1, 2}},
                 {"pads", Integers{1, 1, 1, 1}}});
  expect_layout("Conv", {{1, 2, 4, 5, 3}, {2, 2, 2, 3, 1}}, {{"pads", Integers{1, 1, 0, 0, 1, 0}}});
}

}  // namespace
}  // namespace npusim::sim
