// SPDX-License-Identifier: Apache-2.0
// The activations that ONNX's recurrent ops may name, in binary64 or as the machine approximates
// the functions in them.
#pragma once

#include <string>
#include <vector>

#include "workloads/vector_arithmetic.h"

namespace npusim::workloads {

struct GateFunction {
  double (*function)(double x, double alpha, double beta, const VectorArithmetic& m);
  double alpha = 0.0, beta = 0.0;
  std::string op = {};  ///< ONNX's name of the function; Affine and ScaledTanh are no ops
  bool has_alpha = false, has_beta = false;
  double operator()(double x, const VectorArithmetic& m) const {
    return function(x, alpha, beta, m);
  }
};

/// Of "Sigmoid,Tanh,..."; alpha and beta lists are used up by the functions that take them, which
/// have ONNX's defaults where a list ends. Throws base::InputError for an unknown name.
std::vector<GateFunction> gate_functions(const std::string& names, const std::vector<double>& alpha,
                                         const std::vector<double>& beta);

}  // namespace npusim::workloads
