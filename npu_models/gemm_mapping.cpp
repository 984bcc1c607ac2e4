// SPDX-License-Identifier: Apache-2.0
#include "npu_models/gemm_plan.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "npu_models/tiling.h"

namespace npusim::npu {

const char* name_of(LoopOrder order) {
  return order == LoopOrder::output_resident ? "output_resident" : "weight_resident";
}

GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const precision::Format& input, const precision::Format& accumulator,
                     std::int64_t output_bytes) {
  const MacArraySpec array = array_as(npu.mac_array, input, accumulator);
  GemmMapping gemm;
  gemm.contraction = contraction;
  gemm.unit = unit_of(npu, input, accumulator);
  const precision::Arithmetic& sums = gemm.unit.accumulator();
  gemm.plan = array_plan(array, contraction, sums);
  gemm.ordered_k = precision::ordered_terms(gemm.plan);
  gemm.accumulator_bytes = sums.format.storage_bytes();
  gemm.accumulator_latency_cycles = array.accumulator.latency(sums.format);
  if (const InputMode* mode = find_input(array, input)) {
    gemm.macs_per_pe_per_cycle = mode->macs_per_pe_per_cycle;
    gemm.cycles_per_step = mode->cycles_per_step;
  }
  choose_tiles(npu, gemm.unit.a.storage_bytes(), output_bytes, gemm);
  cut_at_tiles(array, gemm.tile_k, sums, gemm.plan);
  if (gemm.spills) {
    gemm.plan.chunks.push_back(
        {gemm.tile_k, precision::Chunk::Join::carry, array.accumulator.spill.value_or(sums)});
  }
  return gemm;
}

}  // namespace npusim::npu
