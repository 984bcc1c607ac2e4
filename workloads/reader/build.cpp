// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/build.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "base/name_pattern.h"
#include "workloads/initializer_file.h"
#include "workloads/order.h"
#include "workloads/training/loss.h"

namespace npusim::workloads {
namespace {

class Builder {
 public:
  Builder(const WorkloadSyntax& workload, const FlatNetwork& network)
      : workload_(workload), network_(network) {
    graph_.name = workload.name;
  }

  Graph run() {
    for (const FlatTensor& tensor : network_.inputs)
      if (const auto id = add(tensor)) graph_.inputs.push_back(*id);
    for (const FlatTensor& tensor : network_.weights) add(tensor);
    for (const int i : sorted()) add(network_.nodes[static_cast<std::size_t>(i)]);
    for (const FlatTensor& tensor : network_.inputs) check_calibrated(tensor);
    for (const FlatTensor& tensor : network_.weights) check_calibrated(tensor);
    for (const NameAt& output : workload_.body.outputs) {
      const TensorId id = graph_.find(output.name);
      if (id != kNoTensor) graph_.outputs.push_back(id);
    }
    return std::move(graph_);
  }

 private:
  /// Repeats the mistakes of `error` at the node.
  static void relocate(const base::InputError& error, const NodeSyntax& node) {
    const std::string rules = "what `npusim describe " + node.op->name() + "` says";
    for (const base::Diagnostic& item : error.diagnostics())
      node.at.error(item.code, item.message, item.allowed.empty() ? rules : item.allowed);
  }

  /// That the file exists has been looked at where it is named.
  void check_data(const FlatTensor& tensor) {
    const std::optional<Initializer>& initializer = tensor.initializer;
    std::error_code ignored;
    if (!initializer || initializer->kind != Initializer::Kind::file ||
        !std::filesystem::is_regular_file(initializer->path, ignored))
      return;
    try {
      check_file_header(*initializer, tensor.shape, tensor.name, headers_);
    } catch (const base::InputError& error) {
      const base::ValueReader& at = tensor.syntax->at;
      const base::JsonValue* path = at.json().find("initializer")->find("path");
      const base::ValueReader place(*path, at.pointer() + "/initializer/path", at.diagnostics());
      for (const base::Diagnostic& item : error.diagnostics())
        place.error(item.code, (item.file.empty() ? "" : item.file + ": ") + item.message,
                    item.allowed.empty() ? "a whole .npy or .safetensors file" : item.allowed);
    }
  }

  /// Only a BatchNormalization has running statistics that a calibration pass could find.
  void check_calibrated(const FlatTensor& tensor) const {
    if (!tensor.initializer || !is_calibrated(tensor.initializer->kind)) return;
    const bool mean = tensor.initializer->kind == Initializer::Kind::calibrated_mean;
    const TensorId id = graph_.find(tensor.name);
    for (const Node& node : graph_.nodes)
      if (node.op == "BatchNormalization" && node.inputs[mean ? 3 : 4] == id) return;
    tensor.syntax->at.error("not-calibratable",
                            std::string(name_of(tensor.initializer->kind)) +
                                " is for statistics of a BatchNormalization, " + tensor.name +
                                " is none",
                            mean ? "the fourth input of a BatchNormalization"
                                 : "the fifth input of a BatchNormalization");
  }

  std::optional<TensorId> add(const FlatTensor& tensor) {
    const TensorSyntax& syntax = *tensor.syntax;
    check_data(tensor);
    if (graph_.find(tensor.name) != kNoTensor) return std::nullopt;  // reported by check_names
    return graph_.add_tensor(
        {tensor.name, tensor.shape, syntax.type, syntax.role, tensor.initializer, syntax.format});
  }

  std::vector<int> sorted() {
    std::unordered_map<std::string, int> writer;
    for (std::size_t i = 0; i < network_.nodes.size(); ++i)
      for (const std::string& output : network_.nodes[i].outputs)
        writer.emplace(output, static_cast<int>(i));
    std::vector<std::vector<int>> needs(network_.nodes.size());
    for (std::size_t i = 0; i < network_.nodes.size(); ++i)
      for (const std::string& input : network_.nodes[i].inputs)
        if (const auto found = writer.find(input); found != writer.end())
          needs[i].push_back(found->second);
    TopologicalOrder result = topological_order(needs);
    if (!result.cycle.empty()) report_cycle(result.cycle);
    return std::move(result.order);
  }

