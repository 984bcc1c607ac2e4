// SPDX-License-Identifier: Apache-2.0
// Every registered op of floating values, by one row a op: its FP32 result lies within the stated
// units in the last place (of the largest value of the output) of FP64 on the same operands, and
// its gradient equals central differences. Ops of a backward pass are met in that of their forward
// op. An op without a row, or a differentiable one whose row trains nothing, fails.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <sstream>

#include "evaluate_graph.h"
#include "every_op_rows.h"
#include "workloads/training/backward.h"

namespace npusim::workloads {
namespace {

using testing::Draw;
using testing::Row;

/// Of ops that only backward passes contain: many are sums that cancel.
constexpr double kGradientUlps = 32.0;

/// FP32: fused multiply-adds in order of K.
class FloatEngine final : public MatrixEngine {
 public:
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    std::vector<double> left(static_cast<std::size_t>(k)), right(left.size());
    for (std::int64_t i = 0; i < a.rows(); ++i) {
      testing::read_values(a, i, left);
      for (std::int64_t j = 0; j < b.rows(); ++j) {
        testing::read_values(b, j, right);
        float sum = 0.0F;
        if (bias.axis == precision::Bias::Axis::by_row) sum = static_cast<float>(bias.values[i]);
        if (bias.axis == precision::Bias::Axis::by_column) sum = static_cast<float>(bias.values[j]);
        for (std::size_t t = 0; t < left.size(); ++t)
          sum = std::fma(static_cast<float>(left[t]), static_cast<float>(right[t]), sum);
        const double value = static_cast<double>(sum);
        out.write(i, j, 1, &value);
      }
    }
  }
};

std::vector<Tensor> results(const Graph& graph, const Node& node, const std::vector<Tensor>& values,
                            const MatrixEngine& engine, const precision::Rounder& internal) {
  std::vector<const Tensor*> inputs;
  for (const TensorId id : node.inputs)
    inputs.push_back(id == kNoTensor ? nullptr : &values[static_cast<std::size_t>(id)]);
  std::vector<Tensor> outputs;
  for (const TensorId id : node.outputs)
    outputs.emplace_back(graph.tensor(id).shape, graph.tensor(id).type);
  const precision::ParallelFor serial = precision::serial();
  Evaluation evaluation{NodeView(graph, node), inputs, outputs, engine, internal, serial};
  ops().at(node.op).forward(evaluation);
  return outputs;
}

/// Largest distance in units of the last place of the largest value.
double distance_in_ulps(const Tensor& y, const Tensor& exact) {
  double largest = 0.0, distance = 0.0;
  for (const double value : exact.values) largest = std::max(largest, std::fabs(value));
  const auto top = static_cast<float>(largest);
  const double ulp = std::nextafter(top, INFINITY) - top;
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    if (!std::isfinite(y.values[i]) || !std::isfinite(exact.values[i])) return INFINITY;
    distance = std::max(distance, std::fabs(y.values[i] - exact.values[i]) / ulp);
  }
  return distance;
}

struct Trained {
  Graph graph;
  std::vector<Tensor> values;
};

/// The op, the loss sum(r * y) behind it where it has a gradient, and the backward pass.
Trained trained(const Row& row, const std::vector<Tensor>& inputs) {
  Trained result;
  Graph& graph = result.graph = testing::one_node(row.op, inputs, row.attributes, row.outputs);
  for (const Tensor& input : inputs)
    if (input.shape != Shape{0}) result.values.push_back(input);
  if (!ops().at(row.op).differentiable()) return result;
  TensorId loss = graph.nodes[0].outputs[0];
  if (!graph.tensor(loss).shape.empty()) {
    TensorInfo r;
    r.name = "r";
    r.shape = graph.tensor(loss).shape;
    r.role = TensorRole::weight;
    const TensorId factor = graph.add_tensor(r);
    result.values.resize(graph.tensors.size());
    result.values.back() = testing::random_floats(r.shape, 99);
    for (double& value : result.values.back().values) value = std::fabs(value);
    loss = graph.add_node("Mul", "scaled", {loss, factor}, {}, {"scaled"})[0];
    loss =
        graph.add_node("ReduceSum", "loss", {loss}, {{"keepdims", std::int64_t{0}}}, {"loss"})[0];
  }
  std::vector<TensorId> floating;
  for (std::size_t i = 0; i < graph.nodes[0].inputs.size(); ++i) {
    const TensorId id = graph.nodes[0].inputs[i];
    if (id != kNoTensor && graph.tensor(id).type == ElementType::floating &&
        !graph.tensor(id).initializer && static_cast<int>(i) < row.trained)
      floating.push_back(id);
  }
  if (!floating.empty()) add_backward(graph, loss, floating);
  result.values.resize(graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (const TensorInfo& info = graph.tensors[i]; info.initializer)
      result.values[i] = make_values(*info.initializer, info.shape, info.type, info.name, 0);
  return result;
}

double bound_of(const std::string& op) {
  for (const Row& row : testing::rows())
    if (row.op == op) return row.ulps;
  return kGradientUlps;
}

/// Runs a row's graph in FP32, each node against FP64 on the same operands. Adds the ops it met;
/// returns what is too far off, or nothing.
std::string too_far_off(const Row& row, Draw draw, std::set<std::string>& met) {
  Trained t = trained(row, row.inputs(draw));
  t.values.resize(t.graph.tensors.size());
  const precision::Rounder fp32 = testing::fp32_rounder();
  const FloatEngine in_fp32;
  const testing::NaiveEngine exactly;
  for (const Node& node : t.graph.nodes) {
    const bool of_loss = node.name == "scaled" || node.name == "loss";  // sums that cancel
    if (!of_loss) met.insert(node.op);
    std::vector<Tensor> y = results(t.graph, node, t.values, in_fp32, fp32);
    const std::vector<Tensor> exact = results(t.graph, node, t.values, exactly, {});
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (y[i].type == ElementType::floating) {
        for (double& value : y[i].values) value = static_cast<double>(static_cast<float>(value));
        const double ulps = distance_in_ulps(y[i], exact[i]);
        if (!of_loss && !(ulps <= bound_of(node.op)))
          return node.op + " output " + std::to_string(i) + ": " + std::to_string(ulps) + " ulps";
      }
      t.values[static_cast<std::size_t>(node.outputs[i])] = std::move(y[i]);
    }
  }
  return {};
}

