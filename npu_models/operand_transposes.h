// SPDX-License-Identifier: Apache-2.0
// Operands of a matrix product that DRAM has in the other order than the array takes them.
//
// An array takes what enters it in one cycle as one line of the scratchpad
// (Organisation::operand_order): where that is several terms of K of a position or channel, terms
// of K must lie together ("by k"), where it is several positions or channels of one term, those
// must. Tensors are stored row-major as the graph has them: A (m x k) by k, B (k x n) by n, and the
// other way round where transA or transB says so, which is how a gradient reads what the forward
// pass has stored (dA = dY * B', dB = A' * dY) and attention its keys. A weight is stored in the
// order in which the first product that reads it takes it; so is an integer constant, and what
// casts, quantisation to blocks and views of the same shape make of either has the order of what
// they read. An operand with one term or one row has both orders.
//
// Of Gemm, MatMul and their integer and block-scaled forms (scales are small and taken as they
// are). Convolutions read images through address generators (their order is that of channels), and
// fused attention takes its operands in any order: not modelled. Nor are transposers at the array's
// edge, which a load unit would fill on the way, or one transposed form for several products: each
// product makes its own.
#pragma once

#include <string>
#include <vector>

#include "npu_models/mapping.h"
#include "npu_models/organisation.h"

namespace npusim::npu {

class OperandTransposes {
 public:
  OperandTransposes(const MacArraySpec& array, const workloads::Graph& graph);

  /// Those of a node of the graph; storage: per tensor.
  std::vector<TransposedOperand> of(const workloads::Node& node,
                                    const std::vector<precision::Arithmetic>& storage) const;

 private:
  struct Operand;
  std::vector<Operand> operands_of(const workloads::Node& node) const;

  bool is_weight(workloads::TensorId id) const;

  OperandOrder taken_;
  const workloads::Graph& graph_;
  std::vector<workloads::TensorId> source_;  ///< per tensor: the one whose order it has
  std::vector<bool> rows_lie_together_;  ///< per tensor: its last dimension is the one that does
};

/// "A", "B", "A B" or "-".
std::string describe(const std::vector<TransposedOperand>& operands);

}  // namespace npusim::npu
