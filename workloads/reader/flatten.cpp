// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/flatten.h"

#include <algorithm>
#include <map>

#include "workloads/reader/expression.h"

namespace npusim::workloads {
namespace {

using base::ValueReader;

constexpr std::size_t kMaxDepth = 16;
constexpr std::int64_t kMaxRepeat = 100000;
constexpr std::int64_t kMaxParts = 200000;  ///< nodes, weights and block instances of a network

/// A body in one of its uses: how its local names are called outside.
struct Instance {
  const BlockSyntax* block;
  std::string prefix;                           ///< "" or "layer1.0."
  std::map<std::string, std::string> bindings;  ///< inputs and outputs of a block

  std::string global(const std::string& local) const {
    if (local.empty()) return {};
    const auto bound = bindings.find(local);
    return bound == bindings.end() ? prefix + local : bound->second;
  }
};

/// Whether some text in the value, an expression perhaps, holds the word.
bool mentions(const base::JsonValue& value, const std::string& word) {
  if (value.is_string()) return value.string().find(word) != std::string::npos;
  if (value.is_array()) {
    const auto& items = value.items();
    return std::any_of(items.begin(), items.end(),
                       [&](const base::JsonValue& item) { return mentions(item, word); });
  }
  if (!value.is_object()) return false;
  const auto& members = value.members();
  return std::any_of(members.begin(), members.end(),
                     [&](const auto& member) { return mentions(member.second, word); });
}

class Flattener {
 public:
  explicit Flattener(const WorkloadSyntax& workload) : workload_(workload) {}

  FlatNetwork run() {
    define_parameters();
    for (const TensorSyntax& tensor : workload_.inputs)
      add_tensor(tensor, tensor.name, parameters_, network_.inputs);
    expand({&workload_.body, "", {}}, parameters_);
    report_unused_parameters();
    if (stopped_) return {};
    network_.complete = true;
    return std::move(network_);
  }

 private:
  void define_parameters() {
    for (const NameAt& parameter : workload_.parameters) {
      const base::IntegerRange range = parameter.name == "batch" ? base::kPositive : kAny;
      const auto value = read_integer(parameter.at, range, parameters_);
      parameters_.define(parameter.name, value.value_or(1));
      if (parameter.name == "batch") network_.batch = value.value_or(1);
    }
  }

  /// One that nothing reads is a misspelling, or an override without any effect.
  void report_unused_parameters() {
    const ValueReader& root = workload_.body.at;
    const auto& told = root.diagnostics().items();
    if (std::any_of(told.begin(), told.end(),
                    [](const auto& item) { return item.code == "unknown-parameter"; }))
      return;                                         // a misspelling, told where it stands
    const bool whole = !root.diagnostics().spoilt();  // else what uses it may have been left out
    for (const NameAt& parameter : workload_.parameters)
      if (!parameters_.used(parameter.name) && (whole || !mentions(root.json(), parameter.name)))
        parameter.at.error("unused-parameter",
                           "nothing uses the parameter \"" + parameter.name + "\"",
                           "a parameter that an expression names");
  }

  void add_tensor(const TensorSyntax& tensor, const std::string& name, Parameters& scope,
                  std::vector<FlatTensor>& list) {
    Shape shape;
    for (const ValueReader& extent : tensor.shape)
      if (const auto value = read_integer(extent, base::kPositive, scope)) shape.push_back(*value);
    if (shape.size() < tensor.shape.size()) return;
    try {
      element_count(shape);
    } catch (const base::InputError& error) {
      tensor.at.error(error.diagnostics().front().code, error.diagnostics().front().message,
                      "fewer elements");
      return;
    }
    std::optional<Initializer> initializer = tensor.initializer;
    if (initializer) resolve_expressions(tensor.at, tensor.type, scope, *initializer);
    list.push_back({&tensor, name, std::move(shape), std::move(initializer)});
  }

  void expand(const Instance& instance, Parameters& scope) {
    for (const TensorSyntax& tensor : instance.block->initializers)
      if (count_part(tensor.at))
        add_tensor(tensor, instance.global(tensor.name), scope, network_.weights);
    for (const NodeSyntax& node : instance.block->nodes) {
      if (node.block)
        add_block(node, instance, scope);
      else if (count_part(node.at))
        add_node(node, instance, scope);
    }
  }

  void add_node(const NodeSyntax& node, const Instance& instance, Parameters& scope) {
    FlatNode flat{&node, instance.prefix + node.name, {}, {}, {}, node.op != nullptr};
    for (const NameAt& input : node.inputs) flat.inputs.push_back(instance.global(input.name));
    for (const std::string& output : workload_.outputs_of(node))
      flat.outputs.push_back(instance.global(output));
    for (const NameAt& setting : node.settings)
      flat.valid = read_setting(setting, flat, scope) && flat.valid;
    network_.nodes.push_back(std::move(flat));
  }

