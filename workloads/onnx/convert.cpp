// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/convert.h"

#include <algorithm>
#include <set>

#include "workloads/constants.h"
#include "workloads/onnx/data_type.h"
#include "workloads/onnx/modernise.h"
#include "workloads/onnx/names.h"
#include "workloads/onnx/opaque.h"
#include "workloads/onnx_types.h"
#include "workloads/op.h"

namespace npusim::workloads::onnx {
namespace {

/// The declared type here; float, the default, has no format.
DeclaredType declared_type(DataType type, const Place& place) {
  if (type == DataType::undefined)
    place.fail("unsupported-type", "values that are no tensors of a known type are not supported");
  try {
    DeclaredType declared = onnx_type(static_cast<int>(type));
    if (declared.format == "fp32") declared.format.clear();
    return declared;
  } catch (const base::InputError&) {
    place.fail("unsupported-type", std::string(name_of(type)) + " tensors are not supported");
  }
}

constexpr std::size_t kMostMistakes = 100;

Initializer given_values(std::vector<double> values) {
  Initializer initializer;
  initializer.kind = Initializer::Kind::values;
  initializer.values = std::make_shared<const std::vector<double>>(std::move(values));
  return initializer;
}

bool is_unsupported(const base::InputError& error) {
  return std::all_of(
      error.diagnostics().begin(), error.diagnostics().end(),
      [](const base::Diagnostic& item) { return item.code.rfind("unsupported-", 0) == 0; });
}

/// Inputs that may lie beyond 2^53: counted from an end, clamping changes nothing.
bool is_index_input(const std::string& op, std::size_t input) {
  return op == "Slice" && (input == 1 || input == 2);
}

class Converter final : public GraphSoFar {
 public:
  Converter(const Model& model, const ConvertOptions& options)
      : model_(model), options_(options), root_{model.file, "/graph", ""} {}

  Converted run() {
    result_.graph.name = model_.graph_name;
    find_uses();
    add_initializers();
    add_inputs();
    for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
      if (stopped()) diagnostics_.throw_if_any();
      add(i);
    }
    add_outputs();
    check_dims();
    diagnostics_.throw_if_any();
    if (options_.fold_constants) fold();
    return std::move(result_);
  }

  const Shape& shape_of(const std::string& tensor) const override {
    return graph().tensor(graph().find(tensor)).shape;
  }

  const Tensor* known(const std::string& tensor) override {
    const TensorId id = graph().find(tensor);
    learn_values(result_.graph, id);
    return graph().tensor(id).known.get();
  }

  std::string add_constant(const std::string& name, const Tensor& values) override {
    std::string unique = name;
    for (int i = 1; graph().find(unique) != kNoTensor || written_.count(unique) > 0; ++i)
      unique = name + "." + std::to_string(i);
    result_.graph.add_tensor(
        {unique, values.shape, values.type, TensorRole::statistics, given_values(values.values)});
    return unique;
  }

 private:
  const Graph& graph() const { return result_.graph; }

  /// A model made of mistakes must not take minutes to tell them.
  bool stopped() {
    if (diagnostics_.items().size() < kMostMistakes) return false;
    diagnostics_.add(
        root_.diagnostic("too-many", "there may be more mistakes; these are the first"));
    return true;
  }

  template <class Action>
  void reporting(const Place& place, const Action& action) {
    try {
      action();
    } catch (const base::InputError& error) {
      report(place, error);
    }
  }

  void report(const Place& place, const base::InputError& error) {
    for (base::Diagnostic item : error.diagnostics()) {
      if (item.file.empty()) item.file = place.file;
      if (item.pointer.empty()) item.pointer = place.pointer;
      diagnostics_.add(std::move(item));
    }
  }

