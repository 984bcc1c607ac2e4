// SPDX-License-Identifier: Apache-2.0
// Graph::add_node: everything that makes a node valid is checked here, once, for files, transforms
// and importers alike.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/object_reader.h"
#include "workloads/constants.h"
#include "workloads/op.h"

namespace npusim::workloads {
namespace {

const char* type_name(const Attribute& attribute) {
  static const char* const kNames[] = {"an integer", "a number", "a string", "a list of integers",
                                       "a list of numbers"};
  return kNames[attribute.index()];
}

Attribute converted(const AttributeSpec& spec, const Attribute& value) {
  if (value.index() == spec.fallback.index()) return value;
  const auto* integer = std::get_if<std::int64_t>(&value);
  if (integer && std::holds_alternative<double>(spec.fallback))
    return static_cast<double>(*integer);
  const auto* list = std::get_if<std::vector<std::int64_t>>(&value);
  if (list && list->empty() && std::holds_alternative<std::vector<double>>(spec.fallback))
    return std::vector<double>{};
  throw base::InputError(fmt::format("attribute {} must be {}, not {}", spec.name,
                                     type_name(spec.fallback), type_name(value)),
                         "wrong-type");
}

void check_known(const Op& op, const Attributes& attributes) {
  std::vector<std::string> names;
  for (const AttributeSpec& spec : op.attributes()) names.push_back(spec.name);
  for (const auto& [name, value] : attributes) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string near = base::did_you_mean(name, names);
    throw base::InputError(fmt::format("unknown attribute \"{}\"{}", name,
                                       near.empty() ? "" : "; did you mean \"" + near + "\"?"),
                           "unknown-attribute");
  }
}

Attributes complete(const Op& op, const Attributes& given) {
  check_known(op, given);
  Attributes result;
  for (const AttributeSpec& spec : op.attributes()) {
    const auto found = given.find(spec.name);
    if (found == given.end() && spec.required)
      throw base::InputError("attribute " + spec.name + " is missing", "missing-attribute");
    result[spec.name] = found == given.end() ? spec.fallback : converted(spec, found->second);
  }
  return result;
}

void check_inputs(const Op& op, const Graph& graph, const std::vector<TensorId>& inputs) {
  const auto count = static_cast<int>(inputs.size());
  if (count < op.min_inputs() || count > op.max_inputs())
    throw base::InputError(
        op.min_inputs() == op.max_inputs()
            ? fmt::format("takes {} inputs, not {}", op.min_inputs(), count)
            : fmt::format("takes {} to {} inputs, not {}", op.min_inputs(), op.max_inputs(), count),
        "wrong-input-count");
  for (int i = 0; i < count; ++i) {
    const TensorId id = inputs[static_cast<std::size_t>(i)];
    if (id == kNoTensor && i < op.min_inputs())
      throw base::InputError(fmt::format("input {} may not be omitted", i), "missing-input");
    NPUSIM_CHECK(id >= kNoTensor && id < static_cast<TensorId>(graph.tensors.size()),
                 "input is no tensor of the graph");
  }
}

void check_outputs(const Graph& graph, const Op& op, const std::vector<std::string>& names) {
  const auto count = static_cast<int>(names.size());
  if (count < op.min_outputs() || count > op.max_outputs())
    throw base::InputError(op.min_outputs() == op.max_outputs()
                               ? fmt::format("has {} outputs, not {}", op.min_outputs(), count)
                               : fmt::format("has {} to {} outputs, not {}", op.min_outputs(),
                                             op.max_outputs(), count),
                           "wrong-output-count");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool twice = std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i),
                                 names[i]) != names.begin() + static_cast<std::ptrdiff_t>(i);
    if (twice || graph.find(names[i]) != kNoTensor)
      throw base::InputError("tensor \"" + names[i] + "\" exists already", "duplicate-tensor");
  }
}

/// A result has the declared format of what it was computed from, unless its op says otherwise.
std::string declared_format(const NodeView& view, const OutputSpec& spec) {
  if (spec.type != ElementType::floating) return {};
  if (!spec.format.empty()) return spec.format;
  for (int i = 0; i < view.input_count(); ++i)
    if (view.has_input(i) && !view.input(i).format.empty()) return view.input(i).format;
  return {};
}

/// Later code multiplies these freely.
void check_work(const Contraction& contraction) {
  std::int64_t macs = contraction.groups;
  bool fits = !__builtin_mul_overflow(macs, contraction.m, &macs) &&
              !__builtin_mul_overflow(macs, contraction.n, &macs);
  for (const precision::ReduceDim& dim : contraction.dims)
    fits = fits && !__builtin_mul_overflow(macs, dim.extent, &macs);
  if (!fits) throw base::InputError("has more than 2^63 MACs", "too-large");
}

/// The same mistakes, each saying which node it is about.
[[noreturn]] void rethrow_naming(const Node& node, const base::InputError& error) {
  std::vector<base::Diagnostic> named = error.diagnostics();
  for (base::Diagnostic& diagnostic : named)
    diagnostic.message = fmt::format("{} \"{}\": {}", node.op, node.name, diagnostic.message);
  throw base::InputError(std::move(named));
}

}  // namespace

std::vector<TensorId> Graph::add_node(const std::string& op_name, const std::string& node_name,
                                      std::vector<TensorId> node_inputs, Attributes attributes,
                                      const std::vector<std::string>& output_names, TensorRole role,
                                      Phase phase) {
  const Op& op = ops().at(op_name);
  Node node;
  node.name = node_name;
  node.op = op_name;
  node.inputs = std::move(node_inputs);
  node.phase = phase;
  const std::size_t tensors_before = tensors.size();
  try {
    node.attributes = complete(op, attributes);
    check_inputs(op, *this, node.inputs);
    check_outputs(*this, op, output_names);
    node.outputs.assign(output_names.size(), kNoTensor);
    const NodeView view(*this, node);
    for (const int i : op.constant_inputs())
      if (view.has_input(i)) learn_values(*this, node.inputs[static_cast<std::size_t>(i)]);
    const std::vector<OutputSpec> specs = op.infer(view);
    NPUSIM_CHECK(specs.size() >= output_names.size(), op_name + " inferred other outputs");
    for (std::size_t i = 0; i < output_names.size(); ++i) {
      TensorInfo info{output_names[i], specs[i].shape, specs[i].type, role, std::nullopt};
      info.format = declared_format(view, specs[i]);
      node.outputs[i] = add_tensor(std::move(info));
    }
    if (const auto contraction = op.contraction(view)) check_work(*contraction);
    fold_constants(*this, node);
  } catch (const base::InputError& error) {
    for (std::size_t i = tensors_before; i < tensors.size(); ++i) tensor_ids.erase(tensors[i].name);
    tensors.resize(tensors_before);
    rethrow_naming(node, error);
  }
  nodes.push_back(std::move(node));
  return nodes.back().outputs;
}

}  // namespace npusim::workloads
