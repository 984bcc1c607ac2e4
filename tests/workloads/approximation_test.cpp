// SPDX-License-Identifier: Apache-2.0
// Approximated functions: against a scalar evaluation written from the definition, with roundings
// of its own; errors of interpolation against their bounds and MPFR; what happens at the ends.
#include "workloads/approximation.h"

#include <gtest/gtest.h>
#include <mpfr.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace npusim::workloads {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const precision::Rounder& fp32() {
  static const precision::Rounder kRounder({precision::fp32(), precision::Rounding::rne});
  return kRounder;
}

double to_float(double x) {
  return static_cast<double>(static_cast<float>(x));
}

std::vector<double> even(double from, double to, int segments) {
  std::vector<double> x;
  for (int i = 0; i <= segments; ++i) x.push_back(from + (to - from) * i / segments);
  return x;
}

/// Linear interpolation of the function itself.
Approximation linear(Elementary function, Reduction reduction, std::vector<double> breakpoints) {
  Approximation a;
  a.function = function;
  a.reduction = reduction;
  a.coefficient_format = precision::fp64();
  std::vector<double> values;
  for (const double x : breakpoints) values.push_back(piece_value(function, reduction, x));
  a.coefficients = interpolation(breakpoints, values);
  a.breakpoints = std::move(breakpoints);
  a.terms = 2;
  return a;
}

/// In binary64, by MPFR.
double correctly_rounded(Elementary function, double x) {
  mpfr_t value, other;
  mpfr_init2(value, 200);
  mpfr_init2(other, 200);
  mpfr_set_d(value, x, MPFR_RNDN);
  const auto over_one_plus_exp = [&] {  // value / (1 + exp(-x))
    mpfr_set_d(other, -x, MPFR_RNDN);
    mpfr_exp(other, other, MPFR_RNDN);
    mpfr_add_ui(other, other, 1, MPFR_RNDN);
    mpfr_div(value, value, other, MPFR_RNDN);
  };
  switch (function) {
    case Elementary::exp:
      mpfr_exp(value, value, MPFR_RNDN);
      break;
    case Elementary::log:
      mpfr_log(value, value, MPFR_RNDN);
      break;
    case Elementary::tanh:
      mpfr_tanh(value, value, MPFR_RNDN);
      break;
    case Elementary::sigmoid:
      mpfr_set_ui(value, 1, MPFR_RNDN);
      over_one_plus_exp();
      break;
    case Elementary::erf:
      mpfr_erf(value, value, MPFR_RNDN);
      break;
    case Elementary::gelu:
      mpfr_set_ui(other, 2, MPFR_RNDN);
      mpfr_sqrt(other, other, MPFR_RNDN);
      mpfr_div(other, value, other, MPFR_RNDN);
      mpfr_erf(other, other, MPFR_RNDN);
      mpfr_add_ui(other, other, 1, MPFR_RNDN);
      mpfr_mul(value, value, other, MPFR_RNDN);
      mpfr_div_ui(value, value, 2, MPFR_RNDN);
      break;
    case Elementary::silu:
      over_one_plus_exp();
      break;
    case Elementary::reciprocal:
      mpfr_ui_div(value, 1, value, MPFR_RNDN);
      break;
    case Elementary::rsqrt:
      mpfr_rec_sqrt(value, value, MPFR_RNDN);
      break;
    case Elementary::sqrt:
      mpfr_sqrt(value, value, MPFR_RNDN);
      break;
  }
  const double result = mpfr_get_d(value, MPFR_RNDN);
  mpfr_clear(value);
  mpfr_clear(other);
  return result;
}

/// The definition at the head of approximation.h in binary32 steps: segments by a linear search,
/// powers of two by multiplication.
class Oracle {
 public:
  explicit Oracle(const Approximation& a) : a_(a) {}

  double value(double argument) const {
    const float x = static_cast<float>(argument);
    if (std::isnan(x)) return x;
    if (a_.reduction == Reduction::none) return inside(x, x);
    return a_.reduction == Reduction::symmetry ? mirrored(x) : taken_apart(x);
  }

