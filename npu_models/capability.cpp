// SPDX-License-Identifier: Apache-2.0
#include "npu_models/capability.h"

#include <algorithm>

#include "npu_models/attention_gradient.h"
#include "npu_models/attention_mapping.h"
#include "npu_models/input_units.h"
#include "npu_models/npu_spec.h"
#include "npu_models/what_if.h"
#include "workloads/decompose.h"
#include "workloads/op.h"

namespace npusim::npu {
namespace {

using workloads::ElementType;
using workloads::Graph;
using workloads::Node;
using workloads::NodeView;
using workloads::Op;
using workloads::OpClass;
using workloads::TensorId;

/// One judgement: everything it looks at.
struct Case {
  const NpuSpec& npu;
  const Graph& graph;
  const Node& node;
  const std::vector<precision::Arithmetic>& storage;
  const workloads::Recipe& recipe;
  /// Of the second judgement (what_if.h): formats are no finding, but noted here; else nullptr.
  std::vector<StandIn>* stand_ins = nullptr;

  const std::string& format_of(TensorId tensor) const {
    return storage[static_cast<std::size_t>(tensor)].format.name;
  }
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Why something is not done here. `by_table`: the formats of the op's entry say so, and with them
/// the reason that stands there.
struct Finding {
  std::string text;
  bool by_table = false;
  Gap gap = Gap::format;
  bool empty() const { return text.empty(); }
};

Verdict at_level(const Case& c, Support level, std::string reason, Gap gap) {
  Verdict verdict{level, std::move(reason), level == Support::unknown ? Gap::unknown : gap};
  if (level == Support::host && !c.npu.host) {
    verdict.support = Support::unsupported;
    verdict.reason += "; no host is described";
  }
  return verdict;
}

/// What remains for an op whose entry does not hold here.
Verdict fall_back(const Case& c, const OperatorEntry& entry, const Finding& finding) {
  const bool table = finding.by_table && !entry.reason.empty();
  return at_level(c, entry.otherwise,
                  table ? entry.reason + " (" + finding.text + ")" : finding.text, finding.gap);
}

bool takes(const OperatorEntry& entry, const std::string& format) {
  return entry.formats.empty() ||
         std::find(entry.formats.begin(), entry.formats.end(), format) != entry.formats.end();
}

/// How the array takes the operands; nullptr: not at all.
const InputMode* operand_mode(const Case& c, const workloads::Contraction& contraction) {
  return find_input(c.npu.mac_array, operands_of(c.graph, c.node, contraction, c.storage));
}

/// The nearest of the formats that an operator entry lists.
std::string nearest_listed(const OperatorEntry& entry, const std::string& wanted) {
  std::vector<precision::Format> listed;
  for (const std::string& name : entry.formats) listed.push_back(precision::format_from_name(name));
  return nearest_format(listed, precision::format_from_name(wanted)).name;
}

/// Why no input can stand in for the operands of a product.
std::string why_no_stand_in(const Case& c, const workloads::Contraction& contraction) {
  try {
    hypothetical_input(*c.npu.declared, operands_of(c.graph, c.node, contraction, c.storage),
                       c.recipe.accumulator);
  } catch (const std::invalid_argument& reason) {
    return reason.what();
  }
  return {};
}

/// Notes what stands in for the operands and the accumulator of a product; what cannot is a
/// finding.
Finding product_stand_ins(const Case& c, const OperatorEntry& entry,
                          const workloads::Contraction& contraction) {
  const InputMode* const mode = operand_mode(c, contraction);
  if (mode == nullptr) return {why_no_stand_in(c, contraction)};
  const OperandFormats operands = operands_of(*mode);
  using Role = StandIn::Role;
  if (!mode->stands_in.empty())
    c.stand_ins->push_back({Role::operands, operands.name(), mode->stands_in});
  else
    for (const precision::Format* format : {&operands.streamed, &operands.stationary})
      if (!takes(entry, format->name))
        c.stand_ins->push_back({Role::operands, format->name, nearest_listed(entry, format->name)});
  const precision::Format accumulator =
      c.recipe.accumulator ? *c.recipe.accumulator : default_accumulator(c.npu.mac_array, operands);
  const auto sums = mode->accumulator_stand_ins.find(accumulator.name);
  if (sums != mode->accumulator_stand_ins.end())
    c.stand_ins->push_back({Role::accumulator, sums->first, sums->second});
  return {};
}

/// Operands of the product on the array; empty when they fit.
Finding operand_finding(const Case& c, const OperatorEntry& entry,
                        const workloads::Contraction& contraction) {
  const OperandFormats operands = operands_of(c.graph, c.node, contraction, c.storage);
  const bool one = operands.streamed.name == operands.stationary.name;
  const std::string text =
      "operands in " +
      (one ? operands.name() : operands.streamed.name + " and " + operands.stationary.name);
  const bool taken = operand_mode(c, contraction) != nullptr;
  if (!one && !taken) return {text};
  if (!takes(entry, operands.streamed.name) || !takes(entry, operands.stationary.name))
    return {text, true};
  return {taken ? "" : text + ", which the array does not take"};
}

/// The accumulator that the recipe asks for; empty when the NPU offers it.
/// A recipe that names a format takes it as the array has it; options it spells out must be the
/// array's.
Finding accumulator_finding(const Case& c, const InputMode& mode) {
  if (!c.recipe.accumulator) return {};
  const precision::Format& wanted = *c.recipe.accumulator;
  const bool name_only = wanted == precision::format_from_name(wanted.name);
  std::vector<std::string> names;
  for (const precision::Format& choice : accumulators_of(c.npu.mac_array, mode)) {
    if (choice.name == wanted.name && !name_only && choice != wanted)
      return {"the recipe treats small or large values of its " + wanted.name +
              " accumulator otherwise than the array"};
    if (choice.name == wanted.name) return {};
    names.push_back(choice.name);
  }
  return {"the recipe accumulates in " + wanted.name + ", the array offers " + joined(names) +
          " for " + operands_of(mode).name()};
}

/// First storage format of the node's floating tensors that the entry does not list. Statistics do
/// not count: per-channel constants are prepared before the run.
Finding storage_finding(const Case& c, const OperatorEntry& entry) {
  const auto finding = [&](const std::vector<TensorId>& tensors) -> Finding {
    for (TensorId tensor : tensors) {
      if (tensor == workloads::kNoTensor) continue;
      const workloads::TensorInfo& info = c.graph.tensor(tensor);
      if (info.type != ElementType::floating || info.role == workloads::TensorRole::statistics ||
          takes(entry, c.format_of(tensor)))
        continue;
      if (c.stand_ins != nullptr) {
        c.stand_ins->push_back({StandIn::Role::storage, c.format_of(tensor),
                                nearest_listed(entry, c.format_of(tensor))});
        continue;
      }
      return {info.name + " is stored in " + c.format_of(tensor), true};
    }
    return {};
  };
  const Finding input = finding(c.node.inputs);
  return input.empty() ? finding(c.node.outputs) : input;
}

/// First vector function the op needs and the unit has no throughput for.
Finding function_finding(const Case& c, const Op& op) {
  for (const workloads::VectorWork& work : op.vector_work(NodeView(c.graph, c.node))) {
    if (work.elements > 0 && c.npu.vector_unit.cycles_per_element.count(work.function) == 0)
      return {"the vector unit has no " + work.function, false, Gap::function};
  }
  return {};
}

/// Functions whose result is one of the operands, or a truth: exact in any format.
bool rounds(const workloads::VectorWork& work) {
  return work.elements > 0 && work.function != "copy" && work.function != "max" &&
         work.function != "compare";
}

/// Arithmetic steps that the recipe wants more precise than the vector unit computes. Matrix ops
/// and ops that only move or select take none.
Finding internal_finding(const Case& c, const Op& op) {
  if (op.op_class() != OpClass::vector || !c.npu.vector_unit.internal) return {};
  const precision::Format& has = *c.npu.vector_unit.internal;
  const precision::Format& wanted = c.recipe.internal;
  if ((wanted.fraction_bits <= has.fraction_bits && wanted.exponent_bits <= has.exponent_bits))
    return {};
  const std::vector<workloads::VectorWork> work = op.vector_work(NodeView(c.graph, c.node));
  if (std::none_of(work.begin(), work.end(), rounds)) return {};
  if (c.stand_ins != nullptr) {
    c.stand_ins->push_back({StandIn::Role::steps_inside, wanted.name, has.name});
    return {};
  }
  return {"the recipe computes its steps in " + wanted.name + ", the vector unit in " + has.name,
          false, Gap::internal};
}

std::string beyond(const std::string& what, std::int64_t value, std::int64_t limit) {
  return what + " " + std::to_string(value) + " is more than " + std::to_string(limit);
}

Finding tensor_finding(const workloads::TensorInfo& info, const ShapeLimits& limits) {
  const auto rank = static_cast<std::int64_t>(info.shape.size());
  if (limits.max_rank && rank > *limits.max_rank)
    return {info.name + ": " + beyond("rank", rank, *limits.max_rank), false, Gap::shape};
  for (const std::int64_t side : info.shape)
    if (limits.max_dimension && side > *limits.max_dimension)
      return {info.name + ": " + beyond("dimension", side, *limits.max_dimension), false,
              Gap::shape};
  return {};
}

/// The batch is the first dimension of the data, which stands first; weights have none.
Finding batch_finding(const Case& c, const ShapeLimits& limits) {
  if (!limits.max_batch || c.node.inputs.empty() || c.node.inputs.front() == workloads::kNoTensor)
    return {};
  const workloads::TensorInfo& data = c.graph.tensor(c.node.inputs.front());
  if (data.shape.size() < 2 || data.shape.front() <= *limits.max_batch) return {};
  return {data.name + ": " + beyond("batch", data.shape.front(), *limits.max_batch), false,
          Gap::shape};
}

Finding window_finding(const Case& c, const Op& op, const ShapeLimits& limits) {
  if (!limits.max_kernel) return {};
  std::int64_t side = 0;
  const NodeView view(c.graph, c.node);
  if (const auto contraction = op.contraction(view); contraction && contraction->window)
    side = std::max(contraction->window->kernel_height, contraction->window->kernel_width);
  for (const workloads::AttributeSpec& attribute : op.attributes())
    if (attribute.name == "kernel_shape")
      for (const std::int64_t length : view.integers("kernel_shape")) side = std::max(side, length);
  if (side <= *limits.max_kernel) return {};
  return {beyond("kernel side", side, *limits.max_kernel), false, Gap::shape};
}

Finding shape_finding(const Case& c, const Op& op, const ShapeLimits& limits) {
  for (const auto* tensors : {&c.node.inputs, &c.node.outputs})
    for (const TensorId tensor : *tensors) {
      if (tensor == workloads::kNoTensor) continue;
      const Finding finding = tensor_finding(c.graph.tensor(tensor), limits);
      if (!finding.empty()) return finding;
    }
  const Finding batch = batch_finding(c, limits);
  return batch.empty() ? window_finding(c, op, limits) : batch;
}

/// The op's own decomposition of this node, each part judged as it would run: with the parts that
/// its attributes ask for, and only those.
Verdict judge_decomposed(const Case& c, const Op& op, const OperatorEntry& entry) {
  const Graph parts = workloads::decomposition_of(c.graph, c.node);
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(parts, c.recipe);
  for (const Node& part : parts.nodes) {
    const Verdict verdict = judge(c.npu, parts, part, storage, c.recipe);
    if (c.stand_ins != nullptr) add_new(verdict.stand_ins, *c.stand_ins);
    if (verdict.support == Support::native) continue;
    const std::string why = verdict.reason.empty() ? "" : ": " + verdict.reason;
    return fall_back(c, entry,
                     {"it needs " + part.op + ", which is not native" + why, false, Gap::part});
  }
  Verdict verdict;
  verdict.support = Support::decomposed;
  verdict.reason = entry.reason.empty() ? "runs as " + joined(op.decomposes_into()) : entry.reason;
  return verdict;
}

Verdict judge_native(const Case& c, const Op& op, const OperatorEntry& entry) {
  if (op.op_class() == OpClass::matrix) {
    const auto contraction = op.contraction(NodeView(c.graph, c.node));
    NPUSIM_CHECK(contraction.has_value(), op.name() + " has no contraction");
    const Finding operands = c.stand_ins != nullptr ? product_stand_ins(c, entry, *contraction)
                                                    : operand_finding(c, entry, *contraction);
    if (!operands.empty()) return fall_back(c, entry, operands);
    const Finding accumulator = accumulator_finding(c, *operand_mode(c, *contraction));
    if (!accumulator.empty()) return {Support::unsupported, accumulator.text, Gap::accumulator};
  } else if (op.op_class() == OpClass::vector) {
    const Finding storage = storage_finding(c, entry);
    if (!storage.empty()) return fall_back(c, entry, storage);
  }
  for (const Finding& finding :
       {function_finding(c, op), internal_finding(c, op), shape_finding(c, op, entry.limits)})
    if (!finding.empty()) return fall_back(c, entry, finding);
  return {Support::native, "", Gap::none};
}

/// Attention that the mapping would take as one op: native where its parts are and it fits.
Verdict judge_attention(const Case& c, const Op& op, const OperatorEntry& entry) {
  Verdict parts = judge_decomposed(c, op, entry);
  if (parts.support != Support::decomposed)
    return entry.support == Support::native ? judge_native(c, op, entry) : parts;
  const std::string why = why_not_fused(c.npu, c.graph, c.node, c.storage, c.recipe);
  if (why.empty()) return {Support::native, "", Gap::none, true};
  parts.reason += "; not fused: " + why;
  return parts;
}

/// What a training step has only where the mapping takes attention with its backward pass
/// (training_graph.h): there are no parts to fall back to.
Verdict judge_whole_attention(const Case& c) {
  const std::string why = c.node.op == workloads::kAttentionGradient
                              ? why_not_fused_gradient(c.npu, c.graph, c.node, c.storage, c.recipe)
                              : why_not_fused(c.npu, c.graph, c.node, c.storage, c.recipe);
  if (why.empty()) return {Support::native, "", Gap::none, true};
  return {Support::unsupported, why, Gap::part};
}

}  // namespace

const std::vector<std::string>& support_names() {
  static const std::vector<std::string> names = {"native", "decomposed", "host", "unknown",
                                                 "unsupported"};
  return names;
}

const char* name_of(Gap gap) {
  static const char* const kNames[] = {"",
                                       "missing op",
                                       "not in this format",
                                       "accumulator not offered",
                                       "needs wider steps inside",
                                       "function missing",
                                       "shape limit",
                                       "dynamic shape",
                                       "part not native",
                                       "no source says"};
  return kNames[static_cast<std::size_t>(gap)];
}

const char* name_of(Support support) {
  return support_names()[static_cast<std::size_t>(support)].c_str();
}

Verdict judge_dynamic(const NpuSpec& npu, const Verdict& present) {
  const std::optional<Support>& level = npu.operators.dynamic_shapes;
  if (level.value_or(Support::unknown) <= present.support) return present;
  if (!level)
    return {Support::unknown, "no source says whether shapes may change from run to run",
            Gap::dynamic};
  return {*level, "shapes are fixed when the program is compiled", Gap::dynamic};
}

namespace {

Verdict judge_case(const Case& c) {
  const auto& [npu, graph, node, storage, recipe, stand_ins] = c;
  const Op& op = workloads::ops().at(node.op);
  if (op.host_only())
    return at_level(c, Support::host,
                    "this build does not know " + NodeView(graph, node).text("op_type"),
                    Gap::missing_op);
  if (node.op == workloads::kAttentionWithStatistics || node.op == workloads::kAttentionGradient)
    return judge_whole_attention(c);
  const auto found = npu.operators.entries.find(node.op);
  if (found == npu.operators.entries.end()) {
    if (op.op_class() == OpClass::view) return {Support::native, "", Gap::none};
    return at_level(c, npu.operators.fallback, "not in the operator table", Gap::missing_op);
  }
  const OperatorEntry& entry = found->second;
  if (node.op == "Attention" && entry.support <= Support::decomposed &&
      wants_fused_attention(npu.mapping, node.name))
    return judge_attention(c, op, entry);
  switch (entry.support) {
    case Support::native:
      return judge_native(c, op, entry);
    case Support::decomposed:
      return judge_decomposed(c, op, entry);
    case Support::host:
    case Support::unknown:
    case Support::unsupported:
      break;
  }
  return at_level(c, entry.support,
                  entry.reason.empty() ? "the operator table says so" : entry.reason,
                  Gap::missing_op);
}

}  // namespace

bool cannot_run(const Verdict& verdict) {
  return verdict.support == Support::unsupported || verdict.support == Support::unknown;
}

const char* name_of(StandIn::Role role) {
  switch (role) {
    case StandIn::Role::operands:
      return "operands";
    case StandIn::Role::accumulator:
      return "accumulator";
    case StandIn::Role::storage:
      return "storage";
    case StandIn::Role::steps_inside:
      return "steps inside";
  }
  return "";
}

std::string text_of(const StandIn& stand_in) {
  return std::string(name_of(stand_in.role)) + " in " + stand_in.wanted + " as " +
         stand_in.declared;
}

void add_new(const std::vector<StandIn>& from, std::vector<StandIn>& to) {
  for (const StandIn& one : from)
    if (std::find(to.begin(), to.end(), one) == to.end()) to.push_back(one);
}

Verdict judge(const NpuSpec& npu, const Graph& graph, const Node& node,
              const std::vector<precision::Arithmetic>& storage, const workloads::Recipe& recipe) {
  if (!npu.declared) return judge_case({npu, graph, node, storage, recipe});
  Verdict declared = judge_case({*npu.declared, graph, node, storage, recipe});
  if (!cannot_run(declared)) return declared;
  std::vector<StandIn> stand_ins;
  Verdict verdict = judge_case({npu, graph, node, storage, recipe, &stand_ins});
  if (!cannot_run(verdict)) {
    add_new(stand_ins, verdict.stand_ins);
    return verdict;
  }
  if (verdict.reason != declared.reason)
    declared.reason += "; not with --what-if either: " + verdict.reason;
  return declared;
}

}  // namespace npusim::npu
