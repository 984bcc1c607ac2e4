// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/row_sum.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {
namespace {

void float_rows(const LaneProgram& program, const FloatRows& rows) {
  RowSum<FloatLane, FloatRows>(program, rows).run();
}

void double_rows(const LaneProgram& program, const DoubleRows& rows) {
  RowSum<DoubleLane, DoubleRows>(program, rows).run();
}

void reference(const double* a, long a_stride, const double* panel, long terms, double* out) {
  native_operations<DoubleLane>().unfused_chain(LaneArithmetic{}, a, a_stride, kRows, panel, terms,
                                                out);
}

void round(const LaneArithmetic& arithmetic, double* values, long count) {
  operations_of<DoubleLane>(arithmetic).round(arithmetic, values, count);
}

}  // namespace

KernelSet kernels() {
#if defined(__AVX512F__)
  return {float_rows, double_rows, reference, round, true, true};
#elif defined(__FMA__)
  return {float_rows, double_rows, reference, round, true, false};
#else
  return {float_rows, double_rows, reference, round, false, false};
#endif
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
