// SPDX-License-Identifier: Apache-2.0
#include "ops_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "evaluate_graph.h"
#include "workloads/decompose.h"
#include "workloads/training/backward.h"

namespace npusim::workloads::testing {
namespace {

bool omitted(const Tensor& tensor) {
  return tensor.shape == Shape{0};
}

Initializer given(const Tensor& tensor) {
  Initializer initializer;
  initializer.kind = Initializer::Kind::values;
  initializer.values = std::make_shared<const std::vector<double>>(tensor.values);
  return initializer;
}

TensorId add_input(Graph& graph, const std::string& name, const Shape& shape, ElementType type) {
  TensorInfo info;
  info.name = name;
  info.shape = shape;
  info.type = type;
  info.role = type == ElementType::floating ? TensorRole::weight : TensorRole::label;
  return graph.add_tensor(std::move(info));
}

Graph graph_of_shapes(const std::string& op, const std::vector<Shape>& shapes,
                      const Attributes& attributes) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) {
    Tensor tensor;
    tensor.shape = shape;
    inputs.push_back(tensor);
  }
  return one_node(op, inputs, attributes);
}

std::vector<Tensor> start_values(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> values(graph.tensors.size());
  std::size_t next = 0;
  for (const Tensor& input : inputs)
    if (!omitted(input)) values[next++] = input;
  return values;
}

/// Appends loss = sum(r * y); r becomes the last value.
TensorId append_loss(Graph& graph, std::vector<Tensor>& values) {
  const TensorId y = graph.nodes.back().outputs[0];
  if (graph.tensor(y).shape.empty()) return y;
  const TensorId r = add_input(graph, "r", graph.tensor(y).shape, ElementType::floating);
  values.resize(graph.tensors.size());
  values.back() = random_tensor(graph.tensor(r).shape, 99);
  const TensorId scaled = graph.add_node("Mul", "scaled", {y, r}, {}, {"scaled"})[0];
  return graph.add_node("ReduceSum", "loss", {scaled}, {{"keepdims", one(0)}}, {"loss"})[0];
}

double value_of(const Graph& graph, const std::vector<Tensor>& values, TensorId id) {
  return evaluate(graph, values, {})[static_cast<std::size_t>(id)].values.at(0);
}

}  // namespace

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Tensor tensor(shape);
  std::mt19937_64 generator(seed);
  for (double& value : tensor.values)
    value = static_cast<double>(generator() >> 11) * 0x1p-52 - 1.0;
  return tensor;
}

Tensor random_floats(const Shape& shape, std::uint64_t seed) {
  Tensor tensor = random_tensor(shape, seed);
  for (double& value : tensor.values) value = static_cast<double>(static_cast<float>(value));
  return tensor;
}

Tensor labels_tensor(const std::vector<std::int64_t>& values) {
  Tensor tensor({static_cast<std::int64_t>(values.size())}, ElementType::int64);
  std::transform(values.begin(), values.end(), tensor.values.begin(),
                 [](std::int64_t value) { return static_cast<double>(value); });
  return tensor;
}

Graph one_node(const std::string& op, const std::vector<Tensor>& inputs,
               const Attributes& attributes, int outputs) {
  Graph graph;
  std::vector<TensorId> ids;
  const std::vector<int> constant = ops().at(op).constant_inputs();
  for (const Tensor& input : inputs) {
    const auto index = static_cast<int>(ids.size());
    ids.push_back(kNoTensor);
    if (omitted(input)) continue;
    ids.back() = add_input(graph, "in" + std::to_string(index), input.shape, input.type);
    if (std::count(constant.begin(), constant.end(), index) > 0)
      graph.tensors.back().initializer = given(input);
  }
  std::vector<std::string> names = {"out"};
  for (int i = 1; i < outputs; ++i) names.push_back("out" + std::to_string(i));
  graph.add_node(op, "node", ids, attributes, names);
  return graph;
}

std::vector<Tensor> evaluate(const Graph& graph, std::vector<Tensor> values,
                             const VectorArithmetic& internal) {
  values.resize(graph.tensors.size());
  const NaiveEngine engine;
  const precision::ParallelFor backwards = [](std::int64_t count,
                                              const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = count; i-- > 0;) body(i);
  };
  for (const Node& node : graph.nodes) {
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs)
      inputs.push_back(id == kNoTensor ? nullptr : &values[static_cast<std::size_t>(id)]);
    std::vector<Tensor> outputs;
    for (const TensorId id : node.outputs) {
      outputs.emplace_back(graph.tensor(id).shape, graph.tensor(id).type);
      // Whatever an op does not write must not look right by chance.
      std::fill(outputs.back().values.begin(), outputs.back().values.end(), std::nan(""));
    }
    Evaluation evaluation{NodeView(graph, node), inputs, outputs, engine, internal, backwards};
    ops().at(node.op).forward(evaluation);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      values[static_cast<std::size_t>(node.outputs[i])] = std::move(outputs[i]);
  }
  return values;
}

Tensor run_op(const std::string& op, const std::vector<Tensor>& inputs,
              const Attributes& attributes, const VectorArithmetic& internal) {
  const Graph graph = one_node(op, inputs, attributes);
  return evaluate(graph, start_values(graph, inputs), internal).back();
}

