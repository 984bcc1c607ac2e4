// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_cost.h"

#include <algorithm>
#include <cmath>

#include "npu_models/ceil_div.h"
#include "npu_models/dma_rate.h"
#include "npu_models/gemm_split.h"
#include "npu_models/port_limits.h"
#include "npu_models/tile_bytes.h"
#include "npu_models/tiling.h"
#include "npu_models/winograd_steps.h"

namespace npusim::npu {
namespace {

double combining_cycles(const VectorUnitSpec& unit) {
  const auto found = unit.cycles_per_element.find("add");
  return found == unit.cycles_per_element.end() ? 0.0
                                                : found->second / static_cast<double>(unit.lanes);
}

std::string bytes_text(std::int64_t bytes) {
  return std::to_string(bytes) + " bytes";
}

}  // namespace

MappingCost::MappingCost(const NpuSpec& npu, std::int64_t element_bytes, std::int64_t output_bytes,
                         const GemmMapping& product)
    : npu_(npu),
      bytes_{element_bytes, element_bytes, output_bytes},
      bandwidth_(dma_bytes_per_cycle(npu)),
      latency_(npu.dram.latency_cycles + (npu.dma ? npu.dma->descriptor_cycles : 0)),
      sums_(npu.mac_array.accumulator.memory_bytes / (2 * product.accumulator_bytes)),
      add_cycles_(combining_cycles(npu.vector_unit)),
      combines_(combines_parts_of_k(npu.vector_unit, product.unit.accumulator().format)),
      granule_(granule_of(npu.mac_array, product.unit)) {}

TileBytes MappingCost::tile_bytes(const GemmMapping& gemm, std::int64_t m0, bool spills) const {
  const std::int64_t m = std::min(gemm.tile_m, gemm.contraction.m - m0);
  const std::int64_t groups = gemm.split.groups;
  const std::int64_t sums = spills ? gemm.products() * gemm.accumulator_bytes : 0;
  return {tile_m_side_bytes(gemm, groups, m0, m, 0, bytes_.m_side) +
              transformed_inputs(gemm, groups, m, 0) * bytes_.m_side,
          tile_n_side_bytes(gemm, groups, gemm.tile_n, 0, bytes_.n_side) +
              transformed_weights(gemm, groups, gemm.tile_n, 0) * bytes_.n_side,
          groups * m * gemm.tile_n * std::max(gemm.results_of(bytes_.output), sums)};
}

bool MappingCost::first_tile_fits(const GemmMapping& gemm) const {
  const std::int64_t share =
      gemm.products() * ceil_div(gemm.tile_m, gemm.split.m) * ceil_div(gemm.tile_n, gemm.split.n);
  return share <= sums_ && fits_scratchpad(npu_.scratchpad, tile_bytes(gemm, 0, false));
}

/// Tiles further into an image may touch one row more than the first.
bool MappingCost::all_tiles_fit(const GemmMapping& gemm) const {
  const auto fits = [&](std::int64_t m0) {
    return fits_scratchpad(npu_.scratchpad, tile_bytes(gemm, m0, gemm.spills));
  };
  if (gemm.spills && npu_.scratchpad.sharing != ScratchpadSharing::operands && !fits(0))
    return false;
  if (!gemm.contraction.window) return true;
  for (std::int64_t m0 = gemm.tile_m; m0 < gemm.contraction.m; m0 += gemm.tile_m)
    if (!fits(m0)) return false;
  return true;
}

std::string MappingCost::why_not(const GemmMapping& gemm) const {
  const ArraySplit& split = gemm.split;
  const workloads::Contraction& c = gemm.contraction;
  if (split.parts() > npu_.mac_array.arrays)
    return "a split in " + std::to_string(split.parts()) + " parts, and " +
           std::to_string(npu_.mac_array.arrays) + " arrays";
  if (split.groups > c.groups || split.m > gemm.tile_m || split.n > gemm.tile_n)
    return "a split of " + describe(split) + " leaves parts of a tile empty";
  if (split.k > 1 && !combines_) return "the vector unit cannot add the sums of parts of K";
  if ((split.k > 1 || gemm.k_tiles() > 1) && gemm.tile_k % granule_.k != 0)
    return "tiles of " + std::to_string(gemm.tile_k) + " terms of K are no multiple of " +
           std::to_string(granule_.k);
  if ((split.k - 1) * gemm.k_part() >= gemm.ordered_k)
    return "K of " + std::to_string(gemm.ordered_k) + " terms has no " + std::to_string(split.k) +
           " parts of tiles of " + std::to_string(gemm.tile_k);
  if (split.k > 1 && gemm.loop_order == LoopOrder::weight_resident)
    return "parts of K keep their sums in the arrays: output_resident only";
  const std::int64_t share =
      gemm.products() * ceil_div(gemm.tile_m, split.m) * ceil_div(gemm.tile_n, split.n);
  if (share > sums_)
    return "an array's " + std::to_string(share) + " sums take " +
           bytes_text(share * gemm.accumulator_bytes) + ", half of accumulator memory has " +
           bytes_text(npu_.mac_array.accumulator.memory_bytes / 2);
  for (std::int64_t m0 = 0; m0 < c.m; m0 += gemm.tile_m) {
    std::string reason = why_not_in_scratchpad(npu_.scratchpad, tile_bytes(gemm, m0, gemm.spills));
    if (!reason.empty()) return reason;
    if (!c.window) break;
  }
  return {};
}

std::int64_t MappingCost::least_memory_cycles(const workloads::Contraction& c) const {
  return transfer(c.groups * ((c.window ? 0 : c.m * c.k() * bytes_.m_side) +
                              c.n * c.k() * bytes_.n_side + c.m * c.n * bytes_.output));
}

std::int64_t MappingCost::least(const GemmMapping& gemm, std::int64_t busy) const {
  const workloads::Contraction& c = gemm.contraction;
  const GemmTileCounts tiles = gemm_tile_counts(gemm);
  const bool stays = tiles.k == 1 || gemm.loop_order == LoopOrder::weight_resident;
  const std::int64_t loads =
      c.groups * (stays ? 1 : tiles.m) * n_side_bytes(gemm, c.n, 0, gemm.ordered_k, bytes_.n_side);
  const std::int64_t moving = transfer(loads + c.groups * c.m * c.n * bytes_.output);
  return std::max(in_slots(gemm, busy, transfer(loads)), moving) + moving / 4;
}

std::int64_t MappingCost::estimate(const GemmMapping& gemm, std::int64_t busy) const {
  const GemmTraffic traffic = gemm_traffic(gemm, bytes_);
  const workloads::Contraction& c = gemm.contraction;
  const std::int64_t sums = gemm.split.groups * gemm.tile_m * gemm.tile_n;
  const std::int64_t results = gemm.results_of(sums);
  const std::int64_t ends = first_operand_bytes(gemm) + results * bytes_.output;
  const std::int64_t moving = transfer(traffic.total_bytes());
  const WinogradCycles transforms = winograd_cycles(npu_, gemm);
  const WinogradCycles of_a_tile = winograd_tile_cycles(npu_, gemm);
  const std::int64_t loading = transfer(traffic.read_bytes()) + transforms.operands;
  const std::int64_t sum =
      std::max({in_slots(gemm, busy, loading), moving, through_ports(gemm, traffic.total_bytes()),
                combining(gemm, c.groups * c.m * c.n) + transforms.operands + transforms.outputs}) +
      transfer(ends) / 2 + results / npu_.vector_unit.lanes + combining(gemm, sums) +
      of_a_tile.operands + of_a_tile.outputs + moving / 4;
  return gemm.split.k > 1 ? sum + sum / 10 : sum;
}

/// As they are loaded.
std::int64_t MappingCost::first_operand_bytes(const GemmMapping& gemm) const {
  const std::int64_t m = std::min(gemm.tile_m, gemm.contraction.m);
  return tile_m_side_bytes(gemm, gemm.split.groups, 0, m, 0, bytes_.m_side) +
         tile_n_side_bytes(gemm, gemm.split.groups, gemm.tile_n, 0, bytes_.n_side);
}

/// Of the vector unit, for so many outputs whose K is shared.
std::int64_t MappingCost::combining(const GemmMapping& gemm, std::int64_t outputs) const {
  const auto adds = static_cast<double>(gemm.products() * outputs * gemm.combining_adds());
  return static_cast<std::int64_t>(std::ceil(adds * add_cycles_));
}

/// Operands to the arrays and `moved` bytes of the DMA, where they share the scratchpad's ports.
std::int64_t MappingCost::through_ports(const GemmMapping& gemm, std::int64_t moved) const {
  if (!shares_ports(npu_.scratchpad)) return 0;
  return scratchpad_port_cycles(npu_.scratchpad, operand_reads(npu_, gemm), moved);
}

/// Each tile holds a buffer from the request of its operands until it is computed.
std::int64_t MappingCost::in_slots(const GemmMapping& gemm, std::int64_t busy,
                                   std::int64_t loading) const {
  const std::int64_t held = gemm_tile_counts(gemm).total() * latency_ + loading + busy;
  return std::max(busy, ceil_div(held, npu_.scratchpad.buffers));
}

std::int64_t MappingCost::transfer(std::int64_t bytes) const {
  const double cycles = static_cast<double>(bytes) / bandwidth_;
  return static_cast<std::int64_t>(std::ceil(cycles));
}

}  // namespace npusim::npu
