// SPDX-License-Identifier: Apache-2.0
#include "precision/format.h"

#include <cmath>
#include <cstdio>
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

}  // namespace

int Format::max_exponent() const {
  const int largest_field = (1 << exponent_bits) - 1;
  return (non_finite == NonFinite::ieee ? largest_field - 1 : largest_field) - bias;
}

double Format::max_finite() const {
  return std::ldexp(2.0 - std::ldexp(1.0, -fraction_bits), max_exponent());
}

double Format::min_normal() const {
  return std::ldexp(1.0, min_exponent());
}

double Format::min_subnormal() const {
  return subnormals == Subnormals::keep ? std::ldexp(1.0, min_exponent() - fraction_bits)
                                        : min_normal();
}

bool Format::operator==(const Format& other) const {
  return exponent_bits == other.exponent_bits && fraction_bits == other.fraction_bits &&
         bias == other.bias && non_finite == other.non_finite && overflow == other.overflow &&
         subnormals == other.subnormals;
}

Format fp64() {
  return ieee("fp64", 11, 52);
}
Format fp32() {
  return ieee("fp32", 8, 23);
}
Format fp16() {
  return ieee("fp16", 5, 10);
}
Format bf16() {
  return ieee("bf16", 8, 7);
}

const std::vector<std::string>& named_formats() {
  static const std::vector<std::string> names = {"fp64", "fp32", "fp16", "bf16"};
  return names;
}

Format format_from_name(std::string_view name) {
  const std::string text(name);
  if (text == "fp64") return fp64();
  if (text == "fp32") return fp32();
  if (text == "fp16") return fp16();
  if (text == "bf16") return bf16();
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
  throw std::invalid_argument("unknown format \"" + text +
                              "\": known are fp64, fp32, fp16, bf16 and eXmY with X 2..8, Y 1..23");
}

void validate(const Format& format) {
  std::string broken;
  const auto rule = [&](bool holds, const char* text) {
    if (!holds) broken += (broken.empty() ? "" : "; ") + std::string(text);
  };
  rule(format.exponent_bits >= 2 && format.exponent_bits <= 11, "exponent_bits must be 2..11");
  rule(format.fraction_bits >= 1 && format.fraction_bits <= 52, "fraction_bits must be 1..52");
  if (broken.empty()) {
    rule(format.min_exponent() - format.fraction_bits >= -1074, "values below 2^-1074");
    rule(format.max_exponent() <= 1023, "values above the range of binary64");
  }
  if (!broken.empty()) throw std::invalid_argument("format \"" + format.name + "\": " + broken);
}

}  // namespace npusim::precision
