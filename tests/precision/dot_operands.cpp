// SPDX-License-Identifier: Apache-2.0
#include "dot_operands.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace npusim::precision::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class Draw {
 public:
  Draw(const MacUnit& unit, Regime regime, std::uint64_t seed)
      : unit_(unit), regime_(regime), engine_(seed) {}

  Dot dot(std::size_t terms) {
    Dot d;
    d.key = {static_cast<std::uint32_t>(engine_()), static_cast<std::uint32_t>(engine_())};
    const int sum_exponent = middle_of_sums();
    for (std::size_t i = 0; i < terms; ++i) {
      d.a.push_back(operand(unit_.a));
      const bool sums = regime_ == Regime::tiny_sums || regime_ == Regime::large_sums;
      const bool finite = std::isfinite(d.a[i]) && d.a[i] != 0.0;
      d.b.push_back(sums && finite
                        ? number(unit_.b, sum_exponent - std::ilogb(d.a[i]) + between(-3, 3))
                        : operand(unit_.b));
    }
    if (regime_ == Regime::cancelling) cancel(d);
    if (unit_.scales) add_scales(d);
    d.c = accumulator_input(d);
    return d;
  }

 private:
  int between(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool one_in(int n) { return between(1, n) == 1; }

  int middle_of_sums() {
    const Format& f = unit_.accumulator().format;
    if (regime_ == Regime::large_sums) return f.max_exponent() - between(0, 6);
    return f.min_exponent() - between(-8, f.fraction_bits + 4);
  }

  /// A value with this exponent, as near as the format has one; subnormal below its range.
  double number(const Format& f, int exponent) {
    exponent = std::min(exponent, f.max_exponent());
    const int quantum = std::max(exponent, f.min_exponent()) - f.fraction_bits;
    if (exponent < quantum) exponent = quantum;
    std::uint64_t steps = std::uint64_t{1} << (exponent - quantum);
    if (!one_in(5)) steps |= engine_() % steps;  // else a power of two
    const double x = std::min(std::ldexp(static_cast<double>(steps), quantum), f.max_finite());
    return f.is_signed() && one_in(2) ? -x : x;
  }

  double operand(const Format& f) {
    const int low = f.min_exponent(), high = f.max_exponent();
    switch (regime_) {
      case Regime::normal:
      case Regime::cancelling:
        return number(f, between(-3, 3));
      case Regime::spread:
        return number(f, between(-12, 12));
      case Regime::tiny_sums:
      case Regime::large_sums:
        return number(f, between(low / 2, high / 2 + 1));
      case Regime::wide:
        return number(f, between(low - f.fraction_bits, high));
      case Regime::subnormal:
        return one_in(3) ? number(f, between(high - 8, high))
                         : number(f, between(low - f.fraction_bits, low));
      case Regime::large:
        return number(f, between(high - 4, high));
      case Regime::zeros:
        return one_in(4) ? number(f, between(-3, 3)) : zero(f);
      case Regime::specials:
        return one_in(20) ? special(f) : one_in(10) ? zero(f) : number(f, between(low, high));
    }
    return 0.0;
  }

  double zero(const Format& f) { return f.has_negative_zero() && one_in(2) ? -0.0 : 0.0; }

  double special(const Format& f) {
    if (f.has_nan() && one_in(4)) return kNan;
    if (f.has_infinity()) return one_in(2) ? kInfinity : -kInfinity;
    return f.has_nan() && one_in(4) ? kNan : zero(f);
  }

  /// The second product of a pair takes the first one away, here and there up to a last bit.
  void cancel(Dot& d) {
    for (std::size_t i = 0; i + 1 < d.a.size(); i += 2) {
      if (one_in(8)) continue;
      d.a[i] = number(unit_.a, between(-14, 14));
      d.a[i + 1] = -d.a[i];
      d.b[i + 1] = d.b[i];
    }
    for (std::size_t i = d.a.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(between(0, static_cast<int>(i) - 1));
      std::swap(d.a[i - 1], d.a[j]);
      std::swap(d.b[i - 1], d.b[j]);
    }
  }

  double scale(const Format& f) {
    if (regime_ == Regime::specials && one_in(20)) return kNan;
    if (regime_ == Regime::zeros && !f.is_scale() && one_in(6)) return 0.0;
    const int low = f.min_exponent() - f.fraction_bits, high = f.max_exponent();
    const bool all = regime_ == Regime::wide || one_in(4);
    if (regime_ == Regime::large) return std::fabs(number(f, between(high - 70, high)));
    if (regime_ == Regime::subnormal) return std::fabs(number(f, between(low, low + 70)));
    return std::fabs(number(f, all ? between(low, high) : between(-9, 9)));
  }

  void add_scales(Dot& d) {
    const auto block = static_cast<std::size_t>(unit_.scales->block);
    for (std::size_t i = 0; i < d.a.size(); ++i) {
      d.a_scales.push_back(i % block == 0 ? scale(unit_.scales->format) : d.a_scales.back());
      d.b_scales.push_back(i % block == 0 ? scale(unit_.scales->format) : d.b_scales.back());
    }
  }

  double accumulator_input(const Dot& d) {
    const Format& f = unit_.c_format();
    if (one_in(4)) return zero(f);
    if (regime_ == Regime::tiny_sums && one_in(3))
      return one_in(2) ? f.min_normal() : -f.min_normal();
    if (regime_ == Regime::specials) return one_in(12) ? special(f) : operand(f);
    const auto i = static_cast<std::size_t>(between(0, static_cast<int>(d.a.size()) - 1));
    double product = d.a[i] * d.b[i];
    if (unit_.scales) product *= d.a_scales[i] * d.b_scales[i];
    if (one_in(8)) return number(f, between(f.min_exponent() - f.fraction_bits, f.max_exponent()));
    if (product == 0.0 || !std::isfinite(product) || one_in(6)) return operand(f);
    if (one_in(4)) return fitted(-product, f);
    return number(f, std::ilogb(product) + (one_in(2) ? between(-3, 3) : between(-40, 40)));
  }

  /// x without the bits that the format does not hold.
  static double fitted(double x, const Format& f) {
    if (std::fabs(x) >= f.max_finite()) return std::copysign(f.max_finite(), x);
    const double quantum =
        std::ldexp(1.0, std::max(std::ilogb(x), f.min_exponent()) - f.fraction_bits);
    return std::trunc(x / quantum) * quantum;
  }

  const MacUnit& unit_;
  Regime regime_;
  std::mt19937_64 engine_;
};

}  // namespace

const char* name_of(Regime regime) {
  const char* const names[kRegimes] = {"normal", "spread",    "wide",       "subnormal",
                                       "large",  "tiny sums", "large sums", "cancelling",
                                       "zeros",  "specials"};
  return names[static_cast<int>(regime)];
}

Dot random_dot(const MacUnit& unit, std::size_t terms, Regime regime, std::uint64_t seed) {
  return Draw(unit, regime, seed).dot(terms);
}

}  // namespace npusim::precision::model
