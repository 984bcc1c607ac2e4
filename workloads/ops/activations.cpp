// SPDX-License-Identifier: Apache-2.0
// Activation functions of one input. At a kink the derivative is the one from the left, except
// where a comment says so.
#include <algorithm>
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/unary.h"

namespace npusim::workloads {
namespace {

using P = const FunctionParameters&;
using M = const VectorArithmetic&;

constexpr double kSqrtHalf = 0.70710678118654752;
constexpr double kInverseSqrtTwoPi = 0.39894228040143268;
constexpr double kSqrtTwoByPi = 0.79788456080286536;
constexpr double kGeluCubic = 0.044715;  // Hendrycks & Gimpel 2016

/// s * (1 - s) without the cancellation, where the exponential is there.
double sigmoid_slope(double x, M m) {
  if (m.approximates(Elementary::sigmoid)) {
    const double s = m.sigmoid(x);
    return s * (1.0 - s);
  }
  const double e = m.exp(-std::fabs(x));
  return m.divide(e, (1.0 + e) * (1.0 + e));
}
double softplus(double x, M m) {
  return std::fmax(x, 0.0) + m.log1p(m.exp(-std::fabs(x)));
}
double softplus_checked(double x, P, M m) {
  return x == x ? softplus(x, m) : x;
}
double hard_sigmoid(double x, double alpha, double beta) {
  return x == x ? std::fmax(0.0, std::fmin(1.0, alpha * x + beta)) : x;
}
double hard_sigmoid_slope(double x, double alpha, double beta) {
  const double line = alpha * x + beta;
  return line > 0.0 && line < 1.0 ? alpha : 0.0;
}

double gelu_tanh_argument(double x) {
  return kSqrtTwoByPi * (x + kGeluCubic * x * x * x);
}

/// A machine that has Gelu as a function has one, whichever form the model asks for.
double gelu(double x, P p, M m) {
  if (m.approximates(Elementary::gelu)) return m.approximated(Elementary::gelu, x);
  if (p[0] != 0.0) return 0.5 * x * (1.0 + m.tanh(gelu_tanh_argument(x)));
  return 0.5 * x * (1.0 + m.erf(x * kSqrtHalf));
}
double gelu_tanh_slope(double x, double tanh) {
  const double inner = kSqrtTwoByPi * (1.0 + 3.0 * kGeluCubic * x * x);
  return 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner;
}
double gelu_slope(double x, P p, M m) {
  if (p[0] == 0.0)
    return 0.5 * (1.0 + m.erf(x * kSqrtHalf)) + x * kInverseSqrtTwoPi * m.exp(-0.5 * x * x);
  return gelu_tanh_slope(x, m.tanh(gelu_tanh_argument(x)));
}

/// Gelu (or its slope) by `of_tanh` in pieces whose tanh is taken at once.
template <class Function>
void gelu_pieces(const double* x, double* y, int count, const Function& of_tanh) {
  constexpr int kPiece = 256;
  double tanh[kPiece];
  for (int at = 0; at < count; at += kPiece) {
    const int length = std::min(kPiece, count - at);
    for (int i = 0; i < length; ++i) tanh[i] = gelu_tanh_argument(x[at + i]);
    det_tanh(tanh, tanh, length);
    for (int i = 0; i < length; ++i) y[at + i] = of_tanh(x[at + i], tanh[i]);
  }
}
void gelu_values(const double* x, double* y, int count, P p) {
  if (p[0] != 0.0)
    return gelu_pieces(x, y, count, [](double at, double t) { return 0.5 * at * (1.0 + t); });
  for (int i = 0; i < count; ++i) y[i] = gelu(x[i], p, {});
}
void gelu_slopes(const double* x, double* y, int count, P p) {
  if (p[0] != 0.0) return gelu_pieces(x, y, count, gelu_tanh_slope);
  for (int i = 0; i < count; ++i) y[i] = gelu_slope(x[i], p, {});
}

double swish(double x, P p, M m) {
  if (p[0] == 1.0 && m.approximates(Elementary::silu)) return m.approximated(Elementary::silu, x);
  return x * m.sigmoid(p[0] * x);
}

double mish_slope(double x, P, M m) {
  const double t = m.tanh(softplus(x, m));
  return t + x * (1.0 - t * t) * m.sigmoid(x);
}

AttributeSpec number(const char* name, double fallback, const char* description) {
  return {name, fallback, false, description};
}

const std::vector<UnaryFunction>& functions() {
  static const std::vector<UnaryFunction> kTable = {
      {"Sigmoid",
       "1 / (1 + e^-x)",
       {"exp", "add", "div"},
       [](double x, P, M m) { return m.sigmoid(x); },
       [](double x, P, M m) { return sigmoid_slope(x, m); }},
      {"Softplus",
       "log(1 + e^x)",
       {"exp", "add", "log"},
       softplus_checked,
       [](double x, P, M m) { return m.sigmoid(x); }},
      {"Softsign",
       "x / (1 + |x|)",
       {"add", "div"},
       [](double x, P, M m) { return m.divide(x, 1.0 + std::fabs(x)); },
       [](double x, P, M m) { return m.divide(1.0, (1.0 + std::fabs(x)) * (1.0 + std::fabs(x))); }},
      {"LeakyRelu",
       "x, or alpha * x below 0",
       {"compare", "mul"},
       [](double x, P p, M) { return x < 0.0 ? p[0] * x : x; },
       [](double x, P p, M) { return x > 0.0 ? 1.0 : p[0]; },
       {number("alpha", 0.01, "slope below 0")}},
      {"Elu",
       "x, or alpha * (e^x - 1) below 0",
       {"exp", "mul", "add"},
       [](double x, P p, M m) { return x < 0.0 ? p[0] * m.expm1(x) : x; },
       [](double x, P p, M m) { return x > 0.0 ? 1.0 : p[0] * m.exp(x); },
       {number("alpha", 1.0, "limit below 0")}},
      {"Selu",
       "gamma * Elu(x)",
       {"exp", "mul", "add"},
       [](double x, P p, M m) { return p[1] * (x < 0.0 ? p[0] * m.expm1(x) : x); },
       [](double x, P p, M m) { return p[1] * (x > 0.0 ? 1.0 : p[0] * m.exp(x)); },
       {number("alpha", 1.67326319217681884765625, "limit below 0"),
        number("gamma", 1.05070102214813232421875, "factor")}},
      {"Celu",
       "max(0, x) + min(0, alpha * (e^(x/alpha) - 1))",
       {"exp", "div", "mul", "add"},
       [](double x, P p, M m) { return x < 0.0 ? p[0] * m.expm1(x / p[0]) : x; },
       [](double x, P p, M m) { return x > 0.0 ? 1.0 : m.exp(x / p[0]); },
       {number("alpha", 1.0, "limit below 0")}},
      {"Gelu",
       "x times the normal distribution function of x",
       {"exp", "mul", "mul"},
       gelu,
       gelu_slope,
       {{"approximate", std::string("none"), false, "none, or tanh: the tanh approximation"}},
       false,
       gelu_values,
       gelu_slopes},
      {"HardSigmoid",
       "alpha * x + beta between 0 and 1",
       {"mul", "add", "max"},
       [](double x, P p, M) { return hard_sigmoid(x, p[0], p[1]); },
       [](double x, P p, M) { return hard_sigmoid_slope(x, p[0], p[1]); },
       {number("alpha", 0.2, "slope"), number("beta", 0.5, "value at 0")}},
      {"HardSwish",
       "x * HardSigmoid(x; 1/6, 1/2)",
       {"mul", "add", "max", "mul"},
       [](double x, P, M) { return x * hard_sigmoid(x, 1.0 / 6.0, 0.5); },
       [](double x, P, M) {
         return hard_sigmoid(x, 1.0 / 6.0, 0.5) + x * hard_sigmoid_slope(x, 1.0 / 6.0, 0.5);
       }},
      {"Mish",
       "x * tanh(log(1 + e^x))",
       {"exp", "log", "exp", "mul"},
       [](double x, P, M m) { return x * m.tanh(softplus(x, m)); },
       mish_slope},
      {"Swish",
       "x * sigmoid(alpha * x)",
       {"exp", "add", "div", "mul"},
       swish,
       [](double x, P p, M m) {
         return m.sigmoid(p[0] * x) + p[0] * x * sigmoid_slope(p[0] * x, m);
       },
       {number("alpha", 1.0, "1: SiLU")}},
      {"ThresholdedRelu",
       "x above alpha, else 0",
       {"compare"},
       [](double x, P p, M) { return x > p[0] || x != x ? x : 0.0; },
       [](double x, P p, M) { return x > p[0] ? 1.0 : 0.0; },
       {number("alpha", 1.0, "threshold")}},
      {"Shrink",
       "x + bias below -lambd, x - bias above lambd, else 0",
       {"compare", "add"},
       [](double x, P p, M) { return x < -p[1]  ? x + p[0]
                                     : x > p[1] ? x - p[0]
                                                : 0.0; },
       [](double x, P p, M) { return x < -p[1] || x > p[1] ? 1.0 : 0.0; },
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
