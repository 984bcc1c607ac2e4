// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/transform.h"

#include <algorithm>

#include "base/error.h"
#include "workloads/decompose.h"
#include "workloads/graph_copy.h"
#include "workloads/op.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/backward.h"
#include "workloads/training/loss.h"
#include "workloads/training/update.h"

namespace npusim::workloads {
namespace {

/// Ops without a gradient of their own (attention, recurrent ones) have that of their parts.
bool trained_by_parts(const Node& node) {
  const Op& op = ops().at(node.op);
  return !op.differentiable() && !op.decomposes_into().empty();
}

class Step {
 public:
  Step(const Workload& workload, const StepOptions& options)
      : forward_(workload.graph),
        spec_(*workload.training),
        options_(options),
        copy_(forward_, graph_) {
    graph_.name = forward_.name;
  }

  Graph run() {
    copy_tensors();
    for (const Node& node : forward_.nodes) copy_node(node);
    graph_.inputs = copy_.of(forward_.inputs);
    const TensorId loss = add_loss();
    graph_.outputs.insert(graph_.outputs.begin(), loss);
    std::vector<TensorId> weights;
    for (const Parameter& parameter : parameters_) weights.push_back(parameter.weight);
    const std::vector<TensorId> gradients = add_backward(graph_, loss, weights);
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].gradient = gradients[i];
    parameters_.erase(std::remove_if(parameters_.begin(), parameters_.end(),
                                     [](const Parameter& p) { return p.gradient == kNoTensor; }),
                      parameters_.end());
    UpdateBuilder(graph_, spec_, options_, parameters_).run();
    return std::move(graph_);
  }

 private:
  void copy_tensors() {
    const std::vector<int> writer = writers(forward_);
    for (std::size_t i = 0; i < forward_.tensors.size(); ++i) {
      if (writer[i] >= 0) continue;
      const auto id = static_cast<TensorId>(i);
      if (forward_.tensor(id).role == TensorRole::weight)
        copy_weight(id);
      else
        copy_.tensor(id);
    }
  }

  void copy_weight(TensorId id) {
    if (!options_.master_copies) {
      copy_.tensor(id);
      parameters_.push_back({copy_.of(id), copy_.of(id), kNoTensor});
      return;
    }
    const TensorInfo& weight = forward_.tensor(id);
    TensorInfo master = weight;
    master.name += ".master";
    master.role = TensorRole::master_weight;
    if (master.initializer) keep_values_of(weight.name, *master.initializer);
    const TensorId stored = graph_.add_tensor(std::move(master));
    copy_.set(id, graph_
                      .add_node("Cast", weight.name + ".cast", {stored}, {}, {weight.name},
                                TensorRole::weight)
                      .front());
    parameters_.push_back({copy_.of(id), stored, kNoTensor});
  }

  /// The master copy starts as the weight would have started under its own name.
  static void keep_values_of(const std::string& weight, Initializer& initializer) {
    if (initializer.stream.empty()) initializer.stream = weight;
    if (initializer.tensor.empty()) initializer.tensor = weight;
  }

  /// A batch normalisation of the forward graph takes the statistics of the batch and gives the
  /// running ones of the next step.
  void copy_node(const Node& node) {
    if (node.op != "BatchNormalization" || node.outputs.size() > 1) return copy_.node(node);
    Attributes attributes = node.attributes;
    attributes["training_mode"] = std::int64_t{1};
    std::vector<std::string> names = {forward_.tensor(node.outputs[0]).name};
    for (const std::size_t i : {std::size_t{3}, std::size_t{4}})
      names.push_back(forward_.tensor(node.inputs[i]).name + ".next");
    const std::vector<TensorId> outputs = graph_.add_node(node.op, node.name, copy_.of(node.inputs),
                                                          attributes, names, {}, node.phase);
    graph_.tensors[static_cast<std::size_t>(outputs[0])].role =
        forward_.tensor(node.outputs[0]).role;
    copy_.set(node.outputs[0], outputs[0]);
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      graph_.tensors[static_cast<std::size_t>(outputs[i])].role = TensorRole::statistics;
      graph_.outputs.push_back(outputs[i]);
    }
  }

  TensorId add_loss() {
    const TensorId logits = copy_.of(forward_.find(spec_.logits));
    const TensorId labels = copy_.of(forward_.find(spec_.labels));
    return workloads::add_loss(graph_, spec_.loss, logits, labels);
  }

  const Graph& forward_;
  const TrainingSpec& spec_;
  const StepOptions options_;
  Graph graph_;
  GraphCopy copy_;
  std::vector<Parameter> parameters_;
};

}  // namespace

Graph make_training_step(const Workload& workload, const StepOptions& options) {
  if (!workload.training)
    throw base::InputError("workload " + workload.name + " has no \"training\" section",
                           "not-trainable");
  Workload parts = workload;
  parts.graph = decompose(workload.graph, trained_by_parts).graph;
  return Step(parts, options).run();
}

Graph make_training_step(const Workload& workload, bool master_copies) {
  StepOptions options;
  options.master_copies = master_copies;
  return make_training_step(workload, options);
}

Graph make_training_step(const Workload& workload, const Recipe& recipe) {
  return apply_recipe(make_training_step(workload, step_options(workload, recipe)), recipe);
}

StepOptions step_options(const Workload& workload, const Recipe& recipe) {
  StepOptions options;
  options.master_copies = recipe.master_weights.has_value();
  options.loss_scaling = recipe.loss_scaling.kind != LossScalingSpec::Kind::none;
  options.initial_scale = recipe.loss_scaling.initial;
  if (recipe.master_gradients)
    options.master_gradients = recipe.master_gradients;
  else
    options.master_gradients = recipe.master_weights;
  options.rate_input =
      workload.training && workload.training->schedule.kind != ScheduleSpec::Kind::constant;
  options.rate_input =
      options.rate_input || (workload.training && workload.training->schedule.warmup_steps > 0);
  return options;
}

}  // namespace npusim::workloads
