// SPDX-License-Identifier: Apache-2.0
// How weights are updated: the optimizer, what is done to gradients before it, and the learning
// rate over time.
#pragma once

#include <cstdint>

namespace npusim::workloads {

struct OptimizerSpec {
  /// Sgd with momentum is ONNX's Momentum; Adam and Adagrad are ONNX's; the others are described in
  /// ops/training_optimizers.cpp.
  enum class Kind { sgd, adam, adamw, adagrad, rmsprop, lion, lamb };
  Kind kind = Kind::sgd;
  double learning_rate = 0.01;
  double weight_decay =
      0.0;                 ///< sgd, adam, adagrad, rmsprop: added to the gradient; others decoupled
  double momentum = 0.0;   ///< sgd only; 0: no state
  double dampening = 0.0;  ///< sgd with momentum: the gradient enters times 1 - dampening
  bool nesterov = false;
  double beta1 = 0.9;    ///< of the first moment (lion: of the interpolation)
  double beta2 = 0.999;  ///< of the second moment (rmsprop: alpha; lion: of the momentum)
  double epsilon = 1e-8;

  /// Tensors of the weight's shape that the optimizer keeps.
  int states() const {
    switch (kind) {
      case Kind::sgd:
        return momentum != 0.0 ? 1 : 0;
      case Kind::adagrad:
      case Kind::rmsprop:
      case Kind::lion:
        return 1;
      default:
        return 2;
    }
  }
};
const char* name_of(OptimizerSpec::Kind kind);

/// Of the gradients as the optimizer sees them: after unscaling, before weight decay.
struct ClippingSpec {
  double value = 0.0;  ///< every element to [-value, value]; 0: not
  double norm = 0.0;   ///< all gradients together to this Euclidean norm; 0: not
};

/// The learning rate of update t (from 0), as a factor of the optimizer's.
struct ScheduleSpec {
  enum class Kind { constant, step, exponential, cosine, linear, inverse_sqrt };
  Kind kind = Kind::constant;
  std::int64_t warmup_steps = 0;  ///< linear from 1 / warmup to 1 first; the rest counts from there
  std::int64_t period = 1;        ///< step: updates between drops; cosine, linear: length
  double factor = 0.1;  ///< step and exponential: of each drop; cosine, linear: at the end
};
const char* name_of(ScheduleSpec::Kind kind);

/// Deterministic on every machine: products, roots and detmath's cosine and power.
double schedule_factor(const ScheduleSpec& schedule, std::int64_t update);

}  // namespace npusim::workloads
