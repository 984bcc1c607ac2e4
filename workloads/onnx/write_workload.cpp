// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/write_workload.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/array_file.h"
#include "base/json_value.h"
#include "workloads/op.h"
#include "workloads/reader/expression.h"

namespace npusim::workloads::onnx {
namespace {

using base::JsonValue;

/// Constants up to here are written as numbers in the workload.
constexpr std::size_t kMostWritten = 64;

std::string type_text(const TensorInfo& info) {
  static const std::map<std::string, std::string> kFormats = {{"", "float"},
                                                              {"fp32", "float"},
                                                              {"fp16", "float16"},
                                                              {"bf16", "bfloat16"},
                                                              {"fp64", "float64"}};
  return info.type == ElementType::floating ? kFormats.at(info.format) : name_of(info.type);
}

base::ElementKind kind_of(const TensorInfo& info) {
  using base::ElementKind;
  static const std::map<std::string, ElementKind> kKinds = {
      {"float", ElementKind::f32},     {"float16", ElementKind::f16},
      {"bfloat16", ElementKind::bf16}, {"float64", ElementKind::f64},
      {"bool", ElementKind::boolean},  {"int8", ElementKind::i8},
      {"int16", ElementKind::i16},     {"int32", ElementKind::i32},
      {"int64", ElementKind::i64},     {"uint8", ElementKind::u8},
      {"uint16", ElementKind::u16},    {"uint32", ElementKind::u32},
      {"uint64", ElementKind::u64}};
  return kKinds.at(type_text(info));
}

template <class Values>
JsonValue list_of(const Values& values) {
  JsonValue list = JsonValue::make_array();
  for (const auto& value : values) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, std::string>)
      list.push_back(JsonValue::make_string(value));
    else if constexpr (std::is_same_v<T, double>)
      list.push_back(JsonValue::make_real(value));
    else
      list.push_back(JsonValue::make_integer(value));
  }
  return list;
}

JsonValue number_list(const std::vector<double>& values, bool whole) {
  JsonValue list = JsonValue::make_array();
  for (const double value : values)
    list.push_back(whole ? JsonValue::make_integer(static_cast<std::int64_t>(value))
                         : JsonValue::make_real(value));
  return list;
}

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

JsonValue attribute_json(const Node& node, const std::string& name, const Attribute& attribute) {
  const auto refuse = [&] {
    throw base::InputError(node.op + " \"" + node.name + "\": attribute " + name +
                               " is infinite, which JSON cannot hold",
                           "not-finite");
  };
  if (const auto* integer = std::get_if<std::int64_t>(&attribute))
    return JsonValue::make_integer(*integer);
  if (const auto* text = std::get_if<std::string>(&attribute)) return JsonValue::make_string(*text);
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute)) return list_of(*list);
  if (const auto* real = std::get_if<double>(&attribute)) {
    if (!std::isfinite(*real)) refuse();
    return JsonValue::make_real(*real);
  }
  const auto& reals = std::get<std::vector<double>>(attribute);
  if (!all_finite(reals)) refuse();
  return list_of(reals);
}

class Writer {
 public:
  Writer(const Converted& model, const std::string& weights_name)
      : model_(model), graph_(model.graph), weights_name_(weights_name) {}

  WorkloadFiles run(const std::string& name, const std::string& source) {
    name_symbols();
    const std::vector<JsonValue> inputs = input_list();
    const std::vector<JsonValue> weights = weight_list();
    std::string text = "{\n  \"schema_version\": 1,\n  \"kind\": \"workload\",\n";
    text += "  \"name\": " + quoted(name) + ",\n  \"source\": " + quoted(source) + ",\n";
    if (!parameters_.members().empty())
      text += "  \"parameters\": " + base::dump_json(parameters_, -1) + ",\n";
    text += section("inputs", inputs) + section("initializers", weights) +
            section("nodes", node_list());
    text += "  \"outputs\": " + base::dump_json(list_of(output_list()), -1) + "\n}\n";
    return {text, stored_.empty() ? std::string() : base::format_safetensors(stored_)};
  }

 private:
  static std::string quoted(const std::string& text) {
    return base::dump_json(JsonValue::make_string(text), -1);
  }

  static std::string section(const std::string& key, const std::vector<JsonValue>& items) {
    std::string text = "  \"" + key + "\": [";
    for (std::size_t i = 0; i < items.size(); ++i)
      text += (i == 0 ? "\n    " : ",\n    ") + base::dump_json(items[i], -1);
    return text + (items.empty() ? "],\n" : "\n  ],\n");
  }

  /// The first dimension of the first input counts samples: "batch", whatever the model calls it.
  /// Symbols whose names a parameter may not have are written as numbers.
  void name_symbols() {
    if (graph_.inputs.empty()) return;
    const Shape& first = graph_.tensor(graph_.inputs[0]).shape;
    if (first.empty()) return;
    batch_symbol_ = model_.input_symbols[0][0];
    parameters_.set("batch", first[0]);
  }

  JsonValue extent(std::size_t input, std::size_t axis, std::int64_t size) {
    const std::string& symbol = model_.input_symbols[input][axis];
    if ((input == 0 && axis == 0) || (!symbol.empty() && symbol == batch_symbol_))
      return JsonValue::make_string("batch");
    if (!is_parameter_name(symbol) || symbol == "batch") return JsonValue::make_integer(size);
    parameters_.set(symbol, size);
    return JsonValue::make_string(symbol);
  }

