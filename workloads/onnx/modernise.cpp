// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/modernise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "workloads/onnx/data_type.h"
#include "workloads/onnx/names.h"
#include "workloads/op.h"

namespace npusim::workloads::onnx {
namespace {

/// What became an input in opset `until` was an attribute before.
struct Moved {
  const char* op;
  std::int64_t until;
  const char* attribute;
  int input;
};
constexpr Moved kMoved[] = {
    {"Clip", 11, "min", 1},
    {"Clip", 11, "max", 2},
    {"Dropout", 12, "ratio", 1},
    {"Pad", 11, "pads", 1},
    {"Pad", 11, "value", 2},
    {"ReduceL1", 18, "axes", 1},
    {"ReduceL2", 18, "axes", 1},
    {"ReduceLogSum", 18, "axes", 1},
    {"ReduceLogSumExp", 18, "axes", 1},
    {"ReduceMax", 18, "axes", 1},
    {"ReduceMean", 18, "axes", 1},
    {"ReduceMin", 18, "axes", 1},
    {"ReduceProd", 18, "axes", 1},
    {"ReduceSum", 13, "axes", 1},
    {"ReduceSumSquare", 18, "axes", 1},
    {"Slice", 10, "starts", 1},
    {"Slice", 10, "ends", 2},
    {"Slice", 10, "axes", 3},
    {"Split", 13, "split", 1},
    {"Squeeze", 13, "axes", 1},
    {"TopK", 10, "k", 1},
    {"Unsqueeze", 13, "axes", 1},
    {"Upsample", 9, "scales", 1},
};

struct Renamed {
  const char* from;
  const char* to;
};
constexpr Renamed kRenamed[] = {{"Scatter", "ScatterElements"}};

/// Before opset 7 these meant something else without an attribute that shows it.
constexpr std::array<const char*, 3> kChangedBefore7 = {"BatchNormalization", "Dropout",
                                                        "Upsample"};

/// Attributes that say nothing when they have this value: dropped where the op lacks them.
struct Harmless {
  const char* attribute;
  AttributeValue value;
};
const std::vector<Harmless>& harmless() {
  static const std::vector<Harmless> kTable = {
      {"allowzero", std::int64_t{0}},     {"auto_pad", std::string("NOTSET")},
      {"ceil_mode", std::int64_t{0}},     {"count_include_pad", std::int64_t{0}},
      {"is_test", std::int64_t{1}},       {"noop_with_empty_axes", std::int64_t{0}},
      {"spatial", std::int64_t{1}},       {"storage_order", std::int64_t{0}},
      {"training_mode", std::int64_t{0}},
  };
  return kTable;
}

bool same(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* number = std::get_if<std::int64_t>(&a))
    return *number == std::get<std::int64_t>(b);
  const auto* text = std::get_if<std::string>(&a);
  return text && *text == std::get<std::string>(b);
}

class Rewriter {
 public:
  Rewriter(const NodeDef& node, std::int64_t opset, GraphSoFar& graph, const Place& place)
      : node_(node), opset_(opset), graph_(graph), place_(place) {}

  std::vector<Step> run() {
    check_age();
    for (const Renamed& renamed : kRenamed)
      if (node_.op == renamed.from) node_.op = renamed.to;
    if (is_softmax() && opset_ < 13) return flattened_softmax();
    if (node_.op == "Clip" && opset_ < 11) drop_open_bounds();
    if (node_.op == "ConstantOfShape") split_fill_value();
    move_attributes();
    if (node_.op == "Upsample" || (node_.op == "Resize" && opset_ < 11)) old_resize();
    return {finished(node_)};
  }

 private:
  void check_age() const {
    if (opset_ >= 7) return;
    for (const char* op : kChangedBefore7)
      if (node_.op == op)
        place_.fail("unsupported-opset",
                    std::string(op) + " of opset " + std::to_string(opset_) + " is not read",
                    "opset 7 or newer");
  }

  bool is_softmax() const {
    return node_.op == "Softmax" || node_.op == "LogSoftmax" || node_.op == "Hardmax";
  }

  template <class T>
  T attribute_or(const std::string& name, T fallback) const {
    const auto found = node_.attributes.find(name);
    if (found == node_.attributes.end()) return fallback;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr)
      place_.at("attribute").at(name).fail("wrong-type", "the attribute has another type");
    return *value;
  }

