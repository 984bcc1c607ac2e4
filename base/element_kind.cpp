// SPDX-License-Identifier: Apache-2.0
#include "base/element_kind.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace npusim::base {
namespace {

constexpr std::int64_t kExactIntegers = std::int64_t{1} << 53;

std::uint64_t load(const char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

void store(std::uint64_t value, std::size_t count, std::string& out) {
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

template <class To, class From>
To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

double from_float_bits(std::uint32_t bits) {
  return static_cast<double>(bits_as<float>(bits));
}

/// IEEE 754 binary16: 5 exponent bits with bias 15, 10 fraction bits.
double from_half_bits(std::uint32_t bits) {
  const std::uint32_t exponent = (bits >> 10U) & 31U;
  const std::uint32_t fraction = bits & 1023U;
  double magnitude = 0.0;
  if (exponent == 31) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<double>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<double>(fraction + 1024U), static_cast<int>(exponent) - 25);
  }
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

/// False when the value is no binary16.
bool to_half_bits(double value, std::uint32_t& bits) {
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) {
    bits = sign | 0x7E00U;
  } else if (std::isinf(value)) {
    bits = sign | 0x7C00U;
  } else if (magnitude > 65504.0) {
    return false;
  } else {
    const int exponent = magnitude < std::ldexp(1.0, -14) ? -14 : std::ilogb(magnitude);
    const double units = std::ldexp(magnitude, 10 - exponent);
    if (units != std::trunc(units)) return false;
    // Adding the 11-bit significand to the exponent field absorbs the hidden bit of normal values.
    bits = sign |
           (static_cast<std::uint32_t>(exponent + 14) * 1024U + static_cast<std::uint32_t>(units));
  }
  return true;
}

bool fits_float(double value) {
  if (!std::isfinite(value)) return true;
  return std::fabs(value) <= static_cast<double>(std::numeric_limits<float>::max()) &&
         static_cast<double>(static_cast<float>(value)) == value;
}

struct IntegerKind {
  std::size_t bytes;
  bool is_signed;
};

IntegerKind integer_kind(ElementKind kind) {
  switch (kind) {
    case ElementKind::i64:
      return {8, true};
    case ElementKind::i32:
      return {4, true};
    case ElementKind::i16:
      return {2, true};
    case ElementKind::i8:
      return {1, true};
    case ElementKind::u64:
      return {8, false};
    case ElementKind::u32:
      return {4, false};
    case ElementKind::u16:
      return {2, false};
    default:
      return {1, false};
  }
}

std::optional<double> decode_integer(IntegerKind kind, const char* bytes) {
  const std::uint64_t raw = load(bytes, kind.bytes);
  if (!kind.is_signed) {
    if (raw > static_cast<std::uint64_t>(kExactIntegers)) return std::nullopt;
    return static_cast<double>(raw);
  }
  const unsigned unused = 64U - 8U * static_cast<unsigned>(kind.bytes);
  const std::int64_t value = bits_as<std::int64_t>(raw << unused) / (std::int64_t{1} << unused);
  if (value > kExactIntegers || value < -kExactIntegers) return std::nullopt;
  return static_cast<double>(value);
}

bool encode_integer(IntegerKind kind, double value, std::string& out) {
  const int bits = static_cast<int>(8 * kind.bytes) - (kind.is_signed ? 1 : 0);
  const double beyond = std::ldexp(1.0, bits);
  const double lowest = kind.is_signed ? -beyond : 0.0;
  if (!(value >= lowest && value < beyond) || value != std::trunc(value)) return false;
  const std::uint64_t raw = kind.is_signed
                                ? bits_as<std::uint64_t>(static_cast<std::int64_t>(value))
                                : static_cast<std::uint64_t>(value);
  store(raw, kind.bytes, out);
  return true;
}

}  // namespace

std::size_t element_bytes(ElementKind kind) {
  switch (kind) {
    case ElementKind::f64:
      return 8;
    case ElementKind::f32:
      return 4;
    case ElementKind::f16:
    case ElementKind::bf16:
      return 2;
    default:
      return integer_kind(kind).bytes;
  }
}

std::optional<double> decode_element(ElementKind kind, const char* bytes) {
  switch (kind) {
    case ElementKind::f64:
      return bits_as<double>(load(bytes, 8));
    case ElementKind::f32:
      return from_float_bits(static_cast<std::uint32_t>(load(bytes, 4)));
    case ElementKind::f16:
      return from_half_bits(static_cast<std::uint32_t>(load(bytes, 2)));
    case ElementKind::bf16:
      return from_float_bits(static_cast<std::uint32_t>(load(bytes, 2)) << 16U);
    case ElementKind::boolean:
      return bytes[0] != 0 ? 1.0 : 0.0;
    default:
      return decode_integer(integer_kind(kind), bytes);
  }
}

bool encode_element(ElementKind kind, double value, std::string& out) {
  switch (kind) {
    case ElementKind::f64:
      store(bits_as<std::uint64_t>(value), 8, out);
      return true;
    case ElementKind::f32:
      if (!fits_float(value)) return false;
      store(bits_as<std::uint32_t>(static_cast<float>(value)), 4, out);
      return true;
    case ElementKind::f16: {
      std::uint32_t bits = 0;
      if (!to_half_bits(value, bits)) return false;
      store(bits, 2, out);
      return true;
    }
    case ElementKind::bf16: {
      if (!fits_float(value)) return false;
      const std::uint32_t bits = bits_as<std::uint32_t>(static_cast<float>(value));
      if (!std::isnan(value) && (bits & 0xFFFFU) != 0) return false;
      store(bits >> 16U, 2, out);
      return true;
    }
    case ElementKind::boolean:
      if (value != 0.0 && value != 1.0) return false;
      store(value != 0.0 ? 1 : 0, 1, out);
      return true;
    default:
      return encode_integer(integer_kind(kind), value, out);
  }
}

}  // namespace npusim::base
