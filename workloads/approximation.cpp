// SPDX-License-Identifier: Apache-2.0
#include "workloads/approximation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "precision/unit_text.h"
#include "workloads/detmath.h"

namespace npusim::workloads {
namespace {

constexpr double kLog2E = 1.4426950408889634;
constexpr double kLn2 = 0.69314718055994531;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Beyond every exponent of binary64, and small enough for an int.
constexpr double kLargestPower = 5000.0;

double scaled(double x, double power) {
  return std::ldexp(x, static_cast<int>(std::clamp(power, -kLargestPower, kLargestPower)));
}

bool is_odd(Elementary function) {
  return function == Elementary::tanh || function == Elementary::erf;
}

bool has_exponent(Elementary function) {
  switch (function) {
    case Elementary::exp:
    case Elementary::log:
    case Elementary::reciprocal:
    case Elementary::rsqrt:
    case Elementary::sqrt:
      return true;
    default:
      return false;
  }
}

}  // namespace

const std::vector<std::string>& piece_kind_names() {
  static const std::vector<std::string> kNames = {"table", "piecewise_linear",
                                                  "piecewise_polynomial"};
  return kNames;
}

const std::vector<std::string>& reduction_names() {
  static const std::vector<std::string> kNames = {"none", "symmetry", "exponent"};
  return kNames;
}

const std::vector<std::string>& beyond_names() {
  static const std::vector<std::string> kNames = {"clamp", "extrapolate", "exact"};
  return kNames;
}

const std::vector<std::string>& origin_names() {
  static const std::vector<std::string> kNames = {"segment", "zero"};
  return kNames;
}

std::vector<Reduction> reductions_of(Elementary function) {
  return {Reduction::none, has_exponent(function) ? Reduction::exponent : Reduction::symmetry};
}

Interval reduced_interval(Elementary function) {
  if (function == Elementary::exp) return {0.0, 1.0};
  const bool root = function == Elementary::sqrt || function == Elementary::rsqrt;
  return {1.0, root ? 4.0 : 2.0};
}

double piece_value(Elementary function, Reduction reduction, double t) {
  if (function == Elementary::exp && reduction == Reduction::exponent) return det_pow(2.0, t);
  return exact_value(function, t);
}

std::vector<double> interpolation(const std::vector<double>& breakpoints,
                                  const std::vector<double>& values) {
  std::vector<double> coefficients;
  for (std::size_t i = 0; i + 1 < breakpoints.size(); ++i) {
    coefficients.push_back(values[i]);
    coefficients.push_back((values[i + 1] - values[i]) / (breakpoints[i + 1] - breakpoints[i]));
  }
  return coefficients;
}

std::size_t Approximation::segment_of(double x) const {
  const auto next = std::upper_bound(breakpoints.begin(), breakpoints.end(), x);
  const auto index = static_cast<std::size_t>(next - breakpoints.begin());
  return std::clamp<std::size_t>(index, 1, segments()) - 1;
}

double Approximation::polynomial(std::size_t segment, double x,
                                 const precision::Rounder& round) const {
  const double* c = coefficients.data() + segment * terms;
  const double t = origin == Origin::segment ? round(x - breakpoints[segment]) : x;
  double y = c[terms - 1];
  for (std::size_t k = terms - 1; k-- > 0;) y = round(round(y * t) + c[k]);
  return round(y);
}

double Approximation::pieces(double x, double whole, const precision::Rounder& round) const {
  // What a mask hides has no weight, whatever the table says of its end.
  if (function == Elementary::exp && x < 0.0 && std::isinf(x)) return 0.0;
  const bool is_below = x < breakpoints.front();
  const bool is_above = x > breakpoints.back();
  if (is_below || is_above) {
    const Beyond beyond = is_below ? below : above;
    const double end = is_below ? breakpoints.front() : breakpoints.back();
    if (beyond == Beyond::clamp) return polynomial(segment_of(end), round(end), round);
    if (beyond == Beyond::exact || std::isinf(x)) return round(exact_value(function, whole));
  }
  return polynomial(segment_of(x), x, round);
}

double Approximation::by_symmetry(double x, const precision::Rounder& round) const {
  const double a = std::fabs(x);
  // The exact function needs no help from symmetry.
  const bool own = above == Beyond::exact || (above == Beyond::extrapolate && std::isinf(a));
  if (own && a > breakpoints.back()) return round(exact_value(function, x));
  const double y = pieces(a, a, round);
  if (is_odd(function)) return std::copysign(1.0, x) * y;
  if (!(x < 0.0)) return y;
  return function == Elementary::sigmoid ? round(1.0 - y) : round(y - a);
}

double Approximation::by_exponent(double x, const precision::Rounder& round) const {
  if (function == Elementary::exp) {
    const double z = round(x * round(kLog2E));
    if (std::isinf(z)) return z < 0.0 ? 0.0 : round(kInfinity);
    const double k = std::floor(z);
    const double f = round(z - k);
    return round(scaled(pieces(f, f, round), k));
  }
  if (x == 0.0 || std::isinf(x) || (x < 0.0 && function != Elementary::reciprocal))
    return round(exact_value(function, x));
  int exponent = 0;
  double m = 2.0 * std::frexp(std::fabs(x), &exponent);
  --exponent;
  if (function == Elementary::log) {
    const double whole = round(static_cast<double>(exponent) * round(kLn2));
    return round(whole + pieces(m, m, round));
  }
  if (function == Elementary::reciprocal)
    return std::copysign(1.0, x) * round(scaled(pieces(m, m, round), -exponent));
  if (exponent % 2 != 0) {
    m *= 2.0;
    --exponent;
  }
  const int power = function == Elementary::sqrt ? exponent / 2 : -exponent / 2;
  return round(scaled(pieces(m, m, round), power));
}

double Approximation::operator()(double x, const precision::Rounder& round) const {
  if (x != x) return x;
  x = round(x);
  switch (reduction) {
    case Reduction::symmetry:
      return by_symmetry(x, round);
    case Reduction::exponent:
      return by_exponent(x, round);
    default:
      return pieces(x, x, round);
  }
}

double largest_error(const Approximation& a, const precision::Rounder& round) {
  constexpr int kPoints = 16;
  const bool relative = a.reduction == Reduction::exponent && a.function != Elementary::log;
  double largest = 0.0;
  const auto look = [&](double x) {
    x = round(x);
    const double exact = exact_value(a.function, x);
    const double error = std::fabs(a(x, round) - exact) / (relative ? std::fabs(exact) : 1.0);
    largest = std::max(largest, error);
  };
  for (std::size_t i = 0; i < a.segments(); ++i)
    for (int p = 0; p <= kPoints; ++p) {
      const double share = static_cast<double>(p) / kPoints;
      const double t = a.breakpoints[i] + share * (a.breakpoints[i + 1] - a.breakpoints[i]);
      const bool power = a.function == Elementary::exp && a.reduction == Reduction::exponent;
      look(power ? t * kLn2 : t);
      if (a.reduction == Reduction::symmetry) look(-t);
    }
  return largest;
}

std::string describe(const Approximation& a) {
  std::string text = fmt::format(
      "{}, {} segment{} on [{:.6g}, {:.6g}]", piece_kind_names()[static_cast<std::size_t>(a.kind)],
      a.segments(), a.segments() == 1 ? "" : "s", a.breakpoints.front(), a.breakpoints.back());
  if (a.kind == PieceKind::polynomial) text += fmt::format(", degree {}", a.terms - 1);
  if (a.reduction == Reduction::symmetry) text += ", by symmetry";
  if (a.reduction == Reduction::exponent) text += ", exponent taken apart";
  return text + ", coefficients in " + a.coefficient_format.name;
}

std::string Approximations::text() const {
  std::string text;
  for (const auto& of : of_) {
    if (!of) continue;
    text += fmt::format(
        "{} {} {} {} {} {} {} {}:", name_of(of->function), static_cast<int>(of->kind),
        static_cast<int>(of->reduction), static_cast<int>(of->origin), static_cast<int>(of->below),
        static_cast<int>(of->above), of->terms, precision::describe(of->coefficient_format));
    for (const double x : of->breakpoints) text += fmt::format(" {:a}", x);
    text += " |";
    for (const double c : of->coefficients) text += fmt::format(" {:a}", c);
    text += "\n";
  }
  return text;
}

}  // namespace npusim::workloads
