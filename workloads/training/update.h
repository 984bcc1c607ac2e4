// SPDX-License-Identifier: Apache-2.0
// The end of a training step, from gradients to new weights: unscale, look for infinities, clip,
// decay and update, in this order (Micikevicius et al., ICLR 2018, section 3.2).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "workloads/workload.h"

namespace npusim::workloads {

struct StepOptions {
  bool master_copies = false;
  bool loss_scaling = false;  ///< backward starts from the tensor kLossScale
  double initial_scale = 1.0;
  bool rate_input = false;  ///< plain SGD reads kLearningRate too
  /// Of unscaled and clipped gradients; absent: as weight gradients are stored.
  std::optional<precision::Format> master_gradients;
  precision::Format reduction_format = precision::fp32();  ///< of gradients between devices
  /// Attention nodes of the forward graph whose backward pass is one op; the others are trained by
  /// their parts.
  std::set<std::string> whole_attention;
};

/// Scalars that a training loop sets before each step.
inline constexpr const char* kLossScale = "loss.gradient";
inline constexpr const char* kInverseScale = "loss.inverse_scale";
inline constexpr const char* kLearningRate = "optimizer.learning_rate";
inline constexpr const char* kUpdateCount = "optimizer.count";
inline constexpr const char* kGradientsFinite = "gradients.finite";  ///< the output, not set

/// What kUpdateCount holds in the first update: ONNX's Momentum counts from 0, Adam from 1.
double first_count(const OptimizerSpec& optimizer);

/// A trainable parameter in the training graph.
struct Parameter {
  TensorId weight = kNoTensor;    ///< what the ops read
  TensorId stored = kNoTensor;    ///< what the optimizer updates: the master copy, or the weight
  TensorId gradient = kNoTensor;  ///< scaled, with loss scaling
};

class UpdateBuilder {
 public:
  UpdateBuilder(Graph& graph, const TrainingSpec& spec, const StepOptions& options,
                std::vector<Parameter> parameters)
      : graph_(graph), spec_(spec), options_(options), parameters_(std::move(parameters)) {}
  void run();

 private:
  std::vector<TensorId> gradients() const;
  void check_finite();
  void unscale(Parameter& parameter);
  TensorId norm_factor();
  void update(const Parameter& parameter);
  TensorId sgd(const Parameter& parameter);
  /// Adam's kind of node: rate, count, weight, gradient, states.
  TensorId with_states(const Parameter& parameter);
  TensorId gradient_node(const std::string& op, const std::string& name,
                         std::vector<TensorId> inputs, Attributes attributes);
  TensorId scalar(const char* name, double value);
  TensorId state(const Parameter& parameter, int index);

  Graph& graph_;
  const TrainingSpec& spec_;
  const StepOptions& options_;
  std::vector<Parameter> parameters_;
  std::vector<TensorId> state_outputs_;
};

}  // namespace npusim::workloads
