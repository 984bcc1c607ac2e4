// SPDX-License-Identifier: Apache-2.0
#include "npu_models/training_graph.h"

#include <algorithm>
#include <map>
#include <set>

#include "npu_models/attention_pin.h"
#include "workloads/decompose.h"
#include "workloads/parallel/tensor_parallel.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/transform.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::NodeView;
using workloads::TensorId;

/// Why attentions stay in parts.
class Choice {
 public:
  Choice(const NpuSpec& npu, const workloads::Workload& workload, const workloads::Recipe& recipe)
      : npu_(npu),
        workload_(workload),
        recipe_(recipe),
        trained_(workloads::depends_on_training(workload)) {}

  TrainingGraph run(const MappedGraph* reference) {
    std::set<std::string> whole, elsewhere;
    for (const Node& node : workload_.graph.nodes)
      if (node.op == "Attention" && wants_fused_backward(npu_.mapping, node.name))
        (reference == nullptr || is_whole(*reference, node.name) ? whole : elsewhere)
            .insert(node.name);
    TrainingGraph result;
    if (whole.empty()) {
      result.graph = workloads::make_training_step(workload_, recipe_);
      add_in_parts(elsewhere, result);
      return result;
    }
    find_reasons(whole);
    whole = without_reason(whole);
    if (!whole.empty()) {
      result.graph = workloads::make_training_step(workload_, recipe_, whole);
      judge_blocks(result.graph);
    }
    const std::set<std::string> left = without_reason(whole);
    if (left.size() < whole.size() || left.empty())
      result.graph = workloads::make_training_step(workload_, recipe_, left);
    add_in_parts(elsewhere, result);
    return result;
  }

 private:
  void add_in_parts(const std::set<std::string>& in_reference, TrainingGraph& result) const {
    for (const Node& node : workload_.graph.nodes)
      if (const auto found = reasons_.find(node.name); found != reasons_.end())
        result.in_parts.push_back(refused(node, found->second));
      else if (in_reference.count(node.name) > 0)
        result.in_parts.push_back({node.name, "the reference has it in parts"});
  }

  static bool is_whole(const MappedGraph& reference, const std::string& name) {
    return std::any_of(reference.graph.nodes.begin(), reference.graph.nodes.end(),
                       [&](const Node& node) {
                         return node.op == workloads::kAttentionWithStatistics &&
                                workloads::plain_name(node.name) == workloads::plain_name(name);
                       });
  }

  std::set<std::string> without_reason(const std::set<std::string>& names) const {
    std::set<std::string> result;
    for (const std::string& name : names)
      if (reasons_.count(name) == 0) result.insert(name);
    return result;
  }

  void find_reasons(const std::set<std::string>& whole) {
    const Graph step = workloads::make_training_step(workload_, recipe_);
    const std::vector<precision::Arithmetic> storage = workloads::storage_formats(step, recipe_);
    for (const Node& node : workload_.graph.nodes) {
      if (whole.count(node.name) == 0) continue;
      std::string reason = of_node(node);
      if (reason.empty()) reason = of_parts(node, step, storage);
      if (!reason.empty()) reasons_[node.name] = reason;
    }
  }

  std::string of_node(const Node& node) const {
    const NodeView view(workload_.graph, node);
    if (node.outputs.size() > 1) return "the op writes its cache too";
    if (view.has_input(4)) return "the op reads a cache";
    if (view.has_input(3) && is_trained(node.inputs[3])) return "its mask is trained";
    if (recipe_.operands) return "the recipe gives its products operands of their own";
    return unwanted(node);
  }

  bool is_trained(TensorId tensor) const {
    return tensor != workloads::kNoTensor && trained_[static_cast<std::size_t>(tensor)] != 0;
  }

  /// One op gives the gradients of all three.
  std::string unwanted(const Node& node) const {
    std::string names;
    for (const auto& [input, name] : {std::pair{std::size_t{0}, "queries"},
                                      {std::size_t{1}, "keys"},
                                      {std::size_t{2}, "values"}})
      if (!is_trained(node.inputs[input])) names += (names.empty() ? "" : ", ") + std::string(name);
    return names.empty() ? "" : "nothing that is trained needs the gradients of its " + names;
  }

  /// Of its nodes in a step in parts: all must be native, and as the recipe has other ops.
  std::string of_parts(const Node& node, const Graph& step,
                       const std::vector<precision::Arithmetic>& storage) const {
    std::vector<std::string> names;
    for (const Node& part : workloads::decomposition_of(workload_.graph, node).nodes)
      names.push_back(part.name);
    for (const Node& part : step.nodes) {
      const bool own = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return part.name == name || part.name.rfind(name + ".", 0) == 0;
      });
      if (!own || part.phase == workloads::Phase::update) continue;
      if (std::any_of(recipe_.rules.begin(), recipe_.rules.end(),
                      [&](const workloads::RecipeRule& rule) { return concerns(rule, part); }))
        return "the recipe has a rule for its " + part.op;
      const Verdict verdict = judge(npu_, step, part, storage, recipe_);
      if (verdict.support == Support::native) continue;
      return "it needs " + part.op + ", which is not native" +
             (verdict.reason.empty() ? "" : ": " + verdict.reason);
    }
    return {};
  }

  static bool concerns(const workloads::RecipeRule& rule, const Node& part) {
    return rule.first_layers > 0 || rule.last_layers > 0 || workloads::fits(rule, part);
  }

  /// Of a step that has them whole.
  void judge_blocks(const Graph& step) {
    const std::vector<precision::Arithmetic> storage = workloads::storage_formats(step, recipe_);
    for (const Node& node : step.nodes) {
      const bool gradient = node.op == workloads::kAttentionGradient;
      if (!gradient && node.op != workloads::kAttentionWithStatistics) continue;
      const Verdict verdict = judge(npu_, step, node, storage, recipe_);
      if (verdict.fused) continue;
      reasons_.emplace(forward_name(node.name),
                       (gradient ? "backward pass: " : "forward pass: ") + verdict.reason);
    }
  }

  /// Nodes of the step are named after their forward node, with suffixes behind dots.
  std::string forward_name(const std::string& name) const {
    std::string best;
    for (const Node& node : workload_.graph.nodes)
      if (node.op == "Attention" && node.name.size() > best.size() &&
          (node.name == name || name.rfind(node.name + ".", 0) == 0))
        best = node.name;
    NPUSIM_CHECK(!best.empty(), name + " is of no attention");
    return best;
  }

  AttentionInParts refused(const Node& node, const std::string& reason) const {
    const MappingPin* const pin = find_backward_pin(npu_.mapping, node.name);
    if (pin == nullptr || !pin->attention->backward.value_or(false)) return {node.name, reason};
    base::Diagnostic mistake = pin->place;
    mistake.code = "illegal-mapping";
    mistake.message = node.name + " cannot be fused with its backward pass: " + reason;
    mistake.allowed = "\"backward\": false";
    throw base::InputError({mistake});
  }

  const NpuSpec& npu_;
  const workloads::Workload& workload_;
  const workloads::Recipe& recipe_;
  const std::vector<char> trained_;             ///< by tensor: its gradient is wanted
  std::map<std::string, std::string> reasons_;  ///< by name
};

}  // namespace

TrainingGraph training_graph(const NpuSpec& npu, const workloads::Workload& workload,
                             const workloads::Recipe& recipe, const MappedGraph* reference) {
  return Choice(npu, workload, recipe).run(reference);
}

}  // namespace npusim::npu
