// SPDX-License-Identifier: Apache-2.0
#include "sim/matrix_engines.h"

#include <vector>

#include "precision/rounding.h"

namespace npusim::sim {
namespace {

/// Elements times their scales, in FP32.
class ScaledValues final : public precision::OperandRows {
 public:
  ScaledValues(const precision::OperandRows& rows, std::int64_t k) : rows_(rows), k_(k) {}
  std::int64_t rows() const override { return rows_.rows(); }
  void read(std::int64_t row, double* k_values) const override {
    rows_.read(row, k_values);
    if (!rows_.has_scales()) return;
    std::vector<double> scales(static_cast<std::size_t>(k_));
    rows_.read_scales(row, scales.data());
    for (std::int64_t i = 0; i < k_; ++i)
      k_values[i] = precision::round_to(k_values[i] * scales[static_cast<std::size_t>(i)],
                                        precision::fp32(), precision::Rounding::rne);
  }

 private:
  const precision::OperandRows& rows_;
  std::int64_t k_;
};

}  // namespace

AttentionEngine::AttentionEngine(const npu::AttentionMapping& mapping,
                                 const precision::ParallelFor& parallel, precision::RandomKey key)
    : mapping_(mapping),
      on_chip_(mapping.on_chip),
      operand_(precision::Arithmetic{mapping.scores.unit.a, mapping.scores.unit.input_rounding}),
      parallel_(parallel),
      key_(key) {}

workloads::AttentionBlocks AttentionEngine::blocks(const workloads::AttentionShape& shape) const {
  workloads::AttentionBlocks blocks = mapping_.blocks;
  blocks.shape = shape;
  return blocks;
}

void AttentionEngine::product(const precision::ReductionPlan& plan, const precision::OperandRows& a,
                              const precision::OperandRows& b, precision::GemmOutput& out) const {
  precision::emulated_gemm(mapping_.scores.unit, plan, a, b, {}, out, parallel_,
                           precision::derived_key(key_, products_++));
}

void AttentionEngine::scores(const precision::OperandRows& queries,
                             const precision::OperandRows& keys, precision::GemmOutput& out) const {
  product(mapping_.scores.plan, queries, keys, out);
}

void AttentionEngine::context(std::int64_t keys, const precision::OperandRows& weights,
                              const precision::OperandRows& values,
                              precision::GemmOutput& out) const {
  const bool whole = keys == mapping_.context.plan.terms();
  NPUSIM_CHECK(whole || keys == mapping_.last_context.terms(),
               "the plan was made for other blocks");
  product(whole ? mapping_.context.plan : mapping_.last_context, weights, values, out);
}

void AttentionEngine::multiply(std::int64_t, const precision::OperandRows&,
                               const precision::OperandRows&, const precision::Bias&,
                               precision::GemmOutput&) const {
  throw base::InternalError("an attention engine took a single product");
}

RecomputingEngine::RecomputingEngine(const npu::AttentionGradientMapping& mapping,
                                     const precision::ParallelFor& parallel,
                                     precision::RandomKey key)
    : mapping_(mapping),
      on_chip_(mapping.on_chip),
      operand_(precision::Arithmetic{mapping.scores.unit.a, mapping.scores.unit.input_rounding}),
      parallel_(parallel),
      key_(key) {}

workloads::AttentionBlocks RecomputingEngine::blocks(const workloads::AttentionShape& shape) const {
  workloads::AttentionBlocks blocks = mapping_.blocks;
  blocks.shape = shape;
  return blocks;
}

const precision::ReductionPlan& RecomputingEngine::plan(Product which, std::int64_t terms) const {
  const auto of = [&](const npu::GemmMapping& gemm) -> const precision::ReductionPlan& {
    const precision::ReductionPlan& last =
        which == Product::queries ? mapping_.last_keys : mapping_.last_queries;
    const bool whole = terms == gemm.plan.terms();
    NPUSIM_CHECK(whole || terms == last.terms(), "the plan was made for other blocks");
    return whole ? gemm.plan : last;
  };
  switch (which) {
    case Product::scores:
      return mapping_.scores.plan;
    case Product::weights:
      return mapping_.weights.plan;
    case Product::values:
      return of(mapping_.values);
    case Product::keys:
      return of(mapping_.keys);
    case Product::queries:
      return of(mapping_.queries);
  }
  throw base::InternalError("unknown product of attention");
}

void RecomputingEngine::product(Product which, std::int64_t terms, const precision::OperandRows& a,
                                const precision::OperandRows& b, precision::GemmOutput& out) const {
  precision::emulated_gemm(mapping_.scores.unit, plan(which, terms), a, b, {}, out, parallel_,
                           precision::derived_key(key_, products_++));
}

void RecomputingEngine::multiply(std::int64_t, const precision::OperandRows&,
                                 const precision::OperandRows&, const precision::Bias&,
                                 precision::GemmOutput&) const {
  throw base::InternalError("the engine of attention's backward pass took a single product");
}

WinogradProducts::WinogradProducts(const npu::GemmMapping& mapping,
                                   const precision::ParallelFor& parallel, precision::RandomKey key)
    : outputs_(mapping.winograd->outputs),
      arithmetic_(mapping.winograd->arithmetic),
      weight_arithmetic_(mapping.winograd->offline_weights ? precision::Rounder() : arithmetic_),
      operand_(precision::Arithmetic{mapping.unit.a, mapping.unit.input_rounding}),
      products_(mapping.unit, mapping.plan, parallel, key) {}

std::unique_ptr<workloads::MatrixEngine> array_engine(const npu::MappedOp& op,
                                                      const precision::ParallelFor& parallel,
                                                      precision::RandomKey key) {
  if (op.engine != npu::Engine::matrix) return nullptr;
  if (op.attention) return std::make_unique<AttentionEngine>(*op.attention, parallel, key);
  if (op.attention_gradient)
    return std::make_unique<RecomputingEngine>(*op.attention_gradient, parallel, key);
  if (!op.gemm) return nullptr;
  if (op.gemm->winograd) return std::make_unique<WinogradProducts>(*op.gemm, parallel, key);
  return std::make_unique<PlannedEngine>(op.gemm->unit, op.gemm->plan, parallel, key);
}

HostEngine::HostEngine(const precision::ParallelFor& parallel) : parallel_(parallel) {
  unit_.name = "host_fp32";
  unit_.a = unit_.b = precision::fp32();
  unit_.stages = {{0, precision::Combine::chain, {precision::fp32(), precision::Rounding::rne}}};
}

void HostEngine::multiply(std::int64_t k, const precision::OperandRows& a,
                          const precision::OperandRows& b, const precision::Bias& bias,
                          precision::GemmOutput& out) const {
  precision::ReductionPlan plan;
  plan.dims = {{"K", k}};
  if (!a.has_scales() && !b.has_scales())
    return precision::emulated_gemm(unit_, plan, a, b, bias, out, parallel_);
  const ScaledValues of_a(a, k), of_b(b, k);
  precision::emulated_gemm(unit_, plan, of_a, of_b, bias, out, parallel_);
}

}  // namespace npusim::sim
