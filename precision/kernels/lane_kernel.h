// SPDX-License-Identifier: Apache-2.0
// The vector kernels of emulated GEMM: a few rows of A against a panel of columns of B, every
// column a lane. Per lane they do, in the same order, what planned_dot does, in float or in double
// lanes. The kernel sources are compiled once per instruction set, each time in a namespace of its
// own; nothing here may bring in an inline function with external linkage (the linker could keep
// the copy of the widest instruction set for all).
#pragma once

namespace npusim::precision::kernels {

enum { kFloatLanes = 64, kDoubleLanes = 32, kMaxStages = 4, kMaxChunks = 4, kMaxGroup = 256 };
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
  double infinity;     ///< what an overflow beyond the finite range becomes: inf or max_finite
  double flush_below;  ///< magnitudes below become zero; 0 when subnormals are kept
};

struct LaneStage {
  long terms;
  int tree;
  LaneArithmetic arithmetic;
};

struct LaneChunk {
  long terms;
  int carry;
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
};

/// Rows of A (row r begins at a + r * a_stride), `terms` ordered terms each, a multiple
/// of the unit's block; panel[k * lanes + lane] aligned to 64 bytes. init and after hold rows *
/// lanes values or are nullptr (no running sum to start from, nothing to add). Results go to out[r
/// * out_stride + lane], aligned as it may be; NaN results are the default one.
struct FloatRows {
  const float* a;
  long a_stride;
  long rows;
  const float* panel;
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
  long terms;
  const double* init;
  const double* after;
  double* out;
  long out_stride;
};

/// Of some floats: the least and greatest magnitude of the finite ones that are not zero, as
/// encodings (greatest 0: there are none), and whether there is a NaN.
struct FloatSurvey {
  unsigned least_bits;
  unsigned most_bits;
  int has_nan;
};

struct KernelSet {
  void (*float_rows)(const LaneProgram& program, const FloatRows& rows);
  void (*double_rows)(const LaneProgram& program, const DoubleRows& rows);
  /// out[r * lanes + lane] += a[r * a_stride + k] * panel[k * lanes + lane] in double, k in order,
  /// product and sum rounded separately, for kRows rows.
  void (*reference)(const double* a, long a_stride, const double* panel, long terms, double* out);
  FloatSurvey (*survey)(const float* values, long count);
  /// to[i * lanes + r] = rows[r][i] for `count` rows: a multiple of kInterleavedRows, at most 64.
  void (*interleave_floats)(const float* const* rows, long count, long terms, long lanes,
                            float* to);
  void (*interleave_doubles)(const double* const* rows, long count, long terms, long lanes,
                             double* to);
  /// Rounds `count` values, a multiple of kDoubleLanes; arrays aligned to 64 bytes.
  void (*round)(const LaneArithmetic& arithmetic, double* values, long count);
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
