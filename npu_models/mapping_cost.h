// SPDX-License-Identifier: Apache-2.0
// What a mapping of one GEMM is chosen by, and what it must obey. A tile fits one scratchpad buffer
// (scratchpad_room.h) and an array's share of its m*n partial sums half of accumulator memory (the
// other half drains meanwhile). The estimate, in cycles:
//
//   max(array cycles with what ports add, DRAM bytes / bandwidth, additions of parts of K / lanes,
//       (scratchpad bytes of the arrays + DRAM bytes) / ports where they share these,
//       (tiles * DRAM latency + load cycles + array cycles) / buffers)     a tile holds a buffer
//   + (first operands in + last results out) / bandwidth / 2               neighbours hide half
//   + results of a tile / lanes                                            the last one's epilogue,
//                                                                          parts of K combined too
//   + DRAM bytes / bandwidth / 4                                           hidden traffic costs too
//   + transforms of a tile's operands and of its sums, where the vector unit takes those of a
//     convolution by Winograd; its cycles for all tiles join the additions in the first line, those
//     for operands the load cycles
//   + a tenth of it all where K is shared by arrays: their sums travel, which nothing else here
//   sees
//
// Bandwidth is the DRAM's or that of all channels of a `dma` section, whichever is less; set-up of
// a descriptor adds to its latency.
//
// Neighbouring ops and the vector unit are only guessed at here. The simulation charges what they
// really take.
#pragma once

#include <string>

#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"
#include "npu_models/scratchpad_room.h"

namespace npusim::npu {

class MappingCost {
 public:
  /// product: format, unit and accumulator of the GEMM; its tiles are not looked at.
  MappingCost(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
              const GemmMapping& product);

  /// What is too large, or does not go together; empty: the mapping can run.
  std::string why_not(const GemmMapping& gemm) const;
  /// Largest share of the sums, first operands and results only: what a search looks at first.
  bool first_tile_fits(const GemmMapping& gemm) const;
  bool all_tiles_fit(const GemmMapping& gemm) const;

  /// busy: array_cycles() of the mapping.
  std::int64_t estimate(const GemmMapping& gemm, std::int64_t busy) const;
  /// Below every estimate: the traffic of an image, which takes a walk over its tiles, left out.
  std::int64_t least(const GemmMapping& gemm, std::int64_t busy) const;
  /// Cycles in which memory moves what every mapping moves.
  std::int64_t least_memory_cycles(const workloads::Contraction& contraction) const;

  const TileShape& granule() const { return granule_; }

 private:
  std::int64_t combining(const GemmMapping& gemm, std::int64_t outputs) const;
  TileBytes tile_bytes(const GemmMapping& gemm, std::int64_t m0, bool spills) const;
  std::int64_t first_operand_bytes(const GemmMapping& gemm) const;
  std::int64_t through_ports(const GemmMapping& gemm, std::int64_t moved) const;
  std::int64_t in_slots(const GemmMapping& gemm, std::int64_t busy, std::int64_t loading) const;
  std::int64_t transfer(std::int64_t bytes) const;

  const NpuSpec& npu_;
  GemmElementBytes bytes_;
  double bandwidth_;      ///< bytes a cycle
  std::int64_t latency_;  ///< of a descriptor
  std::int64_t sums_;     ///< of one array and one buffer
  double add_cycles_;     ///< of the vector unit, an addition
  bool combines_;         ///< parts of K
  TileShape granule_;
};

}  // namespace npusim::npu