 private:
  float polynomial(std::size_t segment, float x) const {
    const double* c = a_.coefficients.data() + segment * a_.terms;
    const float t = a_.origin == Origin::zero
                        ? x
                        : static_cast<float>(static_cast<double>(x) - a_.breakpoints[segment]);
    float y = static_cast<float>(c[a_.terms - 1]);
    for (std::size_t k = a_.terms - 1; k > 0; --k) {
      const float product = y * t;
      y = product + static_cast<float>(c[k - 1]);
    }
    return y;
  }
  float inside(float x, float whole) const {
    const std::size_t n = a_.breakpoints.size() - 1;
    if (a_.function == Elementary::exp && x < 0.0F && std::isinf(x)) return 0.0F;  // masked
    if (x < a_.breakpoints[0]) return beyond(a_.below, 0, x, a_.breakpoints[0], whole);
    if (x > a_.breakpoints[n]) return beyond(a_.above, n - 1, x, a_.breakpoints[n], whole);
    for (std::size_t i = 0; i < n; ++i)
      if (x < a_.breakpoints[i + 1]) return polynomial(i, x);
    return polynomial(n - 1, x);
  }
  float beyond(Beyond rule, std::size_t segment, float x, double end, float whole) const {
    if (rule == Beyond::clamp) return polynomial(segment, static_cast<float>(end));
    if (rule == Beyond::exact || std::isinf(x))
      return static_cast<float>(exact_value(a_.function, static_cast<double>(whole)));
    return polynomial(segment, x);
  }
  float mirrored(float x) const {
    const float a = std::fabs(x);
    const bool out = a > a_.breakpoints.back();
    if (out && (a_.above == Beyond::exact || (a_.above == Beyond::extrapolate && std::isinf(a))))
      return static_cast<float>(exact_value(a_.function, static_cast<double>(x)));
    const float y = inside(a, a);
    if (a_.function == Elementary::tanh || a_.function == Elementary::erf)
      return std::signbit(x) ? -y : y;
    if (x >= 0.0F) return y;
    return a_.function == Elementary::sigmoid ? 1.0F - y : y - a;
  }
  float taken_apart(float x) const {
    const auto f = a_.function;
    if (f == Elementary::exp) {
      const float z = x * 1.44269504F;
      if (std::isinf(z)) return z > 0.0F ? z : 0.0F;
      const float k = std::floor(z);
      // Further powers overflow and vanish in binary32 too.
      const double power = std::min(1000.0, std::max(-1000.0, static_cast<double>(k)));
      return static_cast<float>(static_cast<double>(inside(z - k, z - k)) * std::pow(2.0, power));
    }
    if (x == 0.0F || std::isinf(x) || (x < 0.0F && f != Elementary::reciprocal))
      return static_cast<float>(exact_value(f, static_cast<double>(x)));
    float m = std::fabs(x);
    int e = 0;
    for (; m >= 2.0F; ++e) m /= 2.0F;
    for (; m < 1.0F; --e) m *= 2.0F;
    if (f == Elementary::log) {
      const float whole = static_cast<float>(e) * 0.693147181F;
      return whole + inside(m, m);
    }
    if (f == Elementary::reciprocal) {
      const double y = static_cast<double>(inside(m, m)) * std::pow(2.0, -e);
      return static_cast<float>(x < 0.0F ? -y : y);
    }
    if ((e & 1) != 0) {
      m *= 2.0F;
      --e;
    }
    return static_cast<float>(static_cast<double>(inside(m, m)) *
                              std::pow(2.0, f == Elementary::sqrt ? e / 2 : -e / 2));
  }

  const Approximation& a_;
};

double within(double low, double high) {
  const auto unit = *rc::gen::inRange<std::int64_t>(0, 1 << 20);
  return to_float(low + (high - low) * static_cast<double>(unit) / (1 << 20));
}

