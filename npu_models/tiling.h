// SPDX-License-Identifier: Apache-2.0
// Choice of split, loop order and tile sizes of one GEMM: the least estimate of mapping_cost.h,
// then fewest parts of K, then the largest tiles. The quick search looks at a few balanced numbers
// of tiles in each direction and at the most promising shares of the arrays (gemm_split.h); the
// exhaustive one at every number of tiles (each in even whole granules; of an image every number of
// positions) and every share, leaving out what a lower bound of the estimate excludes.
#pragma once

#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Array cycles of all tiles together when memory never lets them wait: the largest share of each,
/// then what ports add (port_limits.h), the scratchpad's for the arrays alone.
struct ArrayCycles {
  std::int64_t array = 0, accumulator_ports = 0, scratchpad_ports = 0;
  std::int64_t total() const { return array + accumulator_ports + scratchpad_ports; }
};
ArrayCycles array_cycles_by_cause(const NpuSpec& npu, const GemmMapping& gemm);
inline std::int64_t array_cycles(const NpuSpec& npu, const GemmMapping& gemm) {
  return array_cycles_by_cause(npu, gemm).total();
}

/// Elements of a single product, without padding, that pass into the arrays.
struct OperandPasses {
  std::int64_t streamed = 0, stationary = 0;
};
OperandPasses operand_passes(const NpuSpec& npu, const GemmMapping& gemm);

/// Bytes that the arrays read from the scratchpad for their operands.
std::int64_t operand_reads(const NpuSpec& npu, const GemmMapping& gemm);

/// What the mapping is chosen by.
std::int64_t estimated_cycles(const NpuSpec& npu, std::int64_t element_bytes,
                              std::int64_t output_bytes, const GemmMapping& gemm);

/// Sets split, tile_m, tile_n, tile_k, loop_order and spills; all else must be set. What `pin`
/// fixes is taken as it is. Returns why no mapping with the pin can run; empty: gemm has one.
std::string choose_tiles(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
                         GemmMapping& gemm, const MappingPin* pin = nullptr);

}  // namespace npusim::npu
