// SPDX-License-Identifier: Apache-2.0
// Energy per operation: the 7 nm column of Jouppi et al., "Ten Lessons From Three Generations
// Shaped Google's TPUv4i", ISCA 2021, Table 2, and a stated rule for formats the table does not
// have.
#pragma once

#include "npu_models/npu_spec.h"

namespace npusim::npu {

// Same table, per 64-bit access: SRAM of 1 MB 14 pJ, SRAM of 32 KB 8.5 pJ, HBM2 250-450 pJ (the
// middle is taken). A config with another memory states its own figure.
inline constexpr double kScratchpadPjPerByte = 14.0 / 8.0;
inline constexpr double kAccumulatorPjPerByte = 8.5 / 8.0;
inline constexpr double kDramPjPerByte = 350.0 / 8.0;

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
