// SPDX-License-Identifier: Apache-2.0
// The activations that ONNX's recurrent ops may name, in binary64.
#pragma once

#include <string>
#include <vector>

namespace npusim::workloads {

struct GateFunction {
  double (*function)(double x, double alpha, double beta);
  double alpha = 0.0, beta = 0.0;
  std::string op = {};  ///< ONNX's name of the function; Affine and ScaledTanh are no ops
  bool has_alpha = false, has_beta = false;
  double operator()(double x) const { return function(x, alpha, beta); }
};

/// Of "Sigmoid,Tanh,..."; alpha and beta lists are used up by the functions that take them, which
/// have ONNX's defaults where a list ends. Throws base::InputError for an unknown name.
std::vector<GateFunction> gate_functions(const std::string& names, const std::vector<double>& alpha,
                                         const std::vector<double>& beta);

}  // namespace npusim::workloads
