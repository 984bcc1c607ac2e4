// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/data_movement.h"
#include "precision/kernels/error_sums.h"
#include "precision/kernels/general_sum.h"
#include "precision/kernels/round_floats.h"
#include "precision/kernels/row_sum.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {
namespace {

bool float_rows(const LaneProgram& program, const FloatRows& rows) {
  return RowSum<FloatLane, FloatRows>(program, rows).run();
}

void double_rows(const LaneProgram& program, const DoubleRows& rows) {
  RowSum<DoubleLane, DoubleRows>(program, rows).run();
}

void general_row(const GeneralProgram& program, const GeneralRow& row) {
  GeneralSum(program, row).run();
}

void reference(const double* a, long a_stride, const double* panel, long terms, double* out) {
  native_operations<DoubleLane>().unfused_chain(LaneArithmetic{}, a, a_stride, kRows, panel, terms,
                                                out, out, kDoubleLanes);
}

void round(const LaneArithmetic& arithmetic, double* values, long count) {
  operations_of<DoubleLane>(arithmetic).round(arithmetic, values, count);
}

}  // namespace

KernelSet kernels() {
  KernelSet set{};
  set.float_rows = float_rows;
  set.double_rows = double_rows;
  set.general_row = general_row;
  set.reference = reference;
  set.survey = survey;
  set.powers = powers;
  set.interleave_floats = interleave<float>;
  set.interleave_doubles = interleave<double>;
  set.error_counts = error_counts;
  set.error_norms = error_norms;
  set.round = round;
  set.round_floats = round_floats;
  set.round_floats_at_random = round_floats_at_random;
#if defined(__AVX512F__)
  set.fused = set.fused_odd = true;
#elif defined(__FMA__)
  set.fused = true;
#endif
  return set;
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
