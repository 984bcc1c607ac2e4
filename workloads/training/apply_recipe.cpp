// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/apply_recipe.h"

#include <algorithm>
#include <set>

#include "base/name_pattern.h"
#include "workloads/graph_copy.h"
#include "workloads/op.h"
#include "workloads/parallel/tensor_parallel.h"
#include "workloads/training/recipe_sections.h"

namespace npusim::workloads {
namespace {

bool is_product(const Node& node) {
  return ops().at(node.op).op_class() == OpClass::matrix;
}

/// The layer of each node, from 1; 0: in none (the update).
class Layers {
 public:
  explicit Layers(const Graph& graph) {
    for (const Node& node : graph.nodes) {
      if (node.phase != Phase::forward) continue;
      const std::string name = plain_name(node.name);
      if (by_name_.count(name) != 0) continue;  // for another batch or device of the step
      if (is_product(node)) ++count_;
      by_name_[name] = std::max<std::int64_t>(1, count_);
    }
  }
  std::int64_t count() const { return count_; }
  /// Backward nodes are named after their forward node or tensor, with suffixes behind dots.
  std::int64_t of(const Node& node) const {
    if (node.phase == Phase::update) return 0;
    for (std::string name = plain_name(node.name);; name.resize(name.rfind('.'))) {
      const auto found = by_name_.find(name);
      if (found != by_name_.end()) return found->second;
      if (name.rfind('.') == std::string::npos) return 0;
    }
  }

 private:
  std::map<std::string, std::int64_t> by_name_;
  std::int64_t count_ = 0;
};

class Rules {
 public:
  Rules(const Graph& graph, const Recipe& recipe) : recipe_(recipe), layers_(graph) {}

  void set_formats(Graph& graph) const {
    std::vector<bool> fixed;
    for (const TensorInfo& tensor : graph.tensors) fixed.push_back(tensor.stored.has_value());
    std::vector<bool> fixed_steps;  // a collective's own
    for (const Node& node : graph.nodes) fixed_steps.push_back(node.internal.has_value());
    for (const RecipeRule& rule : recipe_.rules)
      for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
        Node& node = graph.nodes[n];
        if (!applies(rule, node)) continue;
        if (rule.internal && !fixed_steps[n]) node.internal = rule.internal;
        for (const TensorId id : node.outputs) set_format(rule, id, fixed, graph);
        for (const TensorId id : node.inputs)
          if (id != kNoTensor && reads_as_its_own(graph.tensor(id)))
            set_format(rule, id, fixed, graph);
      }
  }

  /// A rule says what the product reads.
  bool has_operands(const Node& node) const {
    return std::any_of(recipe_.rules.begin(), recipe_.rules.end(), [&](const RecipeRule& rule) {
      return rule.operands && applies(rule, node);
    });
  }

  /// What the product reads; nullopt: its operands as they are stored.
  std::optional<precision::Format> operands(const Node& node) const {
    std::optional<precision::Format> result = recipe_.operands;
    for (const RecipeRule& rule : recipe_.rules)
      if (rule.operands && applies(rule, node)) result = rule.operands;
    return result;
  }

 private:
  bool applies(const RecipeRule& rule, const Node& node) const {
    if (!fits(rule, node)) return false;
    if (rule.first_layers == 0 && rule.last_layers == 0) return true;
    const std::int64_t layer = layers_.of(node);
    if (layer == 0) return false;
    return layer <= rule.first_layers || layer > layers_.count() - rule.last_layers;
  }
  static bool reads_as_its_own(const TensorInfo& tensor) {
    return tensor.role == TensorRole::weight || tensor.role == TensorRole::statistics;
  }
  static void set_format(const RecipeRule& rule, TensorId id, const std::vector<bool>& fixed,
                         Graph& graph) {
    TensorInfo& tensor = graph.tensors[static_cast<std::size_t>(id)];
    const auto format = rule.formats.find(tensor.role);
    if (format != rule.formats.end() && !fixed[static_cast<std::size_t>(id)])
      tensor.stored = format->second;
  }

