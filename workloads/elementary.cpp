// SPDX-License-Identifier: Apache-2.0
#include "workloads/elementary.h"

#include <cmath>

#include "workloads/detmath.h"

namespace npusim::workloads {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752;

double sigmoid(double x) {
  const double e = det_exp(-std::fabs(x));
  return x < 0.0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
}

}  // namespace

const std::vector<std::string>& elementary_names() {
  static const std::vector<std::string> kNames = {"exp",  "log",  "tanh",       "sigmoid", "erf",
                                                  "gelu", "silu", "reciprocal", "rsqrt",   "sqrt"};
  return kNames;
}

const char* name_of(Elementary function) {
  return elementary_names()[static_cast<std::size_t>(function)].c_str();
}

double exact_value(Elementary function, double x) {
  switch (function) {
    case Elementary::exp:
      return det_exp(x);
    case Elementary::log:
      return det_log(x);
    case Elementary::tanh:
      return det_tanh(x);
    case Elementary::sigmoid:
      return sigmoid(x);
    case Elementary::erf:
      return det_erf(x);
    case Elementary::gelu:  // 0 times infinity has the limit 0
      return std::isinf(x) ? std::fmax(x, 0.0) : 0.5 * x * (1.0 + det_erf(x * kSqrtHalf));
    case Elementary::silu:
      return std::isinf(x) ? std::fmax(x, 0.0) : x * sigmoid(x);
    case Elementary::reciprocal:
      return 1.0 / x;
    case Elementary::rsqrt:
      return 1.0 / std::sqrt(x);
    case Elementary::sqrt:
      return std::sqrt(x);
  }
  return x;
}

}  // namespace npusim::workloads
