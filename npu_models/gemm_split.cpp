// SPDX-License-Identifier: Apache-2.0
#include "npu_models/gemm_split.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "npu_models/ceil_div.h"
#include "npu_models/organisation.h"

namespace npusim::npu {
namespace {

std::vector<std::int64_t> part_counts(std::int64_t arrays, std::int64_t most, bool every) {
  std::set<std::int64_t> counts{1};
  most = std::min(most, arrays);
  if (every)
    for (std::int64_t parts = 2; parts <= most; ++parts) counts.insert(parts);
  for (std::int64_t power = 2; power <= most; power *= 2) {
    counts.insert(power);
    if (power + power / 2 <= most) counts.insert(power + power / 2);
  }
  for (std::int64_t divisor = 1; divisor * divisor <= arrays; ++divisor) {
    if (arrays % divisor != 0) continue;
    for (const std::int64_t count : {divisor, arrays / divisor})
      if (count <= most) counts.insert(count);
  }
  counts.insert(most);
  return {counts.begin(), counts.end()};
}

}  // namespace

bool combines_parts_of_k(const VectorUnitSpec& unit, const precision::Format& sums) {
  return unit.cycles_per_element.count("add") != 0 &&
         (!unit.internal || unit.internal->precision() >= sums.precision());
}

TileShape granule_of(const MacArraySpec& array, const precision::MacUnit& unit) {
  TileShape granule = find_organisation(array.organisation)->granule(array);
  granule.k = std::lcm(granule.k, unit.block_terms());
  if (unit.scales && unit.scales->after_stages > 0)  // a cut in a block would miss its second scale
    granule.k = std::lcm(granule.k, unit.scales->block);
  return granule;
}

std::int64_t least_array_cycles(const NpuSpec& npu, const GemmMapping& gemm,
                                const ArraySplit& split) {
  const TileShape share{ceil_div(gemm.contraction.m, split.m),
                        ceil_div(gemm.contraction.n, split.n), ceil_div(gemm.ordered_k, split.k)};
  const MacArraySpec& array = npu.mac_array;
  return gemm.products() * ceil_div(gemm.contraction.groups, split.groups) *
         find_organisation(array.organisation)
             ->tile_cycles(array, gemm.macs_per_pe_per_cycle, gemm.accumulator_latency_cycles,
                           gemm.on_array(share))
             .total();
}

std::vector<RankedSplit> candidate_splits(const NpuSpec& npu, const GemmMapping& gemm,
                                          std::int64_t memory_cycles, bool every) {
  const std::int64_t arrays = npu.mac_array.arrays;
  const TileShape granule = granule_of(npu.mac_array, gemm.unit);
  const workloads::Contraction& c = gemm.contraction;
  const std::int64_t most_m = ceil_div(c.m, granule.m);
  const std::int64_t most_k = combines_parts_of_k(npu.vector_unit, gemm.unit.accumulator().format)
                                  ? ceil_div(gemm.ordered_k, granule.k)
                                  : 1;
  std::vector<RankedSplit> ranked;
  for (const std::int64_t groups : part_counts(arrays, c.groups, every)) {
    for (const std::int64_t n : part_counts(arrays / groups, ceil_div(c.n, granule.n), every)) {
      for (const std::int64_t k : part_counts(arrays / groups / n, most_k, every)) {
        const std::int64_t largest = std::min(arrays / groups / n / k, most_m);
        for (std::int64_t m = every ? 1 : largest; m <= largest; ++m) {
          const ArraySplit split{groups, m, n, k};
          const std::int64_t cycles = least_array_cycles(npu, gemm, split);
          ranked.push_back({split, std::max(cycles, memory_cycles), cycles});
        }
      }
    }
  }
  const auto key = [](const RankedSplit& at) {
    return std::make_tuple(at.least_cycles, at.split.k, at.array_cycles, at.split.n,
                           at.split.groups, at.split.m);
  };
  std::sort(ranked.begin(), ranked.end(),
            [&key](const RankedSplit& x, const RankedSplit& y) { return key(x) < key(y); });
  return ranked;
}

}  // namespace npusim::npu
