// SPDX-License-Identifier: Apache-2.0
// The vector kernel of emulated GEMM: one row of A against a panel of columns of B, every column a
// lane. It does per lane, in the same order, what planned_dot does, in float or in double.
// lane_kernel.cpp is compiled once per instruction set; nothing here may bring in an inline
// function with external linkage (the linker could keep the copy of the widest instruction set for
// all).
#pragma once

namespace npusim::precision::kernels {

enum { kFloatLanes = 64, kDoubleLanes = 32, kMaxStages = 4, kMaxChunks = 4, kMaxGroup = 256 };

/// One place of rounding, as plain numbers.
struct LaneArithmetic {
  int native = 0;  ///< the lane type's own addition already rounds like this
  int rounding = 0;
  int fraction_bits = 0;
  int min_exponent = 0;
  int flush = 0;
  double max_finite = 0.0;
  double min_normal = 0.0;
  double infinity =
      0.0;  ///< what an overflow that leaves the finite range becomes: inf or max_finite
};

struct LaneStage {
  long terms = 0;
  int tree = 0;
  LaneArithmetic arithmetic;
};

struct LaneChunk {
  long terms = 0;
  int carry = 0;
  LaneArithmetic arithmetic;
};

struct LaneProgram {
  int stages = 0;  ///< with the accumulator as the last
  LaneStage stage[kMaxStages];
  int chunks = 0;
  LaneChunk chunk[kMaxChunks];
  int rounds_product = 0;
  LaneArithmetic product;
};

/// out[lane] = planned sum of `terms` ordered terms; a[k] times panel[k * lanes + lane]. init:
/// lanes values, or nullptr for none. after: lanes values added to the finished sum, or nullptr.
using FloatKernel = void (*)(const LaneProgram& program, const float* a, const float* panel,
                             long terms, const float* init, const float* after, float* out);
using DoubleKernel = void (*)(const LaneProgram& program, const double* a, const double* panel,
                              long terms, const double* init, const double* after, double* out);
/// out[lane] += a[k] * panel[k * lanes + lane] in double, k in order, for four rows at once.
using ReferenceKernel = void (*)(const double* const a[4], const double* panel, long terms,
                                 double* const out[4]);
/// Rounds count values.
using RoundKernel = void (*)(const LaneArithmetic& arithmetic, const double* in, double* out,
                             long count);

struct KernelSet {
  FloatKernel float_row;
  DoubleKernel double_row;
  ReferenceKernel reference;
  RoundKernel round;
};

KernelSet baseline_kernels();
KernelSet avx2_kernels();
KernelSet avx512_kernels();

}  // namespace npusim::precision::kernels