  static bool read_setting(const NameAt& setting, FlatNode& flat, Parameters& scope) {
    if (flat.syntax->op == nullptr) return false;
    for (const AttributeSpec& spec : flat.syntax->op->attributes()) {
      if (spec.name != setting.name) continue;
      const auto value = read_attribute(setting.at, spec, scope);
      if (value) flat.attributes[spec.name] = *value;
      return value.has_value();
    }
    return false;  // unknown: reported by the parser
  }

  void add_block(const NodeSyntax& node, const Instance& outer, Parameters& scope) {
    const BlockSyntax* block = workload_.block(node.block->name);
    if (block == nullptr || !may_nest(node, *block)) return;
    std::int64_t copies = 1;
    if (node.repeat) copies = read_integer(*node.repeat, {1, kMaxRepeat}, scope).value_or(1);
    open_.push_back(block);
    std::vector<std::string> inputs;
    for (const NameAt& input : node.inputs) inputs.push_back(outer.global(input.name));
    for (std::int64_t copy = 0; copy < copies && count_part(node.at); ++copy) {
      Instance inner{block, outer.prefix + node.name + ".", {}};
      if (node.repeat) inner.prefix += std::to_string(copy) + ".";
      bind_inputs(inner, inputs);
      if (copy == copies - 1) bind_outputs(inner, node, outer);
      for (std::size_t i = 0; i < std::min(block->outputs.size(), inputs.size()); ++i)
        inputs[i] = inner.global(block->outputs[i].name);
      Parameters inner_scope(&parameters_);
      define_block_parameters(*block, node, scope, inner_scope);
      expand(inner, inner_scope);
    }
    open_.pop_back();
  }

  bool may_nest(const NodeSyntax& node, const BlockSyntax& block) {
    if (std::find(open_.begin(), open_.end(), &block) != open_.end()) {
      node.block->at.error("cyclic-block", "block \"" + block.name + "\" contains itself",
                           "another block");
      return false;
    }
    if (open_.size() >= kMaxDepth) {
      node.block->at.error("too-deep",
                           "blocks are nested more than " + std::to_string(kMaxDepth) + " deep",
                           "fewer levels");
      return false;
    }
    return !stopped_;
  }

  static void bind_inputs(Instance& inner, const std::vector<std::string>& inputs) {
    const auto& names = inner.block->inputs;
    for (std::size_t i = 0; i < std::min(inputs.size(), names.size()); ++i)
      inner.bindings[names[i].name] = inputs[i];
  }

  void bind_outputs(Instance& inner, const NodeSyntax& node, const Instance& outer) const {
    const std::vector<std::string> given = workload_.outputs_of(node);
    const auto& names = inner.block->outputs;
    for (std::size_t i = 0; i < std::min(given.size(), names.size()); ++i)
      inner.bindings.emplace(names[i].name, outer.global(given[i]));
  }

  /// What the instance gives is evaluated where the instance stands, defaults inside the block.
  static void define_block_parameters(const BlockSyntax& block, const NodeSyntax& node,
                                      Parameters& outer_scope, Parameters& inner_scope) {
    for (const NameAt& parameter : block.parameters) {
      const auto given =
          std::find_if(node.settings.begin(), node.settings.end(),
                       [&](const NameAt& setting) { return setting.name == parameter.name; });
      const auto value = given == node.settings.end()
                             ? read_integer(parameter.at, kAny, inner_scope)
                             : read_integer(given->at, kAny, outer_scope);
      inner_scope.define(parameter.name, value.value_or(1));
    }
  }

  bool count_part(const ValueReader& at) {
    if (stopped_) return false;
    if (++parts_ <= kMaxParts) return true;
    stopped_ = true;
    at.error(
        "too-large",
        "the network has more than " + std::to_string(kMaxParts) + " nodes, weights and blocks",
        "fewer copies");
    return false;
  }

  static constexpr base::IntegerRange kAny{};
  const WorkloadSyntax& workload_;
  FlatNetwork network_;
  Parameters parameters_;
  std::vector<const BlockSyntax*> open_;  ///< the blocks being expanded, outermost first
  std::int64_t parts_ = 0;
  bool stopped_ = false;
};

}  // namespace

FlatNetwork flatten(const WorkloadSyntax& workload) {
  return Flattener(workload).run();
}

}  // namespace npusim::workloads
