// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/transform.h"

#include <algorithm>

#include "base/error.h"
#include "base/name_pattern.h"
#include "workloads/attention_shape.h"
#include "workloads/decompose.h"
#include "workloads/graph_copy.h"
#include "workloads/op.h"
#include "workloads/training/apply_recipe.h"
#include "workloads/training/backward.h"
#include "workloads/training/loss.h"
#include "workloads/training/recompute.h"
#include "workloads/training/reduce_gradients.h"
#include "workloads/training/update.h"

namespace npusim::workloads {
namespace {

/// Ops without a gradient of their own (attention, recurrent ones) have that of their parts.
bool trained_by_parts(const Node& node) {
  const Op& op = ops().at(node.op);
  return !op.differentiable() && !op.decomposes_into().empty();
}

bool is_trained(const TrainingSpec& spec, const TensorInfo& tensor) {
  return tensor.role == TensorRole::weight &&
         std::none_of(spec.frozen.begin(), spec.frozen.end(), [&](const std::string& pattern) {
           return base::fits_pattern(pattern, tensor.name);
         });
}

class Step {
 public:
  Step(const Workload& workload, const StepOptions& options)
      : forward_(workload.graph),
        writers_(writers(forward_)),
        spec_(*workload.training),
        options_(options),
        shared_(forward_.tensors.size(), kNoTensor) {
    graph_.name = forward_.name;
  }

  Graph run() {
    add_shared_tensors();
    std::vector<TensorId> weights;
    for (const Parameter& parameter : parameters_) weights.push_back(parameter.weight);
    const std::vector<TensorId> at_start = shared_;
    for (std::int64_t i = 0; i < spec_.batches_in_graph(); ++i) {
      if (i % spec_.micro_batches == 0) {
        shared_ = at_start;  // each device starts from the same statistics
        gradients_.emplace_back(parameters_.size(), kNoTensor);
      }
      add_micro_batch(i, weights);
    }
    graph_.outputs.insert(graph_.outputs.begin(), loss_);
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      parameters_[i].gradient = gradients_.front()[i];
    if (spec_.reduction)
      reduce_gradients(graph_, *spec_.reduction, options_.reduction_format, gradients_,
                       parameters_);
    parameters_.erase(std::remove_if(parameters_.begin(), parameters_.end(),
                                     [](const Parameter& p) { return p.gradient == kNoTensor; }),
                      parameters_.end());
    UpdateBuilder(graph_, spec_, options_, parameters_).run();
    return std::move(graph_);
  }

 private:
  static std::size_t at(TensorId id) { return static_cast<std::size_t>(id); }
  bool last(std::int64_t batch) const { return batch + 1 == spec_.batches_in_graph(); }
  /// Batches that the step's loss is the mean of: on all devices, in the graph or not.
  std::int64_t all_batches() const {
    return spec_.micro_batches * (spec_.reduction ? spec_.reduction->devices : 1);
  }

  static bool of_the_batch(const TensorInfo& info) {
    return info.role == TensorRole::input || info.role == TensorRole::label;
  }

  /// What all micro-batches read (weights, statistics, constants), and the first one's inputs.
  void add_shared_tensors() {
    GraphCopy copy(forward_, graph_);
    for (std::size_t i = 0; i < forward_.tensors.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      if (writers_[i] >= 0) continue;
      if (is_trained(spec_, forward_.tensor(id))) {
        add_weight(copy, id);
      } else {
        copy.tensor(id);
      }
      shared_[i] = copy.of(id);
    }
  }

  void add_weight(GraphCopy& copy, TensorId id) {
    if (!options_.master_copies) {
      copy.tensor(id);
      parameters_.push_back({copy.of(id), copy.of(id), kNoTensor});
      return;
    }
    const TensorInfo& weight = forward_.tensor(id);
    TensorInfo master = weight;
    master.name += ".master";
    master.role = TensorRole::master_weight;
    if (master.initializer) keep_values_of(weight.name, *master.initializer);
    const TensorId stored = graph_.add_tensor(std::move(master));
    copy.set(id, graph_
                     .add_node("Cast", weight.name + ".cast", {stored}, {}, {weight.name},
                               TensorRole::weight)
                     .front());
    parameters_.push_back({copy.of(id), stored, kNoTensor});
  }

  /// The master copy starts as the weight would have started under its own name.
  static void keep_values_of(const std::string& weight, Initializer& initializer) {
    if (initializer.stream.empty()) initializer.stream = weight;
    if (initializer.tensor.empty()) initializer.tensor = weight;
  }

