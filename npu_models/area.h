// SPDX-License-Identifier: Apache-2.0
// Silicon area of a design from coefficients that its file states; none are built in, because no
// table that covers formats and accumulators of one process is published. Sum of
//   arrays   elements x products an element multiplies a cycle x the coefficient of one multiplier
//            with its accumulator; of several operand and accumulator formats the largest (one
//            datapath that the narrow formats share)
//   memories KiB of scratchpad and of the accumulator memory of all arrays
//   vector   lanes
//   other    what is stated for the rest: sequencer, DMA, interconnect, pads
// Wiring, floorplan and separate datapaths are not modelled.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/object_reader.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu {

struct Area {
  double arrays_mm2 = 0.0, memories_mm2 = 0.0, vector_mm2 = 0.0, other_mm2 = 0.0;
  /// What the coefficients rest on: the weakest of their sources.
  FactStatus status = FactStatus::published;
  double total_mm2() const { return arrays_mm2 + memories_mm2 + vector_mm2 + other_mm2; }
};

/// Square micrometres, in the process that the sources name.
struct AreaCoefficients {
  /// Of a multiplier with its accumulator, by operand and accumulator format.
  std::map<std::string, std::map<std::string, double>> mac_um2;
  double sram_um2_per_kib = 0.0, accumulator_um2_per_kib = 0.0;
  double vector_lane_um2 = 0.0;
  double other_mm2 = 0.0;
};

/// Section `area` of an NPU file.
AreaCoefficients read_area(base::ObjectReader& object);

/// Reports every pair of operand and accumulator format of the array that has no coefficient.
void check_area(const NpuSpec& npu, const AreaCoefficients& area, const base::JsonValue& document,
                base::Diagnostics& diagnostics);

/// Absent where the file states no coefficients.
std::optional<Area> area_of(const NpuSpec& npu);

}  // namespace npusim::npu
