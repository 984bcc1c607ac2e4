// SPDX-License-Identifier: Apache-2.0
// A rounding chosen at run time and applied value by value, with the two common cases inlined.
#pragma once

#include "precision/rounding.h"

namespace npusim::precision {

class Rounder {
 public:
  /// No rounding: FP64 references.
  Rounder() = default;
  explicit Rounder(const Arithmetic& arithmetic);

  double operator()(double x) const {
    if (kind_ == Kind::identity) return x;
    if (kind_ == Kind::binary32 && x == x) return static_cast<double>(static_cast<float>(x));
    return round_to(x, arithmetic_);
  }
  void array(double* values, long count) const;

 private:
  enum class Kind { identity, binary32, general };
  Kind kind_ = Kind::identity;
  Arithmetic arithmetic_;
};

}  // namespace npusim::precision
