// SPDX-License-Identifier: Apache-2.0
#include "npu_models/gemm_traffic.h"

#include <algorithm>

#include "npu_models/ceil_div.h"
#include "npu_models/tile_bytes.h"

namespace npusim::npu {
namespace {

/// The streamed side of one group, each (m, k) tile once.
std::int64_t streamed_bytes(const GemmMapping& gemm, const GemmTileCounts& tiles,
                            std::int64_t element_bytes) {
  const std::int64_t m = gemm.contraction.m;
  if (!gemm.contraction.window) {
    return m_side_bytes(gemm, 0, m, 0, gemm.ordered_k, element_bytes);  // no overlap: additive
  }
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < tiles.m; ++i) {
    const std::int64_t m0 = i * gemm.tile_m;
    for (std::int64_t j = 0; j < tiles.k; ++j)
      sum += tile_m_side_bytes(gemm, 1, m0, std::min(gemm.tile_m, m - m0), j, element_bytes);
  }
  return sum;
}

}  // namespace

std::int64_t spill_element_bytes(const GemmMapping& gemm) {
  for (auto chunk = gemm.plan.chunks.rbegin(); chunk != gemm.plan.chunks.rend(); ++chunk) {
    if (chunk->join == precision::Chunk::Join::carry) {
      return chunk->arithmetic.format.storage_bytes();
    }
  }
  return gemm.accumulator_bytes;
}

GemmTileCounts gemm_tile_counts(const GemmMapping& gemm) {
  return {ceil_div(gemm.contraction.m, gemm.tile_m), ceil_div(gemm.contraction.n, gemm.tile_n),
          gemm.k_tiles(), ceil_div(gemm.contraction.groups, gemm.split.groups)};
}

std::int64_t tile_m_side_bytes(const GemmMapping& gemm, std::int64_t groups, std::int64_t m0,
                               std::int64_t m_count, std::int64_t k_tile,
                               std::int64_t element_bytes) {
  std::int64_t bytes = 0;
  for (std::int64_t part = 0; part < gemm.split.k; ++part)
    if (const std::int64_t terms = gemm.k_extent(part, k_tile); terms > 0)
      bytes += m_side_bytes(gemm, m0, m_count, part * gemm.k_part() + k_tile * gemm.tile_k, terms,
                            element_bytes);
  return groups * bytes;
}

std::int64_t tile_n_side_bytes(const GemmMapping& gemm, std::int64_t groups, std::int64_t n_count,
                               std::int64_t k_tile, std::int64_t element_bytes) {
  std::int64_t bytes = 0;
  for (std::int64_t part = 0; part < gemm.split.k; ++part)
    if (const std::int64_t terms = gemm.k_extent(part, k_tile); terms > 0)
      bytes += n_side_bytes(gemm, n_count, part * gemm.k_part() + k_tile * gemm.tile_k, terms,
                            element_bytes);
  return groups * bytes;
}

GemmReloads gemm_reloads(const GemmMapping& gemm) {
  const GemmTileCounts tiles = gemm_tile_counts(gemm);
  const bool streamed_stays = tiles.m == 1 && tiles.k == 1;
  const bool stationary_stays = tiles.k == 1 || gemm.loop_order == LoopOrder::weight_resident;
  return {streamed_stays ? 1 : tiles.n, stationary_stays ? 1 : tiles.m};
}

GemmTraffic gemm_traffic(const GemmMapping& gemm, const GemmElementBytes& bytes) {
  const workloads::Contraction& c = gemm.contraction;
  const GemmTileCounts tiles = gemm_tile_counts(gemm);
  const GemmReloads reloads = gemm_reloads(gemm);

  GemmTraffic traffic;
  traffic.m_side_bytes = c.groups * reloads.streamed * streamed_bytes(gemm, tiles, bytes.m_side);
  traffic.n_side_bytes =
      c.groups * reloads.stationary * n_side_bytes(gemm, c.n, 0, gemm.ordered_k, bytes.n_side);
  traffic.output_bytes = gemm.results() * bytes.output;
  if (gemm.spills) {
    traffic.spill_write_bytes =
        gemm.products() * c.groups * c.m * c.n * (tiles.k - 1) * spill_element_bytes(gemm);
    traffic.spill_read_bytes = traffic.spill_write_bytes;
  }
  return traffic;
}

}  // namespace npusim::npu