  /// Forward, loss, backward, and what it adds to the gradients.
  void add_micro_batch(std::int64_t index, const std::vector<TensorId>& weights) {
    const std::string suffix = micro_batch_suffix(index);
    GraphCopy copy(forward_, graph_, suffix);
    for (std::size_t i = 0; i < forward_.tensors.size(); ++i) {
      const auto id = static_cast<TensorId>(i);
      if (writers_[i] >= 0) continue;
      if (index > 0 && of_the_batch(forward_.tensor(id)))
        copy.tensor(id);
      else
        copy.set(id, shared_[i]);
    }
    for (const Node& node : forward_.nodes) copy_node(copy, node, index);
    for (const TensorId id : copy.of(forward_.inputs)) graph_.inputs.push_back(id);
    const TensorId loss = add_loss(copy, index);
    const std::vector<TensorId> gradients = add_backward(graph_, loss, weights, seed_);
    for (std::size_t i = 0; i < parameters_.size(); ++i) accumulate(i, gradients[i], suffix);
    finish_loss(loss, index);
  }

  /// The running statistics of the first device are those of the next step.
  bool ends_statistics(std::int64_t index) const { return index + 1 == spec_.micro_batches; }

  /// A batch normalisation of the forward graph takes the statistics of the batch and gives the
  /// running ones of the next micro-batch, or of the next step.
  void copy_node(GraphCopy& copy, const Node& node, std::int64_t index) {
    if (node.op == "Attention") return copy_attention(copy, node, micro_batch_suffix(index));
    if (node.op != "BatchNormalization" || node.outputs.size() > 1) return copy.node(node);
    const std::string suffix = micro_batch_suffix(index);
    Attributes attributes = node.attributes;
    attributes["training_mode"] = std::int64_t{1};
    std::vector<std::string> names = {forward_.tensor(node.outputs[0]).name + suffix};
    for (const std::size_t i : {std::size_t{3}, std::size_t{4}})
      names.push_back(forward_.tensor(node.inputs[i]).name + ".next" +
                      (ends_statistics(index) ? "" : micro_batch_suffix(index + 1)));
    const std::vector<TensorId> outputs = graph_.add_node(
        node.op, node.name + suffix, copy.of(node.inputs), attributes, names, {}, node.phase);
    graph_.tensors[at(outputs[0])].role = forward_.tensor(node.outputs[0]).role;
    copy.set(node.outputs[0], outputs[0]);
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      graph_.tensors[at(outputs[i])].role = TensorRole::statistics;
      shared_[at(node.inputs[i + 2])] = outputs[i];
      if (ends_statistics(index)) graph_.outputs.push_back(outputs[i]);
    }
  }

  /// One that is not trained by its parts. Statistics of rows are FP32, as FlashAttention-2 has
  /// them.
  void copy_attention(GraphCopy& copy, const Node& node, const std::string& suffix) {
    const std::string& result = forward_.tensor(node.outputs[0]).name;
    std::vector<TensorId> inputs = copy.of(node.inputs);
    inputs.resize(std::min<std::size_t>(inputs.size(), 4));  // behind the mask: absent ones
    const std::vector<TensorId> outputs =
        graph_.add_node(kAttentionWithStatistics, node.name + suffix, inputs, node.attributes,
                        {result + suffix, result + ".statistics" + suffix}, {}, node.phase);
    TensorInfo& y = graph_.tensors[at(outputs[0])];
    y.role = forward_.tensor(node.outputs[0]).role;
    y.stored = forward_.tensor(node.outputs[0]).stored;
    graph_.tensors[at(outputs[1])].role = TensorRole::activation;
    graph_.tensors[at(outputs[1])].stored = precision::fp32();
    copy.set(node.outputs[0], outputs[0]);
  }

  /// The micro-batch's share of the step's loss, which is the mean of them all.
  TensorId add_loss(const GraphCopy& copy, std::int64_t index) {
    const TensorId logits = copy.of(forward_.find(spec_.logits));
    const TensorId labels = copy.of(forward_.find(spec_.labels));
    if (all_batches() == 1) return workloads::add_loss(graph_, spec_.loss, logits, labels);
    const std::string name = "loss.batch" + std::to_string(index);
    const TensorId loss = workloads::add_loss(graph_, spec_.loss, logits, labels, name);
    if (index == 0) {
      share_ =
          scalar("loss.share", TensorRole::statistics, 1.0 / static_cast<double>(all_batches()));
      seed_ = scalar(kLossScale, TensorRole::activation_gradient, 1.0);
    }
    return graph_
        .add_node("Mul", name + ".mean", {loss, share_}, {}, {name + ".mean.out"}, TensorRole::loss)
        .front();
  }

