// SPDX-License-Identifier: Apache-2.0
// Energy per operation: Jouppi et al., "Ten Lessons From Three Generations Shaped Google's TPUv4i",
// ISCA 2021, Table 2, its 7 nm column or its 45 nm one (which is Horowitz, "Computing's energy
// problem", ISSCC 2014), and a stated rule for formats the table does not have. The 45 nm column
// has no bf16.
#pragma once

#include "npu_models/npu_spec.h"

namespace npusim::npu {

/// Same table, per byte of a 64-bit access: SRAM of 1 MB and of 32 KB, and DRAM: at 7 nm HBM2 (the
/// middle of 250 to 450 pJ), at 45 nm DDR3. A config with another memory states its own figure.
struct MemoryEnergy {
  double scratchpad_pj_per_byte, accumulator_pj_per_byte, dram_pj_per_byte;
};
MemoryEnergy memory_energy(EnergyTable table);

/// Table values (fp16, bf16, fp32) or derived ones: multiplier by the square of the significand
/// width and adder by its width, both scaled from the table's nearest format with as many or more
/// bits.
double multiply_pj(const EnergySpec& energy, const precision::Format& format);
double add_pj(const EnergySpec& energy, const precision::Format& format);

/// One multiply-accumulate of a unit: the product plus the additions each term costs, stage by
/// stage (a group of n terms takes n-1 additions in its stage's format, the accumulator one per
/// group).
double mac_pj(const EnergySpec& energy, const precision::MacUnit& unit);

}  // namespace npusim::npu
