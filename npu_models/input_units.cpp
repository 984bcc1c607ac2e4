// SPDX-License-Identifier: Apache-2.0
#include "npu_models/input_units.h"

#include <algorithm>

namespace npusim::npu {
namespace {

bool sums_in(const precision::MacUnit& unit, const precision::Format& accumulator) {
  return unit.accumulator().format.name == accumulator.name;
}

}  // namespace

const InputMode* find_input(const MacArraySpec& array, const precision::Format& input) {
  for (const InputMode& mode : array.inputs)
    if (mode.format.name == input.name) return &mode;
  return nullptr;
}

std::vector<precision::Format> accumulators_of(const MacArraySpec& array, const InputMode& mode) {
  if (mode.units.empty()) return array.accumulator.choices;
  std::vector<precision::Format> formats;
  for (const precision::MacUnit& unit : mode.units) formats.push_back(unit.accumulator().format);
  return formats;
}

precision::Format default_accumulator(const MacArraySpec& array, const precision::Format& input) {
  const precision::Format& usual = array.accumulator.arithmetic.format;
  const InputMode* mode = find_input(array, input);
  if (mode == nullptr || mode->units.empty()) return usual;
  for (const precision::MacUnit& unit : mode->units)
    if (sums_in(unit, usual)) return unit.accumulator().format;
  return mode->units.front().accumulator().format;
}

MacArraySpec array_as(const MacArraySpec& array, const precision::Format& input,
                      const precision::Format& accumulator) {
  MacArraySpec as = array;
  const InputMode* mode = find_input(array, input);
  if (mode == nullptr) return as;
  const auto unit =
      std::find_if(mode->units.begin(), mode->units.end(),
                   [&](const precision::MacUnit& each) { return sums_in(each, accumulator); });
  if (unit == mode->units.end()) return as;
  as.product = unit->product;
  as.inner_stages.assign(unit->stages.begin(), unit->stages.end() - 1);
  as.accumulator.stage = unit->stages.back();
  const bool column = array.organisation == "systolic" &&
                      array.dataflow != Dataflow::output_stationary &&
                      unit->block_terms() == array.rows;
  if (column && !as.inner_stages.empty()) {
    as.inner_stages.clear();
    as.partial_sums = PartialSums::reinject_above;
  }
  return as;
}

}  // namespace npusim::npu
