// SPDX-License-Identifier: Apache-2.0
#include "precision/encoding.h"

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

namespace npusim::precision {
namespace {

constexpr std::uint64_t ones(int bits) {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

std::uint64_t sign_bit(const Format& format) {
  return format.is_signed() ? std::uint64_t{1} << (format.bits() - 1) : 0;
}

/// Weight of the last bit of subnormals and of fixed-point numbers.
int quantum_exponent(const Format& format) {
  return format.min_exponent() - format.fraction_bits;
}

std::uint64_t infinity_code(const Format& format) {
  return ones(format.exponent_bits) << format.fraction_bits;
}

std::uint64_t nan_code(const Format& format) {
  if (format.non_finite == NonFinite::fnuz) return sign_bit(format);
  if (format.non_finite == NonFinite::nan_only)
    return ones(format.exponent_bits + format.fraction_bits);
  return infinity_code(format) | (std::uint64_t{1} << (format.fraction_bits - 1));
}

bool is_nan_code(std::uint64_t code, const Format& format) {
  switch (format.non_finite) {
    case NonFinite::ieee:
      return (code & ~sign_bit(format)) > infinity_code(format);
    case NonFinite::nan_only:
      return (code & ~sign_bit(format)) == nan_code(format);
    case NonFinite::fnuz:
      return code == nan_code(format);
    case NonFinite::none:
      return false;
  }
  return false;
}

double decode_fixed_point(std::uint64_t code, const Format& format) {
  const bool negative = (code & sign_bit(format)) != 0;
  const auto magnitude = static_cast<double>(negative ? (sign_bit(format) << 1) - code : code);
  return std::ldexp(negative ? -magnitude : magnitude, quantum_exponent(format));
}

double decode_magnitude(std::uint64_t code, const Format& format) {
  const auto field = static_cast<int>(code >> format.fraction_bits);
  const std::uint64_t fraction = code & ones(format.fraction_bits);
  if (format.is_scale()) return std::ldexp(1.0, field - format.bias);
  if (field == 0) return std::ldexp(static_cast<double>(fraction), quantum_exponent(format));
  const std::uint64_t significand = fraction | (std::uint64_t{1} << format.fraction_bits);
  return std::ldexp(static_cast<double>(significand), field - format.bias - format.fraction_bits);
}

/// x as a whole number of 2^quantum below 2^bits.
std::optional<std::uint64_t> whole(double x, int quantum, int bits) {
  const double scaled = std::ldexp(x, -quantum);
  if (scaled >= std::ldexp(1.0, bits) || scaled != std::floor(scaled)) return std::nullopt;
  return static_cast<std::uint64_t>(scaled);
}

std::optional<std::uint64_t> code_of_fixed_point(double value, const Format& format) {
  if (value < format.lowest() || value > format.max_finite()) return std::nullopt;
  const auto magnitude = whole(std::fabs(value), quantum_exponent(format), format.bits());
  if (!magnitude || value >= 0.0) return magnitude;
  return (sign_bit(format) << 1) - *magnitude;
}

std::optional<std::uint64_t> code_of_magnitude(double x, const Format& format) {
  if (x == 0.0) return format.is_scale() ? std::nullopt : std::optional<std::uint64_t>(0);
  if (x > format.max_finite()) return std::nullopt;
  const int exponent = std::ilogb(x);
  if (exponent < format.min_exponent())
    return format.is_scale() ? std::nullopt
                             : whole(x, quantum_exponent(format), format.fraction_bits);
  const auto significand = whole(x, exponent - format.fraction_bits, format.fraction_bits + 1);
  if (!significand) return std::nullopt;
  const auto field = static_cast<std::uint64_t>(exponent + format.bias);
  return (field << format.fraction_bits) | (*significand & ones(format.fraction_bits));
}

std::optional<std::uint64_t> code_of(double value, const Format& format) {
  if (std::isnan(value))
    return format.has_nan() ? std::optional<std::uint64_t>(nan_code(format)) : std::nullopt;
  if (format.is_fixed_point()) return code_of_fixed_point(value, format);
  const bool negative = std::signbit(value) && (value != 0.0 || format.has_negative_zero());
  if (negative && !format.is_signed()) return std::nullopt;
  std::optional<std::uint64_t> code;
  if (!std::isinf(value)) {
    code = code_of_magnitude(std::fabs(value), format);
  } else if (format.has_infinity()) {
    code = infinity_code(format);
  }
  if (code && negative) *code |= sign_bit(format);
  return code;
}

}  // namespace

double decode(std::uint64_t code, const Format& format) {
  if ((code & ~ones(format.bits())) != 0)
    throw std::invalid_argument("a code of " + format.name + " has " +
                                std::to_string(format.bits()) + " bits");
  if (is_nan_code(code, format)) return std::numeric_limits<double>::quiet_NaN();
  if (format.is_fixed_point()) return decode_fixed_point(code, format);
  const bool negative = (code & sign_bit(format)) != 0;
  const std::uint64_t rest = code & ~sign_bit(format);
  const double magnitude = format.has_infinity() && rest == infinity_code(format)
                               ? std::numeric_limits<double>::infinity()
                               : decode_magnitude(rest, format);
  return negative ? -magnitude : magnitude;
}

std::uint64_t encode(double value, const Format& format) {
  if (const auto code = code_of(value, format)) return *code;
  throw std::invalid_argument(std::to_string(value) + " is no value of " + format.name);
}

bool has_code(double value, const Format& format) {
  return code_of(value, format).has_value();
}

}  // namespace npusim::precision