  const Recipe& recipe_;
  Layers layers_;
};

/// The graph with casts in front of products.
class Casts {
 public:
  Casts(const Graph& graph, const Recipe& recipe, const Rules& rules,
        const std::set<std::string>& scaled)
      : graph_(graph),
        rules_(rules),
        scaled_(scaled),
        storage_(storage_formats(graph, recipe)),
        copy_(graph, result_) {}

  Graph run() {
    result_.name = graph_.name;
    const std::vector<int> writer = writers(graph_);
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (writer[i] < 0) copy_.tensor(static_cast<TensorId>(i));
    for (const Node& node : graph_.nodes) copy(node);
    result_.inputs = copy_.of(graph_.inputs);
    result_.outputs = copy_.of(graph_.outputs);
    return std::move(result_);
  }

 private:
  void copy(const Node& node) {
    const bool casts = is_product(node) && scaled_.count(node.name) == 0;
    const auto format = casts ? rules_.operands(node) : std::nullopt;
    const auto contraction =
        format ? ops().at(node.op).contraction(NodeView(graph_, node)) : std::nullopt;
    if (!contraction) return copy_.node(node);
    std::vector<std::pair<TensorId, TensorId>> replaced;
    for (const int input : {contraction->m_input, contraction->n_input}) {
      const TensorId id = node.inputs[static_cast<std::size_t>(input)];
      if (graph_.tensor(id).type != ElementType::floating ||
          storage_[static_cast<std::size_t>(id)].format == *format)
        continue;
      replaced.emplace_back(id, copy_.of(id));
      copy_.set(id, cast_of(id, *format, node.phase));
    }
    copy_.node(node);
    for (auto item = replaced.rbegin(); item != replaced.rend(); ++item)
      copy_.set(item->first, item->second);
  }

  TensorId cast_of(TensorId id, const precision::Format& format, Phase phase) {
    const std::string name = graph_.tensor(id).name + ".as_" + format.name;
    const TensorId known = result_.find(name);
    if (known != kNoTensor) return known;
    const TensorId result = result_
                                .add_node("Cast", name + ".cast", {copy_.of(id)}, {}, {name},
                                          TensorRole::activation, phase)
                                .front();
    result_.tensors[static_cast<std::size_t>(result)].stored = format;
    return result;
  }

  const Graph& graph_;
  const Rules& rules_;
  const std::set<std::string>& scaled_;
  std::vector<precision::Arithmetic> storage_;
  Graph result_;
  GraphCopy copy_;
};

}  // namespace

bool fits(const RecipeRule& rule, const Node& node) {
  if (!rule.ops.empty() && std::find(rule.ops.begin(), rule.ops.end(), node.op) == rule.ops.end())
    return false;
  return rule.nodes.empty() || base::fits_pattern(rule.nodes, node.name) ||
         base::fits_pattern(rule.nodes, plain_name(node.name));
}

Graph apply_recipe(Graph graph, const Recipe& recipe) {
  const bool casts = recipe.operands ||
                     std::any_of(recipe.rules.begin(), recipe.rules.end(),
                                 [](const RecipeRule& rule) { return rule.operands.has_value(); });
  const Rules rules(graph, recipe);
  rules.set_formats(graph);
  if (const auto autocast = autocast_of(recipe)) apply_autocast(graph, *autocast);
  const auto blocks = block_scaling_of(recipe);
  std::set<std::string> scaled;  // products that read block-scaled operands
  for (const Node& node : graph.nodes)
    if (blocks && is_product_of_weights(graph, node) && !rules.has_operands(node))
      scaled.insert(node.name);
  if (casts) graph = Casts(graph, recipe, rules, scaled).run();
  if (blocks) graph = scale_blocks(graph, *blocks, scaled);
  const auto scaling = operand_scaling_of(recipe);
  return scaling ? scale_operands(graph, *scaling) : graph;
}

}  // namespace npusim::workloads
