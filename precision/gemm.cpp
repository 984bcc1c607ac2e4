// SPDX-License-Identifier: Apache-2.0
#include "precision/gemm.h"

#include <optional>
#include <vector>

#include "precision/kernels/dense_blocks.h"
#include "precision/kernels/dispatch.h"
#include "precision/kernels/general_fit.h"
#include "precision/kernels/general_gemm.h"
#include "precision/kernels/lowering.h"
#include "precision/kernels/tiled_gemm.h"

namespace npusim::precision {
namespace {

using kernels::LaneFit;
using kernels::Problem;
using kernels::TileOutput;

/// The padding is what a group cut short by the end of K is filled with anyway.
std::vector<std::int64_t> whole_blocks(std::vector<std::int64_t> order, const MacUnit& unit) {
  const auto block = static_cast<std::size_t>(unit.block_terms());
  order.resize((order.size() + block - 1) / block * block, -1);
  return order;
}

/// One row of an operand with its scales.
class ScaledRow {
 public:
  ScaledRow(const OperandRows& rows, std::int64_t k)
      : rows_(rows),
        values_(static_cast<std::size_t>(k)),
        scales_(rows.has_scales() ? static_cast<std::size_t>(k) : 0) {}
  void read(std::int64_t row) {
    rows_.read(row, values_.data());
    if (rows_.has_scales()) rows_.read_scales(row, scales_.data());
  }
  const double* values() const { return values_.data(); }
  const double* scales() const { return scales_.empty() ? nullptr : scales_.data(); }

 private:
  const OperandRows& rows_;
  std::vector<double> values_, scales_;
};

/// Units beyond the kernels' limits: the scalar code itself.
void scalar_gemm(const Problem& problem, GemmOutput& out, const ParallelFor& parallel) {
  parallel(problem.a.rows(), [&](std::int64_t row) {
    ScaledRow a(problem.a, problem.k());
    ScaledRow b(problem.b, problem.k());
    a.read(row);
    const std::int64_t columns = problem.b.rows();
    for (std::int64_t column = 0; column < columns; ++column) {
      b.read(column);
      const bool has_bias = problem.bias.axis != Bias::Axis::none;
      const double bias = has_bias ? problem.bias_at(row, column) : 0.0;
      const Operands operands{a.values(), b.values(), problem.k(), a.scales(), b.scales()};
      const double value =
          planned_dot(problem.unit, problem.plan, operands, has_bias ? &bias : nullptr,
                      derived_key(problem.key, static_cast<std::uint64_t>(row * columns + column)));
      out.write(row, column, 1, &value);
    }
  });
}

/// run(problem, output), with lanes over the rows of the operand that fills them.
template <class Run>
void over_lanes(const Problem& problem, std::int64_t lanes, GemmOutput& out, const Run& run) {
  if (!kernels::lanes_over_a(problem.a.rows(), problem.b.rows(), lanes))
    return run(problem, TileOutput{out, false});
  const MacUnit unit = kernels::exchanged(problem.unit);
  const Bias bias = kernels::exchanged(problem.bias);
  run(Problem{unit, problem.plan, problem.b, problem.a, bias, problem.key, problem.order},
      TileOutput{out, true});
}

template <class Real>
void tiled_gemm(const Problem& problem, const LaneFit& lanes, const std::optional<LaneFit>& wide,
                GemmOutput& out, const ParallelFor& parallel) {
  over_lanes(problem, kernels::TiledGemm<Real>::kLanes, out,
             [&](const Problem& of, const TileOutput& to) {
               kernels::TiledGemm<Real>(of, lanes, wide, to, parallel).run();
             });
}

/// A bias as it enters the sums, rounded once for all outputs.
class EnteringBias {
 public:
  EnteringBias(const MacUnit& unit, const Bias& bias, std::int64_t rows, std::int64_t columns) {
    if (bias.axis == Bias::Axis::none) return;
    const Arithmetic arithmetic = bias_arithmetic(unit);
    values_.assign(bias.values, bias.values + (bias.axis == Bias::Axis::by_row ? rows : columns));
    for (double& value : values_) value = round_to(value, arithmetic);
    bias_ = {bias.axis, values_.data()};
  }
  EnteringBias(const EnteringBias&) = delete;
  EnteringBias& operator=(const EnteringBias&) = delete;
  const Bias& get() const { return bias_; }

 private:
  std::vector<double> values_;
  Bias bias_;
};

/// By the fastest way that has the range and the arithmetic.
void run(const MacUnit& unit, const ReductionPlan& plan, const OperandRows& a, const OperandRows& b,
         const Bias& given, GemmOutput& out, const ParallelFor& parallel, RandomKey key) {
  const EnteringBias entering(unit, given, a.rows(), b.rows());
  const Bias& bias = entering.get();
  const std::vector<std::int64_t> order = expand_order(plan);
  std::vector<std::int64_t> blocks = whole_blocks(order, unit);
  const kernels::KernelSet set = kernels::chosen_kernels();
  auto narrow = kernels::fit_float(unit, plan, set);
  if (narrow && narrow->program.alignment.step != 0)
    blocks = kernels::dense_blocks(blocks, narrow->program);
  const Problem in_blocks{unit, plan, a, b, bias, key, blocks};
  const auto wide = kernels::fit_double(unit, plan, set);
  const bool reports_range =
      narrow && (narrow->program.alignment.step != 0 || narrow->program.stochastic != 0);
  if (narrow && (!narrow->needs_range || wide || reports_range))
    return tiled_gemm<float>(in_blocks, *narrow, wide, out, parallel);
  if (wide) return tiled_gemm<double>(in_blocks, *wide, std::nullopt, out, parallel);
  const Problem problem{unit, plan, a, b, bias, key, order};
  if (kernels::general_program(unit, plan) != nullptr)
    return over_lanes(problem, kernels::kDoubleLanes, out,
                      [&](const Problem& of, const TileOutput& to) {
                        const auto own = kernels::general_program(of.unit, of.plan);
                        kernels::general_gemm(of, *own, to, parallel);
                      });
  scalar_gemm(problem, out, parallel);
}

}  // namespace

ParallelFor serial() {
  return [](std::int64_t count, const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  };
}

void emulated_gemm(const MacUnit& unit, const ReductionPlan& plan, const OperandRows& a,
                   const OperandRows& b, const Bias& bias, GemmOutput& out,
                   const ParallelFor& parallel, RandomKey key) {
  validate(unit);
  validate(plan, unit);
  const auto to = kernels::lowered(unit, plan);
  if (!to) return run(unit, plan, a, b, bias, out, parallel, key);
  using Side = kernels::LoweredRows::Side;
  run(to->unit, to->plan, kernels::LoweredRows(a, unit, plan, *to, Side::a),
      kernels::LoweredRows(b, unit, plan, *to, Side::b), bias, out, parallel, key);
}

const char* simd_path() {
  return kernels::chosen_name();
}

}  // namespace npusim::precision
