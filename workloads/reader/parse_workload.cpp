// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "workloads/onnx_types.h"
#include "workloads/reader/expression.h"
#include "workloads/reader/syntax.h"

namespace npusim::workloads {
namespace {

using base::ObjectReader;
using base::ValueReader;

std::vector<NameAt> names(const std::vector<ValueReader>& values, bool may_be_empty = false) {
  std::vector<NameAt> result;
  for (const ValueReader& value : values) {
    const std::string name = value.string();
    if (name.empty() && !may_be_empty && value.json().is_string())
      value.error("empty-name", "a tensor name may not be empty", "a name");
    result.push_back({name, value});
  }
  return result;
}

std::vector<NameAt> settings(const std::optional<ValueReader>& object) {
  std::vector<NameAt> result;
  if (object)
    for (const auto& [name, value] : object->members()) result.push_back({name, value});
  return result;
}

std::vector<NameAt> parameters(const std::optional<ValueReader>& object) {
  std::vector<NameAt> result = settings(object);
  for (const NameAt& parameter : result)
    if (!is_parameter_name(parameter.name))
      parameter.at.error("bad-name", "\"" + parameter.name + "\" cannot name a parameter",
                         "letters, digits and _, not starting with a digit");
  return result;
}

std::string nonempty(ObjectReader& reader, std::string_view key) {
  const auto value = reader.required(key, "a name");
  if (!value) return {};
  std::string text = value->string();
  if (text.empty() && value->json().is_string())
    value->error("empty-name", "may not be empty", "a name");
  return text;
}

std::optional<Initializer> initializer(ObjectReader& reader, const TensorSyntax& tensor,
                                       bool required) {
  const auto value = required ? reader.required("initializer", "an initializer object")
                              : reader.optional("initializer");
  if (!value) return std::nullopt;
  return parse_initializer(*value, tensor.type, tensor.shape.size());
}

void read_type(ObjectReader& reader, TensorSyntax& tensor) {
  std::vector<std::pair<std::string, DeclaredType>> table = {
      {"float", {ElementType::floating, ""}},
      {"float16", {ElementType::floating, "fp16"}},
      {"bfloat16", {ElementType::floating, "bf16"}},
      {"float64", {ElementType::floating, "fp64"}}};
  for (const ElementType type :
       {ElementType::boolean, ElementType::int4, ElementType::int8, ElementType::int16,
        ElementType::int32, ElementType::int64, ElementType::uint4, ElementType::uint8,
        ElementType::uint16, ElementType::uint32, ElementType::uint64})
    table.push_back({name_of(type), {type, ""}});
  const DeclaredType declared = reader.choice<DeclaredType>("type", table, table.front().second);
  tensor.type = declared.type;
  tensor.format = declared.format;
}

TensorSyntax parse_input(const ValueReader& at) {
  ObjectReader reader(at);
  TensorSyntax tensor{at, nonempty(reader, "name"), reader.array("shape"), {}, {}, {}, {}};
  read_type(reader, tensor);
  tensor.role = reader.choice<TensorRole>(
      "role", {{"input", TensorRole::input}, {"label", TensorRole::label}}, TensorRole::input);
  if (tensor.role == TensorRole::label && tensor.type != ElementType::int64 &&
      tensor.type != ElementType::floating)
    reader.self().error("wrong-type", "label \"" + tensor.name + "\" is neither int64 nor float",
                        "\"type\": \"int64\", or \"float\" for losses of real numbers");
  tensor.initializer = initializer(reader, tensor, false);
  reader.finish();
  return tensor;
}

TensorSyntax parse_weight(const ValueReader& at) {
  ObjectReader reader(at);
  TensorSyntax tensor{at, nonempty(reader, "name"), reader.array("shape"), {}, {}, {}, {}};
  read_type(reader, tensor);
  const bool trained = tensor.type == ElementType::floating;
  tensor.role = reader.choice<TensorRole>("role",
                                          {{"weight", TensorRole::weight},
                                           {"statistics", TensorRole::statistics},
                                           {"state", TensorRole::state}},
                                          trained ? TensorRole::weight : TensorRole::statistics);
  if (tensor.role == TensorRole::weight && !trained)
    reader.self().error("wrong-type", "weight \"" + tensor.name + "\" holds integers",
                        "\"role\": \"statistics\"");
  tensor.initializer = initializer(reader, tensor, true);
  reader.finish();
  return tensor;
}

const Op* known_op(const ValueReader& at) {
  const std::string name = at.string();
  if (!at.json().is_string()) return nullptr;
  const Op* op = ops().find(name);
  if (op != nullptr && !op->internal()) return op;
  std::vector<std::string> public_ops;
  for (const Op* candidate : ops().all())
    if (!candidate->internal()) public_ops.push_back(candidate->name());
  at.choice(public_ops);  // reports the unknown name with the known ones
  return nullptr;
}

void check_attribute_names(const NodeSyntax& node) {
  if (node.op == nullptr) return;
  std::vector<std::string> known;
  for (const AttributeSpec& spec : node.op->attributes()) known.push_back(spec.name);
  for (const NameAt& setting : node.settings) {
    if (std::find(known.begin(), known.end(), setting.name) != known.end()) continue;
    const std::string near = base::did_you_mean(setting.name, known);
    std::string allowed;
    for (const std::string& name : known) allowed += (allowed.empty() ? "" : ", ") + name;
    setting.at.error("unknown-attribute",
                     node.op->name() + " has no attribute \"" + setting.name + "\"" +
                         (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                     allowed.empty() ? "no attributes" : allowed);
  }
}

NodeSyntax parse_node(const ValueReader& at) {
  ObjectReader reader(at);
  NodeSyntax node{at, nonempty(reader, "name"), nullptr, {}, {}, {}, {}, {}};
  const auto op = reader.optional("op");
  const auto block = reader.optional("block");
  if (at.json().is_object() && op.has_value() == block.has_value())
    at.error("missing-key", op ? "both \"op\" and \"block\"" : "neither \"op\" nor \"block\"",
             "exactly one of them");
  node.inputs = names(reader.array("inputs"), true);
  if (reader.has("outputs")) node.outputs = names(reader.array("outputs"));
  if (block) {
    node.block = NameAt{block->string(), *block};
    node.settings = settings(reader.optional("parameters"));
    node.repeat = reader.optional("repeat");
  } else {
    if (op) node.op = known_op(*op);
    node.settings = settings(reader.optional("attributes"));
    check_attribute_names(node);
  }
  reader.finish();
  return node;
}

void parse_body(ObjectReader& reader, BlockSyntax& block) {
  for (const ValueReader& value : reader.optional_array("initializers"))
    block.initializers.push_back(parse_weight(value));
  for (const ValueReader& value : reader.array("nodes")) block.nodes.push_back(parse_node(value));
  block.outputs = names(reader.array("outputs"));
  if (block.outputs.empty() && reader.has("outputs"))
    reader.error("outputs", "empty", "there is no output", "at least one tensor");
}

BlockSyntax parse_block(const std::string& name, const ValueReader& at) {
  ObjectReader reader(at);
  BlockSyntax block{at, name, parameters(reader.optional("parameters")), {}, {}, {}, {}};
  block.inputs = names(reader.array("inputs"));
  parse_body(reader, block);
  reader.finish();
  return block;
}

}  // namespace

const BlockSyntax* WorkloadSyntax::block(const std::string& block_name) const {
  for (const BlockSyntax& candidate : blocks)
    if (candidate.name == block_name) return &candidate;
  return nullptr;
}

std::vector<std::string> WorkloadSyntax::outputs_of(const NodeSyntax& node) const {
  std::vector<std::string> result;
  if (node.outputs) {
    for (const NameAt& output : *node.outputs) result.push_back(output.name);
    return result;
  }
  const BlockSyntax* used = node.block ? block(node.block->name) : nullptr;
  if (used == nullptr || used->outputs.size() == 1) return {node.name + ".out"};
  for (const NameAt& output : used->outputs) result.push_back(node.name + "." + output.name);
  return result;
}

WorkloadSyntax parse_workload(const ValueReader& root) {
  ObjectReader reader(root);
  reader.optional("schema_version");  // both checked by load_config
  reader.optional("kind");
  WorkloadSyntax result{{}, {}, {}, {}, {}, {root, {}, {}, {}, {}, {}, {}}, {}, {}};
  result.name = nonempty(reader, "name");
  result.description = reader.string("description", std::string());
  reader.string("source", std::string());
  result.parameters = parameters(reader.optional("parameters"));
  for (const ValueReader& value : reader.array("inputs"))
    result.inputs.push_back(parse_input(value));
  if (const auto blocks = reader.optional("blocks"))
    for (const auto& [name, value] : blocks->members())
      result.blocks.push_back(parse_block(name, value));
  parse_body(reader, result.body);
  result.training_at = reader.optional("training");
  if (result.training_at) result.training = parse_training(*result.training_at);
  reader.finish();
  return result;
}

}  // namespace npusim::workloads
