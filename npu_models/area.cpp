// SPDX-License-Identifier: Apache-2.0
#include "npu_models/area.h"

#include <algorithm>
#include <stdexcept>

#include "npu_models/input_units.h"
#include "npu_models/organisation.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr double kMm2PerUm2 = 1e-6;

void check_format(const std::string& name, const base::ValueReader& at) {
  try {
    precision::format_from_name(name);
  } catch (const std::invalid_argument&) {
    at.error("unknown-format", "unknown number format \"" + name + "\"", known_formats());
  }
}

double kib(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1024.0;
}

/// Of one product a cycle of an element; nullptr: not stated.
const double* coefficient(const AreaCoefficients& area, const std::string& input,
                          const std::string& accumulator) {
  const auto of_input = area.mac_um2.find(input);
  if (of_input == area.mac_um2.end()) return nullptr;
  const auto found = of_input->second.find(accumulator);
  return found == of_input->second.end() ? nullptr : &found->second;
}

/// A multiplier takes what its wider operand asks for.
std::string wider_of(const InputMode& mode) {
  const OperandFormats operands = operands_of(mode);
  const bool b = operands.stationary.precision() > operands.streamed.precision();
  return b ? operands.stationary.name : operands.streamed.name;
}

double element_um2(const NpuSpec& npu, const AreaCoefficients& area) {
  double largest = 0.0;
  for (const InputMode& mode : npu.mac_array.inputs)
    for (const precision::Format& accumulator : accumulators_of(npu.mac_array, mode))
      if (const double* um2 = coefficient(area, wider_of(mode), accumulator.name))
        largest = std::max(largest, *um2 * static_cast<double>(mode.macs_per_pe_per_cycle));
  return largest;
}

/// Later ones are weaker: published, derived, assumed. Values of --set are assumptions.
FactStatus weakest_source(const NpuSpec& npu) {
  FactStatus weakest = FactStatus::published;
  for (const SourcedValue& value : sourced_values(npu.resolved, npu.facts)) {
    if (value.pointer.rfind("/area/", 0) != 0) continue;
    const FactStatus status =
        value.overridden || value.fact == nullptr ? FactStatus::assumed : value.fact->status;
    weakest = std::max(weakest, status);
  }
  return weakest;
}

}  // namespace

AreaCoefficients read_area(base::ObjectReader& object) {
  AreaCoefficients area;
  if (const auto table = object.required("mac_um2", "an object by operand format")) {
    for (const auto& [input, value] : table->members()) {
      check_format(input, value);
      for (const auto& [accumulator, um2] : value.members()) {
        check_format(accumulator, um2);
        area.mac_um2[input][accumulator] = um2.number(base::kPositiveNumber);
      }
    }
  }
  area.sram_um2_per_kib = object.number("sram_um2_per_kib", base::kNonNegativeNumber);
  area.accumulator_um2_per_kib =
      object.number("accumulator_um2_per_kib", base::kNonNegativeNumber, area.sram_um2_per_kib);
  area.vector_lane_um2 = object.number("vector_lane_um2", base::kNonNegativeNumber, 0.0);
  area.other_mm2 = object.number("other_mm2", base::kNonNegativeNumber, 0.0);
  object.finish();
  return area;
}

void check_area(const NpuSpec& npu, const AreaCoefficients& area, const base::JsonValue& document,
                base::Diagnostics& diagnostics) {
  const base::JsonValue* section = document.find("area");
  for (const InputMode& mode : npu.mac_array.inputs)
    for (const precision::Format& accumulator : accumulators_of(npu.mac_array, mode))
      if (coefficient(area, wider_of(mode), accumulator.name) == nullptr)
        base::ValueReader(*section, "/area/mac_um2", diagnostics)
            .error("no-coefficient",
                   "no area for " + wider_of(mode) + " summed in " + accumulator.name,
                   "um2 for every operand and accumulator format of the array");
}

std::optional<Area> area_of(const NpuSpec& npu) {
  const base::JsonValue* section = npu.resolved.find("area");
  if (section == nullptr) return {};
  base::Diagnostics diagnostics;
  base::ObjectReader reader(base::ValueReader(*section, "/area", diagnostics));
  const AreaCoefficients stated = read_area(reader);
  NPUSIM_CHECK(diagnostics.empty(), "the area section was checked when the file was read");
  const MacArraySpec& array = npu.mac_array;
  const auto arrays = static_cast<double>(array.arrays);
  const auto elements =
      static_cast<double>(find_organisation(array.organisation)->pe_count(array)) * arrays;
  Area area;
  area.arrays_mm2 = elements * element_um2(npu, stated) * kMm2PerUm2;
  area.memories_mm2 =
      (kib(npu.scratchpad.bytes) * stated.sram_um2_per_kib +
       arrays * kib(array.accumulator.memory_bytes) * stated.accumulator_um2_per_kib) *
      kMm2PerUm2;
  area.vector_mm2 =
      static_cast<double>(npu.vector_unit.lanes) * stated.vector_lane_um2 * kMm2PerUm2;
  area.other_mm2 = stated.other_mm2;
  area.status = weakest_source(npu);
  return area;
}

}  // namespace npusim::npu