  /// Over all dimensions from `axis` (default 1) on together, as if they were one.
  std::vector<Step> flattened_softmax() {
    if (node_.inputs.size() != 1 || node_.outputs.size() != 1)
      place_.fail("wrong-input-count", "takes one input and has one output");
    const Shape shape = graph_.shape_of(node_.inputs[0]);
    const auto rank = static_cast<std::int64_t>(shape.size());
    std::int64_t axis = attribute_or<std::int64_t>("axis", 1);
    if (axis < 0) axis += rank;
    NodeDef inner = node_;
    inner.attributes["axis"] = std::int64_t{-1};
    if (axis == rank - 1) return {finished(inner)};
    inner.inputs = {node_.name + ".flat"};
    inner.outputs = {node_.name + ".flat_out"};
    Tensor extents({rank}, ElementType::int64);
    for (std::size_t i = 0; i < shape.size(); ++i)
      extents.values[i] = static_cast<double>(shape[i]);
    const Step flatten{
        node_.name + ".flatten", "Flatten", node_.inputs, inner.inputs, {{"axis", axis}}};
    const Step reshape{node_.name + ".reshape",
                       "Reshape",
                       {inner.outputs[0], graph_.add_constant(node_.name + ".shape", extents)},
                       node_.outputs,
                       {}};
    Step softmax = finished(inner);
    return {flatten, softmax, reshape};
  }

  /// The old defaults are the largest finite float: no bounds.
  void drop_open_bounds() {
    for (const auto& [name, sign] : {std::pair("min", -1.0), std::pair("max", 1.0)}) {
      const double open = sign * 3.4028234663852886e38;
      if (attribute_or<double>(name, open) * sign >= open * sign) node_.attributes.erase(name);
    }
  }

  /// The one element of `value` and its type are attributes of their own here.
  void split_fill_value() {
    const auto found = node_.attributes.find("value");
    if (found == node_.attributes.end()) return;
    const auto* tensor = std::get_if<TensorData>(&found->second);
    if (tensor == nullptr || tensor->values.size() != 1)
      place_.at("attribute/value").fail("wrong-type", "value must be a tensor of one number");
    const TensorData value = *tensor;
    node_.attributes["value"] = value.values[0];
    node_.attributes["dtype"] = static_cast<std::int64_t>(value.type);
  }

  void move_attributes() {
    const Op* op = ops().find(node_.op);
    for (const Moved& moved : kMoved) {
      if (node_.op != moved.op || opset_ >= moved.until) continue;
      const auto found = node_.attributes.find(moved.attribute);
      if (found == node_.attributes.end() || declares(op, moved.attribute)) continue;
      set_input(moved.input, constant_of(moved.attribute, found->second));
      node_.attributes.erase(found);
    }
  }

  static bool declares(const Op* op, const std::string& attribute) {
    if (op == nullptr) return false;
    const auto& specs = op->attributes();
    return std::any_of(specs.begin(), specs.end(),
                       [&](const AttributeSpec& spec) { return spec.name == attribute; });
  }

  void set_input(int index, const std::string& tensor) {
    const auto at = static_cast<std::size_t>(index);
    if (node_.inputs.size() <= at) node_.inputs.resize(at + 1);
    if (!node_.inputs[at].empty())
      place_.fail("duplicate-attribute", "given both as an attribute and as an input");
    node_.inputs[at] = tensor;
  }

