// SPDX-License-Identifier: Apache-2.0
// How the machine that runs a vector op computes: the rounding after each arithmetic step, and
// elementary functions that are exact (detmath.h) unless the machine has an approximation of them.
// The methods do not round exact results: ops do, where a step ends. An approximated function
// rounds its argument, its inner steps and its result.
//
// Functions made of others take those: sigmoid of exp and a division, expm1 and log1p of exp and
// log, rsqrt of sqrt and a division; a division multiplies by the reciprocal.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>
#include <utility>

#include "precision/rounder.h"
#include "workloads/approximation.h"
#include "workloads/detmath.h"

namespace npusim::workloads {

class VectorArithmetic {
 public:
  /// No rounding, nothing approximated: FP64 references.
  VectorArithmetic() = default;
  /// `approximations` must outlive this; `used` (may be nullptr) collects which were applied, a bit
  /// for each Elementary.
  VectorArithmetic(precision::Rounder rounder,  // NOLINT(google-explicit-constructor)
                   const Approximations* approximations = nullptr,
                   std::atomic<std::uint32_t>* used = nullptr)
      : rounder_(std::move(rounder)), approximations_(approximations), used_(used) {}

  double operator()(double x) const { return rounder_(x); }
  /// Rounds each, in place.
  void array(double* values, std::int64_t count) const { rounder_.array(values, count); }
  operator const precision::Rounder&() const {  // NOLINT(google-explicit-constructor)
    return rounder_;
  }

  bool approximates() const { return approximations_ != nullptr; }
  bool approximates(Elementary function) const {
    return approximations_ != nullptr && approximations_->find(function) != nullptr;
  }
  /// Only where it is approximated.
  double approximated(Elementary function, double x) const {
    if (used_ != nullptr) {
      const std::uint32_t bit = std::uint32_t{1} << static_cast<unsigned>(function);
      if ((used_->load(std::memory_order_relaxed) & bit) == 0)
        used_->fetch_or(bit, std::memory_order_relaxed);
    }
    return (*approximations_->find(function))(x, rounder_);
  }

  double exp(double x) const { return value<det_exp>(Elementary::exp, x); }
  double log(double x) const { return value<det_log>(Elementary::log, x); }
  double tanh(double x) const { return value<det_tanh>(Elementary::tanh, x); }
  double erf(double x) const { return value<det_erf>(Elementary::erf, x); }
  double sqrt(double x) const {
    return approximates(Elementary::sqrt) ? approximated(Elementary::sqrt, x) : std::sqrt(x);
  }
  double divide(double a, double b) const {
    return approximates(Elementary::reciprocal) ? a * approximated(Elementary::reciprocal, b)
                                                : a / b;
  }
  double sigmoid(double x) const {
    if (approximates(Elementary::sigmoid)) return approximated(Elementary::sigmoid, x);
    const double e = exp(-std::fabs(x));
    return x < 0.0 ? divide(e, 1.0 + e) : divide(1.0, 1.0 + e);
  }
  /// The root is rounded before it divides.
  double rsqrt(double x) const {
    return approximates(Elementary::rsqrt) ? approximated(Elementary::rsqrt, x)
                                           : divide(1.0, rounder_(sqrt(x)));
  }
  double expm1(double x) const {
    return approximates(Elementary::exp) ? exp(x) - 1.0 : det_expm1(x);
  }
  double log1p(double x) const {
    return approximates(Elementary::log) ? log(1.0 + x) : det_log1p(x);
  }

 private:
  template <double (*exact)(double)>
  double value(Elementary function, double x) const {
    return approximates(function) ? approximated(function, x) : exact(x);
  }

  precision::Rounder rounder_;
  const Approximations* approximations_ = nullptr;
  std::atomic<std::uint32_t>* used_ = nullptr;
};

}  // namespace npusim::workloads
