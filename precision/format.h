// SPDX-License-Identifier: Apache-2.0
// A binary floating-point number format as a validated value.
//   value = (-1)^s * 2^(e - bias) * (1 + f/2^fraction_bits); e = 0: subnormal (or zero when
//   flushed).
// Sources: IEEE 754-2019 for the encodings with infinities; OCP OFP8 and MX for those without.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::precision {

/// What the largest exponent field means.
enum class NonFinite {
  ieee,  ///< infinities and NaNs, as binary16
  none,  ///< ordinary numbers: no infinity, no NaN
};

/// What happens to a finite value whose rounded magnitude exceeds the largest finite number.
enum class Overflow {
  infinity,  ///< IEEE 754 §7.4: infinity, or the largest finite number where the rounding direction
             ///< says so
  saturate,  ///< the largest finite number of that sign; infinities are clamped too
};

enum class Subnormals {
  keep,
  flush,  ///< a rounded result below the smallest normal number becomes zero of its sign
};

struct Format {
  std::string name;       ///< "fp16", "bf16", "e5m7", ...
  int exponent_bits = 0;  ///< 2 .. 11
  int fraction_bits = 0;  ///< 1 .. 52, without the hidden bit
  int bias = 0;
  NonFinite non_finite = NonFinite::ieee;
  Overflow overflow = Overflow::infinity;
  Subnormals subnormals = Subnormals::keep;

  int bits() const { return 1 + exponent_bits + fraction_bits; }
  int precision() const { return fraction_bits + 1; }  ///< significand bits with the hidden one
  int min_exponent() const { return 1 - bias; }        ///< of the smallest normal number
  int max_exponent() const;                            ///< of the largest finite number
  double max_finite() const;
  double min_normal() const;
  double min_subnormal() const;  ///< smallest positive number; equals min_normal when flushed
  /// Bytes one value occupies in memory (whole bytes: 8-bit and narrower formats take one).
  int storage_bytes() const { return (bits() + 7) / 8; }

  bool operator==(const Format& other) const;
  bool operator!=(const Format& other) const { return !(*this == other); }
};

Format fp64();
Format fp32();
Format fp16();
Format bf16();

/// A named format, or any "eXmY" (X 2..8, Y 1..23: IEEE-like with bias 2^(X-1)-1). Throws
/// std::invalid_argument naming what is known.
Format format_from_name(std::string_view name);
const std::vector<std::string>& named_formats();

/// Throws std::invalid_argument naming every violated rule.
void validate(const Format& format);

}  // namespace npusim::precision