Approximation any_approximation() {
  Approximation a;
  a.function =
      static_cast<Elementary>(*rc::gen::inRange(0, static_cast<int>(kElementaryFunctions)));
  a.reduction = *rc::gen::elementOf(reductions_of(a.function));
  a.origin = *rc::gen::element(Origin::segment, Origin::zero);
  a.terms = *rc::gen::inRange<std::size_t>(1, 5);
  a.coefficient_format = precision::fp32();
  if (a.reduction == Reduction::none)
    a.below = *rc::gen::element(Beyond::clamp, Beyond::extrapolate, Beyond::exact);
  if (a.reduction != Reduction::exponent)
    a.above = *rc::gen::element(Beyond::clamp, Beyond::extrapolate, Beyond::exact);
  double first = 0.0, last = 4.0;
  if (a.reduction == Reduction::none) {
    first = within(-3.0, 0.0);
    last = within(0.5, 5.0);
  } else if (a.reduction == Reduction::exponent) {
    first = reduced_interval(a.function).low;
    last = reduced_interval(a.function).high;
  }
  const int segments = *rc::gen::inRange(1, 9);
  a.breakpoints = {first};
  for (int i = 1; i < segments; ++i) {
    const double next = within(first, last);
    if (next > a.breakpoints.back() && next < last) a.breakpoints.push_back(next);
  }
  a.breakpoints.push_back(last);
  for (std::size_t i = 0; i < a.segments() * a.terms; ++i)
    a.coefficients.push_back(within(-2.0, 2.0));
  return a;
}

RC_GTEST_PROP(Approximation, IsItsDefinitionInBinary32Steps, ()) {
  const Approximation a = any_approximation();
  const Oracle oracle(a);
  std::vector<double> arguments = a.breakpoints;
  for (const double x : {0.0, -0.0, 1.0, -1.0, 1e-42, 1e30, -1e30, 88.9, -104.5, kInfinity,
                         -kInfinity, 0x1p-149, 0x1.fffffep127})
    arguments.push_back(x);
  for (int i = 0; i < 40; ++i) arguments.push_back(within(-8.0, 8.0));
  for (int i = 0; i < 20; ++i)
    arguments.push_back(to_float(within(1.0, 2.0) * std::pow(2.0, *rc::gen::inRange(-140, 127))));
  for (const double x : arguments) {
    const double expected = oracle.value(x);
    const double actual = a(x, fp32());
    if (std::isnan(expected)) {
      RC_ASSERT(std::isnan(actual));
      continue;
    }
    RC_ASSERT(actual == expected);
    RC_ASSERT(std::signbit(actual) == std::signbit(expected));
  }
}

TEST(Approximation, NarrowStepsRoundOneByOne) {
  // bf16: 8 significand bits. t = bf16(1.0078125 - 0.00390625) = bf16(1.00390625) = 1 (a tie to
  // even); 3.015625 * 1 + 0.01171875 = 3.02734375, between 3.015625 and 3.03125: the latter.
  Approximation a;
  a.function = Elementary::tanh;
  a.coefficient_format = precision::fp32();
  a.breakpoints = {0.00390625, 4.0};
  a.terms = 2;
  a.coefficients = {0.01171875, 3.015625};
  const precision::Rounder bf16({precision::bf16(), precision::Rounding::rne});
  EXPECT_EQ(a(1.0078125, bf16), 3.03125);
  EXPECT_EQ(a(1.0078125, precision::Rounder()), 3.015625 * 1.00390625 + 0.01171875);
}

