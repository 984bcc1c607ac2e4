// SPDX-License-Identifier: Apache-2.0
// What the transforms of a convolution by Winograd are: work of the vector unit (or of adders at
// the array's edge), in all and tile by tile, and what transformed operands take of the scratchpad.
// One transform of an input or of a sum is that of one tile of one channel, one of a weight that of
// a pair of channels; workloads/winograd.h counts their operations, `add` and `mul`. The vector
// unit transforms operands each time they are loaded, terms of padding never; an array's edge each
// time they pass it.
#pragma once

#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Transforms of so many tiles of a channel, or pairs of channels.
std::vector<workloads::VectorWork> input_transforms(const WinogradForm& form, std::int64_t count);
std::vector<workloads::VectorWork> weight_transforms(const WinogradForm& form, std::int64_t count);
/// With one addition more for each of `biased` outputs.
std::vector<workloads::VectorWork> output_transforms(const WinogradForm& form, std::int64_t count,
                                                     std::int64_t biased);

/// Terms of K, without padding, that tile `k_tile` holds of all parts.
std::int64_t tile_terms(const GemmMapping& gemm, std::int64_t k_tile);

/// Transformed elements that lie in the scratchpad beside what was loaded: none at an array's edge.
std::int64_t transformed_inputs(const GemmMapping& gemm, std::int64_t groups, std::int64_t m_count,
                                std::int64_t k_tile);
std::int64_t transformed_weights(const GemmMapping& gemm, std::int64_t groups, std::int64_t n_count,
                                 std::int64_t k_tile);

/// The vector unit's part of a product: the transforms of its sums, in front of an epilogue.
void add_output_transforms(const GemmMapping& gemm, std::vector<workloads::VectorWork>& work);

/// All that the vector unit transforms of a mapped product, or would.
struct WinogradTotals {
  std::int64_t input_loads = 0, weight_loads = 0;  ///< each a piece of work
  std::int64_t inputs = 0, weights = 0, outputs = 0, biased = 0;
};
WinogradTotals winograd_totals(const GemmMapping& gemm);
/// All additions and multiplications for the operands of a mapped product. At an array's edge
/// operands are transformed whenever they pass it: inputs for every block of output channels that
/// an array takes at once, weights for every block of positions (sram_accesses.h).
std::vector<workloads::VectorWork> operand_transforms(const NpuSpec& npu, const GemmMapping& gemm);

/// The stationary side's tensor of a matrix op with a single product.
workloads::TensorId weights_of(const MappedGraph& mapped, const MappedOp& op);
/// In DRAM, of weights that are stored transformed; 0: none.
std::int64_t transformed_weight_bytes(const MappedGraph& mapped, const MappedOp& op);

/// Cycles of the vector unit for the operands and for the outputs of all tiles together; 0 where
/// the edge of the arrays transforms. A piece of work may take up to a cycle more than its share.
struct WinogradCycles {
  std::int64_t operands = 0, outputs = 0;
};
WinogradCycles winograd_cycles(const NpuSpec& npu, const GemmMapping& gemm);
/// Of the first tile's operands, and of the results of one tile.
WinogradCycles winograd_tile_cycles(const NpuSpec& npu, const GemmMapping& gemm);

}  // namespace npusim::npu
