// SPDX-License-Identifier: Apache-2.0
// Values of a function for operands of at most eleven significand bits (FP16, BF16, FP8), kept as
// they come: activations of emulated training are such operands, and few of them differ.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace npusim::workloads {

class ShortOperandValues {
 public:
  ShortOperandValues();
  ~ShortOperandValues();
  ShortOperandValues(const ShortOperandValues&) = delete;
  ShortOperandValues& operator=(const ShortOperandValues&) = delete;

  /// y[i] = function(x[i]); y may be x. `compute` gives the values of many operands, the same at
  /// every call; it is asked for those that are not known yet, and for all longer operands. From
  /// any thread.
  using Compute = std::function<void(const double* x, double* y, int count)>;
  void values(const double* x, double* y, int count, const Compute& compute) const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

}  // namespace npusim::workloads