TEST(Approximation, InterpolationIsWithinItsBoundAndReachesHalfOfIt) {
  struct Case {
    Elementary function;
    Reduction reduction;
    double from, to;
    double curvature;  ///< largest |f''| of what the pieces stand for
  };
  // Of 2^f: ln(2)^2 * 2; tanh: 4 / sqrt(27); sigmoid: 1 / sqrt(108); erf: sqrt(8 / (pi e));
  // gelu: 2 / sqrt(2 pi); silu: 1/2; log, 1/m, m^-1/2, m^1/2 at m = 1: 1, 2, 3/4, 1/4.
  const Case cases[] = {{Elementary::exp, Reduction::exponent, 0, 1, 0.960906},
                        {Elementary::log, Reduction::exponent, 1, 2, 1.0},
                        {Elementary::tanh, Reduction::symmetry, 0, 4, 0.769801},
                        {Elementary::sigmoid, Reduction::symmetry, 0, 8, 0.096226},
                        {Elementary::erf, Reduction::symmetry, 0, 4, 0.967883},
                        {Elementary::gelu, Reduction::symmetry, 0, 4, 0.797885},
                        {Elementary::silu, Reduction::symmetry, 0, 8, 0.5},
                        {Elementary::reciprocal, Reduction::exponent, 1, 2, 2.0},
                        {Elementary::rsqrt, Reduction::exponent, 1, 4, 0.75},
                        {Elementary::sqrt, Reduction::exponent, 1, 4, 0.25}};
  constexpr int kSegments = 32;
  for (const Case& c : cases) {
    const Approximation a = linear(c.function, c.reduction, even(c.from, c.to, kSegments));
    const double width = (c.to - c.from) / kSegments;
    // Between two knots the error is at most h^2 / 8 * max |f''|.
    const double bound = c.curvature * width * width / 8;
    double worst = 0.0;
    for (int i = 0; i <= 16 * kSegments; ++i) {
      const double t = c.from + (c.to - c.from) * i / (16 * kSegments);
      const double x = c.function == Elementary::exp ? t * std::log(2.0) : t;
      worst = std::max(worst, std::fabs(a(x, {}) - correctly_rounded(c.function, x)));
    }
    EXPECT_LE(worst, bound * 1.001) << name_of(c.function);
    EXPECT_GE(worst, bound / 2) << name_of(c.function);
    // Over all exponents the error of a power is relative, at most 1 / smallest value times that.
    const bool power = c.reduction == Reduction::exponent && c.function != Elementary::log;
    EXPECT_NEAR(largest_error(a, {}), worst, power ? worst : 1e-3 * worst) << name_of(c.function);
  }
}

TEST(Approximation, RelativeErrorIsTheSameInEveryBinade) {
  for (const Elementary f :
       {Elementary::exp, Elementary::reciprocal, Elementary::rsqrt, Elementary::sqrt}) {
    const Interval all = reduced_interval(f);
    const Approximation a = linear(f, Reduction::exponent, even(all.low, all.high, 64));
    const double bound = largest_error(a, fp32()) + 0x1p-22;
    for (int e = -60; e <= 60; e += 4)
      for (int i = 0; i < 97; ++i) {
        const double part = to_float(i / 97.0);
        const double x = to_float(f == Elementary::exp ? e + part : std::ldexp(1.0 + part, e));
        const double exact = correctly_rounded(f, x);
        // The rounding of x * log2(e) moves exp by x units in the last place.
        const double argument = f == Elementary::exp ? std::fabs(x) * 0x1p-23 : 0.0;
        EXPECT_LE(std::fabs(a(x, fp32()) - exact), (bound + argument) * exact)
            << name_of(f) << " " << x;
      }
  }
}

TEST(Approximation, ExactValuesAreThoseOfMpfr) {
  for (std::size_t f = 0; f < kElementaryFunctions; ++f)
    for (double x = -9.875; x < 10; x += 0.25) {
      const auto function = static_cast<Elementary>(f);
      const bool positive = function == Elementary::log || function == Elementary::rsqrt ||
                            function == Elementary::sqrt;
      if (positive && x < 0) continue;
      const double expected = correctly_rounded(function, x);
      // gelu far below 0 is 1 + erf(...) with few digits left.
      EXPECT_NEAR(exact_value(function, x), expected, 1e-15 * std::max(1.0, std::fabs(expected)))
          << name_of(function) << " " << x;
    }
}

