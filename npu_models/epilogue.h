// SPDX-License-Identifier: Apache-2.0
// Which element-wise forward ops run on a matrix op's tiles before they are stored. A node is fused
// when it alone reads the tensor behind it (which is no graph output), works element by element on
// the same shape, runs on the vector unit, and its other operands are ready before the matrix op
// starts.
#pragma once

#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu {

struct Fusion {
  std::vector<std::vector<int>> epilogue;  ///< per node: nodes fused behind it, in order
  std::vector<bool> fused;                 ///< per node: runs inside another
  std::vector<bool> on_chip;               ///< per tensor
};

/// engines: per node.
Fusion fuse_epilogues(const workloads::Graph& graph, const std::vector<Engine>& engines);
Fusion no_fusion(const workloads::Graph& graph);

}  // namespace npusim::npu
