// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "npu_models/dma_rate.h"
#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "npu_models/npu_sections.h"
#include "npu_models/organisation.h"
#include "npu_models/port_limits.h"

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

/// One pass of the array must fit a buffer: what must fit together, part by part.
void check_room(const NpuSpec& npu, const std::string& pass, const TileShape& tile,
                std::int64_t element, std::int64_t sum, const base::JsonValue& document,
                base::Diagnostics& diagnostics) {
  const ScratchpadSpec& scratchpad = npu.scratchpad;
  const std::int64_t streamed = tile.m * npu.mac_array.arrays * tile.k * element;
  const std::int64_t stationary = tile.n * tile.k * element;
  // As wide as a sum at most: partial sums that leave, results stored as accumulated.
  const std::int64_t results = tile.m * npu.mac_array.arrays * tile.n * std::max(element, sum);
  const auto check = [&](const std::string& pointer, const std::string& what, std::int64_t bytes,
                         std::int64_t room) {
    const std::int64_t needed = bytes * scratchpad.buffers;
    if (needed <= room) return;
    report(document,
           mistake_at(pointer, "too-small",
                      "the " + what + " of " + pass + " take " + kib(bytes) + ", which " +
                          std::to_string(scratchpad.buffers) + " buffers in " + kib(room) +
                          " do not hold",
                      "at least " + kib(needed) + ", fewer buffers or a smaller array"),
           diagnostics);
  };
  switch (scratchpad.sharing) {
    case ScratchpadSharing::operands:
      check("/scratchpad/kib", "operands", streamed + stationary, scratchpad.bytes);
      break;
    case ScratchpadSharing::unified:
      check("/scratchpad/kib", "operands and results", streamed + stationary + results,
            scratchpad.bytes);
      break;
    case ScratchpadSharing::separate:
      check("/scratchpad/kib/streamed", "streamed operands", streamed, scratchpad.streamed_bytes);
      check("/scratchpad/kib/stationary", "stationary operands", stationary,
            scratchpad.stationary_bytes);
      check("/scratchpad/kib/results", "results", results, scratchpad.result_bytes);
      break;
  }
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
        check(for_a_step(array_as(array, operands_of(mode), accumulator), mode),
              pointer + "/units");
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
    element = std::max<std::int64_t>(
        {element, mode.format.storage_bytes(), operands_of(mode).stationary.storage_bytes()});
  std::int64_t sum = 1;
  for (const precision::Format& format : array.accumulator.choices)
    sum = std::max<std::int64_t>(sum, format.storage_bytes());
  const std::string pass = "one pass of the " + std::to_string(array.rows) + "x" +
                           std::to_string(array.cols) + "x" + std::to_string(array.depth) +
                           " array";

  check_room(npu, pass, tile, element, sum, document, diagnostics);
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

void check_memory_paths(const NpuSpec& npu, const base::JsonValue& document,
                        base::Diagnostics& diagnostics) {
  const auto mistake = [&](const std::string& pointer, const std::string& code,
                           const std::string& message, const std::string& allowed) {
    report(document, mistake_at(pointer, code, message, allowed), diagnostics);
  };
  const MacArraySpec& array = npu.mac_array;
  const Organisation& organisation = *find_organisation(array.organisation);
  if (array.accumulator.ports > 0 &&
      organisation.accumulator_accesses(array, 1, organisation.granule(array), false) == 0)
    mistake("/mac_array/accumulator/ports", "illegal-combination",
            "the sums of this array stay in its elements until they are done",
            "no ports, or an array whose sums pass through accumulator memory");
  if (npu.data_layout.transpose == Transposing::dma && !npu.dma)
    mistake("/data_layout/transpose", "illegal-combination",
            "a transposing DMA needs the bursts of a dma section", "vector_unit, or a section dma");
  if (npu.data_layout.transposed_operands == OperandTransposing::dma && !npu.dma)
    mistake("/data_layout/transposed_operands", "illegal-combination",
            "a transposing DMA needs the bursts of a dma section",
            "free, vector_unit, or a section dma");
  const bool rearranges = npu.data_layout.im2col == Rearranging::through_dram ||
                          npu.data_layout.zero_insertion != ZeroInsertion::implicit ||
                          npu.data_layout.transposed_operands == OperandTransposing::vector_unit ||
                          npu.data_layout.channel_order;
  if (rearranges && npu.vector_unit.cycles_per_element.count("copy") == 0)
    mistake("/data_layout", "illegal-combination",
            "the vector unit copies nothing that it could rearrange through DRAM or fill",
            "implicit, free, or cycles_per_element of copy");
  if (!npu.scratchpad.ports) return;
  const ScratchpadPorts& ports = *npu.scratchpad.ports;
  if (ports.banking == Banking::by_buffer && ports.banks % npu.scratchpad.buffers != 0) {
    mistake("/scratchpad/banks", "illegal-combination",
            std::to_string(npu.scratchpad.buffers) + " buffers cannot share " +
                std::to_string(ports.banks) + " banks evenly",
            "a multiple of " + std::to_string(npu.scratchpad.buffers) + ", or banking interleaved");
    return;
  }
  const std::int64_t width = scratchpad_bytes_per_cycle(npu.scratchpad);
  const std::string passes =
      "the scratchpad's ports pass " + std::to_string(width) + " bytes a cycle";
  if (npu.dma && npu.dma->width_bytes > width) {
    mistake(
        "/dma/width_bytes", "too-wide",
        "a DMA channel moves " + std::to_string(npu.dma->width_bytes) + " bytes a cycle, " + passes,
        "at most " + std::to_string(width) + ", or more or wider ports");
    return;
  }
  const auto delivered = static_cast<std::int64_t>(std::ceil(dma_bytes_per_cycle(npu)));
  if (delivered > width)
    mistake("/scratchpad/width_bytes", "too-narrow",
            "DRAM delivers " + std::to_string(delivered) + " bytes a cycle, " + passes,
            "ports that pass at least " + std::to_string(delivered) +
                " bytes a cycle, or a DMA that moves less");
}

}  // namespace npusim::npu