  TensorId scalar(const char* name, TensorRole role, double value) {
    TensorInfo info;
    info.name = name;
    info.role = role;
    info.stored = precision::fp32();
    info.initializer = Initializer{};
    info.initializer->value = value;
    return graph_.add_tensor(std::move(info));
  }

  /// In the order of the micro-batches, in the format of weight gradients.
  void accumulate(std::size_t parameter, TensorId gradient, const std::string& suffix) {
    if (gradient == kNoTensor) return;
    TensorId& sum = gradients_.back()[parameter];
    if (sum == kNoTensor) {
      sum = gradient;
      return;
    }
    const std::string name =
        graph_.tensor(parameters_[parameter].weight).name + ".accumulate" + suffix;
    sum = graph_
              .add_node("Add", name, {sum, gradient}, {}, {name + ".out"},
                        TensorRole::weight_gradient, Phase::backward)
              .front();
  }

  void finish_loss(TensorId share, std::int64_t index) {
    if (loss_ == kNoTensor) {
      loss_ = share;
      return;
    }
    const std::string name = last(index) ? "loss" : "loss.sum" + std::to_string(index);
    loss_ = graph_.add_node("Add", name, {loss_, share}, {}, {name}, TensorRole::loss).front();
  }

  const Graph& forward_;
  const std::vector<int> writers_;
  const TrainingSpec& spec_;
  const StepOptions options_;
  Graph graph_;
  /// By forward tensor that no node writes: what the next micro-batch reads.
  std::vector<TensorId> shared_;
  std::vector<Parameter> parameters_;
  std::vector<std::vector<TensorId>> gradients_;  ///< by device in the graph, by parameter
  TensorId loss_ = kNoTensor, seed_ = kNoTensor, share_ = kNoTensor;
};

void check_recomputation(const TrainingSpec& spec, const Recipe& recipe) {
  const auto& roles = recipe.stochastic_roles;
  const bool random = recipe.rounding == precision::Rounding::sr ||
                      std::find(roles.begin(), roles.end(), TensorRole::activation) != roles.end();
  if (spec.recompute_segments > 0 && random)
    throw base::InputError("recipe " + recipe.name +
                               " rounds activations at random: computed again, they would differ "
                               "(training.recompute_segments)",
                           "illegal-combination");
}

}  // namespace

Graph make_training_step(const Workload& workload, const StepOptions& options) {
  if (!workload.training)
    throw base::InputError("workload " + workload.name + " has no \"training\" section",
                           "not-trainable");
  Workload parts = workload;
  parts.graph = decompose(workload.graph, [&](const Node& node) {
                  return trained_by_parts(node) && options.whole_attention.count(node.name) == 0;
                }).graph;
  Graph step = Step(parts, options).run();
  const std::int64_t segments = workload.training->recompute_segments;
  return segments > 0 ? recompute_activations(step, segments) : step;
}

Graph make_training_step(const Workload& workload, bool master_copies) {
  StepOptions options;
  options.master_copies = master_copies;
  return make_training_step(workload, options);
}

std::vector<char> depends_on_training(const Workload& workload) {
  const Graph& graph = workload.graph;
  const TrainingSpec spec = workload.training.value_or(TrainingSpec{});
  std::vector<char> depends(graph.tensors.size(), 0);
  for (std::size_t i = 0; i < depends.size(); ++i)
    depends[i] = is_trained(spec, graph.tensors[i]) ? 1 : 0;
  for (const Node& node : graph.nodes)
    if (std::any_of(node.inputs.begin(), node.inputs.end(), [&](TensorId id) {
          return id != kNoTensor && depends[static_cast<std::size_t>(id)] != 0;
        }))
      for (const TensorId id : node.outputs)  // integers carry no gradient
        depends[static_cast<std::size_t>(id)] =
            graph.tensor(id).type == ElementType::floating ? 1 : 0;
  return depends;
}

std::string micro_batch_suffix(std::int64_t index) {
  return index == 0 ? "" : ".batch" + std::to_string(index);
}

Graph make_training_step(const Workload& workload, const Recipe& recipe,
                         const std::set<std::string>& whole_attention) {
  if (workload.training) check_recomputation(*workload.training, recipe);
  StepOptions options = step_options(workload, recipe);
  options.whole_attention = whole_attention;
  return apply_recipe(make_training_step(workload, options), recipe);
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
  options.reduction_format = recipe.weight_gradients;
  if (workload.training && workload.training->reduction && workload.training->reduction->format)
    options.reduction_format = *workload.training->reduction->format;
  options.rate_input =
      workload.training && workload.training->schedule.kind != ScheduleSpec::Kind::constant;
  options.rate_input =
      options.rate_input || (workload.training && workload.training->schedule.warmup_steps > 0);
  return options;
}

}  // namespace npusim::workloads