  void report_cycle(const std::vector<int>& cycle) const {
    constexpr std::size_t kMostNamed = 8;
    std::string names;
    for (std::size_t i = 0; i < std::min(cycle.size(), kMostNamed); ++i)
      names += (i == 0 ? "" : " needs ") + network_.nodes[static_cast<std::size_t>(cycle[i])].name;
    names += cycle.size() > kMostNamed
                 ? " needs ..."
                 : " needs " + network_.nodes[static_cast<std::size_t>(cycle.front())].name;
    network_.nodes[static_cast<std::size_t>(cycle.front())].syntax->at.error(
        "cyclic-graph", "the graph is cyclic: " + names, "a graph without cycles");
  }

  void add(const FlatNode& node) {
    if (!node.valid) return;
    std::vector<TensorId> inputs;
    for (const std::string& name : node.inputs) {
      const TensorId id = name.empty() ? kNoTensor : graph_.find(name);
      if (id == kNoTensor && !name.empty()) return;  // reported where it went wrong
      inputs.push_back(id);
    }
    try {
      graph_.add_node(node.syntax->op->name(), node.name, std::move(inputs), node.attributes,
                      node.outputs);
    } catch (const base::InputError& error) {
      relocate(error, *node.syntax);
    }
  }

  const WorkloadSyntax& workload_;
  const FlatNetwork& network_;
  HeadersByFile headers_;
  Graph graph_;
};

}  // namespace

Graph build_graph(const WorkloadSyntax& workload, const FlatNetwork& network) {
  return Builder(workload, network).run();
}

void check_training(const WorkloadSyntax& workload, const FlatNetwork& network) {
  if (!workload.training || !network.complete) return;
  const base::ValueReader& section = *workload.training_at;
  std::vector<std::string> tensors;
  std::vector<std::string> labels;
  for (const TensorSyntax& input : workload.inputs)
    (input.role == TensorRole::label ? labels : tensors).push_back(input.name);
  for (const FlatNode& node : network.nodes)
    tensors.insert(tensors.end(), node.outputs.begin(), node.outputs.end());
  const auto check = [&](const char* key, const std::string& name,
                         const std::vector<std::string>& known, const char* allowed) {
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) return;
    const std::string near = base::did_you_mean(name, known);
    base::ValueReader(*section.json().find(key), section.pointer() + "/" + key,
                      section.diagnostics())
        .error("unknown-tensor",
               "\"" + name + "\" is no such tensor" +
                   (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
               allowed);
  };
  const bool integers = takes_integer_labels(workload.training->loss);
  for (const TensorSyntax& input : workload.inputs)
    if (input.role == TensorRole::label && input.name == workload.training->labels &&
        integers != (input.type == ElementType::int64))
      input.at.error(
          "wrong-type",
          workload.training->loss + " takes labels of type " + (integers ? "int64" : "float"),
          integers ? "\"type\": \"int64\"" : "\"type\": \"float\"");
  check("logits", workload.training->logits, tensors, "a tensor of the graph");
  check("labels", workload.training->labels, labels, "a graph input with \"role\": \"label\"");
  const base::JsonValue* frozen = section.json().find("frozen");
  for (std::size_t i = 0; i < workload.training->frozen.size(); ++i) {
    const std::string& pattern = workload.training->frozen[i];
    const bool known =
        std::any_of(network.weights.begin(), network.weights.end(),
                    [&](const auto& weight) { return base::fits_pattern(pattern, weight.name); });
    if (known || frozen == nullptr || !frozen->is_array()) continue;
    base::ValueReader(frozen->items()[i], section.pointer() + "/frozen/" + std::to_string(i),
                      section.diagnostics())
        .error("unknown-tensor", "no weight is called \"" + pattern + "\"",
               "names of weights, * and ? standing for any text and any character");
  }
}

}  // namespace npusim::workloads
