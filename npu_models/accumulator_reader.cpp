// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include "npu_models/array_reader.h"
#include "npu_models/stage_reader.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kLatency{1, 1024};
constexpr base::IntegerRange kPorts{1, 16};
constexpr base::IntegerRange kKib{1, std::int64_t{1} << 30};

/// Absent: those of the units, or the default alone, so that another default needs no other edit.
std::vector<precision::Format> read_choices(base::ObjectReader& object,
                                            const precision::Format& accumulator,
                                            const std::vector<precision::Format>& of_units) {
  std::vector<precision::Format> choices = of_units;
  if (!object.has("choices") && of_units.empty()) return {accumulator};
  for (const base::ValueReader& value : object.optional_array("choices")) {
    precision::Format format = read_format(value);
    format.subnormals = accumulator.subnormals;
    format.overflow = accumulator.overflow;
    choices.push_back(std::move(format));
  }
  const bool listed =
      std::any_of(choices.begin(), choices.end(),
                  [&](const precision::Format& choice) { return choice.name == accumulator.name; });
  if (!listed && !object.self().json().incomplete())
    object.error("format", "outside-choices",
                 "the default accumulator " + accumulator.name + " is not among the choices",
                 "a format that choices lists");
  return choices;
}

std::map<std::string, std::int64_t> read_latencies(base::ObjectReader& object,
                                                   const std::vector<precision::Format>& choices) {
  std::map<std::string, std::int64_t> latencies;
  const auto value = object.required("latency_cycles", "cycles, or an object of cycles by format");
  if (!value) return latencies;
  if (!value->json().is_object()) {
    const std::int64_t cycles = value->integer(kLatency);
    for (const precision::Format& choice : choices) latencies[choice.name] = cycles;
    return latencies;
  }
  for (const auto& [name, cycles] : value->members()) {
    try {
      precision::format_from_name(name);
    } catch (const std::invalid_argument&) {
      cycles.error("unknown-format", "unknown number format \"" + name + "\"", known_formats());
    }
    latencies[name] = cycles.integer(kLatency);
  }
  for (const precision::Format& choice : choices) {
    if (latencies.count(choice.name) == 0 && !value->json().incomplete())
      value->error("missing-latency", "no latency is stated for accumulator " + choice.name,
                   "cycles for every accumulator format, or one number for all");
  }
  return latencies;
}

}  // namespace

AccumulatorSpec read_accumulator(base::ObjectReader& object,
                                 const std::vector<precision::Format>& of_units) {
  AccumulatorSpec accumulator;
  accumulator.arithmetic = read_arithmetic(object);
  accumulator.stage = read_accumulator_stage(object);
  accumulator.choices = read_choices(object, accumulator.arithmetic.format, of_units);
  accumulator.latency_cycles = read_latencies(object, accumulator.choices);
  accumulator.memory_bytes = object.integer("memory_kib", kKib) * 1024;
  if (const auto ports = object.optional("ports")) accumulator.ports = ports->integer(kPorts);
  accumulator.bias = object.choice<precision::BiasEntry>(
      "bias", {{"preload", precision::BiasEntry::preload}, {"after", precision::BiasEntry::after}},
      precision::BiasEntry::preload);
  if (auto spill = object.optional_object("spill")) {
    accumulator.spill = read_arithmetic(*spill);
    spill->finish();
  }
  object.finish();
  return accumulator;
}

}  // namespace npusim::npu
