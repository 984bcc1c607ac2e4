// SPDX-License-Identifier: Apache-2.0
// The machines that take the products of a node: the array of a mapped op, the host, and FP64.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "npu_models/mapping.h"
#include "precision/gemm.h"
#include "workloads/online_softmax.h"
#include "workloads/winograd.h"

namespace npusim::sim {

/// Products through the unit and the plan of one mapping. Stochastic units: the key stands for seed
/// and op; each product of the op (a group of a convolution, a matrix of a batch) derives its own.
class PlannedEngine final : public workloads::MatrixEngine {
 public:
  PlannedEngine(const precision::MacUnit& unit, const precision::ReductionPlan& plan,
                const precision::ParallelFor& parallel, precision::RandomKey key)
      : unit_(unit), plan_(plan), parallel_(parallel), key_(key) {}
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    NPUSIM_CHECK(k == plan_.terms(), "the plan was made for another K");
    precision::emulated_gemm(unit_, plan_, a, b, bias, out, parallel_,
                             precision::derived_key(key_, products_++));
  }

 private:
  const precision::MacUnit& unit_;
  const precision::ReductionPlan& plan_;
  const precision::ParallelFor& parallel_;
  precision::RandomKey key_;
  mutable std::uint64_t products_ = 0;  ///< an op takes its products one after the other
};

/// A convolution by Winograd: the product of each point through the unit and the plan.
class WinogradProducts final : public workloads::WinogradEngine {
 public:
  WinogradProducts(const npu::GemmMapping& mapping, const precision::ParallelFor& parallel,
                   precision::RandomKey key);
  std::int64_t outputs() const override { return outputs_; }
  const precision::Rounder& arithmetic() const override { return arithmetic_; }
  /// FP64 where weights are transformed before the run.
  const precision::Rounder& weight_arithmetic() const override { return weight_arithmetic_; }
  const precision::Rounder& operand() const override { return operand_; }
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    products_.multiply(k, a, b, bias, out);
  }

 private:
  std::int64_t outputs_;
  precision::Rounder arithmetic_, weight_arithmetic_, operand_;
  PlannedEngine products_;
};

/// Attention as one op: both products of each block through the unit, each with the plan of its K.
class AttentionEngine final : public workloads::OnlineSoftmaxEngine {
 public:
  AttentionEngine(const npu::AttentionMapping& mapping, const precision::ParallelFor& parallel,
                  precision::RandomKey key);
  workloads::AttentionBlocks blocks(const workloads::AttentionShape& shape) const override;
  void scores(const precision::OperandRows& queries, const precision::OperandRows& keys,
              precision::GemmOutput& out) const override;
  void context(std::int64_t keys, const precision::OperandRows& weights,
               const precision::OperandRows& values, precision::GemmOutput& out) const override;
  const precision::Rounder& on_chip() const override { return on_chip_; }
  const precision::Rounder& operand() const override { return operand_; }
  /// Attention has no other product.
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override;

 private:
  void product(const precision::ReductionPlan& plan, const precision::OperandRows& a,
               const precision::OperandRows& b, precision::GemmOutput& out) const;

  const npu::AttentionMapping& mapping_;
  precision::Rounder on_chip_, operand_;
  const precision::ParallelFor& parallel_;
  precision::RandomKey key_;
  mutable std::uint64_t products_ = 0;
};

/// Its backward pass: all five products of a step through the unit.
class RecomputingEngine final : public workloads::AttentionGradientEngine {
 public:
  RecomputingEngine(const npu::AttentionGradientMapping& mapping,
                    const precision::ParallelFor& parallel, precision::RandomKey key);
  workloads::AttentionBlocks blocks(const workloads::AttentionShape& shape) const override;
  void product(Product which, std::int64_t terms, const precision::OperandRows& a,
               const precision::OperandRows& b, precision::GemmOutput& out) const override;
  const precision::Rounder& on_chip() const override { return on_chip_; }
  const precision::Rounder& operand() const override { return operand_; }
  /// It has no other product.
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override;

 private:
  const precision::ReductionPlan& plan(Product which, std::int64_t terms) const;

  const npu::AttentionGradientMapping& mapping_;
  precision::Rounder on_chip_, operand_;
  const precision::ParallelFor& parallel_;
  precision::RandomKey key_;
  mutable std::uint64_t products_ = 0;
};

/// The array as the mapping of an op has it; nullptr: the op is not on the array.
std::unique_ptr<workloads::MatrixEngine> array_engine(const npu::MappedOp& op,
                                                      const precision::ParallelFor& parallel,
                                                      precision::RandomKey key);

class ReferenceEngine final : public workloads::MatrixEngine {
 public:
  explicit ReferenceEngine(const precision::ParallelFor& parallel) : parallel_(parallel) {}
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override {
    precision::reference_gemm(k, a, b, bias, out, parallel_);
  }

 private:
  const precision::ParallelFor& parallel_;
};

/// Does `work` of a node; a value that the op refuses is told with the node's name.
template <class Work>
void at_node(const workloads::Node& node, const Work& work) {
  try {
    work();
  } catch (const base::InputError& error) {
    std::vector<base::Diagnostic> mistakes = error.diagnostics();
    for (base::Diagnostic& mistake : mistakes)
      mistake.message = "node " + node.name + " (" + node.op + "): " + mistake.message;
    throw base::InputError(std::move(mistakes));
  }
}

/// The host's products: FP32 fused chain, K in canonical order.
class HostEngine final : public workloads::MatrixEngine {
 public:
  explicit HostEngine(const precision::ParallelFor& parallel);
  void multiply(std::int64_t k, const precision::OperandRows& a, const precision::OperandRows& b,
                const precision::Bias& bias, precision::GemmOutput& out) const override;

 private:
  precision::MacUnit unit_;
  const precision::ParallelFor& parallel_;
};

}  // namespace npusim::sim
