// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "npu_models/npu_sections.h"
#include "npu_models/organisation.h"

namespace npusim::npu {
namespace {

/// Reports at a pointer: at the value it names, or at the nearest parent that was written.
void report(const base::JsonValue& document, base::Diagnostic mistake,
            base::Diagnostics& diagnostics) {
  const base::JsonValue* value = &document;
  std::size_t begin = 1;
  while (begin <= mistake.pointer.size()) {
    const std::size_t end = std::min(mistake.pointer.find('/', begin), mistake.pointer.size());
    const std::string token = mistake.pointer.substr(begin, end - begin);
    const base::JsonValue* next = nullptr;
    if (value->is_object()) next = value->find(token);
    if (value->is_array()) next = &value->items()[static_cast<std::size_t>(std::stoul(token))];
    if (next == nullptr) break;
    value = next;
    begin = end + 1;
  }
  if (value->origin().file) mistake.file = *value->origin().file;
  mistake.line = value->origin().line;
  mistake.column = value->origin().column;
  diagnostics.add(std::move(mistake));
}

base::Diagnostic mistake_at(std::string pointer, std::string code, std::string message,
                            std::string allowed) {
  base::Diagnostic mistake;
  mistake.pointer = std::move(pointer);
  mistake.code = std::move(code);
  mistake.message = std::move(message);
  mistake.allowed = std::move(allowed);
  return mistake;
}

/// A unit that takes more terms at a time than the array is deep needs the narrower operands that
/// let an element multiply as many more.
MacArraySpec for_a_step(MacArraySpec array, const InputMode& mode) {
  const std::int64_t terms = mode.units.front().block_terms();
  if (terms > array.depth && array.organisation != "systolic") {
    array.depth *= mode.macs_per_pe_per_cycle;
    array.fragment.k *= mode.macs_per_pe_per_cycle;
  }
  // Slow operands may be taken one at a time.
  if (terms == 1 && mode.cycles_per_step > 1 && array.organisation != "systolic") array.depth = 1;
  return array;
}

std::string kib(std::int64_t bytes) {
  return std::to_string((bytes + 1023) / 1024) + " KiB";
}

}  // namespace

void check_array(const NpuSpec& npu, const base::JsonValue& document,
                 base::Diagnostics& diagnostics) {
  const MacArraySpec& array = npu.mac_array;
  const auto check = [&](const MacArraySpec& as, const std::string& units) {
    for (base::Diagnostic mistake : find_organisation(as.organisation)->check(as)) {
      mistake.pointer = units.empty() ? "/mac_array" + mistake.pointer : units;
      report(document, std::move(mistake), diagnostics);
    }
  };
  bool described = false;  // an input without units is summed as the array says
  for (std::size_t i = 0; i < array.inputs.size(); ++i) {
    const InputMode& mode = array.inputs[i];
    const std::string pointer = "/mac_array/inputs/" + std::to_string(i);
    described = described || mode.units.empty();
    for (const precision::Format& accumulator : accumulators_of(array, mode)) {
      if (!mode.units.empty()) {
        check(for_a_step(array_as(array, mode.format, accumulator), mode), pointer + "/units");
        continue;
      }
      try {
        precision::validate(unit_of(npu, mode.format, accumulator));
      } catch (const std::invalid_argument& mistake) {
        report(
            document,
            mistake_at(pointer, "illegal-unit",
                       std::string("with accumulator ") + accumulator.name + ": " + mistake.what(),
                       "a unit and organisation that go together (npu_models/README.md)"),
            diagnostics);
      }
    }
  }
  if (described || array.inputs.empty()) check(array, "");
}

void check_buffers(const NpuSpec& npu, const base::JsonValue& document,
                   base::Diagnostics& diagnostics) {
  const MacArraySpec& array = npu.mac_array;
  const TileShape tile = find_organisation(array.organisation)->granule(array);
  std::int64_t element = 1;
  for (const InputMode& mode : array.inputs)
    element = std::max<std::int64_t>(element, mode.format.storage_bytes());
  std::int64_t sum = 1;
  for (const precision::Format& format : array.accumulator.choices)
    sum = std::max<std::int64_t>(sum, format.storage_bytes());
  const std::string pass = "one pass of the " + std::to_string(array.rows) + "x" +
                           std::to_string(array.cols) + "x" + std::to_string(array.depth) +
                           " array";

  const std::int64_t operands = (tile.m * array.arrays + tile.n) * tile.k * element;
  const std::int64_t needed = operands * npu.scratchpad.buffers;
  if (needed > npu.scratchpad.bytes) {
    report(document,
           mistake_at("/scratchpad/kib", "too-small",
                      "the operands of " + pass + " take " + kib(operands) + ", which " +
                          std::to_string(npu.scratchpad.buffers) + " buffers in " +
                          kib(npu.scratchpad.bytes) + " do not hold",
                      "at least " + kib(needed) + ", fewer buffers or a smaller array"),
           diagnostics);
  }
  const std::int64_t sums = 2 * tile.m * tile.n * sum;
  if (sums > array.accumulator.memory_bytes) {
    report(document,
           mistake_at("/mac_array/accumulator/memory_kib", "too-small",
                      "the partial sums of " + pass + " do not fit half of " +
                          kib(array.accumulator.memory_bytes),
                      "at least " + kib(sums) + " (two buffers), or a smaller array"),
           diagnostics);
  }
}

}  // namespace npusim::npu
