// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/error.h"
#include "npu_models/ceil_div.h"
#include "npu_models/gemm_plan.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "npu_models/tiling.h"
#include "npu_models/what_if.h"
#include "precision/unit_text.h"

namespace npusim::npu {

std::string describe_mapping(const GemmMapping& gemm) {
  return (gemm.winograd ? name_of(*gemm.winograd) + ", tile " : "tile ") +
         std::to_string(gemm.tile_m) + " x " + std::to_string(gemm.tile_n) + " x " +
         std::to_string(gemm.tile_k) + ", " + name_of(gemm.loop_order) + ", split " +
         describe(gemm.split);
}

std::string describe_plan(const GemmMapping& gemm) {
  return (gemm.winograd ? describe(*gemm.winograd) + " | " : "") + precision::describe(gemm.plan);
}

std::int64_t GemmMapping::k_tiles() const {
  return ceil_div(ordered_k, split.k * tile_k);
}

std::int64_t GemmMapping::k_extent(std::int64_t part, std::int64_t tile) const {
  const std::int64_t begin = part * k_part() + tile * tile_k;
  return std::clamp<std::int64_t>(ordered_k - begin, 0, tile_k);
}

std::int64_t GemmMapping::combining_adds() const {
  if (split.k == 1) return 0;
  const bool from_bias = contraction.bias_input >= 0 && plan.bias == precision::BiasEntry::preload;
  return split.k - (from_bias ? 0 : 1);
}

void add_combination(const GemmMapping& gemm, std::vector<workloads::VectorWork>& work) {
  const workloads::Contraction& c = gemm.contraction;
  if (gemm.split.k > 1)
    work.insert(work.begin(),
                {"add", gemm.products() * c.groups * c.m * c.n * gemm.combining_adds()});
}

namespace {

GemmMapping untiled(const NpuSpec& npu, const workloads::Contraction& contraction,
                    const OperandFormats& input, bool n_side_first,
                    const precision::Format& accumulator) {
  const MacArraySpec array = array_as(npu.mac_array, input, accumulator);
  GemmMapping gemm;
  gemm.contraction = contraction;
  gemm.unit = unit_of(npu, input, accumulator);
  gemm.n_side_first = n_side_first && input.streamed.name != input.stationary.name;
  if (gemm.n_side_first) gemm.unit = exchanged(std::move(gemm.unit));
  const precision::Arithmetic& sums = gemm.unit.accumulator();
  gemm.plan = array_plan(array, contraction, sums);
  gemm.ordered_k = precision::ordered_terms(gemm.plan);
  gemm.accumulator_bytes = sums.format.storage_bytes();
  gemm.accumulator_latency_cycles = array.accumulator.latency(sums.format);
  if (const InputMode* mode = find_input(array, input)) {
    gemm.macs_per_pe_per_cycle = mode->macs_per_pe_per_cycle;
    gemm.cycles_per_step = mode->cycles_per_step;
  }
  return gemm;
}

}  // namespace

GemmMapping untiled_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                         const precision::Format& input, const precision::Format& accumulator) {
  return untiled(npu, contraction, input, false, accumulator);
}

GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const precision::Format& input, const precision::Format& accumulator,
                     std::int64_t output_bytes, const MappingPin* pin) {
  return map_gemm(npu, contraction, OperandFormats(input), false, accumulator, output_bytes, pin);
}

GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const OperandFormats& input, bool n_side_first,
                     const precision::Format& accumulator, std::int64_t output_bytes,
                     const MappingPin* pin, std::optional<WinogradForm> winograd) {
  const MacArraySpec array = array_as(npu.mac_array, input, accumulator);
  GemmMapping gemm = untiled(npu, contraction, input, n_side_first, accumulator);
  gemm.winograd = std::move(winograd);
  const precision::Arithmetic sums = gemm.unit.accumulator();
  const std::int64_t element_bytes =
      std::max(gemm.unit.a.storage_bytes(), gemm.unit.b.storage_bytes());
  const std::string reason = choose_tiles(npu, element_bytes, output_bytes, gemm, pin);
  if ((pin != nullptr || gemm.winograd) && !reason.empty()) throw IllegalPin(reason);
  if (const InputMode* mode = find_input(npu.mac_array, input);
      !reason.empty() && is_hypothetical(*mode))
    throw UnsupportedError(npu.name + " has no room for " + input.name() + " summed in " +
                           accumulator.name + ": " + reason);
  NPUSIM_CHECK(reason.empty(), "a GEMM on " + npu.name + ": " + reason);
  cut_at_tiles(array, gemm.tile_k, sums, gemm.plan);
  if (gemm.spills) {
    gemm.plan.chunks.push_back(
        {gemm.tile_k, precision::Chunk::Join::carry, array.accumulator.spill.value_or(sums)});
  }
  if (gemm.split.k > 1)
    gemm.plan.chunks.push_back({gemm.k_part(), precision::Chunk::Join::add, sums});
  return gemm;
}

}  // namespace npusim::npu
