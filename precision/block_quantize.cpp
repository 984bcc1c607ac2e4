// SPDX-License-Identifier: Apache-2.0
#include "precision/block_quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "precision/indexed_rounding.h"

namespace npusim::precision {
namespace {

/// Between this and its reciprocal, scaling by a power of two changes no bit.
constexpr double kExactAbove = 0x1p-900;

bool is_power_of_two(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & ((std::uint64_t{1} << 52) - 1)) == 0 && x >= kExactAbove && x <= 1.0 / kExactAbove;
}

Rounding rounding_of(ScaleRounding rounding) {
  switch (rounding) {
    case ScaleRounding::floor:
      return Rounding::rtz;
    case ScaleRounding::ceil:
      return Rounding::ru;
    case ScaleRounding::rne:
      return Rounding::rne;
  }
  return Rounding::rne;
}

double target_of(const BlockFormat& format) {
  return format.target == ScaleTarget::binade ? std::ldexp(1.0, format.element.max_exponent())
                                              : format.element.max_finite();
}

}  // namespace

double odd_quotient(double x, double y) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  const double quotient_by_power = x * (1.0 / y);
  if (is_power_of_two(y) && std::fabs(quotient_by_power) >= kExactAbove &&
      std::fabs(quotient_by_power) <= 1.0 / kExactAbove)
    return quotient_by_power;
  int x_exponent = 0;
  int y_exponent = 0;
  const double a = std::frexp(x, &x_exponent);
  const double b = std::frexp(y, &y_exponent);
  double quotient = a / b;
  const double rest = std::fma(-quotient, b, a);  // exact: a division's remainder
  std::uint64_t bits;
  std::memcpy(&bits, &quotient, sizeof bits);
  if (rest != 0.0 && (bits & 1) == 0) {
    bits += (rest > 0.0) == (quotient > 0.0) ? 1 : std::uint64_t{0} - 1;
    std::memcpy(&quotient, &bits, sizeof bits);
  }
  return std::ldexp(quotient, std::clamp(x_exponent - y_exponent, -1000, 1000));
}

double block_amax(const double* values, std::int64_t count) {
  double amax = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) return std::numeric_limits<double>::quiet_NaN();
    amax = std::max(amax, std::fabs(values[i]));
  }
  return amax;
}

double finite_amax(const double* values, std::int64_t count) {
  double amax = 0.0;
  for (std::int64_t i = 0; i < count; ++i)
    if (std::isfinite(values[i])) amax = std::max(amax, std::fabs(values[i]));
  return amax;
}

double tensor_scale_of(const BlockFormat& format, double amax) {
  if (!format.tensor_scale || amax == 0.0) return 1.0;
  // With scales of blocks, the largest of them is brought to the end of their format.
  const double largest = target_of(format) * (format.scale ? format.scale->max_finite() : 1.0);
  const Rounding rounding = format.scale ? Rounding::rne : rounding_of(format.scale_rounding);
  return round_to(odd_quotient(amax, largest), *format.tensor_scale, rounding);
}

double block_scale_of(const BlockFormat& format, double amax, double tensor_scale) {
  if (!format.scale) return 1.0;
  if (std::isnan(amax)) return amax;
  if (tensor_scale == 0.0) return 0.0;
  return round_to(odd_quotient(amax, target_of(format) * tensor_scale), *format.scale,
                  rounding_of(format.scale_rounding));
}

double quantize_element(const BlockFormat& format, double value, double scale, double tensor_scale,
                        const ElementRounding& rounding, std::uint64_t index) {
  const double divisor = scale * tensor_scale;
  if (!(divisor > 0.0)) return 0.0;
  const std::uint32_t word =
      rounding.rounding == Rounding::sr ? IndexedWords(rounding.key, index).next() : 0;
  const double element =
      round_to(odd_quotient(value, divisor),
               Arithmetic{format.element, rounding.rounding, rounding.random_bits}, word);
  return format.symmetric ? std::max(element, -format.element.max_finite()) : element;
}

void quantize_row(const BlockFormat& format, const double* values, std::int64_t terms,
                  double tensor_scale, const ElementRounding& rounding, std::uint64_t first_index,
                  double* elements, double* scales) {
  const std::int64_t block = format.block == BlockFormat::kWholeRow ? terms : format.block;
  for (std::int64_t first = 0; first < terms; first += block) {
    const std::int64_t count = std::min(block, terms - first);
    const double scale = block_scale_of(format, block_amax(values + first, count), tensor_scale);
    scales[first / block] = scale;
    for (std::int64_t i = first; i < first + count; ++i)
      elements[i] = quantize_element(format, values[i], scale, tensor_scale, rounding,
                                     first_index + static_cast<std::uint64_t>(i));
  }
}

void dequantize_row(const BlockFormat& format, const double* elements, const double* scales,
                    std::int64_t terms, double tensor_scale, double* values) {
  const std::int64_t block = format.block == BlockFormat::kWholeRow ? terms : format.block;
  for (std::int64_t i = 0; i < terms; ++i)
    values[i] = elements[i] * scales[i / block] * tensor_scale;
}

}  // namespace npusim::precision
