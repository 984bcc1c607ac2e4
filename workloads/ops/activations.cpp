// SPDX-License-Identifier: Apache-2.0
// Activation functions of one input. At a kink the derivative is the one from the left, except
// where a comment says so.
#include <cmath>

#include "workloads/detmath.h"
#include "workloads/ops/families.h"
#include "workloads/ops/unary.h"

namespace npusim::workloads {
namespace {

using P = const FunctionParameters&;

constexpr double kSqrtHalf = 0.70710678118654752;
constexpr double kInverseSqrtTwoPi = 0.39894228040143268;
constexpr double kSqrtTwoByPi = 0.79788456080286536;
constexpr double kGeluCubic = 0.044715;  // Hendrycks & Gimpel 2016

double sigmoid(double x) {
  const double e = det_exp(-std::fabs(x));
  return x < 0.0 ? e / (1.0 + e) : 1.0 / (1.0 + e);
}
/// s * (1 - s) without the cancellation.
double sigmoid_slope(double x) {
  const double e = det_exp(-std::fabs(x));
  return e / ((1.0 + e) * (1.0 + e));
}
double softplus(double x) {
  return std::fmax(x, 0.0) + det_log1p(det_exp(-std::fabs(x)));
}
double softplus_checked(double x, P) {
  return x == x ? softplus(x) : x;
}
double hard_sigmoid(double x, double alpha, double beta) {
  return x == x ? std::fmax(0.0, std::fmin(1.0, alpha * x + beta)) : x;
}
double hard_sigmoid_slope(double x, double alpha, double beta) {
  const double line = alpha * x + beta;
  return line > 0.0 && line < 1.0 ? alpha : 0.0;
}

double gelu(double x, P p) {
  if (p[0] != 0.0) return 0.5 * x * (1.0 + det_tanh(kSqrtTwoByPi * (x + kGeluCubic * x * x * x)));
  return 0.5 * x * (1.0 + det_erf(x * kSqrtHalf));
}
double gelu_slope(double x, P p) {
  if (p[0] == 0.0)
    return 0.5 * (1.0 + det_erf(x * kSqrtHalf)) + x * kInverseSqrtTwoPi * det_exp(-0.5 * x * x);
  const double t = det_tanh(kSqrtTwoByPi * (x + kGeluCubic * x * x * x));
  const double inner = kSqrtTwoByPi * (1.0 + 3.0 * kGeluCubic * x * x);
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
}

double mish_slope(double x, P) {
  const double t = det_tanh(softplus(x));
  return t + x * (1.0 - t * t) * sigmoid(x);
}

AttributeSpec number(const char* name, double fallback, const char* description) {
  return {name, fallback, false, description};
}

const std::vector<UnaryFunction>& functions() {
  static const std::vector<UnaryFunction> kTable = {
      {"Sigmoid",
       "1 / (1 + e^-x)",
       {"exp", "add", "div"},
       [](double x, P) { return sigmoid(x); },
       [](double x, P) { return sigmoid_slope(x); }},
      {"Softplus",
       "log(1 + e^x)",
       {"exp", "add", "log"},
       softplus_checked,
       [](double x, P) { return sigmoid(x); }},
      {"Softsign",
       "x / (1 + |x|)",
       {"add", "div"},
       [](double x, P) { return x / (1.0 + std::fabs(x)); },
       [](double x, P) { return 1.0 / ((1.0 + std::fabs(x)) * (1.0 + std::fabs(x))); }},
      {"LeakyRelu",
       "x, or alpha * x below 0",
       {"compare", "mul"},
       [](double x, P p) { return x < 0.0 ? p[0] * x : x; },
       [](double x, P p) { return x > 0.0 ? 1.0 : p[0]; },
       {number("alpha", 0.01, "slope below 0")}},
      {"Elu",
       "x, or alpha * (e^x - 1) below 0",
       {"exp", "mul", "add"},
       [](double x, P p) { return x < 0.0 ? p[0] * det_expm1(x) : x; },
       [](double x, P p) { return x > 0.0 ? 1.0 : p[0] * det_exp(x); },
       {number("alpha", 1.0, "limit below 0")}},
      {"Selu",
       "gamma * Elu(x)",
       {"exp", "mul", "add"},
       [](double x, P p) { return p[1] * (x < 0.0 ? p[0] * det_expm1(x) : x); },
       [](double x, P p) { return p[1] * (x > 0.0 ? 1.0 : p[0] * det_exp(x)); },
       {number("alpha", 1.67326319217681884765625, "limit below 0"),
        number("gamma", 1.05070102214813232421875, "factor")}},
      {"Celu",
       "max(0, x) + min(0, alpha * (e^(x/alpha) - 1))",
       {"exp", "div", "mul", "add"},
       [](double x, P p) { return x < 0.0 ? p[0] * det_expm1(x / p[0]) : x; },
       [](double x, P p) { return x > 0.0 ? 1.0 : det_exp(x / p[0]); },
       {number("alpha", 1.0, "limit below 0")}},
      {"Gelu",
       "x times the normal distribution function of x",
       {"exp", "mul", "mul"},
       gelu,
       gelu_slope,
       {{"approximate", std::string("none"), false, "none, or tanh: the tanh approximation"}}},
      {"HardSigmoid",
       "alpha * x + beta between 0 and 1",
       {"mul", "add", "max"},
       [](double x, P p) { return hard_sigmoid(x, p[0], p[1]); },
       [](double x, P p) { return hard_sigmoid_slope(x, p[0], p[1]); },
       {number("alpha", 0.2, "slope"), number("beta", 0.5, "value at 0")}},
      {"HardSwish",
       "x * HardSigmoid(x; 1/6, 1/2)",
       {"mul", "add", "max", "mul"},
       [](double x, P) { return x * hard_sigmoid(x, 1.0 / 6.0, 0.5); },
       [](double x, P) {
         return hard_sigmoid(x, 1.0 / 6.0, 0.5) + x * hard_sigmoid_slope(x, 1.0 / 6.0, 0.5);
       }},
      {"Mish",
       "x * tanh(log(1 + e^x))",
       {"exp", "log", "exp", "mul"},
       [](double x, P) { return x * det_tanh(softplus(x)); },
       mish_slope},
      {"Swish",
       "x * sigmoid(alpha * x)",
       {"exp", "add", "div", "mul"},
       [](double x, P p) { return x * sigmoid(p[0] * x); },
       [](double x, P p) { return sigmoid(p[0] * x) + p[0] * x * sigmoid_slope(p[0] * x); },
       {number("alpha", 1.0, "1: SiLU")}},
      {"ThresholdedRelu",
       "x above alpha, else 0",
       {"compare"},
       [](double x, P p) { return x > p[0] || x != x ? x : 0.0; },
       [](double x, P p) { return x > p[0] ? 1.0 : 0.0; },
       {number("alpha", 1.0, "threshold")}},
      {"Shrink",
       "x + bias below -lambd, x - bias above lambd, else 0",
       {"compare", "add"},
       [](double x, P p) { return x < -p[1]  ? x + p[0]
                                  : x > p[1] ? x - p[0]
                                             : 0.0; },
       [](double x, P p) { return x < -p[1] || x > p[1] ? 1.0 : 0.0; },
       {number("bias", 0.0, "taken towards 0"),
        number("lambd", 0.5, "half width of the zero zone")},
       true},
  };
  return kTable;
}

}  // namespace

void register_activations(OpRegistry& registry) {
  for (const UnaryFunction& function : functions()) register_unary(registry, function);
}

}  // namespace npusim::workloads