std::vector<Tensor> run_op_outputs(const std::string& op, const std::vector<Tensor>& inputs,
                                   const Attributes& attributes, int outputs,
                                   const VectorArithmetic& internal) {
  const Graph graph = one_node(op, inputs, attributes, outputs);
  std::vector<Tensor> values = evaluate(graph, start_values(graph, inputs), internal);
  return {values.end() - outputs, values.end()};
}

Tensor typed_tensor(const Shape& shape, ElementType type, std::vector<double> values) {
  Tensor tensor;
  tensor.shape = shape;
  tensor.type = type;
  tensor.values = std::move(values);
  return tensor;
}

Tensor integers_tensor(const std::vector<std::int64_t>& values) {
  return labels_tensor(values);
}

precision::Rounder fp32_rounder() {
  return precision::Rounder({precision::fp32(), precision::Rounding::rne});
}

std::string error_of(const std::string& op, const std::vector<Shape>& shapes,
                     const Attributes& attributes) {
  try {
    graph_of_shapes(op, shapes, attributes);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "accepted";
}

Contraction contraction_of(const std::string& op, const std::vector<Shape>& shapes,
                           const Attributes& attributes) {
  const Graph graph = graph_of_shapes(op, shapes, attributes);
  return *ops().at(op).contraction(NodeView(graph, graph.nodes[0]));
}

std::map<std::string, std::int64_t> work_of(const std::string& op, const std::vector<Shape>& shapes,
                                            const Attributes& attributes) {
  const Graph graph = graph_of_shapes(op, shapes, attributes);
  std::map<std::string, std::int64_t> result;
  for (const VectorWork& work : ops().at(op).vector_work(NodeView(graph, graph.nodes[0])))
    result[work.function] += work.elements;
  return result;
}

std::string wrong_gradient(const std::string& op, const std::vector<Tensor>& inputs,
                           const Attributes& attributes, int outputs, int inputs_trained) {
  Graph forward = one_node(op, inputs, attributes, outputs);
  std::vector<Tensor> values = start_values(forward, inputs);
  const TensorId loss = append_loss(forward, values);
  forward.outputs = {loss};
  const bool by_parts = !ops().at(op).differentiable();
  Graph graph = by_parts ? decompose(forward, [&](const Node& node) { return node.op == op; }).graph
                         : forward;
  std::vector<TensorId> floating, of_graph;
  for (std::size_t i = 0; i < forward.nodes[0].inputs.size(); ++i) {
    const TensorId id = forward.nodes[0].inputs[i];
    if (id == kNoTensor || forward.tensor(id).type != ElementType::floating ||
        forward.tensor(id).initializer || static_cast<int>(i) >= inputs_trained)
      continue;
    floating.push_back(id);
    of_graph.push_back(graph.find(forward.tensor(id).name));
  }
  const std::vector<TensorId> gradients = add_backward(graph, graph.outputs[0], of_graph);
  std::vector<Tensor> start(graph.tensors.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    start[static_cast<std::size_t>(graph.find(forward.tensors[i].name))] = values[i];
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (const TensorInfo& info = graph.tensors[i]; info.initializer)
      start[i] = make_values(*info.initializer, info.shape, info.type, info.name, 0);
  const std::vector<Tensor> trained = evaluate(graph, start, {});
  for (std::size_t i = 0; i < floating.size(); ++i) {
    const auto input = static_cast<std::size_t>(floating[i]);
    // An input that no gradient reaches must not matter.
    const Tensor gradient = gradients[i] == kNoTensor
                                ? Tensor(values[input].shape)
                                : trained[static_cast<std::size_t>(gradients[i])];
    const std::string where = op + " " + forward.tensors[input].name;
    if (gradient.shape != values[input].shape)
      return where + ": the gradient has shape " + to_string(gradient.shape);
    double scale = 1e-3;
    for (const double g : gradient.values) scale = std::max(scale, std::fabs(g));
    for (std::size_t e = 0; e < gradient.values.size(); ++e) {
      constexpr double kStep = 1e-5;
      std::vector<Tensor> up = values;
      std::vector<Tensor> down = values;
      up[input].values[e] += kStep;
      down[input].values[e] -= kStep;
      const double difference =
          (value_of(forward, up, loss) - value_of(forward, down, loss)) / (2 * kStep);
      if (!(std::fabs(gradient.values[e] - difference) <= 1e-6 * scale))
        return where + " element " + std::to_string(e) + ": gradient " +
               std::to_string(gradient.values[e]) + ", central difference " +
               std::to_string(difference);
    }
  }
  return {};
}

void expect_right_gradients(const std::string& op, const std::vector<Tensor>& inputs,
                            const Attributes& attributes, int outputs, int inputs_trained) {
  ASSERT_EQ("", wrong_gradient(op, inputs, attributes, outputs, inputs_trained));
}

void expect_near(const Tensor& actual, const Shape& shape, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(actual.shape, shape);
  ASSERT_EQ(actual.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual.values[i], expected[i], tolerance) << "element " << i;
}

}  // namespace npusim::workloads::testing
