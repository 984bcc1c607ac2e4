// SPDX-License-Identifier: Apache-2.0
// Sequences of ops that repeat in a mapped graph, as the layers of a transformer do: the same work,
// tensors of the same sizes and formats, and the same producers within a repetition, so that each
// repetition takes the same time from idle engines and a fresh DRAM on. Knows no SystemC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "npu_models/modules/ledger.h"

namespace npusim::npu {
struct MappedGraph;
struct NpuSpec;
}  // namespace npusim::npu

namespace npusim::npu::model {

/// Ops [first, first + length * count): `count` times the same sequence.
struct LayerRepeat {
  std::size_t first = 0, length = 0, count = 0;

  std::size_t begin(std::size_t repetition) const { return first + repetition * length; }
  std::size_t end() const { return begin(count); }
};

/// In order, disjoint, those that save the most ops first. Where addresses matter to the memory
/// (rows, bursts), tensors must also lie alike in its rows and bursts.
std::vector<LayerRepeat> layer_repeats(const NpuSpec& npu, const MappedGraph& mapped);

/// Records of all ops from a run that left out all repetitions but the first: copies, moved in time
/// by the cycles that each first repetition took. `begins` and `ends`: of each repeat, in cycles of
/// that run. Returns the cycles that were left out.
std::int64_t add_repetitions(const std::vector<LayerRepeat>& repeats,
                             const std::vector<std::int64_t>& begins,
                             const std::vector<std::int64_t>& ends, std::vector<OpRecord>& records);

}  // namespace npusim::npu::model
