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
  native_operations<DoubleLane>().unfused_chain(LaneArithmetic{}, a, a_stride, kRows, panel,
                                                kDoubleLanes, terms, out, out, kDoubleLanes);
}

/// By blocks: the lanes' integer arithmetic must not meet other NaN than the default one.
void round(const LaneArithmetic& arithmetic, const double* in, double* out, long count) {
  const auto round_block = operations_of<DoubleLane>(arithmetic).round;
  constexpr long kBlock = 16 * kDoubleLanes;
  const auto canonical = [](double x) { return x == x ? x : DoubleLane::kNan; };
  alignas(64) double block[kBlock];
  for (long at = 0; at < count; at += kBlock) {
    const long length = kBlock < count - at ? long{kBlock} : count - at;
    for (long i = 0; i < length; ++i) block[i] = canonical(in[at + i]);
    const long whole = (length + kDoubleLanes - 1) / kDoubleLanes * kDoubleLanes;
    for (long i = length; i < whole; ++i) block[i] = 0;
    round_block(arithmetic, block, whole);
    for (long i = 0; i < length; ++i) out[at + i] = canonical(block[i]);
  }
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
