// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "workloads/reader/syntax.h"

namespace npusim::workloads {
namespace {

using base::ValueReader;

/// Edit distances against every name would make a file of unknown names slow.
constexpr int kMostSuggestions = 20;

class BodyCheck {
 public:
  BodyCheck(const WorkloadSyntax& workload, const BlockSyntax& body)
      : workload_(workload), body_(body) {}

  void run(const std::vector<TensorSyntax>& graph_inputs) {
    for (const TensorSyntax& tensor : graph_inputs) define(tensor.name, tensor.at);
    for (const NameAt& input : body_.inputs) define(input.name, input.at);
    for (const TensorSyntax& tensor : body_.initializers) define(tensor.name, tensor.at);
    for (const NodeSyntax& node : body_.nodes) define_node(node);
    for (const NodeSyntax& node : body_.nodes) check_node(node);
    for (const NameAt& output : body_.outputs) check_output(output);
  }

 private:
  void define(const std::string& name, const ValueReader& at) {
    if (!name.empty() && !tensors_.insert(name).second)
      at.error("duplicate-tensor", "tensor \"" + name + "\" is defined twice", "one definition");
  }

  void define_node(const NodeSyntax& node) {
    if (!node.name.empty() && !nodes_.insert(node.name).second)
      node.at.error("duplicate-node", "two nodes are named \"" + node.name + "\"",
                    "a name of its own for each node");
    const std::vector<std::string> outputs = workload_.outputs_of(node);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      written_.insert(outputs[i]);
      define(outputs[i], node.outputs ? (*node.outputs)[i].at : node.at);
    }
  }

  void check_node(const NodeSyntax& node) {
    for (const NameAt& input : node.inputs)
      if (!input.name.empty()) check_known(input);
    if (node.block) check_instance(node);
  }

  void check_known(const NameAt& name) {
    if (tensors_.count(name.name) > 0) return;
    std::string near;
    if (++unknown_ <= kMostSuggestions)
      near = base::did_you_mean(name.name, {tensors_.begin(), tensors_.end()});
    name.at.error("unknown-tensor",
                  "unknown tensor \"" + name.name + "\"" +
                      (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                  "an input, an initializer or another node's output");
  }

  void check_output(const NameAt& output) {
    if (output.name.empty()) return;
    check_known(output);
    if (tensors_.count(output.name) > 0 && written_.count(output.name) == 0)
      output.at.error("not-written", "output \"" + output.name + "\" is written by no node",
                      "the output of a node");
  }

  void check_instance(const NodeSyntax& node) {
    const BlockSyntax* block = workload_.block(node.block->name);
    if (block == nullptr) return unknown_block(*node.block);
    if (node.inputs.size() != block->inputs.size())
      node.at.error("wrong-input-count",
                    "block " + block->name + " takes " + std::to_string(block->inputs.size()) +
                        " inputs, not " + std::to_string(node.inputs.size()),
                    std::to_string(block->inputs.size()) + " inputs");
    for (const NameAt& input : node.inputs)
      if (input.name.empty())
        input.at.error("empty-name", "a block input may not be omitted", "a tensor");
    if (node.outputs && node.outputs->size() != block->outputs.size())
      node.at.error("wrong-output-count",
                    "block " + block->name + " has " + std::to_string(block->outputs.size()) +
                        " outputs, not " + std::to_string(node.outputs->size()),
                    std::to_string(block->outputs.size()) + " outputs");
    if (node.repeat && block->outputs.size() > block->inputs.size())
      node.repeat->error("wrong-output-count",
                         "a repeated block needs an input for each of its outputs",
                         "at most " + std::to_string(block->inputs.size()) + " outputs");
    check_parameters(node, *block);
  }

  void unknown_block(const NameAt& use) {
    std::vector<std::string> names;
    std::string allowed;
    for (const BlockSyntax& block : workload_.blocks) {
      names.push_back(block.name);
      allowed += (allowed.empty() ? "" : ", ") + block.name;
    }
    const std::string near = base::did_you_mean(use.name, names);
    use.at.error("unknown-block",
                 "unknown block \"" + use.name + "\"" +
                     (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                 allowed.empty() ? "no blocks" : allowed);
  }

  static void check_parameters(const NodeSyntax& node, const BlockSyntax& block) {
    std::vector<std::string> known;
    std::string allowed;
    for (const NameAt& parameter : block.parameters) {
      known.push_back(parameter.name);
      allowed += (allowed.empty() ? "" : ", ") + parameter.name;
    }
    for (const NameAt& setting : node.settings) {
      if (std::find(known.begin(), known.end(), setting.name) != known.end()) continue;
      const std::string near = base::did_you_mean(setting.name, known);
      setting.at.error("unknown-parameter",
                       "block " + block.name + " has no parameter \"" + setting.name + "\"" +
                           (near.empty() ? "" : " (did you mean \"" + near + "\"?)"),
                       allowed.empty() ? "no parameters" : allowed);
    }
  }

  const WorkloadSyntax& workload_;
  const BlockSyntax& body_;
  std::set<std::string> tensors_;
  std::set<std::string> written_;
  std::set<std::string> nodes_;
  int unknown_ = 0;
};

}  // namespace

void check_names(const WorkloadSyntax& workload) {
  BodyCheck(workload, workload.body).run(workload.inputs);
  for (const BlockSyntax& block : workload.blocks) BodyCheck(workload, block).run({});
}

}  // namespace npusim::workloads
