// SPDX-License-Identifier: Apache-2.0
// A number format of a machine as a validated value.
//   floating point:  value = (-1)^s * 2^(e - bias) * (1 + f/2^fraction_bits); e = 0: subnormal
//   fixed point (exponent_bits 0): two's complement, quantum 2^(1 - bias - fraction_bits), as the
//   subnormals of a floating-point format without normal numbers
//   scale (no sign, no fraction): 2^(e - bias), no zero
// Sources: IEEE 754-2019; OCP OFP8 1.0 (E4M3, E5M2) and MX 1.0 (FP6, FP4, INT8, E8M0); Graphcore,
// AMD and Qualcomm 2022 (arXiv:2206.02915) for the FNUZ variants.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::precision {

/// Which codes are no numbers.
enum class NonFinite {
  ieee,      ///< the largest exponent field: infinities and NaNs, as binary16
  nan_only,  ///< only the all-ones code of each sign, a NaN; no infinity (OCP E4M3, E8M0)
  fnuz,      ///< only the code of -0, a NaN; no infinity and no negative zero
  none,      ///< none: no infinity, no NaN
};

/// What happens to a finite value whose rounded magnitude exceeds the largest finite number.
enum class Overflow {
  infinity,         ///< IEEE 754 §7.4: infinity, or the largest finite number where the rounding
                    ///< direction says so
  always_infinity,  ///< infinity in every rounding direction
  saturate,         ///< the largest finite number of that sign; infinities are clamped too
  nan,              ///< NaN where `infinity` would give infinity; infinities become NaN too
};

/// What happens to results below the smallest normal number (x = the exact result).
enum class Subnormals {
  keep,
  flush,              ///< zero of its sign when x, rounded to the format, is subnormal
  flush_tiny_after,   ///< ... when x, rounded as if exponents had no lower end, is tiny (x86 FTZ)
  flush_tiny_before,  ///< ... when x itself is tiny (Arm FZ)
};

/// What a NaN result becomes.
enum class NanResult {
  keep,  ///< the NaN of the format; +0 where it has none
  zero,  ///< +0: machines that do not report NaN
};

/// In the order of the enumerations.
const std::vector<std::string>& overflow_names();
const std::vector<std::string>& subnormals_names();
const std::vector<std::string>& nan_result_names();

struct Format {
  std::string name;       ///< "fp16", "bf16", "e5m7", ...
  int exponent_bits = 0;  ///< 2 .. 11; 0: fixed point
  int fraction_bits = 0;  ///< 1 .. 52, without the hidden bit; 0: scale
  int bias = 0;
  NonFinite non_finite = NonFinite::ieee;
  Overflow overflow = Overflow::infinity;
  Subnormals subnormals = Subnormals::keep;
  NanResult nan = NanResult::keep;

  bool is_fixed_point() const { return exponent_bits == 0; }
  bool is_scale() const { return fraction_bits == 0; }
  bool is_signed() const { return !is_scale(); }
  bool has_infinity() const { return non_finite == NonFinite::ieee; }
  bool has_nan() const { return non_finite != NonFinite::none; }
  bool has_negative_zero() const {
    return !is_fixed_point() && !is_scale() && non_finite != NonFinite::fnuz;
  }
  int bits() const { return (is_signed() ? 1 : 0) + exponent_bits + fraction_bits; }
  /// Significand bits of the largest numbers, the hidden one included.
  int precision() const { return is_fixed_point() ? fraction_bits : fraction_bits + 1; }
  /// Of the smallest normal number; of fixed point, the binade above the largest magnitude.
  int min_exponent() const { return 1 - bias - (is_scale() ? 1 : 0); }
  int max_exponent() const;  ///< of the largest finite number
  double max_finite() const;
  double lowest() const;  ///< the most negative number
  double min_normal() const;
  double min_subnormal() const;  ///< smallest positive number; equals min_normal when flushed
  /// Bytes one value occupies in memory (whole bytes: 8-bit and narrower formats take one).
  int storage_bytes() const { return (bits() + 7) / 8; }

  bool operator==(const Format& other) const;
  bool operator!=(const Format& other) const { return !(*this == other); }
};

Format fp64();
Format fp32();
Format tf32();
Format fp16();
Format bf16();

/// A named format, or any "eXmY" (X 2..8, Y 1..23: IEEE-like with bias 2^(X-1)-1). Throws
/// std::invalid_argument naming what is known. Formats without infinity start with the overflow
/// rule of their specification's plain conversion: NaN where there is one, saturation otherwise.
Format format_from_name(std::string_view name);
const std::vector<std::string>& named_formats();

/// Throws std::invalid_argument naming every violated rule.
void validate(const Format& format);

}  // namespace npusim::precision
