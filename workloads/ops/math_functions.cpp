// SPDX-License-Identifier: Apache-2.0
// ONNX's element-wise mathematics. Derivatives of step functions are 0, as training frameworks have
// them.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/ops/families.h"
#include "workloads/ops/unary.h"

namespace npusim::workloads {
namespace {

using P = const FunctionParameters&;
using M = const VectorArithmetic&;

constexpr double kTwoBySqrtPi = 1.1283791670955126;

double sign(double x) {
  return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
}
double zero(double, P, M) {
  return 0.0;
}

const std::vector<UnaryFunction>& functions() {
  static const std::vector<UnaryFunction> kTable = {
      {"Abs",
       "|x|",
       {"max"},
       [](double x, P, M) { return std::fabs(x); },
       [](double x, P, M) { return sign(x); },
       {},
       true},
      {"Neg",
       "-x",
       {"mul"},
       [](double x, P, M) { return -x; },
       [](double, P, M) { return -1.0; },
       {},
       true},
      {"Sign", "-1, 0 or 1", {"compare"}, [](double x, P, M) { return sign(x); }, zero, {}, true},
      {"Floor", "next integer below", {"copy"}, [](double x, P, M) { return std::floor(x); }, zero},
      {"Ceil", "next integer above", {"copy"}, [](double x, P, M) { return std::ceil(x); }, zero},
      {"Round",
       "nearest integer, halves to even",
       {"copy"},
       [](double x, P, M) { return std::nearbyint(x); },
       zero},
      {"Reciprocal",
       "1 / x",
       {"div"},
       [](double x, P, M m) { return m.divide(1.0, x); },
       [](double x, P, M m) { return m.divide(-1.0, x * x); }},
      {"Sqrt",
       "square root",
       {"sqrt"},
       [](double x, P, M m) { return m.sqrt(x); },
       [](double x, P, M m) {
         return m.approximates(Elementary::rsqrt) ? 0.5 * m.rsqrt(x) : m.divide(0.5, m.sqrt(x));
       }},
      {"Exp",
       "e^x",
       {"exp"},
       [](double x, P, M m) { return m.exp(x); },
       [](double x, P, M m) { return m.exp(x); }},
      {"Log",
       "natural logarithm",
       {"log"},
       [](double x, P, M m) { return m.log(x); },
       [](double x, P, M m) { return m.divide(1.0, x); }},
      {"Erf",
       "error function",
       {"exp"},
       [](double x, P, M m) { return m.erf(x); },
       [](double x, P, M m) { return kTwoBySqrtPi * m.exp(-x * x); }},
      {"Sin",
       "sine",
       {"exp"},
       [](double x, P, M) { return det_sin(x); },
       [](double x, P, M) { return det_cos(x); }},
      {"Cos",
       "cosine",
       {"exp"},
       [](double x, P, M) { return det_cos(x); },
       [](double x, P, M) { return -det_sin(x); }},
      {"Tan",
       "tangent",
       {"exp"},
       [](double x, P, M) { return det_tan(x); },
       [](double x, P, M) { return 1.0 + det_tan(x) * det_tan(x); }},
      {"Asin",
       "inverse sine",
       {"exp"},
       [](double x, P, M) { return det_asin(x); },
       [](double x, P, M) { return 1.0 / std::sqrt((1.0 - x) * (1.0 + x)); }},
      {"Acos",
       "inverse cosine",
       {"exp"},
       [](double x, P, M) { return det_acos(x); },
       [](double x, P, M) { return -1.0 / std::sqrt((1.0 - x) * (1.0 + x)); }},
      {"Atan",
       "inverse tangent",
       {"exp"},
       [](double x, P, M) { return det_atan(x); },
       [](double x, P, M) { return 1.0 / (1.0 + x * x); }},
      {"Sinh",
       "hyperbolic sine",
       {"exp"},
       [](double x, P, M) { return det_sinh(x); },
       [](double x, P, M) { return det_cosh(x); }},
      {"Cosh",
       "hyperbolic cosine",
       {"exp"},
       [](double x, P, M) { return det_cosh(x); },
       [](double x, P, M) { return det_sinh(x); }},
      {"Tanh",
       "hyperbolic tangent",
       {"exp"},
       [](double x, P, M m) { return m.tanh(x); },
       [](double x, P, M m) { return 1.0 - m.tanh(x) * m.tanh(x); },
       {},
       false,
       [](const double* x, double* y, int count, P) { det_tanh(x, y, count); },
       [](const double* x, double* y, int count, P) {
         det_tanh(x, y, count);
         for (int i = 0; i < count; ++i) y[i] = 1.0 - y[i] * y[i];
       }},
      {"Asinh",
       "inverse hyperbolic sine",
       {"log"},
       [](double x, P, M) { return det_asinh(x); },
       [](double x, P, M) { return 1.0 / std::sqrt(x * x + 1.0); }},
      {"Acosh",
       "inverse hyperbolic cosine",
       {"log"},
       [](double x, P, M) { return det_acosh(x); },
       [](double x, P, M) { return 1.0 / std::sqrt((x - 1.0) * (x + 1.0)); }},
      {"Atanh",
       "inverse hyperbolic tangent",
       {"log"},
       [](double x, P, M) { return det_atanh(x); },
       [](double x, P, M) { return 1.0 / ((1.0 - x) * (1.0 + x)); }},
  };
  return kTable;
}

}  // namespace

void register_math_functions(OpRegistry& registry) {
  for (const UnaryFunction& function : functions()) register_unary(registry, function);
}

}  // namespace npusim::workloads
