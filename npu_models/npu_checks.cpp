// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

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

std::string kib(std::int64_t bytes) {
  return std::to_string((bytes + 1023) / 1024) + " KiB";
}

}  // namespace

void check_array(const NpuSpec& npu, const base::JsonValue& document,
                 base::Diagnostics& diagnostics) {
  const MacArraySpec& array = npu.mac_array;
  for (base::Diagnostic mistake : find_organisation(array.organisation)->check(array)) {
    mistake.pointer = "/mac_array" + mistake.pointer;
    report(document, std::move(mistake), diagnostics);
  }
  for (std::size_t i = 0; i < array.inputs.size(); ++i) {
    for (const precision::Format& accumulator : array.accumulator.choices) {
      try {
        precision::validate(unit_of(npu, array.inputs[i].format, accumulator));
      } catch (const std::invalid_argument& mistake) {
        report(
            document,
            mistake_at("/mac_array/inputs/" + std::to_string(i), "illegal-unit",
                       std::string("with accumulator ") + accumulator.name + ": " + mistake.what(),
                       "a unit and organisation that go together (npu_models/README.md)"),
            diagnostics);
      }
    }
  }
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