  std::string constant_of(const std::string& attribute, const AttributeValue& value) {
    Tensor tensor;
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) {
      tensor = Tensor({static_cast<std::int64_t>(list->size())}, ElementType::int64);
      for (std::size_t i = 0; i < list->size(); ++i)
        tensor.values[i] = saturated(static_cast<double>((*list)[i]), ElementType::int64);
    } else if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
      tensor = Tensor({static_cast<std::int64_t>(reals->size())});
      tensor.values = *reals;
    } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      tensor = Tensor({1}, ElementType::int64);
      tensor.values = {static_cast<double>(*integer)};
    } else if (const auto* real = std::get_if<double>(&value)) {
      tensor = Tensor(Shape{});
      tensor.values = {*real};
    } else {
      place_.at("attribute").at(attribute).fail("wrong-type", "the attribute has another type");
    }
    return graph_.add_constant(node_.name + "." + attribute, tensor);
  }

  /// Upsample and the first Resize have coordinates that start at the corner.
  void old_resize() {
    node_.op = "Resize";
    if (node_.inputs.size() != 2) place_.fail("wrong-input-count", "takes two inputs");
    node_.inputs = {node_.inputs[0], "", node_.inputs[1]};
    node_.attributes["coordinate_transformation_mode"] = std::string("asymmetric");
    node_.attributes["nearest_mode"] = std::string("floor");
  }

  /// The node in the words of this build's op.
  Step finished(NodeDef node) {
    const Op* op = ops().find(node.op);
    if (op == nullptr || op->internal())
      place_.fail("unsupported-op",
                  node.op + " of opset " + std::to_string(opset_) + " is not supported");
    drop_harmless(*op, node);
    take_inputs_as_attributes(*op, node);
    while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
    while (!node.outputs.empty() && node.outputs.back().empty()) node.outputs.pop_back();
    Step step{node.name, node.op, node.inputs, node.outputs, {}};
    for (const auto& [name, value] : node.attributes)
      step.attributes[name] = plain(*op, name, value);
    return step;
  }

  static void drop_harmless(const Op& op, NodeDef& node) {
    node.attributes.erase("consumed_inputs");  // a hint of IR version 1
    for (const Harmless& entry : harmless()) {
      const auto found = node.attributes.find(entry.attribute);
      if (found != node.attributes.end() && !declares(&op, entry.attribute) &&
          same(found->second, entry.value))
        node.attributes.erase(found);
    }
  }

  void take_inputs_as_attributes(const Op& op, NodeDef& node) {
    for (const Moved& moved : kMoved) {
      const auto at = static_cast<std::size_t>(moved.input);
      if (node.op != moved.op || !declares(&op, moved.attribute) || node.inputs.size() <= at ||
          node.inputs[at].empty() || op.max_inputs() > moved.input)
        continue;
      const Tensor* values = graph_.known(node.inputs[at]);
      if (values == nullptr)
        place_.fail("unsupported-input", std::string(moved.attribute) + " must be a constant");
      node.attributes[moved.attribute] = as_attribute(*values, spec_of(op, moved.attribute));
      node.inputs[at].clear();
    }
  }

  static const AttributeSpec& spec_of(const Op& op, const std::string& attribute) {
    return *std::find_if(op.attributes().begin(), op.attributes().end(),
                         [&](const AttributeSpec& spec) { return spec.name == attribute; });
  }

  AttributeValue as_attribute(const Tensor& tensor, const AttributeSpec& spec) const {
    const bool single = tensor.values.size() == 1;
    if (std::holds_alternative<double>(spec.fallback) && single) return tensor.values[0];
    if (std::holds_alternative<std::int64_t>(spec.fallback) && single)
      return static_cast<std::int64_t>(tensor.values[0]);
    if (std::holds_alternative<std::vector<double>>(spec.fallback)) return tensor.values;
    if (std::holds_alternative<std::vector<std::int64_t>>(spec.fallback)) {
      std::vector<std::int64_t> list;
      for (const double value : tensor.values) list.push_back(static_cast<std::int64_t>(value));
      return list;
    }
    place_.fail("unsupported-input", spec.name + " must be a single constant");
  }

  Attribute plain(const Op& op, const std::string& name, const AttributeValue& value) const {
    const Place at = place_.at("attribute").at(name);
    if (!declares(&op, name))
      at.fail("unsupported-attribute", op.name() + " has no attribute " + shown(name) + " here");
    return std::visit(
        [&](const auto& held) -> Attribute {
          using T = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            return joined(held);
          } else if constexpr (std::is_constructible_v<Attribute, T> &&
                               !std::is_same_v<T, TensorData> && !std::is_same_v<T, OpaqueValue>) {
            return held;
          } else {
            at.fail("unsupported-attribute", "attributes of this type are not supported");
          }
        },
        value);
  }

  /// Attributes hold no lists of strings: LSTM's activations are one string, "Sigmoid,Tanh,Tanh".
  static std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (std::size_t i = 0; i < texts.size(); ++i) all += (i == 0 ? "" : ",") + texts[i];
    return all;
  }

  NodeDef node_;
  std::int64_t opset_;
  GraphSoFar& graph_;
  const Place& place_;
};

}  // namespace

std::vector<Step> modernise(const NodeDef& node, std::int64_t opset, GraphSoFar& graph,
                            const Place& place) {
  return Rewriter(node, opset, graph, place).run();
}

}  // namespace npusim::workloads::onnx
