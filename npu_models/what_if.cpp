// SPDX-License-Identifier: Apache-2.0
#include "npu_models/what_if.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <tuple>

#include "base/error.h"
#include "workloads/decompose.h"
#include "workloads/op.h"

namespace npusim::npu {
namespace {

using precision::Format;
using workloads::Graph;
using workloads::Node;
using workloads::NodeView;

/// Kind, then width; less is nearer.
using Distance = std::tuple<bool, int, int, int, bool>;

/// Wider ones by how much, behind all of them the narrower ones, the widest first.
std::pair<int, int> width_distance(int bytes, int wanted) {
  return bytes >= wanted ? std::make_pair(0, bytes - wanted) : std::make_pair(1, wanted - bytes);
}

int exponent_distance(const Format& a, const Format& b) {
  return std::abs(a.exponent_bits - b.exponent_bits);
}

int bytes_of(const OperandFormats& operands) {
  return std::max(operands.streamed.storage_bytes(), operands.stationary.storage_bytes());
}

bool is_fixed_point(const OperandFormats& operands) {
  return operands.streamed.is_fixed_point() && operands.stationary.is_fixed_point();
}

Distance distance(const OperandFormats& to, const OperandFormats& wanted) {
  const auto [narrower, bytes] = width_distance(bytes_of(to), bytes_of(wanted));
  return {is_fixed_point(to) != is_fixed_point(wanted), narrower, bytes,
          exponent_distance(to.streamed, wanted.streamed) +
              exponent_distance(to.stationary, wanted.stationary),
          to.scale_block != wanted.scale_block};
}

/// Every value of `narrow` is one of `wide`.
bool holds(const Format& wide, const Format& narrow) {
  return wide.precision() >= narrow.precision() && wide.max_exponent() >= narrow.max_exponent() &&
         wide.min_exponent() - wide.fraction_bits <= narrow.min_exponent() - narrow.fraction_bits;
}

void check_slices(const precision::Slices& slices, const Format& declared, const Format& wanted) {
  if (!slices.empty() && !holds(declared, wanted))
    throw std::invalid_argument("the slices of " + declared.name + " operands do not hold " +
                                wanted.name);
}

/// A unit of the input that stands in, with these operands.
precision::MacUnit unit_with(precision::MacUnit unit, const OperandFormats& operands) {
  check_slices(unit.slices_a, unit.a, operands.streamed);
  check_slices(unit.slices_b, unit.b, operands.stationary);
  unit.a = operands.streamed;
  unit.b = operands.stationary;
  if (unit.scales) {
    unit.scales->block = operands.scale_block;
    unit.scales->format = operands.scale;
  }
  unit.name += " with " + operands.name();
  precision::validate(unit);
  return unit;
}

/// The unit of a declared input with an accumulator that it does not offer.
precision::MacUnit unit_summing_in(const NpuSpec& npu, const InputMode& mode,
                                   const Format& wanted) {
  const Format as = nearest_format(accumulators_of(npu.mac_array, mode), wanted);
  precision::MacUnit unit = mode.units.empty() ? described_unit(npu.mac_array, mode, wanted)
                                               : unit_of(npu, operands_of(mode), as);
  precision::Arithmetic& sums = unit.stages.back().arithmetic;
  sums.format = wanted;
  if (as.is_fixed_point() && !wanted.is_fixed_point()) sums.rounding = precision::Rounding::rne;
  unit.c.reset();
  unit.name += " in " + wanted.name;
  precision::validate(unit);
  return unit;
}

bool offers(const std::vector<Format>& formats, const Format& accumulator) {
  // A recipe that names a format takes it as the array has it (capability.cpp).
  const bool name_only = accumulator == precision::format_from_name(accumulator.name);
  return std::any_of(formats.begin(), formats.end(), [&](const Format& format) {
    return format.name == accumulator.name && (name_only || format == accumulator);
  });
}

/// Takes the place of one of the same name.
template <class T, class Name>
void put(std::vector<T>& all, T one, const Name& name_of) {
  const auto same = std::find_if(all.begin(), all.end(),
                                 [&](const T& other) { return name_of(other) == name_of(one); });
  if (same != all.end())
    *same = std::move(one);
  else
    all.push_back(std::move(one));
}

const std::string& accumulator_name(const precision::MacUnit& unit) {
  return unit.accumulator().format.name;
}

/// Makes an input offer an accumulator, as the nearest of those that it is declared with.
void add_accumulator(NpuSpec& npu, InputMode& mode, const Format& wanted) {
  const InputMode& declared = *find_input(npu.declared->mac_array, operands_of(mode));
  const std::vector<Format> offered = accumulators_of(npu.declared->mac_array, declared);
  if (offers(offered, wanted)) return;
  precision::MacUnit unit = unit_summing_in(*npu.declared, declared, wanted);
  if (mode.units.empty())
    put(npu.mac_array.accumulator.choices, wanted, [](const Format& f) { return f.name; });
  else
    put(mode.units, std::move(unit), accumulator_name);
  mode.accumulator_stand_ins[wanted.name] = nearest_format(offered, wanted).name;
}

/// Makes the array take the operands of a product, where it can.
void add_input(NpuSpec& npu, const OperandFormats& operands,
               const std::optional<Format>& accumulator) {
  MacArraySpec& array = npu.mac_array;
  const auto find = [&]() -> InputMode* {
    const InputMode* const found = find_input(array, operands);
    return found == nullptr ? nullptr
                            : &array.inputs[static_cast<std::size_t>(found - array.inputs.data())];
  };
  try {
    InputMode* mode = find();
    if (mode == nullptr) {
      array.inputs.push_back(hypothetical_input(*npu.declared, operands, accumulator));
      mode = find();
    } else if (accumulator && mode->stands_in.empty()) {
      add_accumulator(npu, *mode, *accumulator);
    }
    std::map<std::string, std::int64_t>& latency = array.accumulator.latency_cycles;
    for (const auto& [sums, as] : mode->accumulator_stand_ins)
      latency.emplace(sums, latency.at(as));
  } catch (const std::invalid_argument&) {
    // The verdict of the op says why (capability.cpp).
  }
}

void add_inputs(NpuSpec& npu, const Graph& graph, const Node& node,
                const std::vector<precision::Arithmetic>& storage,
                const workloads::Recipe& recipe) {
  const workloads::Op& op = workloads::ops().at(node.op);
  if (op.op_class() == workloads::OpClass::matrix)
    if (const auto contraction = op.contraction(NodeView(graph, node)))
      add_input(npu, operands_of(graph, node, *contraction, storage), recipe.accumulator);
  const auto entry = npu.operators.entries.find(node.op);
  const bool in_parts = entry != npu.operators.entries.end() &&
                        (entry->second.support == Support::decomposed || node.op == "Attention") &&
                        !op.decomposes_into().empty();
  if (!in_parts) return;
  const Graph parts = workloads::decomposition_of(graph, node);
  const std::vector<precision::Arithmetic> of_parts = workloads::storage_formats(parts, recipe);
  for (const Node& part : parts.nodes) add_inputs(npu, parts, part, of_parts, recipe);
}

}  // namespace

const Format& nearest_format(const std::vector<Format>& candidates, const Format& wanted) {
  NPUSIM_CHECK(!candidates.empty(), "a format that stands in for " + wanted.name);
  return *std::min_element(candidates.begin(), candidates.end(),
                           [&](const Format& a, const Format& b) {
                             return distance(OperandFormats(a), OperandFormats(wanted)) <
                                    distance(OperandFormats(b), OperandFormats(wanted));
                           });
}

const InputMode* nearest_input(const MacArraySpec& array, const OperandFormats& wanted) {
  const InputMode* nearest = nullptr;
  for (const InputMode& mode : array.inputs) {
    const OperandFormats operands = operands_of(mode);
    if ((operands.scale_block > 0) != (wanted.scale_block > 0)) continue;
    if (nearest == nullptr || distance(operands, wanted) < distance(operands_of(*nearest), wanted))
      nearest = &mode;
  }
  return nearest;
}

bool is_hypothetical(const InputMode& mode) {
  return !mode.stands_in.empty() || !mode.accumulator_stand_ins.empty();
}

InputMode hypothetical_input(const NpuSpec& npu, const OperandFormats& operands,
                             const std::optional<Format>& accumulator) {
  const InputMode* const nearest = nearest_input(npu.mac_array, operands);
  if (nearest == nullptr)
    throw std::invalid_argument(operands.scale_block > 0
                                    ? "no input has block scales, none can stand in"
                                    : "every input has block scales, none can stand in");
  const OperandFormats declared = operands_of(*nearest);
  const std::vector<Format> offered = accumulators_of(npu.mac_array, *nearest);
  InputMode mode = *nearest;
  mode.format = operands.streamed;
  mode.stands_in = declared.name();
  mode.of_array = nearest->units.empty();
  mode.units.clear();
  for (const Format& sums : offered)
    if (is_fixed_point(operands) || !sums.is_fixed_point())
      mode.units.push_back(unit_with(unit_of(npu, declared, sums), operands));
  std::optional<Format> other = accumulator;
  if (!other && mode.units.empty()) other = precision::fp32();
  if (!other || offers(offered, *other)) return mode;
  put(mode.units, unit_with(unit_summing_in(npu, *nearest, *other), operands), accumulator_name);
  mode.accumulator_stand_ins[other->name] = nearest_format(offered, *other).name;
  return mode;
}

NpuSpec with_hypothetical_inputs(const NpuSpec& npu, const Graph& graph,
                                 const workloads::Recipe& recipe) {
  NpuSpec as = npu;
  as.what_if = false;
  as.declared = std::make_shared<const NpuSpec>(as);
  as.what_if = true;
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(graph, recipe);
  for (const Node& node : graph.nodes)
    if (cannot_run(judge(*as.declared, graph, node, storage, recipe)))
      add_inputs(as, graph, node, storage, recipe);
  return as;
}

}  // namespace npusim::npu
