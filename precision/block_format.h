// SPDX-License-Identifier: Apache-2.0
// Block-scaled formats: narrow elements along K that share a scale.
//   value = element * scale of its block * scale of the tensor
// Sources: OCP Microscaling Formats (MX) 1.0 §5 and §6.3 (block 32, E8M0 scale, scale exponent =
// floor(log2 amax) - emax of the element); NVIDIA NVFP4 (block 16, E4M3 scale, FP32 tensor scale
// amax/(6*448)); block floating point after Microsoft's MSFP; symmetric integers as ONNX
// QuantizeLinear scales them. The rules where the sources leave a choice stand in block_quantize.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "precision/format.h"

namespace npusim::precision {

/// How a scale that the scale format does not have becomes one that it has.
enum class ScaleRounding {
  floor,  ///< the next smaller one: the largest elements may saturate
  ceil,   ///< the next larger one
  rne,    ///< the nearest in value, ties to the even code
};

/// Which number of the element format the largest magnitude of a block (amax) is brought to.
enum class ScaleTarget {
  binade,  ///< the largest power of two: scale = amax / 2^emax (OCP MX)
  value,   ///< the largest number: scale = amax / max (integers, NVFP4)
};

struct BlockFormat {
  static constexpr std::int64_t kWholeRow = 0;

  std::string name;
  Format element;
  std::int64_t block = kWholeRow;      ///< elements that share a scale; kWholeRow: all of a row
  std::optional<Format> scale;         ///< of each block
  std::optional<Format> tensor_scale;  ///< one for all rows
  ScaleRounding scale_rounding = ScaleRounding::rne;
  ScaleTarget target = ScaleTarget::value;
  /// Fixed-point elements leave the most negative code of two's complement unused, so that they
  /// have the values of sign and magnitude.
  bool symmetric = false;

  std::int64_t blocks(std::int64_t terms) const;  ///< of a row
  /// Of an element, its share of the block's scale included; without scales of rows and tensors.
  double bits_per_value() const;
  bool operator==(const BlockFormat& other) const;
};

/// The named block-scaled formats, and the patterns
///   bfp<B>m<M>     B elements (2..4096) share an 8-bit exponent; M-bit mantissas (2..16), sign
///                  included, of value m * 2^(2-M), m = -(2^(M-1)-1) .. 2^(M-1)-1
///   <element>_tensor, <element>_channel, <element>_block<B>, then nothing or _<scale>
///                  one FP32 scale for the tensor, each row or each block of a row; <scale> is
///                  fp16, bf16, fp32 or e8m0 (powers of two); elements: integers, fp8, fp6, fp4
/// Throws std::invalid_argument naming what is known.
BlockFormat block_format_from_name(std::string_view name);
const std::vector<std::string>& named_block_formats();
/// True when the name is meant for a block-scaled format, even if it is not quite one.
bool names_block_format(std::string_view name);

const std::vector<std::string>& scale_rounding_names();
ScaleRounding scale_rounding_from_name(std::string_view name);  ///< std::invalid_argument

/// Throws std::invalid_argument naming every violated rule.
void validate(const BlockFormat& format);

}  // namespace npusim::precision
