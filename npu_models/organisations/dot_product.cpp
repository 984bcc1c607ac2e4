// SPDX-License-Identifier: Apache-2.0
// Dot-product cells: each cycle one position meets `rows` output channels, `depth` terms each,
// reduced in a tree and added to the partial sums. As NVDLA's convolution core runs: a group of
// channels keeps the weights of one step while the positions stream, then the next step, then the
// next group. Cycles:
//
//   groups G = ceil(n/rows), steps S = ceil(k/depth), positions M = ceil(m / macs_per_pe)
//   pipeline Q = 1 + ceil(log2(depth)) + L (L: latency of one accumulation)
//
// A group is a recurrence of M outputs (recurrence.h) with P partial sums each:
//
//   total = G*(E + X) + Q - 1, for P = 1: G*((S-1)*max(M, L) + M) + Q - 1
//   busy = G*S*M, dependency = G*(E + X - S*M), fill_drain = Q - 1
//
// Weights of the next step load behind the stream (shadow registers); the stripe length of NVDLA's
// sequencer is not modelled. Completion: the last sum stands in accumulator memory.
// Source: nvdla.org, hardware manual, unit description (CSC, CMAC, CACC).
#include "npu_models/organisations/block_unit.h"
#include "npu_models/organisations/recurrence.h"

namespace npusim::npu {
namespace {

class DotProduct final : public BlockUnit {
 public:
  DotProduct()
      : BlockUnit("dot_product",
                  "dot-product cells: one position a cycle meets rows output channels, depth terms "
                  "each") {}
  TileShape granule(const MacArraySpec& array) const override {
    return {1, array.rows, array.depth * array.partial_sums_per_output};
  }
  TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                         std::int64_t latency_cycles, const TileShape& tile) const override;
  std::int64_t accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                    const TileShape& tile, bool resumes) const override;
  std::vector<base::Diagnostic> check(const MacArraySpec& array) const override;
};

TileCycles DotProduct::tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                   std::int64_t latency_cycles, const TileShape& tile) const {
  const std::int64_t groups = ceil_div(tile.n, array.rows);
  const Recurrence sums{ceil_div(tile.m, macs_per_pe), ceil_div(tile.k, array.depth),
                        latency_cycles, array.partial_sums_per_output};
  TileCycles cycles;
  cycles.busy = groups * sums.busy();
  cycles.dependency = groups * sums.dependency();
  cycles.fill_drain = block_pipeline_cycles(array.depth, latency_cycles) - 1;
  return cycles;
}

std::int64_t DotProduct::accumulator_accesses(const MacArraySpec& array, std::int64_t macs_per_pe,
                                              const TileShape& tile, bool resumes) const {
  const std::int64_t outputs = ceil_div(tile.n, array.rows) * ceil_div(tile.m, macs_per_pe);
  const Recurrence sums{outputs, ceil_div(tile.k, array.depth), 1, array.partial_sums_per_output};
  return accesses_of(outputs, sums.whole_steps(), array.partial_sums_per_output, resumes);
}

std::vector<base::Diagnostic> DotProduct::check(const MacArraySpec& array) const {
  std::vector<base::Diagnostic> mistakes = BlockUnit::check(array);
  if (array.cols != 1) {
    mistakes.push_back(array_mistake(
        "/cols",
        "one position a cycle meets `rows` channels; cols is " + std::to_string(array.cols), "1"));
  }
  return mistakes;
}

}  // namespace

const Organisation& dot_product() {
  static const DotProduct organisation;
  return organisation;
}

}  // namespace npusim::npu
