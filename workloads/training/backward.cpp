// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/backward.h"

#include <algorithm>

#include "base/error.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

class Backward {
 public:
  Backward(Graph& graph, TensorId loss, const std::vector<TensorId>& weights)
      : graph_(graph), loss_(loss), forward_nodes_(graph.nodes.size()) {
    needed_.assign(graph.tensors.size(), 0);
    parts_.resize(graph.tensors.size());
    for (const TensorId weight : weights) needed_[at(weight)] = 1;
    for (const Node& node : graph.nodes)
      if (std::any_of(node.inputs.begin(), node.inputs.end(),
                      [&](TensorId id) { return id != kNoTensor && needed_[at(id)] != 0; }))
        for (const TensorId id : node.outputs)  // integers (indices of TopK) carry no gradient
          needed_[at(id)] = graph.tensor(id).type == ElementType::floating ? 1 : 0;
  }

  void run() {
    base::Diagnostics missing;
    for (std::size_t i = forward_nodes_; i-- > 0;) {
      const Node node = graph_.nodes[i];  // a copy: adding nodes moves the originals
      if (!flows_into(node)) continue;
      const Op& op = ops().at(node.op);
      if (op.differentiable())
        add_gradient(op, node);
      else
        missing.add(no_gradient(node));
    }
    missing.throw_if_any();
  }

  /// The sum of all gradients that reached a tensor; kNoTensor when none did.
  TensorId gradient_of(TensorId id) {
    if (id == loss_ && parts_[at(id)].empty()) parts_[at(id)].push_back(one());
    std::vector<TensorId>& parts = parts_[at(id)];
    while (parts.size() > 1) {
      const TensorId sum = add_sum(id, parts[0], parts[1]);
      parts.erase(parts.begin());
      parts[0] = sum;
    }
    return parts.empty() ? kNoTensor : parts[0];
  }

  Graph& graph() { return graph_; }
  bool needed(TensorId id) const { return id != kNoTensor && needed_[at(id)] != 0; }
  void contribute(TensorId id, TensorId gradient) { parts_[at(id)].push_back(gradient); }
  std::string free_node_name(const std::string& wanted) { return free_name(wanted); }

 private:
  static std::size_t at(TensorId id) { return static_cast<std::size_t>(id); }

  /// True when a gradient arrives at an output and somebody needs one of an input.
  bool flows_into(const Node& node) const {
    const auto arrives = [&](TensorId id) { return id == loss_ || !parts_[at(id)].empty(); };
    return std::any_of(node.outputs.begin(), node.outputs.end(), arrives) &&
           std::any_of(node.inputs.begin(), node.inputs.end(),
                       [&](TensorId id) { return needed(id); });
  }

  void add_gradient(const Op& op, const Node& node);

  base::Diagnostic no_gradient(const Node& node) const {
    base::Diagnostic diagnostic;
    diagnostic.code = "no-gradient";
    diagnostic.message =
        node.op + " \"" + node.name + "\" has no gradient: it cannot be trained through";
    return diagnostic;
  }

  TensorId one() {
    TensorInfo info;
    info.name = free_name(graph_.tensor(loss_).name + ".gradient");
    info.shape = graph_.tensor(loss_).shape;
    info.role = TensorRole::activation_gradient;
    info.initializer = Initializer{};
    info.initializer->value = 1.0;
    return graph_.add_tensor(std::move(info));
  }

  TensorId add_sum(TensorId id, TensorId a, TensorId b) {
    const bool weight = graph_.tensor(id).role == TensorRole::weight;
    const std::string name = free_name(graph_.tensor(id).name + ".gradient_sum");
    return graph_
        .add_node("Add", name, {a, b}, {}, {name + ".out"},
                  weight ? TensorRole::weight_gradient : TensorRole::activation_gradient,
                  Phase::backward)
        .front();
  }

  std::string free_name(const std::string& wanted) const {
    std::string name = wanted;
    for (int i = 1; graph_.find(name) != kNoTensor || graph_.find(name + ".out") != kNoTensor; ++i)
      name = wanted + "." + std::to_string(i);
    return name;
  }

  Graph& graph_;
  TensorId loss_;
  std::size_t forward_nodes_;
  std::vector<char> needed_;
  std::vector<std::vector<TensorId>> parts_;  ///< gradients that reached each forward tensor
};

class NodeBackward final : public GradientBuilder {
 public:
  NodeBackward(Backward& backward, const Node& node) : backward_(backward), node_(node) {}

  NodeView view() const override { return {backward_.graph(), node_}; }

  TensorId output_gradient(int i) const override {
    return backward_.gradient_of(node_.outputs[static_cast<std::size_t>(i)]);
  }

  bool wanted(int i) const override {
    return i < static_cast<int>(node_.inputs.size()) &&
           backward_.needed(node_.inputs[static_cast<std::size_t>(i)]);
  }

  TensorId add(const std::string& op, const std::string& suffix, std::vector<TensorId> inputs,
               Attributes attributes, TensorRole role) override {
    const std::string name = backward_.free_node_name(node_.name + "." + suffix);
    std::vector<std::string> outputs = {name + ".out"};
    for (int i = 1; i < ops().at(op).min_outputs(); ++i)
      outputs.push_back(name + ".out" + std::to_string(i));
    return backward_.graph()
        .add_node(op, name, std::move(inputs), std::move(attributes), outputs, role,
                  Phase::backward)
        .front();
  }

  void set_input_gradient(int i, TensorId gradient) override {
    NPUSIM_CHECK(wanted(i), node_.op + " computed a gradient that nobody wants");
    const TensorId id = node_.inputs[static_cast<std::size_t>(i)];
    const Graph& graph = backward_.graph();
    NPUSIM_CHECK(graph.tensor(gradient).shape == graph.tensor(id).shape,
                 node_.op + " made a gradient of another shape than its input");
    backward_.contribute(id, gradient);
  }

 private:
  Backward& backward_;
  const Node& node_;
};

void Backward::add_gradient(const Op& op, const Node& node) {
  for (const TensorId id : node.outputs) gradient_of(id);  // sums come before their use
  NodeBackward builder(*this, node);
  op.gradient(builder);
}

}  // namespace

std::vector<TensorId> add_backward(Graph& graph, TensorId loss,
                                   const std::vector<TensorId>& weights, TensorId seed) {
  Backward backward(graph, loss, weights);
  if (seed != kNoTensor) backward.contribute(loss, seed);
  backward.run();
  std::vector<TensorId> gradients;
  for (const TensorId weight : weights) gradients.push_back(backward.gradient_of(weight));
  return gradients;
}

}  // namespace npusim::workloads
