// SPDX-License-Identifier: Apache-2.0
#include "precision/format.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace npusim::precision {
namespace {

Format ieee(std::string name, int exponent_bits, int fraction_bits) {
  Format format;
  format.name = std::move(name);
  format.exponent_bits = exponent_bits;
  format.fraction_bits = fraction_bits;
  format.bias = (1 << (exponent_bits - 1)) - 1;
  return format;
}

Format without_infinity(Format format, NonFinite non_finite, int bias) {
  format.non_finite = non_finite;
  format.bias = bias;
  format.overflow = format.has_nan() ? Overflow::nan : Overflow::saturate;
  return format;
}

Format fixed_point(std::string name, int fraction_bits, int quantum_exponent) {
  Format format;
  format.name = std::move(name);
  format.fraction_bits = fraction_bits;
  format.bias = 1 - fraction_bits - quantum_exponent;
  format.non_finite = NonFinite::none;
  format.overflow = Overflow::saturate;
  return format;
}

const std::vector<Format>& known_formats() {
  static const std::vector<Format> known = {
      fp64(),
      fp32(),
      tf32(),
      fp16(),
      bf16(),
      without_infinity(ieee("fp8_e4m3", 4, 3), NonFinite::nan_only, 7),
      ieee("fp8_e5m2", 5, 2),
      without_infinity(ieee("fp8_e4m3fnuz", 4, 3), NonFinite::fnuz, 8),
      without_infinity(ieee("fp8_e5m2fnuz", 5, 2), NonFinite::fnuz, 16),
      without_infinity(ieee("fp6_e3m2", 3, 2), NonFinite::none, 3),
      without_infinity(ieee("fp6_e2m3", 2, 3), NonFinite::none, 1),
      without_infinity(ieee("fp4_e2m1", 2, 1), NonFinite::none, 1),
      without_infinity(ieee("e8m0", 8, 0), NonFinite::nan_only, 127),
      fixed_point("int8", 7, 0),
      fixed_point("int4", 3, 0),
      fixed_point("mxint8_element", 7, -6),
  };
  return known;
}

}  // namespace

const std::vector<std::string>& overflow_names() {
  static const std::vector<std::string> names = {"infinity", "always_infinity", "saturate", "nan"};
  return names;
}

const std::vector<std::string>& subnormals_names() {
  static const std::vector<std::string> names = {"keep", "flush", "flush_tiny_after",
                                                 "flush_tiny_before"};
  return names;
}

const std::vector<std::string>& nan_result_names() {
  static const std::vector<std::string> names = {"keep", "zero"};
  return names;
}

int Format::max_exponent() const {
  if (is_fixed_point()) return min_exponent() - 1;
  const int largest_field = (1 << exponent_bits) - 1;
  const bool reserved = non_finite == NonFinite::ieee || is_scale();
  return (reserved ? largest_field - 1 : largest_field) - bias;
}

double Format::max_finite() const {
  // The all-ones fraction: of fixed point it stands for the value itself, and where it is the NaN
  // the one before it is the largest.
  if (is_scale()) return std::ldexp(1.0, max_exponent());
  const double quantum = std::ldexp(1.0, max_exponent() - precision() + 1);
  const double all_ones = std::ldexp(1.0, precision()) - 1.0;
  return (non_finite == NonFinite::nan_only ? all_ones - 1.0 : all_ones) * quantum;
}

double Format::lowest() const {
  if (is_scale()) return min_normal();
  return is_fixed_point() ? -std::ldexp(1.0, min_exponent()) : -max_finite();
}

double Format::min_normal() const {
  // Asked for every operand of units that read no subnormals: no call where binary64 has it too.
  const int exponent = min_exponent();
  if (exponent < -1022 || exponent > 1023) return std::ldexp(1.0, exponent);
  const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52;
  double result = 0.0;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

double Format::min_subnormal() const {
  return subnormals == Subnormals::keep ? std::ldexp(1.0, min_exponent() - fraction_bits)
                                        : min_normal();
}

bool Format::operator==(const Format& other) const {
  return exponent_bits == other.exponent_bits && fraction_bits == other.fraction_bits &&
         bias == other.bias && non_finite == other.non_finite && overflow == other.overflow &&
         subnormals == other.subnormals && nan == other.nan;
}

Format fp64() {
  return ieee("fp64", 11, 52);
}
Format fp32() {
  return ieee("fp32", 8, 23);
}
Format tf32() {
  return ieee("tf32", 8, 10);
}
Format fp16() {
  return ieee("fp16", 5, 10);
}
Format bf16() {
  return ieee("bf16", 8, 7);
}

const std::vector<std::string>& named_formats() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Format& format : known_formats()) all.push_back(format.name);
    return all;
  }();
  return names;
}

Format format_from_name(std::string_view name) {
  const std::string text(name);
  for (const Format& format : known_formats())
    if (format.name == text) return format;
  int exponent_bits = 0;
  int fraction_bits = 0;
  int used = 0;
  const bool shaped =
      std::sscanf(text.c_str(), "e%2dm%2d%n", &exponent_bits, &fraction_bits, &used) == 2 &&
      used == static_cast<int>(text.size());
  if (shaped && exponent_bits >= 2 && exponent_bits <= 8 && fraction_bits >= 1 &&
      fraction_bits <= 23 &&
      text == "e" + std::to_string(exponent_bits) + "m" + std::to_string(fraction_bits)) {
    return ieee(text, exponent_bits, fraction_bits);
  }
  std::string known;
  for (const std::string& one : named_formats()) known += one + ", ";
  throw std::invalid_argument("unknown format \"" + text + "\": known are " + known +
                              "and eXmY with X 2..8, Y 1..23");
}

void validate(const Format& format) {
  std::string broken;
  const auto rule = [&](bool holds, const char* text) {
    if (!holds) broken += (broken.empty() ? "" : "; ") + std::string(text);
  };
  const bool floating = !format.is_fixed_point() && !format.is_scale();
  rule(!floating || (format.exponent_bits >= 2 && format.exponent_bits <= 11),
       "exponent_bits must be 2..11 (0: fixed point)");
  rule(!format.is_scale() || (format.exponent_bits >= 2 && format.exponent_bits <= 8),
       "a scale has 2..8 exponent bits");
  rule(format.fraction_bits >= 0 && format.fraction_bits <= 52,
       "fraction_bits must be 1..52 (0: scale)");
  if (broken.empty()) {
    rule(format.min_exponent() - format.fraction_bits >= -1074, "values below 2^-1074");
    rule(format.max_exponent() <= 1023, "values above the range of binary64");
    rule(floating || format.subnormals == Subnormals::keep,
         "only floating-point formats flush subnormals");
    rule(floating || !format.has_infinity(), "only floating-point formats have infinities");
    rule(!format.is_fixed_point() || format.non_finite == NonFinite::none,
         "fixed-point formats have no NaN");
    rule(!format.is_scale() || format.non_finite == NonFinite::nan_only,
         "the all-ones code of a scale is its NaN");
    rule(!format.is_scale() || format.nan == NanResult::keep, "scales have no zero for NaN");
    rule(format.has_infinity() || (format.overflow != Overflow::infinity &&
                                   format.overflow != Overflow::always_infinity),
         "overflow to infinity needs a format with infinities");
    rule(format.has_nan() || format.overflow != Overflow::nan,
         "overflow to NaN needs a format with NaN");
  }
  if (!broken.empty()) throw std::invalid_argument("format \"" + format.name + "\": " + broken);
}

}  // namespace npusim::precision
