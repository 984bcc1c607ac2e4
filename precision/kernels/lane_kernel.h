// SPDX-License-Identifier: Apache-2.0
// The vector kernels of emulated GEMM: a few rows of A against a panel of columns of B, every
// column a lane. Per lane they do, in the same order, what planned_dot does, in float or in double
// lanes. The kernel sources are compiled once per instruction set, each time in a namespace of its
// own; nothing here may bring in an inline function with external linkage (the linker could keep
// the copy of the widest instruction set for all).
#pragma once

#include "precision/error_lanes.h"

namespace npusim::precision::kernels {

enum { kFloatLanes = 64, kDoubleLanes = 32, kMaxStages = 4, kMaxChunks = 4, kMaxGroup = 256 };
/// Aligned blocks: products in one, and the lowest exponent that their lanes tell apart from zero.
enum { kMostStep = 64, kLowestExponent = -100 };
/// Aligned blocks and chains of products read no further than the multiple of this that covers the
/// lanes in use.
enum { kLanesAtOnce = 32 };
/// Rows of A in one round (whole register tiles of 6, 4, 3 and 2 rows), rows interleaved in one
/// call.
enum { kRows = 12, kInterleavedRows = 16 };

/// How lanes round; dispatch.cpp chooses, lane_arithmetic.h does.
enum LaneShape {
  kNative,     ///< the lane type's own RNE operations
  kHalf,       ///< binary16, RNE, in float lanes: conversion instructions where there are any
  kSingle,     ///< binary32, RNE, in double lanes: conversion instructions
  kWide,       ///< the exponent range of the lane type: integer rounding of the fraction field
  kPlainWide,  ///< the same with RNE, overflow to infinity and subnormals: bfloat16 in float lanes
  kNarrow,     ///< any narrower range: adding and taking away a large number
};

/// One place of rounding, as plain numbers.
struct LaneArithmetic {
  int shape;  ///< LaneShape
  int mode;   ///< precision::Rounding
  int fraction_bits;
  int min_exponent;
  int max_exponent;
  double max_finite;
  double infinity;         ///< what an infinity becomes: inf, max_finite or NaN
  double beyond;           ///< what a positive number beyond the finite range becomes
  double beyond_negative;  ///< likewise the magnitude of a negative one
  double flush_below;      ///< results of magnitudes below become zero; 0 when subnormals are kept
  double tiny, tiny_negative;  ///< exact magnitudes below become zero
  int patches;                 ///< LanePatch: what the format cannot hold
  int random_bits;             ///< stochastic roundings
};

/// Done to results, by bits.
enum LanePatch { kNanIsZero = 1, kNoNegativeZero = 2 };

struct LaneStage {
  long terms;
  int tree;
  LaneArithmetic arithmetic;
};

/// How a block's sum becomes the running value.
enum LaneResult {
  kAnyResult,
  kTruncatedResult,  ///< toward zero, in binary32's range: binary32 or fewer bits
  kHalfResult,       ///< binary16, RNE
};

/// The accumulator as a chain of aligned blocks; in float lanes, with the result rounded in double
/// ones.
struct LaneAlignment {
  int step;           ///< products of a block; 0: the accumulator is not aligned
  int fraction_bits;  ///< kept below the largest exponent
  float lowest;       ///< power of two that the largest exponent does not fall below
  int has_lowest;     ///< the unit has it; otherwise sums that small are reported
  float least_power;  ///< of the running value's exponent, unless it is zero
  float least_power_a, least_power_b;  ///< of the operands' exponents
  int wide;            ///< products and running value need more than 32 bits together
  int result_kind;     ///< LaneResult
  int truncated_bits;  ///< kTruncatedResult: fraction bits
  LaneArithmetic result;
};

struct LaneChunk {
  long terms;
  int carry;
  int wide;  ///< float lanes lack the arithmetic: their sums are added and rounded in double ones
  LaneArithmetic arithmetic;
};

struct LaneProgram {
  int stages;  ///< with the accumulator as the last
  LaneStage stage[kMaxStages];
  int chunks;
  LaneChunk chunk[kMaxChunks];
  int rounds_product;
  int product_as_accumulator;  ///< the product rounds exactly as the accumulator
  /// Running sums carried from chunk to chunk have no more bits than the accumulator's values.
  int carries_accumulator_values;
  LaneArithmetic product;
  LaneAlignment alignment;
  int chain;       ///< one stage, products exact or rounded as the accumulator
  int stochastic;  ///< one stage, a chain of exact products, no chunks, no bias afterwards
};

/// Rows of A (row r begins at a + r * a_stride), `terms` ordered terms each, a multiple of the
/// unit's block. A panel has kFloatLanes or kDoubleLanes columns, of which the first `lanes` are in
/// use: panel[k * columns + lane], aligned to 64 bytes. init and after hold as many values for each
/// row or are nullptr (no running sum to start from, nothing to add). Results go to out[r *
/// out_stride + lane], aligned as it may be; NaN results are the default one. What comes out beside
/// the lanes in use is not said.
struct FloatRows {
  const float* a;
  const float* a_powers;      ///< aligned blocks only: powers of two of exponents, laid out as a
  const float* panel_powers;  ///< and as panel
  const unsigned* key_low;    ///< stochastic chains only: the halves of each output's RandomKey,
  const unsigned* key_high;   ///< kFloatLanes of them a row
  long a_stride;
  long rows;
  const float* panel;
  long lanes;
  long terms;
  const float* init;
  const float* after;
  float* out;
  long out_stride;
};
struct DoubleRows {
  const double* a;
  long a_stride;
  long rows;
  const double* panel;
  long lanes;
  long terms;
  const double* init;
  const double* after;
  double* out;
  long out_stride;
};

/// Of some floats: the least and greatest magnitude of the finite ones that are not zero, as
/// encodings (greatest 0: there are none), and whether there is a NaN, or an infinity or NaN.
struct FloatSurvey {
  unsigned least_bits;
  unsigned most_bits;
  int has_nan;
  int has_special;
};

/// A stream of random words, from a counter on.
struct LaneRandom {
  unsigned low, high;  ///< RandomKey
  unsigned counter;
};

struct GeneralProgram;  // general_kernel.h
struct GeneralRow;

struct KernelSet {
  /// False (aligned blocks and stochastic chains only): a sum needs more range, and the results are
  /// of no use.
  bool (*float_rows)(const LaneProgram& program, const FloatRows& rows);
  void (*double_rows)(const LaneProgram& program, const DoubleRows& rows);
  /// Any unit.
  void (*general_row)(const GeneralProgram& program, const GeneralRow& row);
  /// out[r * lanes + lane] += a[r * a_stride + k] * panel[k * lanes + lane] in double, k in order,
  /// product and sum rounded separately, for kRows rows.
  void (*reference)(const double* a, long a_stride, const double* panel, long terms, double* out);
  FloatSurvey (*survey)(const float* values, long count);
  /// to[i] = 2^floor(log2 |value|), at least `least`; 0 for zeros.
  void (*powers)(const float* values, long count, float least, float* to);
  /// to[i * lanes + r] = rows[r][i] for `count` rows: a multiple of kInterleavedRows, at most 64.
  void (*interleave_floats)(const float* const* rows, long count, long terms, long lanes,
                            float* to);
  void (*interleave_doubles)(const double* const* rows, long count, long terms, long lanes,
                             double* to);
  void (*round_floats)(const LaneArithmetic& arithmetic, const float* in, float* out, long count,
                       bool past_caches);
  /// Value i takes word counter + i.
  void (*round_floats_at_random)(const LaneArithmetic& arithmetic, const float* in, float* out,
                                 long count, bool past_caches, const LaneRandom& random);
  /// Pairs of a value and its reference, a multiple of kErrorLanes of them.
  void (*error_counts)(const ErrorFormat& format, const double* y, const double* reference,
                       long count, ErrorLanes& lanes);
  void (*error_norms)(const NormScales& scales, const double* y, const double* reference,
                      long count, NormLanes& lanes);
  /// Any count; `out` may be `in`. NaN comes out as the default one.
  void (*round)(const LaneArithmetic& arithmetic, const double* in, double* out, long count);
  /// Chains of native or of other sums are fused: their products may be wider than the lane type.
  bool fused, fused_odd;
};

namespace baseline {
KernelSet kernels();
}
namespace avx2 {
KernelSet kernels();
}
namespace avx512 {
KernelSet kernels();
}

}  // namespace npusim::precision::kernels
