// SPDX-License-Identifier: Apache-2.0
#include "integer_reference.h"

#include <cstring>
#include <limits>
#include <stdexcept>

namespace npusim::precision::integer_reference {
namespace {

int width(Wide x) {
  const auto high = static_cast<std::uint64_t>(x >> 64);
  const auto low = static_cast<std::uint64_t>(x);
  if (high != 0) return 128 - __builtin_clzll(high);
  return low != 0 ? 64 - __builtin_clzll(low) : 0;
}

/// Orders magnitudes: the exponent above, 107 bits below the leading one, the last for "and more".
Wide key(Wide magnitude, int exponent) {
  if (magnitude == 0) return 0;
  const int bits = width(magnitude);
  const auto field = static_cast<Wide>(exponent + bits + 8192);
  const int shift = 107 - (bits - 1);
  Wide fraction = 0;
  if (shift >= 0) {
    fraction = magnitude << shift;
  } else {
    fraction = magnitude >> -shift;
    if ((fraction << -shift) != magnitude) fraction |= 1;
  }
  return (field << 108) + (fraction - (Wide{1} << 107));
}

Wide shifted(Wide x, int by) {
  if (by < 0 || (x != 0 && width(x) + by > 127)) throw std::overflow_error("beyond 128 bits");
  return x == 0 ? 0 : x << by;
}

std::uint64_t finite_fields(const Format& f) {
  const std::uint64_t all = std::uint64_t{1} << f.exponent_bits;
  return f.non_finite == NonFinite::ieee || f.fraction_bits == 0 ? all - 1 : all;
}

bool floating(const Format& f) {
  return f.exponent_bits > 0 && f.fraction_bits > 0;
}

}  // namespace

Exact exact(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  Exact e;
  e.negative = bits >> 63 != 0;
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  const int field = static_cast<int>(bits >> 52 & 0x7ff);
  if (field == 0x7ff) {
    e.kind = fraction != 0 ? Exact::Kind::nan : Exact::Kind::infinite;
    return e;
  }
  e.magnitude = field == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  e.exponent = (field == 0 ? 1 : field) - 1075;
  return e;
}

double as_double(const Exact& x) {
  std::uint64_t bits = 0;
  if (x.kind == Exact::Kind::nan) {
    bits = std::uint64_t{0x7ff8} << 48;
  } else if (x.kind == Exact::Kind::infinite) {
    bits = std::uint64_t{0x7ff} << 52;
  } else if (x.magnitude != 0) {
    Wide magnitude = x.magnitude;
    int exponent = x.exponent;
    for (; width(magnitude) < 53 && exponent > -1074; --exponent) magnitude <<= 1;
    for (; width(magnitude) > 53 || exponent < -1074; ++exponent) {
      if ((magnitude & 1) != 0) throw std::overflow_error("not a binary64");
      magnitude >>= 1;
    }
    const bool normal = width(magnitude) == 53;
    bits = static_cast<std::uint64_t>(magnitude) & ((std::uint64_t{1} << 52) - 1);
    if (normal) bits |= static_cast<std::uint64_t>(exponent + 1075) << 52;
  }
  if (x.negative && x.kind != Exact::Kind::nan) bits |= std::uint64_t{1} << 63;
  double d;
  std::memcpy(&d, &bits, sizeof d);
  return d;
}

Exact sum(const Exact& x, const Exact& y, Rounding rounding) {
  Exact s;
  if (x.kind == Exact::Kind::nan || y.kind == Exact::Kind::nan ||
      (x.kind == y.kind && x.kind == Exact::Kind::infinite && x.negative != y.negative)) {
    s.kind = Exact::Kind::nan;
    return s;
  }
  if (x.kind == Exact::Kind::infinite) return x;
  if (y.kind == Exact::Kind::infinite) return y;
  if (x.magnitude == 0 && y.magnitude == 0) {
    s.negative = rounding == Rounding::rd ? x.negative || y.negative : x.negative && y.negative;
    return s;
  }
  if (x.magnitude == 0) return y;
  if (y.magnitude == 0) return x;
  s.exponent = x.exponent < y.exponent ? x.exponent : y.exponent;
  const Wide a = shifted(x.magnitude, x.exponent - s.exponent);
  const Wide b = shifted(y.magnitude, y.exponent - s.exponent);
  if (x.negative == y.negative) {
    s.magnitude = a + b;
    s.negative = x.negative;
  } else {
    s.magnitude = a > b ? a - b : b - a;
    s.negative = a > b ? x.negative : y.negative;
    if (a == b) s.negative = rounding == Rounding::rd;
  }
  return s;
}

Exact product(const Exact& x, const Exact& y) {
  Exact p;
  p.negative = x.negative != y.negative;
  const bool x_zero = x.kind == Exact::Kind::finite && x.magnitude == 0;
  const bool y_zero = y.kind == Exact::Kind::finite && y.magnitude == 0;
  const bool x_inf = x.kind == Exact::Kind::infinite;
  const bool y_inf = y.kind == Exact::Kind::infinite;
  if (x.kind == Exact::Kind::nan || y.kind == Exact::Kind::nan || (x_inf && y_zero) ||
      (y_inf && x_zero)) {
    p.kind = Exact::Kind::nan;
  } else if (x_inf || y_inf) {
    p.kind = Exact::Kind::infinite;
  } else {
    if (width(x.magnitude) + width(y.magnitude) > 127) throw std::overflow_error("beyond 128 bits");
    p.magnitude = x.magnitude * y.magnitude;
    p.exponent = x.exponent + y.exponent;
  }
  return p;
}

Reference::Reference(const Format& format) : format_(format) {
  const std::uint64_t fractions = std::uint64_t{1} << format.fraction_bits;
  if (format.exponent_bits == 0) {
    last_positive_ = fractions - 1;
    last_negative_ = fractions;
  } else {
    last_positive_ = finite_fields(format) * fractions - 1;
    if (format.non_finite == NonFinite::nan_only && format.fraction_bits > 0) --last_positive_;
    last_negative_ = last_positive_;
  }
  if (last_positive_ <= 1 << 16) {
    keys_.reserve(2 * static_cast<std::size_t>(last_negative_) + 3);
    std::vector<Wide> keys;
    for (std::uint64_t i = 0; i <= 2 * (last_negative_ + 1); ++i) keys.push_back(key_at(i));
    keys_ = std::move(keys);
  }
  if (format.subnormals == Subnormals::flush_tiny_after) {
    Format lower = format;
    lower.bias += 1;
    lower.subnormals = Subnormals::keep;
    lower_ = std::make_unique<Reference>(lower);
  }
}

Reference::~Reference() = default;

Exact Reference::magnitude(std::uint64_t index) const {
  Exact m;
  if (format_.exponent_bits == 0) {
    m.magnitude = index;
    m.exponent = 1 - format_.bias - format_.fraction_bits;
    return m;
  }
  const std::uint64_t fractions = std::uint64_t{1} << format_.fraction_bits;
  const std::uint64_t field = index / fractions;
  m.magnitude = index % fractions;
  const bool hidden = field > 0 || format_.fraction_bits == 0;
  if (hidden) m.magnitude += fractions;
  m.exponent = (hidden ? static_cast<int>(field) : 1) - format_.bias - format_.fraction_bits;
  return m;
}

Wide Reference::key_at(std::uint64_t position) const {
  if (!keys_.empty()) return keys_[static_cast<std::size_t>(position)];
  const Exact below = magnitude(position / 2);
  if (position % 2 == 0) return key(below.magnitude, below.exponent);
  const Exact above = magnitude(position / 2 + 1);
  const int low = below.exponent < above.exponent ? below.exponent : above.exponent;
  return key(shifted(below.magnitude, below.exponent - low) +
                 shifted(above.magnitude, above.exponent - low),
             low - 1);
}

Reference::Position Reference::position_of(const Exact& x, std::uint64_t hint) const {
  const Wide wanted = key(x.magnitude, x.exponent);
  if (wanted < key_at(0)) return {0, true};  // scales: all smaller numbers are their smallest
  const std::uint64_t end = 2 * (last(x.negative) + 1);
  // Doubling steps from the hint, then halving: a sweep in ascending order stays close to it.
  std::uint64_t low = hint;
  std::uint64_t step = 1;
  while (low + step <= end && key_at(low + step) <= wanted) {
    low += step;
    step *= 2;
  }
  for (; step > 0; step /= 2)
    if (low + step <= end && key_at(low + step) <= wanted) low += step;
  return {low, key_at(low) == wanted};
}

Exact Reference::value_of(std::uint64_t code) const {
  const int sign_bits = format_.fraction_bits > 0 ? 1 : 0;
  const std::uint64_t sign = std::uint64_t{1}
                             << (format_.exponent_bits + format_.fraction_bits + sign_bits - 1);
  Exact e;
  e.negative = sign_bits == 1 && (code & sign) != 0;
  const std::uint64_t rest = e.negative ? code - sign : code;
  if (format_.exponent_bits == 0) {
    e = magnitude(e.negative ? sign - rest : rest);
    e.negative = (code & sign) != 0;
    return e;
  }
  if (rest > last_positive_ || (format_.non_finite == NonFinite::fnuz && code == sign)) {
    const bool infinite = format_.non_finite == NonFinite::ieee && rest == last_positive_ + 1;
    e.kind = infinite ? Exact::Kind::infinite : Exact::Kind::nan;
    return e;
  }
  const bool negative = e.negative;
  e = magnitude(rest);
  e.negative = negative;
  return e;
}

std::uint64_t Reference::words_up(const Exact& x, int random_bits) const {
  const Position p = position_of(x, 0);
  const Exact below = magnitude(p.at / 2);
  const Exact above = magnitude(p.at / 2 + 1);
  if (p.at % 2 == 0 && p.exact) return 0;
  // The gap is a power of two: 2^gap.
  const int low = below.exponent < above.exponent ? below.exponent : above.exponent;
  const int gap = low +
                  width(shifted(above.magnitude, above.exponent - low) -
                        shifted(below.magnitude, below.exponent - low)) -
                  1;
  Wide rest = x.magnitude;
  int exponent = x.exponent;
  if (below.magnitude != 0) {
    exponent = x.exponent < below.exponent ? x.exponent : below.exponent;
    rest = shifted(x.magnitude, x.exponent - exponent) -
           shifted(below.magnitude, below.exponent - exponent);
  }
  const int shift = exponent + random_bits - gap;
  if (shift >= 0) return static_cast<std::uint64_t>(shifted(rest, shift));
  return shift <= -128 ? 0 : static_cast<std::uint64_t>(rest >> -shift);
}

bool Reference::goes_up(const Exact& x, const Position& p, Rounding rounding, int random_bits,
                        std::uint32_t random) const {
  if (p.at % 2 == 0 && p.exact) return false;
  const bool tie = p.at % 2 == 1 && p.exact;
  const bool odd_below = (p.at / 2) % 2 == 1;
  switch (rounding) {
    case Rounding::rne:
      return tie ? odd_below : p.at % 2 == 1;
    case Rounding::rna:
      return p.at % 2 == 1;
    case Rounding::rtz:
      return false;
    case Rounding::ru:
      return !x.negative;
    case Rounding::rd:
      return x.negative;
    case Rounding::odd:
      return !odd_below;
    case Rounding::sr:
      return words_up(x, random_bits) + (random >> (32 - random_bits)) >= std::uint64_t{1}
                                                                              << random_bits;
  }
  return false;
}

bool Reference::is_tiny(const Exact& x, std::uint64_t index, Rounding rounding, int random_bits,
                        std::uint32_t random) const {
  if (!floating(format_)) return false;
  const std::uint64_t least_normal = std::uint64_t{1} << format_.fraction_bits;
  switch (format_.subnormals) {
    case Subnormals::keep:
      return false;
    case Subnormals::flush:
      return index < least_normal;
    case Subnormals::flush_tiny_before:
      return position_of(x, 0).at < 2 * least_normal;
    case Subnormals::flush_tiny_after: {
      if (index > least_normal) return false;
      const Position p = lower_->position_of(x, 0);
      const bool up = lower_->goes_up(x, p, rounding, random_bits, random);
      return p.at / 2 + (up ? 1 : 0) < 2 * least_normal;
    }
  }
  return false;
}

double Reference::not_a_number() const {
  const bool kept = format_.non_finite != NonFinite::none && format_.nan == NanResult::keep;
  return kept ? std::numeric_limits<double>::quiet_NaN() : 0.0;
}

double Reference::overflowed(bool negative, Rounding rounding) const {
  Exact largest = magnitude(last(negative));
  largest.negative = negative;
  const bool toward_zero = rounding == Rounding::rtz || rounding == Rounding::odd ||
                           (rounding == Rounding::ru && negative) ||
                           (rounding == Rounding::rd && !negative);
  Exact infinity;
  infinity.kind = Exact::Kind::infinite;
  infinity.negative = negative;
  switch (format_.overflow) {
    case Overflow::infinity:
      return as_double(toward_zero ? largest : infinity);
    case Overflow::always_infinity:
      return as_double(infinity);
    case Overflow::saturate:
      return as_double(largest);
    case Overflow::nan:
      return toward_zero ? as_double(largest) : not_a_number();
  }
  return 0.0;
}

double Reference::result_at(const Exact& x, const Position& p, Rounding rounding, int random_bits,
                            std::uint32_t random) const {
  std::uint64_t index = p.at / 2;
  if (index <= last(x.negative) && goes_up(x, p, rounding, random_bits, random)) ++index;
  if (index > last(x.negative)) return overflowed(x.negative, rounding);
  Exact result = magnitude(index);
  if (is_tiny(x, index, rounding, random_bits, random)) result.magnitude = 0;
  const bool signed_zero = floating(format_) && format_.non_finite != NonFinite::fnuz;
  const bool is_signed = format_.fraction_bits > 0;
  result.negative = x.negative && is_signed && (result.magnitude != 0 || signed_zero);
  return as_double(result);
}

double Reference::rounded(const Exact& x, Rounding rounding, int random_bits,
                          std::uint32_t random) const {
  const bool scale = format_.fraction_bits == 0;
  if (x.kind == Exact::Kind::nan) return not_a_number();
  const bool zero = x.kind == Exact::Kind::finite && x.magnitude == 0;
  if (scale && x.negative && !zero) return not_a_number();
  if (x.kind == Exact::Kind::infinite) return overflowed(x.negative, Rounding::rne);
  return result_at(x, position_of(x, 0), rounding, random_bits, random);
}

std::vector<double> Reference::magnitudes(bool negative) const {
  std::vector<double> all;
  for (std::uint64_t i = 0; i <= last(negative) + 1; ++i) all.push_back(as_double(magnitude(i)));
  return all;
}

}  // namespace npusim::precision::integer_reference
