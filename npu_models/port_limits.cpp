// SPDX-License-Identifier: Apache-2.0
#include "npu_models/port_limits.h"

#include <algorithm>

#include "npu_models/ceil_div.h"

namespace npusim::npu {

ShareCycles share_cycles(const MacArraySpec& array, const GemmMapping& gemm, const TileShape& share,
                         bool resumes) {
  const Organisation& organisation = *find_organisation(array.organisation);
  const TileShape tile = gemm.on_array(share);
  ShareCycles cycles;
  cycles.array = organisation.tile_cycles(array, gemm.macs_per_pe_per_cycle,
                                          gemm.accumulator_latency_cycles, tile);
  if (array.accumulator.ports > 0) {
    // Blocks leave their sums once, however many cycles they take; single terms each time.
    TileShape steps = tile;
    if (gemm.unit.block_terms() > 1) steps.k /= gemm.cycles_per_step;
    const std::int64_t accesses =
        organisation.accumulator_accesses(array, gemm.macs_per_pe_per_cycle, steps, resumes);
    cycles.accumulator_ports = std::max<std::int64_t>(
        0, ceil_div(accesses, array.accumulator.ports) - cycles.array.total());
  }
  for (std::int64_t* part : {&cycles.array.busy, &cycles.array.preload, &cycles.array.fill_drain,
                             &cycles.array.dependency, &cycles.accumulator_ports})
    *part *= gemm.products();
  return cycles;
}

bool shares_ports(const ScratchpadSpec& scratchpad) {
  return scratchpad.ports && scratchpad.ports->banking == Banking::interleaved;
}

std::int64_t scratchpad_bytes_per_cycle(const ScratchpadSpec& scratchpad) {
  if (!scratchpad.ports) return 0;
  const ScratchpadPorts& ports = *scratchpad.ports;
  const std::int64_t banks =
      ports.banking == Banking::interleaved ? ports.banks : ports.banks / scratchpad.buffers;
  return banks * ports.ports * ports.width_bytes;
}

std::int64_t scratchpad_port_cycles(const ScratchpadSpec& scratchpad, std::int64_t own,
                                    std::int64_t others) {
  if (!scratchpad.ports) return 0;
  return ceil_div(own + (shares_ports(scratchpad) ? others : 0),
                  scratchpad_bytes_per_cycle(scratchpad));
}

}  // namespace npusim::npu
