// SPDX-License-Identifier: Apache-2.0
// Element-wise functions of one input as rows of a table: the function, its derivative, its work.
// A function is evaluated in binary64 and rounded once to the internal format; so is a derivative,
// and its product with dy. Elementary functions that the machine approximates take its values
// there (vector_arithmetic.h).
#pragma once

#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

/// Numeric attributes in the order of the row; a text attribute is 0 for "none", 1 for "tanh".
using FunctionParameters = std::vector<double>;

struct UnaryFunction {
  const char* name;
  const char* description;
  std::vector<const char*> work;  ///< vector functions, each applied once an element
  double (*value)(double x, const FunctionParameters& p, const VectorArithmetic& m);
  /// nullptr: not differentiable.
  double (*derivative)(double x, const FunctionParameters& p, const VectorArithmetic& m);
  std::vector<AttributeSpec> attributes = {};
  bool integers = false;  ///< takes integers too; results wrap
  /// Many values at once, the bits of `value` and of `derivative` with nothing approximated;
  /// nullptr: one by one. y may be x.
  void (*values)(const double* x, double* y, int count, const FunctionParameters& p) = nullptr;
  void (*slopes)(const double* x, double* y, int count, const FunctionParameters& p) = nullptr;
};

/// The op and, where there is a derivative, the internal op "<name>Gradient" of (dy, x).
void register_unary(OpRegistry& registry, const UnaryFunction& function);

}  // namespace npusim::workloads
