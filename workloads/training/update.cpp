// SPDX-License-Identifier: Apache-2.0
#include "workloads/training/update.h"

namespace npusim::workloads {
namespace {

using Kind = OptimizerSpec::Kind;

std::string op_of(const OptimizerSpec& optimizer) {
  switch (optimizer.kind) {
    case Kind::sgd:
      return "Momentum";
    case Kind::adam:
      return "Adam";
    case Kind::adamw:
      return "AdamW";
    case Kind::adagrad:
      return "Adagrad";
    case Kind::rmsprop:
      return "RmsProp";
    case Kind::lion:
      return "Lion";
    case Kind::lamb:
      return "Lamb";
  }
  return "";
}

Attributes attributes_of(const OptimizerSpec& s) {
  const std::pair<const std::string, Attribute> epsilon{"epsilon", s.epsilon};
  const std::pair<const std::string, Attribute> penalty{"norm_coefficient", s.weight_decay};
  const std::pair<const std::string, Attribute> decay{"weight_decay", s.weight_decay};
  switch (s.kind) {
    case Kind::sgd:
      return {{"alpha", s.momentum},
              {"beta", 1.0 - s.dampening},
              {"mode", std::string(s.nesterov ? "nesterov" : "standard")},
              penalty};
    case Kind::adam:
      return {{"alpha", s.beta1}, {"beta", s.beta2}, epsilon, penalty};
    case Kind::adamw:
    case Kind::lamb:
      return {{"alpha", s.beta1}, {"beta", s.beta2}, epsilon, decay};
    case Kind::adagrad:
      return {epsilon, penalty};
    case Kind::rmsprop:
      return {{"beta", s.beta2}, epsilon, penalty};
    case Kind::lion:
      return {{"alpha", s.beta1}, {"beta", s.beta2}, decay};
  }
  return {};
}

}  // namespace

double first_count(const OptimizerSpec& optimizer) {
  return optimizer.kind == Kind::sgd || optimizer.kind == Kind::adagrad ? 0.0 : 1.0;
}

// One parameter after the other, so that copies of few gradients live at a time; only the norm of
// all gradients needs all of them unscaled.
void UpdateBuilder::run() {
  if (options_.loss_scaling) check_finite();
  if (spec_.clipping.norm > 0.0) {
    for (Parameter& parameter : parameters_) unscale(parameter);
    const TensorId factor = norm_factor();
    for (Parameter& parameter : parameters_) {
      parameter.gradient = gradient_node("Mul", graph_.tensor(parameter.weight).name + ".clip_norm",
                                         {parameter.gradient, factor}, {});
      update(parameter);
    }
  } else {
    for (Parameter& parameter : parameters_) {
      unscale(parameter);
      update(parameter);
    }
  }
  graph_.outputs.insert(graph_.outputs.end(), state_outputs_.begin(), state_outputs_.end());
  const TensorId finite = graph_.find(kGradientsFinite);
  if (finite != kNoTensor) graph_.outputs.push_back(finite);
}

std::vector<TensorId> UpdateBuilder::gradients() const {
  std::vector<TensorId> all;
  for (const Parameter& parameter : parameters_) all.push_back(parameter.gradient);
  return all;
}

void UpdateBuilder::check_finite() {
  const TensorId seed = graph_.find(kLossScale);
  NPUSIM_CHECK(seed != kNoTensor, "the backward pass has no seed");
  TensorInfo& info = graph_.tensors[static_cast<std::size_t>(seed)];
  info.stored = precision::fp32();  // scales exceed what FP16 holds
  info.initializer->value = options_.initial_scale;
  graph_.add_node("GradientsFinite", "gradients.check", gradients(), {}, {kGradientsFinite},
                  TensorRole::loss, Phase::update);
}

/// Clipping by value counts as part of it.
void UpdateBuilder::unscale(Parameter& parameter) {
  if (options_.loss_scaling) {
    const TensorId inverse = scalar(kInverseScale, 1.0 / options_.initial_scale);
    parameter.gradient = gradient_node("Mul", graph_.tensor(parameter.weight).name + ".unscale",
                                       {parameter.gradient, inverse}, {});
  }
  if (spec_.clipping.value > 0.0)
    parameter.gradient = gradient_node(
        "Clip", graph_.tensor(parameter.weight).name + ".clip_value", {parameter.gradient},
        {{"min", -spec_.clipping.value}, {"max", spec_.clipping.value}});
}

TensorId UpdateBuilder::norm_factor() {
  const TensorId factor = graph_
                              .add_node("ClipFactor", "gradients.clip", gradients(),
                                        {{"max_norm", spec_.clipping.norm}},
                                        {"gradients.clip.factor"}, TensorRole::loss, Phase::update)
                              .front();
  graph_.tensors[static_cast<std::size_t>(factor)].stored = precision::fp32();
  return factor;
}

void UpdateBuilder::update(const Parameter& parameter) {
  const bool plain = spec_.optimizer.kind == Kind::sgd && spec_.optimizer.momentum == 0.0;
  graph_.outputs.push_back(plain ? sgd(parameter) : with_states(parameter));
}

TensorId UpdateBuilder::sgd(const Parameter& parameter) {
  const TensorInfo stored = graph_.tensor(parameter.stored);
  std::vector<TensorId> inputs = {parameter.stored, parameter.gradient};
  if (options_.rate_input) inputs.push_back(scalar(kLearningRate, spec_.optimizer.learning_rate));
  return graph_
      .add_node("Sgd", graph_.tensor(parameter.weight).name + ".update", inputs,
                {{"learning_rate", spec_.optimizer.learning_rate},
                 {"weight_decay", spec_.optimizer.weight_decay}},
                {stored.name + ".next"}, stored.role, Phase::update)
      .front();
}

TensorId UpdateBuilder::with_states(const Parameter& parameter) {
  const TensorInfo stored = graph_.tensor(parameter.stored);
  std::vector<TensorId> inputs = {scalar(kLearningRate, spec_.optimizer.learning_rate),
                                  scalar(kUpdateCount, first_count(spec_.optimizer)),
                                  parameter.stored, parameter.gradient};
  std::vector<std::string> outputs = {stored.name + ".next"};
  for (int i = 0; i < spec_.optimizer.states(); ++i) {
    inputs.push_back(state(parameter, i));
    outputs.push_back(graph_.tensor(inputs.back()).name + ".next");
  }
  const std::vector<TensorId> results = graph_.add_node(
      op_of(spec_.optimizer), graph_.tensor(parameter.weight).name + ".update", inputs,
      attributes_of(spec_.optimizer), outputs, TensorRole::optimizer_state, Phase::update);
  graph_.tensors[static_cast<std::size_t>(results[0])].role = stored.role;
  state_outputs_.insert(state_outputs_.end(), results.begin() + 1, results.end());
  return results[0];
}

TensorId UpdateBuilder::gradient_node(const std::string& op, const std::string& name,
                                      std::vector<TensorId> inputs, Attributes attributes) {
  const TensorId result = graph_
                              .add_node(op, name, std::move(inputs), std::move(attributes),
                                        {name + ".out"}, TensorRole::weight_gradient, Phase::update)
                              .front();
  graph_.tensors[static_cast<std::size_t>(result)].stored = options_.master_gradients;
  return result;
}

TensorId UpdateBuilder::scalar(const char* name, double value) {
  const TensorId known = graph_.find(name);
  if (known != kNoTensor) return known;
  TensorInfo info;
  info.name = name;
  info.role = TensorRole::statistics;
  info.stored = precision::fp32();
  info.initializer = Initializer{};
  info.initializer->value = value;
  return graph_.add_tensor(std::move(info));
}

TensorId UpdateBuilder::state(const Parameter& parameter, int index) {
  TensorInfo info;
  info.name = graph_.tensor(parameter.weight).name + ".state." + std::to_string(index);
  info.shape = graph_.tensor(parameter.weight).shape;
  info.role = TensorRole::optimizer_state;
  info.initializer = Initializer{};  // zeros
  return graph_.add_tensor(std::move(info));
}

}  // namespace npusim::workloads
