// SPDX-License-Identifier: Apache-2.0
// An elementary function as a vector unit computes it from a table: one polynomial for each of n
// segments, x[0] < x[1] < ... < x[n]. Segment i holds x[i] <= x < x[i+1], the last one x[n] too.
//
//   t = x - x[i] (Origin::segment) or x (Origin::zero);  y = c[d];  y = y * t + c[k], k = d-1 .. 0
//
// A table of steps has degree 0. Piecewise linear interpolation has degree 1: c[0] the value at
// x[i], c[1] = (value at x[i+1] - value at x[i]) / (x[i+1] - x[i]), in binary64. All coefficients
// are rounded to their own format (to nearest even) when they are stored.
//
// The argument and every step (x - x[i], the product, the sum, steps of the range reduction) is
// rounded by the caller's rounder; 2^k factors and signs are exact. Range reductions, with T the
// polynomials and a = |x|:
//   Reduction::none      T(x)
//   Reduction::symmetry  tanh, erf: T(a) with the sign of x; sigmoid: 1 - T(a) below 0;
//                        gelu, silu: T(a) - a below 0
//   Reduction::exponent  exp:  z = x * log2(e), k = floor(z), f = z - k: 2^k * T(f), T(f) ~ 2^f
//                        log:  x = m * 2^e, m in [1, 2): e * ln(2) + T(m), T(m) ~ log(m)
//                        reciprocal: T(m) * 2^-e, T(m) ~ 1 / m
//                        sqrt, rsqrt: x = m * 4^e, m in [1, 4): T(m) * 2^e, T(m) * 2^-e
// Below x[0] and above x[n] (of the reduced argument): the value at that end, the end segment's
// polynomial, or the exact function of x. Infinite arguments that a polynomial would extend to, and
// those that Reduction::exponent takes apart (with zeros and negative numbers), have the function's
// own limits; NaN stays.
//
// Not modelled: fused multiply-adds inside the unit, fixed-point interpolators.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "precision/format.h"
#include "precision/rounder.h"
#include "workloads/elementary.h"

namespace npusim::workloads {

enum class PieceKind { table, linear, polynomial };
enum class Reduction { none, symmetry, exponent };
enum class Beyond { clamp, extrapolate, exact };
enum class Origin { segment, zero };

const std::vector<std::string>& piece_kind_names();  ///< "table", "piecewise_linear", ...
const std::vector<std::string>& reduction_names();
const std::vector<std::string>& beyond_names();
const std::vector<std::string>& origin_names();

struct Approximation {
  Elementary function = Elementary::exp;
  PieceKind kind = PieceKind::linear;
  Reduction reduction = Reduction::none;
  Origin origin = Origin::segment;
  Beyond below = Beyond::clamp, above = Beyond::clamp;
  precision::Format coefficient_format;
  std::vector<double> breakpoints;   ///< segments + 1
  std::vector<double> coefficients;  ///< segment by segment, c[0] first
  std::size_t terms = 1;             ///< coefficients of a segment

  std::size_t segments() const { return breakpoints.size() - 1; }
  double operator()(double x, const precision::Rounder& round) const;

 private:
  std::size_t segment_of(double x) const;
  double polynomial(std::size_t segment, double x, const precision::Rounder& round) const;
  /// The pieces at an argument that may lie beyond them; `whole` is what Beyond::exact takes.
  double pieces(double x, double whole, const precision::Rounder& round) const;
  double by_symmetry(double x, const precision::Rounder& round) const;
  double by_exponent(double x, const precision::Rounder& round) const;
};

/// Reductions that a function has, none first.
std::vector<Reduction> reductions_of(Elementary function);

/// Arguments of the pieces behind Reduction::exponent.
struct Interval {
  double low = 0.0, high = 0.0;
};
Interval reduced_interval(Elementary function);

/// What the pieces stand for: the function, or 2^f for exp behind Reduction::exponent.
double piece_value(Elementary function, Reduction reduction, double t);

/// Coefficients of linear interpolation between values at the breakpoints (one more than there are
/// segments), of steps (one a segment): not yet rounded.
std::vector<double> interpolation(const std::vector<double>& breakpoints,
                                  const std::vector<double>& values);

/// Largest error on a grid over the range of the pieces: relative behind Reduction::exponent
/// (absolute for log), else absolute.
double largest_error(const Approximation& approximation, const precision::Rounder& round);

/// "piecewise_linear, 32 segments on [0, 1], exponent taken apart, coefficients in fp16".
std::string describe(const Approximation& approximation);

/// By function; absent: computed exactly and rounded.
class Approximations {
 public:
  void set(Approximation approximation) {
    const auto index = static_cast<std::size_t>(approximation.function);
    of_[index] = std::move(approximation);
  }
  const Approximation* find(Elementary function) const {
    const auto& found = of_[static_cast<std::size_t>(function)];
    return found ? &*found : nullptr;
  }
  /// Every number of every function, for hashes.
  std::string text() const;

 private:
  std::array<std::optional<Approximation>, kElementaryFunctions> of_;
};

}  // namespace npusim::workloads