  void find_uses() {
    for (const NodeDef& node : model_.nodes) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        used_.insert(node.inputs[i]);
        if (!is_index_input(node.op, i)) as_values_.insert(node.inputs[i]);
        if (node.op == "BatchNormalization" && i >= 3) statistics_.insert(node.inputs[i]);
      }
      written_.insert(node.outputs.begin(), node.outputs.end());
    }
    for (const ValueDef& output : model_.outputs) used_.insert(output.name);
    for (const ValueDef& value : model_.declared) declared_.emplace(value.name, &value);
    for (const ValueDef& value : model_.outputs) declared_[value.name] = &value;
  }

  void add_initializers() {
    for (std::size_t i = 0; i < model_.initializers.size(); ++i) {
      const TensorData& data = model_.initializers[i];
      initialized_.insert(data.name);
      if (used_.count(data.name) == 0) continue;
      const bool constant = data.shape.empty() || statistics_.count(data.name) > 0;
      add_data(data, constant, root_.at("initializer", i).named("tensor " + shown(data.name)));
      if (graph().find(data.name) == kNoTensor) failed_.insert(data.name);
    }
  }

  void add_data(const TensorData& data, bool constant, const Place& place) {
    reporting(place, [&] {
      const DeclaredType declared = declared_type(data.type, place);
      if (data.clamped && as_values_.count(data.name) > 0)
        place.fail("unsupported-integer", "holds an integer beyond 2^53");
      const bool trained = declared.type == ElementType::floating && !constant;
      TensorInfo info{data.name, data.shape, declared.type,
                      trained ? TensorRole::weight : TensorRole::statistics,
                      given_values(data.values)};
      info.format = declared.format;
      result_.graph.add_tensor(std::move(info));
    });
  }

  void add_inputs() {
    for (std::size_t i = 0; i < model_.inputs.size(); ++i) {
      const ValueDef& input = model_.inputs[i];
      if (initialized_.count(input.name) > 0) continue;  // a default value: ours
      const Place place = root_.at("input", i).named("input " + shown(input.name));
      reporting(place, [&] { add_input(input, place); });
      if (graph().find(input.name) == kNoTensor) failed_.insert(input.name);
    }
  }

  void add_input(const ValueDef& input, const Place& place) {
    const auto given = options_.inputs.find(input.name);
    TensorInfo info;
    info.name = input.name;
    info.role = TensorRole::input;
    std::vector<std::string> symbols;
    if (given != options_.inputs.end()) {
      if (input.type != DataType::undefined && given->second.type != input.type)
        place.fail("wrong-type", std::string("holds ") + name_of(given->second.type) +
                                     ", the model declares " + name_of(input.type));
      info.shape = given->second.shape;
      info.initializer = given_values(given->second.values);
    } else {
      info.shape = sizes_of(input, place, symbols);
    }
    symbols.resize(info.shape.size());
    const DeclaredType declared =
        declared_type(given != options_.inputs.end() ? given->second.type : input.type, place);
    info.type = declared.type;
    info.format = declared.format;
    result_.graph.inputs.push_back(result_.graph.add_tensor(std::move(info)));
    result_.input_symbols.push_back(std::move(symbols));
  }

  Shape sizes_of(const ValueDef& input, const Place& place, std::vector<std::string>& symbols) {
    if (!input.has_shape) place.fail("missing-shape", "has no declared shape");
    Shape shape;
    for (std::size_t axis = 0; axis < input.shape.size(); ++axis) {
      const Dimension& dimension = input.shape[axis];
      if (dimension.value >= 0) {
        shape.push_back(dimension.value);
        symbols.emplace_back();
        continue;
      }
      const std::string symbol =
          dimension.symbol.empty() ? input.name + "." + std::to_string(axis) : dimension.symbol;
      const auto size = options_.dims.find(symbol);
      used_dims_.insert(symbol);
      if (size == options_.dims.end())
        place.fail("missing-dimension", "dimension " + std::to_string(axis) + " is open",
                   "--dim " + symbol + "=N");
      shape.push_back(size->second);
      symbols.push_back(symbol);
    }
    return shape;
  }

  void check_dims() {
    for (const auto& [symbol, size] : options_.dims)
      if (used_dims_.count(symbol) == 0)
        diagnostics_.add(root_.at("input").diagnostic(
            "unknown-dimension", "no input has an open dimension " + shown(symbol)));
  }

  // ---- nodes ----

  void add(std::size_t index) {
    NodeDef node = model_.nodes[index];
    if (node.name.empty()) node.name = node.op + "_" + std::to_string(index);
    while (!node_names_.insert(node.name).second) node.name += "_" + std::to_string(index);
    const Place place =
        root_.at("node", index).named("node " + shown(node.name) + " (" + node.op + ")");
    if (!inputs_are_there(node, place)) return;
    const std::size_t nodes_before = graph().nodes.size();
    try {
      add(node, place);
    } catch (const base::InputError& error) {
      NPUSIM_CHECK(graph().nodes.size() == nodes_before || !options_.allow_unsupported,
                   "a part of the node has been added");
      if (!options_.allow_unsupported || !is_unsupported(error))
        report(place, error);
      else
        reporting(place, [&] { add_opaque(node, error, place); });
    }
    for (const std::string& output : node.outputs)
      if (!output.empty() && graph().find(output) == kNoTensor) failed_.insert(output);
  }

  /// False: some input is missing, which was reported here or where it failed.
  bool inputs_are_there(const NodeDef& node, const Place& place) {
    bool there = true;
    for (const std::string& input : node.inputs) {
      if (input.empty() || graph().find(input) != kNoTensor) continue;
      there = false;
      if (failed_.count(input) == 0)
        diagnostics_.add(place.diagnostic(
            "unknown-tensor", "reads " + shown(input) + ", which nothing before it writes"));
    }
    if (!there) failed_.insert(node.outputs.begin(), node.outputs.end());
    return there;
  }

  void add(const NodeDef& node, const Place& place) {
    if (node.op == "Constant" && node.domain.empty()) return add_constant_node(node, place);
    const auto opset = model_.opsets.find(node.domain);
    if (!node.domain.empty() && node.domain != "ai.onnx.preview.training")
      place.fail("unsupported-op", "ops of domain " + shown(node.domain) + " are not supported");
    if (opset == model_.opsets.end())
      place.fail("missing-opset", "no opset of domain " + shown(node.domain) + " is imported");
    for (const Step& step : modernise(node, opset->second, *this, place)) add(step);
  }

  void add(const Step& step) {
    std::vector<TensorId> inputs;
    for (const std::string& name : step.inputs)
      inputs.push_back(name.empty() ? kNoTensor : graph().find(name));
    std::vector<std::string> outputs = step.outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].empty()) outputs[i] = step.name + ".unused" + std::to_string(i);
    result_.graph.add_node(step.op, step.name, std::move(inputs), step.attributes, outputs);
  }

  void fold() {
    Graph& graph = result_.graph;
    const std::set<TensorId> outputs(graph.outputs.begin(), graph.outputs.end());
    const auto stays = [&](const Node& node) {
      for (const TensorId id : node.outputs)
        if (outputs.count(id) > 0) return true;
      return !fold(node);
    };
    const auto end = std::stable_partition(graph.nodes.begin(), graph.nodes.end(), stays);
    graph.nodes.erase(end, graph.nodes.end());
  }

  /// True when the node's results have become initializers.
  bool fold(const Node& node) {
    const auto info = [&](TensorId id) -> TensorInfo& {
      return result_.graph.tensors[static_cast<std::size_t>(id)];
    };
    if (node.op == "ConstantOfShape") {
      TensorInfo& filled = info(node.outputs[0]);
      filled.initializer.emplace();
      filled.initializer->value = std::get<double>(node.attributes.at("value"));
      const bool trained =
          filled.type == ElementType::floating && statistics_.count(filled.name) == 0;
      filled.role = trained ? TensorRole::weight : TensorRole::statistics;
      return true;
    }
    for (const TensorId id : node.outputs) {
      const TensorInfo& result = info(id);
      const bool small = result.type != ElementType::floating || element_count(result.shape) == 1;
      if (!result.known || !small) return false;
    }
    for (const TensorId id : node.outputs) {
      info(id).initializer = given_values(info(id).known->values);
      info(id).role = TensorRole::statistics;
    }
    return true;
  }

  void add_constant_node(const NodeDef& node, const Place& place) {
    if (node.attributes.size() != 1 || node.outputs.size() != 1)
      place.fail("wrong-output-count", "a Constant has one value and one output");
    TensorData data = constant_value(node.attributes.begin()->second, place);
    data.name = node.outputs[0];
    const std::size_t before = diagnostics_.items().size();
    add_data(data, true, place);
    if (diagnostics_.items().size() > before) failed_.insert(data.name);
  }

  static TensorData constant_value(const AttributeValue& value, const Place& place) {
    TensorData data;
    if (const auto* tensor = std::get_if<TensorData>(&value)) return *tensor;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      data.type = DataType::int64;
      data.values = {static_cast<double>(*integer)};
    } else if (const auto* real = std::get_if<double>(&value)) {
      data.type = DataType::float32;
      data.values = {*real};
    } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&value)) {
      data.type = DataType::int64;
      data.values.assign(integers->begin(), integers->end());
      data.shape = {static_cast<std::int64_t>(integers->size())};
    } else if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
      data.type = DataType::float32;
      data.values = *reals;
      data.shape = {static_cast<std::int64_t>(reals->size())};
    } else {
      place.fail("unsupported-type", "a constant of this type is not supported");
    }
    const auto beyond = [](double number) { return number > 0x1p53 || number < -0x1p53; };
    data.clamped =
        is_integer(data.type) && std::any_of(data.values.begin(), data.values.end(), beyond);
    for (double& number : data.values)
      if (data.clamped) number = std::clamp(number, -0x1p53, 0x1p53);
    return data;
  }

  void add_opaque(const NodeDef& node, const base::InputError& why, const Place& place) {
    std::vector<OutputSpec> outputs;
    std::vector<std::string> names;
    for (const std::string& name : node.outputs) {
      if (name.empty()) continue;
      const auto declared = declared_.find(name);
      if (declared == declared_.end() || !declared->second->has_shape)
        place.fail("missing-shape",
                   std::string(why.what()) + "; for timing only, its output " + shown(name) +
                       " must have a declared shape",
                   "a model with inferred shapes");
      std::vector<std::string> ignored;
      const DeclaredType type = declared_type(declared->second->type, place);
      outputs.push_back({sizes_of(*declared->second, place, ignored), type.type, type.format});
      names.push_back(name);
    }
    std::vector<TensorId> inputs;
    for (const std::string& name : node.inputs)
      if (!name.empty()) inputs.push_back(graph().find(name));
    result_.graph.add_node("Opaque", node.name, std::move(inputs),
                           opaque_attributes(node.op, outputs), names);
    result_.opaque.push_back(why.what());
  }

  void add_outputs() {
    for (std::size_t i = 0; i < model_.outputs.size(); ++i) {
      const std::string& name = model_.outputs[i].name;
      const TensorId id = graph().find(name);
      if (id != kNoTensor)
        result_.graph.outputs.push_back(id);
      else if (failed_.count(name) == 0)
        diagnostics_.add(
            root_.at("output", i)
                .diagnostic("unknown-tensor", "output " + shown(name) + " is written by no node"));
    }
  }

  const Model& model_;
  const ConvertOptions& options_;
  Place root_;
  Converted result_;
  base::Diagnostics diagnostics_;
  std::set<std::string> used_, written_, statistics_, as_values_, initialized_;
  std::set<std::string> failed_;  ///< tensors that are not there because of a reported mistake
  std::set<std::string> node_names_, used_dims_;
  std::map<std::string, const ValueDef*> declared_;
};

}  // namespace

Converted convert(const Model& model, const ConvertOptions& options) {
  return Converter(model, options).run();
}

}  // namespace npusim::workloads::onnx