  std::vector<JsonValue> input_list() {
    std::vector<JsonValue> list;
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      const TensorInfo& info = graph_.tensor(graph_.inputs[i]);
      JsonValue item = JsonValue::make_object();
      item.set("name", info.name);
      JsonValue shape = JsonValue::make_array();
      for (std::size_t axis = 0; axis < info.shape.size(); ++axis)
        shape.push_back(extent(i, axis, info.shape[axis]));
      item.set("shape", std::move(shape));
      if (type_text(info) != "float") item.set("type", type_text(info));
      item.set("initializer", generated(info));
      list.push_back(std::move(item));
    }
    return list;
  }

  /// Stand-in data until somebody gives --input: what is read as an index or a flag must be small.
  static JsonValue generated(const TensorInfo& info) {
    JsonValue result = JsonValue::make_object();
    if (info.type == ElementType::floating) {
      result.set("kind", "normal");
      return result;
    }
    result.set("kind", "uniform_int");
    result.set("high", 1);
    return result;
  }

  std::vector<JsonValue> weight_list() {
    const std::vector<int> readers = reader_counts(graph_);
    std::vector<JsonValue> list;
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i) {
      const TensorInfo& info = graph_.tensors[i];
      if (!info.initializer || info.role == TensorRole::input || readers[i] == 0) continue;
      JsonValue item = JsonValue::make_object();
      item.set("name", info.name);
      item.set("shape", list_of(info.shape));
      if (type_text(info) != "float") item.set("type", type_text(info));
      if (info.role == TensorRole::statistics) item.set("role", "statistics");
      item.set("initializer", initial_values(info));
      list.push_back(std::move(item));
    }
    return list;
  }

  JsonValue initial_values(const TensorInfo& info) {
    if (info.initializer->kind == Initializer::Kind::constant) {
      JsonValue result = JsonValue::make_object();
      result.set("kind", "constant");
      result.set("value", info.initializer->value);
      return result;
    }
    const std::vector<double>& values = *info.initializer->values;
    const bool whole = info.type != ElementType::floating;
    JsonValue result = JsonValue::make_object();
    const bool constant = whole || info.role == TensorRole::statistics;
    if (constant && values.size() <= kMostWritten && all_finite(values)) {
      result.set("kind", "values");
      result.set("values", number_list(values, whole));
      return result;
    }
    stored_[info.name] = {kind_of(info), info.shape, values};
    result.set("kind", "file");
    result.set("path", weights_name_);
    return result;
  }

  /// Outputs of a workload are written by nodes: an input or constant that is one goes through an
  /// Identity.
  std::string output_name(TensorId id) const {
    const std::string& name = graph_.tensor(id).name;
    return graph_.tensor(id).initializer || graph_.tensor(id).role == TensorRole::input
               ? name + ".copy"
               : name;
  }

  std::vector<std::string> output_list() const {
    std::vector<std::string> names;
    for (const TensorId id : graph_.outputs) names.push_back(output_name(id));
    return names;
  }

  void add_copies(std::vector<JsonValue>& nodes) const {
    for (const TensorId id : graph_.outputs) {
      const std::string& name = graph_.tensor(id).name;
      if (output_name(id) == name) continue;
      JsonValue item = JsonValue::make_object();
      item.set("op", "Identity");
      item.set("name", name + ".identity");
      item.set("inputs", list_of(std::vector<std::string>{name}));
      item.set("outputs", list_of(std::vector<std::string>{output_name(id)}));
      nodes.push_back(std::move(item));
    }
  }

  std::vector<JsonValue> node_list() const {
    std::vector<JsonValue> list;
    for (const Node& node : graph_.nodes) {
      JsonValue item = JsonValue::make_object();
      item.set("op", node.op);
      item.set("name", node.name);
      item.set("inputs", names_of(node.inputs));
      item.set("outputs", names_of(node.outputs));
      JsonValue attributes = JsonValue::make_object();
      for (const AttributeSpec& spec : ops().at(node.op).attributes()) {
        const Attribute& value = node.attributes.at(spec.name);
        if (spec.required || value != spec.fallback)
          attributes.set(spec.name, attribute_json(node, spec.name, value));
      }
      if (!attributes.members().empty()) item.set("attributes", std::move(attributes));
      list.push_back(std::move(item));
    }
    add_copies(list);
    return list;
  }

  JsonValue names_of(const std::vector<TensorId>& ids) const {
    std::vector<std::string> names;
    for (const TensorId id : ids)
      names.push_back(id == kNoTensor ? std::string() : graph_.tensor(id).name);
    return list_of(names);
  }

  const Converted& model_;
  const Graph& graph_;
  const std::string& weights_name_;
  std::string batch_symbol_;
  JsonValue parameters_ = JsonValue::make_object();
  std::map<std::string, base::ArrayData> stored_;
};

}  // namespace

WorkloadFiles write_workload(const Converted& model, const std::string& name,
                             const std::string& source, const std::string& weights_name) {
  return Writer(model, weights_name).run(name, source);
}

}  // namespace npusim::workloads::onnx
