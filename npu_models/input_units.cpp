// SPDX-License-Identifier: Apache-2.0
#include "npu_models/input_units.h"

#include <algorithm>
#include <stdexcept>

#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "npu_models/organisation.h"
#include "npu_models/stage_reader.h"
#include "workloads/ops/block_scales.h"

namespace npusim::npu {
namespace {

bool sums_in(const precision::MacUnit& unit, const precision::Format& accumulator) {
  return unit.accumulator().format.name == accumulator.name;
}

bool same(const OperandFormats& x, const OperandFormats& y) {
  return x.streamed.name == y.streamed.name && x.stationary.name == y.stationary.name &&
         x.scale_block == y.scale_block && x.scale.name == y.scale.name;
}

OperandFormats operands_of(const precision::MacUnit& unit) {
  OperandFormats operands(unit.a, unit.b);
  if (unit.scales) {
    operands.scale_block = unit.scales->block;
    operands.scale = unit.scales->format;
  }
  return operands;
}

double macs_per_cycle(const NpuSpec& npu, const InputMode& mode) {
  const Organisation* organisation = find_organisation(npu.mac_array.organisation);
  NPUSIM_CHECK(organisation != nullptr, "organisation " + npu.mac_array.organisation);
  const std::int64_t products =
      organisation->pe_count(npu.mac_array) * mode.macs_per_pe_per_cycle * npu.mac_array.arrays;
  return static_cast<double>(products) /
         static_cast<double>(mode.passes.count() * mode.cycles_per_step);
}

}  // namespace

std::string OperandFormats::name() const {
  std::string text = streamed.name;
  if (stationary.name != streamed.name) text += " x " + stationary.name;
  if (scale_block > 0)
    text += " in blocks of " + std::to_string(scale_block) + " with " + scale.name + " scales";
  return text;
}

OperandFormats operands_of(const InputMode& mode) {
  return mode.units.empty() ? OperandFormats(mode.format) : operands_of(mode.units.front());
}

OperandFormats operands_of(const workloads::Graph& graph, const workloads::Node& node,
                           const workloads::Contraction& contraction,
                           const std::vector<precision::Arithmetic>& storage) {
  const auto format = [&](int input) -> const precision::Format& {
    const workloads::TensorId tensor = node.inputs[static_cast<std::size_t>(input)];
    return storage[static_cast<std::size_t>(tensor)].format;
  };
  OperandFormats operands(format(contraction.m_input), format(contraction.n_input));
  if (const auto scales = workloads::scales_of_product(workloads::NodeView(graph, node))) {
    operands.scale_block = scales->block;
    operands.scale = format(scales->first_input);
  }
  return operands;
}

const InputMode* find_input(const MacArraySpec& array, const OperandFormats& input) {
  for (const InputMode& mode : array.inputs)
    if (same(operands_of(mode), input)) return &mode;
  return nullptr;
}

std::vector<precision::Format> accumulators_of(const MacArraySpec& array, const InputMode& mode) {
  if (mode.units.empty()) return array.accumulator.choices;
  std::vector<precision::Format> formats;
  for (const precision::MacUnit& unit : mode.units) formats.push_back(unit.accumulator().format);
  return formats;
}

precision::Format default_accumulator(const MacArraySpec& array, const OperandFormats& input) {
  const precision::Format& usual = array.accumulator.arithmetic.format;
  const InputMode* mode = find_input(array, input);
  if (mode == nullptr || mode->units.empty()) return usual;
  for (const precision::MacUnit& unit : mode->units)
    if (sums_in(unit, usual)) return unit.accumulator().format;
  return mode->units.front().accumulator().format;
}

MacArraySpec array_as(const MacArraySpec& array, const OperandFormats& input,
                      const precision::Format& accumulator) {
  MacArraySpec as = array;
  const InputMode* mode = find_input(array, input);
  if (mode == nullptr || mode->of_array) return as;
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

precision::MacUnit described_unit(const MacArraySpec& array, const InputMode& mode,
                                  const precision::Format& accumulator) {
  precision::MacUnit unit;
  unit.a = unit.b = mode.format;
  unit.slices_a = mode.slices_a;
  unit.slices_b = mode.slices_b;
  unit.passes = mode.passes;
  precision::Stage last = array.accumulator.stage;
  last.arithmetic = array.accumulator.arithmetic;
  last.arithmetic.format = accumulator;
  unit.product = array.product;
  unit.stages = complete_stages(array.inner_stages, last);
  return unit;
}

precision::MacUnit unit_of(const NpuSpec& npu, const OperandFormats& input,
                           const precision::Format& accumulator) {
  const InputMode* const mode = find_input(npu.mac_array, input);
  if (mode == nullptr) throw std::invalid_argument(npu.name + " has no " + input.name());
  for (const precision::MacUnit& unit : mode->units)
    if (sums_in(unit, accumulator)) return unit;
  if (!mode->units.empty())
    throw std::invalid_argument(npu.name + " sums no " + input.name() + " in " + accumulator.name);
  for (const precision::Format& choice : npu.mac_array.accumulator.choices) {
    if (choice.name != accumulator.name) continue;
    precision::MacUnit unit = described_unit(npu.mac_array, *mode, choice);
    unit.name = npu.name + "_" + unit.a.name + "_" + choice.name;
    return unit;
  }
  throw std::invalid_argument(npu.name + " has no " + accumulator.name);
}

precision::MacUnit unit_of(const NpuSpec& npu, const precision::Format& input,
                           const precision::Format& accumulator) {
  return unit_of(npu, OperandFormats(input), accumulator);
}

precision::MacUnit exchanged(precision::MacUnit unit) {
  std::swap(unit.a, unit.b);
  std::swap(unit.flush_a, unit.flush_b);
  std::swap(unit.slices_a, unit.slices_b);
  for (auto& [a, b] : unit.passes.order) std::swap(a, b);
  return unit;
}

double peak_macs_per_cycle(const NpuSpec& npu, const OperandFormats& input) {
  const InputMode* mode = find_input(npu.mac_array, input);
  return mode == nullptr ? 0.0 : macs_per_cycle(npu, *mode);
}

double peak_macs_per_cycle(const NpuSpec& npu, const precision::MacUnit& unit) {
  OperandFormats operands = operands_of(unit);
  const double peak = peak_macs_per_cycle(npu, operands);
  if (peak > 0.0) return peak;
  std::swap(operands.streamed, operands.stationary);
  return peak_macs_per_cycle(npu, operands);
}

double peak_macs_per_cycle(const NpuSpec& npu, const MappedOp& op) {
  const double peak = peak_macs_per_cycle(npu, op.unit());
  if (peak > 0.0) return peak;
  const GemmMapping& gemm = op.gemm        ? *op.gemm
                            : op.attention ? op.attention->scores
                                           : op.attention_gradient->scores;
  InputMode mode;
  mode.macs_per_pe_per_cycle = gemm.macs_per_pe_per_cycle;
  mode.cycles_per_step = gemm.cycles_per_step;
  mode.passes = gemm.unit.passes;
  return macs_per_cycle(npu, mode);
}

double NpuSpec::peak_macs_per_cycle(const precision::Format& input) const {
  return npu::peak_macs_per_cycle(*this, OperandFormats(input));
}

}  // namespace npusim::npu