/// `mistake_of` finds nothing wrong for operands of `runs` random shapes and seeds. A failure is
/// made smaller and printed with what RC_PARAMS has to be to see it again;
/// RC_PARAMS="max_success=1000" tries more.
void for_random_operands(const Row& row, int runs, const std::optional<std::uint64_t>& seed_of_all,
                         const std::function<std::string(Draw)>& mistake_of) {
  const auto property = [&] {
    const auto seed =
        *rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>()));
    const auto extent = [] { return *rc::gen::element<std::int64_t>(1, 2, 3, 4); };
    const std::int64_t a = extent(), b = extent(), c = extent();
    const std::string mistake = mistake_of(Draw(seed, a, b, c));
    if (!mistake.empty()) RC_FAIL(mistake);
  };
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  if (params.maxSuccess == rc::detail::TestParams().maxSuccess) params.maxSuccess = runs;
  if (seed_of_all && std::getenv("RC_PARAMS") == nullptr) params.seed = *seed_of_all;
  const rc::detail::TestMetadata name = {row.op, row.op};
  const auto result = rc::detail::checkTestable(property, name, params);
  std::ostringstream text;
  rc::detail::printResultMessage(result, text);
  EXPECT_TRUE(result.is<rc::detail::SuccessResult>()) << row.op << ": " << text.str();
}

// From one seed: what cancels has no bound in units of its result, only bounds that few draws pass.
TEST(EveryOp, Binary32ResultsAreWithinTheirUlpsOfFp64) {
  constexpr std::uint64_t kSeed = 1;
  std::set<std::string> met;
  for (const Row& row : testing::rows())
    for_random_operands(row, 20, kSeed,
                        [&](Draw draw) { return too_far_off(row, std::move(draw), met); });
  for (const Op* op : ops().all()) {
    if (testing::without_floats().count(op->name()) == 0) {
      EXPECT_EQ(met.count(op->name()), 1U) << op->name() << " has no row";
    }
  }
}

/// Has a gradient, or parts that have (constants, which read nothing, need none).
bool trains(const Op& op) {
  if (op.differentiable()) return true;
  const std::vector<std::string> parts = op.decomposes_into();
  return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
    return ops().at(part).differentiable() || ops().at(part).max_inputs() == 0;
  });
}

TEST(EveryOp, GradientsEqualCentralDifferences) {
  std::set<std::string> trained_ops;
  for (const Row& row : testing::rows()) {
    if (!trains(ops().at(row.op)) || row.trained == 0) continue;
    trained_ops.insert(row.op);
    for_random_operands(row, 12, std::nullopt, [&](Draw draw) {
      return testing::wrong_gradient(row.op, row.inputs(draw), row.attributes, row.outputs,
                                     row.trained);
    });
  }
  for (const Op* op : ops().all())
    if (trains(*op)) {
      EXPECT_EQ(trained_ops.count(op->name()), 1U) << op->name() << " trains in no row";
    }
  for (const char* by_parts : {"Attention", "GRU", "LSTM", "RNN"})
    EXPECT_EQ(trained_ops.count(by_parts), 1U) << by_parts;
}

}  // namespace
}  // namespace npusim::workloads
