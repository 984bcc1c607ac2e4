// SPDX-License-Identifier: Apache-2.0
#include "npu_models/capability.h"

#include <algorithm>

#include "npu_models/npu_spec.h"
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
  bool empty() const { return text.empty(); }
};

Verdict at_level(const Case& c, Support level, std::string reason) {
  Verdict verdict{level, std::move(reason)};
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
                  table ? entry.reason + " (" + finding.text + ")" : finding.text);
}

bool takes(const OperatorEntry& entry, const std::string& format) {
  return entry.formats.empty() ||
         std::find(entry.formats.begin(), entry.formats.end(), format) != entry.formats.end();
}

/// Operands of the product on the array; empty when they fit.
Finding operand_finding(const Case& c, const OperatorEntry& entry,
                        const workloads::Contraction& contraction) {
  const auto tensor = [&](int input) { return c.node.inputs[static_cast<std::size_t>(input)]; };
  const std::string& streamed = c.format_of(tensor(contraction.m_input));
  const std::string& stationary = c.format_of(tensor(contraction.n_input));
  if (streamed != stationary) return {"operands in " + streamed + " and " + stationary};
  const std::vector<InputMode>& inputs = c.npu.mac_array.inputs;
  const bool input = std::any_of(inputs.begin(), inputs.end(), [&](const InputMode& mode) {
    return mode.format.name == streamed;
  });
  if (!takes(entry, streamed)) return {"operands in " + streamed, true};
  return {input ? "" : "operands in " + streamed + ", which the array does not take"};
}

/// The accumulator that the recipe asks for; empty when the NPU offers it.
/// A recipe that names a format takes it as the array has it; options it spells out must be the
/// array's.
Finding accumulator_finding(const Case& c) {
  if (!c.recipe.accumulator) return {};
  const precision::Format& wanted = *c.recipe.accumulator;
  const bool name_only = wanted == precision::format_from_name(wanted.name);
  std::vector<std::string> names;
  for (const precision::Format& choice : c.npu.mac_array.accumulator.choices) {
    if (choice.name == wanted.name && !name_only && choice != wanted)
      return {"the recipe treats small or large values of its " + wanted.name +
              " accumulator otherwise than the array"};
    if (choice.name == wanted.name) return {};
    names.push_back(choice.name);
  }
  return {"the recipe accumulates in " + wanted.name + ", the array offers " + joined(names)};
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
      return {"the vector unit has no " + work.function};
  }
  return {};
}

/// The op's own decomposition of this node, each part judged as it would run: with the parts that
/// its attributes ask for, and only those.
Verdict judge_decomposed(const Case& c, const Op& op, const OperatorEntry& entry) {
  const Graph parts = workloads::decomposition_of(c.graph, c.node);
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(parts, c.recipe);
  for (const Node& part : parts.nodes) {
    const Verdict verdict = judge(c.npu, parts, part, storage, c.recipe);
    if (verdict.support == Support::native) continue;
    const std::string why = verdict.reason.empty() ? "" : ": " + verdict.reason;
    return fall_back(c, entry, {"it needs " + part.op + ", which is not native" + why});
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
    const Finding operands = operand_finding(c, entry, *contraction);
    if (!operands.empty()) return fall_back(c, entry, operands);
    const Finding accumulator = accumulator_finding(c);
    if (!accumulator.empty()) return {Support::unsupported, accumulator.text};
  } else if (op.op_class() == OpClass::vector) {
    const Finding storage = storage_finding(c, entry);
    if (!storage.empty()) return fall_back(c, entry, storage);
  }
  const Finding function = function_finding(c, op);
  if (!function.empty()) return fall_back(c, entry, function);
  return {Support::native, ""};
}

}  // namespace

const std::vector<std::string>& support_names() {
  static const std::vector<std::string> names = {"native", "decomposed", "host", "unknown",
                                                 "unsupported"};
  return names;
}

const char* name_of(Support support) {
  return support_names()[static_cast<std::size_t>(support)].c_str();
}

Verdict judge(const NpuSpec& npu, const Graph& graph, const Node& node,
              const std::vector<precision::Arithmetic>& storage, const workloads::Recipe& recipe) {
  const Case c{npu, graph, node, storage, recipe};
  const Op& op = workloads::ops().at(node.op);
  if (op.host_only())
    return at_level(c, Support::host,
                    "this build does not know " + NodeView(graph, node).text("op_type"));
  const auto found = npu.operators.entries.find(node.op);
  if (found == npu.operators.entries.end()) {
    if (op.op_class() == OpClass::view) return {Support::native, ""};
    return at_level(c, npu.operators.fallback, "not in the operator table");
  }
  const OperatorEntry& entry = found->second;
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
                  entry.reason.empty() ? "the operator table says so" : entry.reason);
}

}  // namespace npusim::npu
