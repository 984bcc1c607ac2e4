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
    all_minus_zero_ = regime_ == Regime::zeros && one_in(4);
    const bool smallest_normals = regime_ == Regime::last_places && one_in(2);
    for (std::size_t i = 0; i < terms; ++i) {
      if (smallest_normals && one_in(6)) {
        push_smallest_normal(d);
        continue;
      }
      d.a.push_back(all_minus_zero_ && unit_.a.has_negative_zero() ? -0.0 : operand(unit_.a));
      const bool finite = std::isfinite(d.a[i]) && d.a[i] != 0.0;
      d.b.push_back(aims_at_sums() && finite
                        ? number(unit_.b, sum_exponent - std::ilogb(d.a[i]) + between(-3, 3))
                    : all_minus_zero_ ? std::fabs(operand(unit_.b))
                                      : operand(unit_.b));
    }
    if (regime_ == Regime::cancelling) cancel(d);
    if (regime_ == Regime::last_places && terms >= 3 && one_in(2) && decide_last_place(d)) return d;
    if (unit_.scales) add_scales(d);
    d.c = accumulator_input(d);
    return d;
  }

 private:
  int between(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool one_in(int n) { return between(1, n) == 1; }

  bool aims_at_sums() const {
    return regime_ == Regime::tiny_sums || regime_ == Regime::last_places ||
           regime_ == Regime::large_sums;
  }

  int middle_of_sums() {
    const Format& f = unit_.accumulator().format;
    if (regime_ == Regime::large_sums) return f.max_exponent() - between(0, 6);
    if (regime_ == Regime::last_places) return f.min_exponent() - f.fraction_bits + between(-5, 5);
    return f.min_exponent() - between(-8, f.fraction_bits + 4);
  }

  /// Two operands whose product is the accumulator's smallest normal number, of either sign.
  void push_smallest_normal(Dot& d) {
    const int least = unit_.accumulator().format.min_exponent();
    const int of_b =
        std::clamp(least / 2 + between(-3, 3), unit_.b.min_exponent(), unit_.b.max_exponent());
    const int of_a = std::clamp(least - of_b, unit_.a.min_exponent(), unit_.a.max_exponent());
    d.a.push_back(std::ldexp(one_in(2) ? 1.0 : -1.0, of_a));
    d.b.push_back(std::ldexp(1.0, of_b));
  }

  /// Three products, c = 0, whose sum is one last place of the accumulator, or just above a half:
  /// whoever drops their low bits comes out one place lower. False: the operands are too narrow.
  bool decide_last_place(Dot& d) {
    const Format& f = unit_.accumulator().format;
    const int place = f.min_exponent() - f.fraction_bits;
    const Format &a = unit_.a, &b = unit_.b;
    const bool fits = std::min(a.fraction_bits, b.fraction_bits) >= 6 &&
                      std::max(a.min_exponent() - a.fraction_bits,
                               b.min_exponent() - b.fraction_bits) <= (place - 24) / 2;
    if (!fits || unit_.scales) return false;
    std::fill(d.a.begin(), d.a.end(), 0.0);
    std::fill(d.b.begin(), d.b.end(), 0.0);
    const auto set = [&d](std::size_t i, int exponent) {
      d.a[i] = std::ldexp(1.0, exponent / 2);
      d.b[i] = std::ldexp(1.0, exponent - exponent / 2);
    };
    set(0, place - 1);
    if (one_in(2)) {
      set(1, place - 1);
      set(2, place - 11);
      d.a[1] *= 1.0 - 0x1p-5;  // together 1 - 2^-10
      d.b[1] *= 1.0 + 0x1p-5;
    } else {
      set(1, place - 23);
    }
    d.c = 0.0;
    return true;
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
      case Regime::last_places:
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
    if (all_minus_zero_ && one_in(2)) return f.has_negative_zero() ? -0.0 : 0.0;
    if (one_in(4)) return zero(f);
    if (aims_at_sums() && regime_ != Regime::large_sums && one_in(4))
      return one_in(2) ? f.min_normal() : -f.min_normal();
    if (regime_ == Regime::last_places)
      return one_in(2) ? zero(f)
                       : number(f, between(f.min_exponent() - f.fraction_bits, f.min_exponent()));
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
  bool all_minus_zero_ = false;
};

}  // namespace

const char* name_of(Regime regime) {
  const char* const names[kRegimes] = {"normal",     "spread",    "wide",        "subnormal",
                                       "large",      "tiny sums", "last places", "large sums",
                                       "cancelling", "zeros",     "specials"};
  return names[static_cast<int>(regime)];
}

Dot random_dot(const MacUnit& unit, std::size_t terms, Regime regime, std::uint64_t seed) {
  return Draw(unit, regime, seed).dot(terms);
}

}  // namespace npusim::precision::model
