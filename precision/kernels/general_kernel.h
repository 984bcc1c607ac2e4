// SPDX-License-Identifier: Apache-2.0
// The general kernel: any unit, one row of A against a panel of kDoubleLanes columns of B in double
// lanes. Interface as lane_kernel.h, with the same rule about inline functions.
#pragma once

#include "precision/kernels/lane_kernel.h"

namespace npusim::precision::kernels {

enum {
  kMostSlices = 4,
  kMostPasses = 16,
  kMostOrder = 256,
  kMostExactTerms = 20,
  kMostLimbs = 24,
  kMostExactWindow = 4096,
  kMostAligned = 128
};
enum GeneralCombine { kChainStage, kTreeStage, kAlignedStage, kExactStage };
enum GeneralAlignBy { kByOperands, kByValue, kByScale };

/// A rounding; stochastic ones in the same fields with their random bits.
struct GeneralArithmetic {
  LaneArithmetic lanes;
  int stochastic;
};

struct GeneralStage {
  long terms;  ///< 0: all that is left (the accumulator)
  long step;   ///< terms of one step; 0: all of them
  int combine;
  GeneralArithmetic arithmetic;
  int rounds, starts_from_zero;
  int align_by;
  int fraction_bits, running_bits;
  int floors, running_floors;
  int gap;  ///< negative: none
  double lowest;
  double least_exponent;  ///< of values of the stage's format
  int plain_sum;          ///< exact: every sum fits in binary64
  int limbs;              ///< exact: 0, or digits of 32 bits that every sum fits in
  int lowest_limb;        ///< exponent of the lowest digit
};

struct GeneralChunk {
  long terms;
  int carry;
  GeneralArithmetic arithmetic;
};

struct GeneralProgram {
  int stages;
  GeneralStage stage[kMaxStages];
  int chunks;
  GeneralChunk chunk[kMaxChunks];
  int rounds_product;
  GeneralArithmetic product;
  double product_least_exponent;
  double product_limit;  ///< infinity: none
  double flush_c_below;
  int passes, passes_innermost;
  int a_slice[kMostPasses], b_slice[kMostPasses];
  long block;  ///< products that the unit takes at once
  int order_size;
  int order[kMostOrder];
  int has_scales, scales_after;
  int fp32_scales;      ///< the product of two scales is rounded to FP32
  int needs_exponents;  ///< some stage aligns its terms
  long scratch;         ///< doubles of GeneralRow::scratch
};

/// Exponent of a zero or of what is not finite: below every other.
#define NPUSIM_NO_EXPONENT (-100000.0)

/// Slice s of the row at a + s * terms, of the panel at panel + s * terms * kDoubleLanes; scales
/// are one a term.
struct GeneralRow {
  const double *a, *a_exponents, *a_scales, *a_scale_exponents;
  const double *panel, *panel_exponents, *panel_scales, *panel_scale_exponents;
  long terms;
  const double* init;   ///< kDoubleLanes values, or nullptr
  const double* after;  ///< likewise
  const unsigned *key_low, *key_high;
  double* scratch;
  double* out;
};

}  // namespace npusim::precision::kernels
