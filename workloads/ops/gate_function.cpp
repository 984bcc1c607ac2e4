// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/gate_function.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

struct Known {
  const char* name;
  double (*function)(double, double, double, const VectorArithmetic&);
  std::optional<double> alpha, beta;  ///< ONNX's defaults; none: takes none
};

using M = const VectorArithmetic&;

const std::vector<Known>& known() {
  static const std::vector<Known> kTable = {
      {"Sigmoid", [](double x, double, double, M m) { return m.sigmoid(x); }, {}, {}},
      {"Tanh", [](double x, double, double, M m) { return m.tanh(x); }, {}, {}},
      {"Relu", [](double x, double, double, M) { return x < 0.0 ? 0.0 : x; }, {}, {}},
      {"Affine", [](double x, double a, double b, M) { return a * x + b; }, 1.0, 0.0},
      {"LeakyRelu", [](double x, double a, double, M) { return x < 0.0 ? a * x : x; }, 0.01, {}},
      {"ThresholdedRelu", [](double x, double a, double, M) { return x > a ? x : 0.0; }, 1.0, {}},
      {"ScaledTanh", [](double x, double a, double b, M m) { return a * m.tanh(b * x); }, 1.0, 1.0},
      {"HardSigmoid",
       [](double x, double a, double b, M) { return std::min(std::max(a * x + b, 0.0), 1.0); }, 0.2,
       0.5},
      {"Elu",
       [](double x, double a, double, M m) { return x < 0.0 ? a * m.expm1(x) : x; },
       1.0,
       {}},
      {"Softsign",
       [](double x, double, double, M m) { return m.divide(x, 1.0 + std::fabs(x)); },
       {},
       {}},
      {"Softplus",
       [](double x, double, double, M m) {
         return std::fmax(x, 0.0) + m.log1p(m.exp(-std::fabs(x)));
       },
       {},
       {}},
  };
  return kTable;
}

/// Names count the same in any case.
bool same(const std::string& a, const std::string& b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

double taken(const std::optional<double>& fallback, const std::vector<double>& list,
             std::size_t& next) {
  if (!fallback) return 0.0;
  return next < list.size() ? list[next++] : *fallback;
}

}  // namespace

std::vector<GateFunction> gate_functions(const std::string& names, const std::vector<double>& alpha,
                                         const std::vector<double>& beta) {
  std::vector<GateFunction> result;
  std::size_t next_alpha = 0;
  std::size_t next_beta = 0;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) {
    const auto found = std::find_if(known().begin(), known().end(),
                                    [&](const Known& k) { return same(name, k.name); });
    if (found == known().end()) shape_error("activation \"" + name + "\" is not known");
    GateFunction function{found->function, 0.0, 0.0, found->name};
    function.alpha = taken(found->alpha, alpha, next_alpha);
    function.beta = taken(found->beta, beta, next_beta);
    function.has_alpha = found->alpha.has_value();
    function.has_beta = found->beta.has_value();
    result.push_back(function);
  }
  return result;
}

}  // namespace npusim::workloads