TEST(Approximation, SymmetriesHoldBitForBit) {
  const auto of = [](Elementary f) { return linear(f, Reduction::symmetry, even(0, 4, 32)); };
  const Approximation tanh = of(Elementary::tanh), sigmoid = of(Elementary::sigmoid),
                      gelu = of(Elementary::gelu);
  for (double x = 0.0; x < 6.0; x += 0.03125) {
    EXPECT_EQ(tanh(-x, fp32()), -tanh(x, fp32()));
    EXPECT_EQ(sigmoid(-x, fp32()), x == 0.0 ? 0.5 : to_float(1.0 - sigmoid(x, fp32())));
    EXPECT_EQ(gelu(-x, fp32()), to_float(gelu(x, fp32()) - x));
  }
  EXPECT_TRUE(std::signbit(tanh(-0.0, fp32())));
}

TEST(Approximation, SpecialArgumentsHaveTheFunctionsLimits) {
  const double nan = std::nan("");
  const std::map<Elementary, std::vector<std::pair<double, double>>> limits = {
      {Elementary::exp,
       {{-kInfinity, 0.0}, {kInfinity, kInfinity}, {1000.0, kInfinity}, {-1000.0, 0.0}}},
      {Elementary::log, {{0.0, -kInfinity}, {kInfinity, kInfinity}, {-1.0, nan}}},
      {Elementary::reciprocal, {{0.0, kInfinity}, {-0.0, -kInfinity}, {kInfinity, 0.0}}},
      {Elementary::rsqrt, {{0.0, kInfinity}, {kInfinity, 0.0}, {-1.0, nan}}},
      {Elementary::sqrt, {{0.0, 0.0}, {kInfinity, kInfinity}, {-1.0, nan}}}};
  for (const auto& [function, cases] : limits) {
    const Interval all = reduced_interval(function);
    const Approximation a = linear(function, Reduction::exponent, even(all.low, all.high, 8));
    for (const auto& [x, expected] : cases) {
      const double actual = a(x, fp32());
      if (expected != expected)
        EXPECT_NE(actual, actual) << name_of(function) << " " << x;
      else
        EXPECT_EQ(actual, expected) << name_of(function) << " " << x;
    }
    EXPECT_NE(a(nan, fp32()), a(nan, fp32()));
  }
}

TEST(Approximation, EndsAreClampedExtrapolatedOrExact) {
  Approximation a = linear(Elementary::gelu, Reduction::none, {-2.0, -1.0, 1.0, 2.0});
  EXPECT_EQ(a(-9.0, {}), a(-2.0, {}));
  EXPECT_EQ(a(9.0, {}), a(2.0, {}));
  a.below = a.above = Beyond::exact;
  EXPECT_EQ(a(-2.5, {}), exact_value(Elementary::gelu, -2.5));
  EXPECT_EQ(a(2.5, {}), exact_value(Elementary::gelu, 2.5));
  a.below = a.above = Beyond::extrapolate;
  EXPECT_DOUBLE_EQ(a(3.0, {}), 2 * a(2.0, {}) - a(1.0, {}));
  EXPECT_DOUBLE_EQ(a(-3.0, {}), 2 * a(-2.0, {}) - a(-1.0, {}));
  EXPECT_EQ(a(kInfinity, {}), kInfinity);
  EXPECT_EQ(a(-kInfinity, {}), 0.0);
  const Approximation clamped = linear(Elementary::exp, Reduction::none, {-8.0, -4.0, 0.0});
  EXPECT_EQ(clamped(-9.0, {}), clamped(-8.0, {}));
  EXPECT_EQ(clamped(-kInfinity, {}), 0.0);  // what a mask hides
}

TEST(Approximation, TextHasEveryNumber) {
  Approximation a = linear(Elementary::tanh, Reduction::symmetry, even(0, 4, 16));
  const auto text = [&] {
    Approximations all;
    all.set(a);
    return all.text();
  };
  const std::string before = text();
  for (double* number : {&a.coefficients.front(), &a.coefficients[17], &a.coefficients.back(),
                         &a.breakpoints.front(), &a.breakpoints.back()}) {
    const double kept = *number;
    *number = std::nextafter(kept, 9.0);
    EXPECT_NE(text(), before);
    *number = kept;
  }
  a.above = Beyond::exact;
  EXPECT_NE(text(), before);
}

}  // namespace
}  // namespace npusim::workloads
