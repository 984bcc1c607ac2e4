// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_sections.h"

#include <cmath>
#include <stdexcept>

#include "npu_models/approximation_reader.h"
#include "npu_models/energy.h"
#include "npu_models/unit_reader.h"
#include "workloads/op.h"

namespace npusim::npu {
namespace {

constexpr base::IntegerRange kChannels{1, 1024};
constexpr base::IntegerRange kBurst{1, std::int64_t{1} << 20};
constexpr base::IntegerRange kRow{1, std::int64_t{1} << 30};
constexpr base::IntegerRange kBanks{1, 4096};
constexpr base::IntegerRange kLanes{1, std::int64_t{1} << 20};
constexpr base::NumberRange kSmallTime{0.0, 1e12, false};
constexpr base::NumberRange kGib{0.0, 1e9, true};

/// GB/s (10^9 bytes) at a clock in MHz.
double per_cycle(double giga_per_s, double clock_mhz) {
  return giga_per_s * 1e3 / clock_mhz;
}

std::int64_t whole_cycles(double microseconds, double clock_mhz) {
  return static_cast<std::int64_t>(std::ceil(microseconds * clock_mhz));
}

std::map<std::string, double> read_picojoules(base::ObjectReader& object, const char* key) {
  std::map<std::string, double> table;
  const auto value = object.optional(key);
  if (!value) return table;
  for (const auto& [name, picojoule] : value->members()) {
    try {
      precision::format_from_name(name);
    } catch (const std::invalid_argument&) {
      picojoule.error("unknown-format", "unknown number format \"" + name + "\"", known_formats());
    }
    table[name] = picojoule.number(base::kNonNegativeNumber);
  }
  return table;
}

}  // namespace

namespace {

/// Thousandths of a cycle.
std::int64_t time_of(base::ObjectReader& object, const char* key, double clock_mhz,
                     std::optional<double> otherwise) {
  const double ns =
      otherwise ? object.number(key, kSmallTime, *otherwise) : object.number(key, kSmallTime);
  return std::llround(ns * clock_mhz);
}

/// Refreshes must leave time to move something in between.
void check_refresh(base::ObjectReader& object, const DramTiming& timing) {
  if (timing.refresh_interval == 0 && timing.refresh == 0) return;
  if (timing.refresh + timing.row_miss < timing.refresh_interval) return;
  object.self().error("refresh-too-long",
                      "refresh_ns and the opening of a row after it leave nothing of "
                      "refresh_interval_ns",
                      "refresh_ns + row_miss_ns below refresh_interval_ns, or neither refresh");
}

DramTiming read_dram_timing(base::ObjectReader& object, double clock_mhz) {
  DramTiming timing;
  timing.channels = object.integer("channels", kChannels, 1);
  timing.burst_bytes = object.integer("burst_bytes", kBurst, 64);
  timing.row_bytes = object.integer("row_bytes", kRow);
  timing.banks = object.integer("banks", kBanks);
  timing.row_miss = time_of(object, "row_miss_ns", clock_mhz, std::nullopt);
  timing.refresh_interval = time_of(object, "refresh_interval_ns", clock_mhz, 0.0);
  timing.refresh = time_of(object, "refresh_ns", clock_mhz, 0.0);
  timing.read_to_write = time_of(object, "read_to_write_ns", clock_mhz, 0.0);
  timing.write_to_read = time_of(object, "write_to_read_ns", clock_mhz, 0.0);
  object.finish();
  if (timing.row_bytes % timing.burst_bytes != 0)
    object.self().error("uneven-row",
                        "a row of " + std::to_string(timing.row_bytes) +
                            " bytes is no whole number of bursts of " +
                            std::to_string(timing.burst_bytes),
                        "a multiple of burst_bytes");
  check_refresh(object, timing);
  return timing;
}

}  // namespace

DramSpec read_dram(base::ObjectReader& object, double clock_mhz) {
  DramSpec dram;
  dram.bandwidth_gb_per_s = object.number("bandwidth_gb_per_s", base::kPositiveNumber);
  dram.bandwidth_bytes_per_cycle = per_cycle(dram.bandwidth_gb_per_s, clock_mhz);
  dram.latency_cycles = whole_cycles(object.number("latency_ns", kSmallTime) * 1e-3, clock_mhz);
  dram.capacity_bytes =
      static_cast<std::int64_t>(object.number("gib", kGib) * static_cast<double>(1 << 30));
  if (auto timing = object.optional_object("timing"))
    dram.timing = read_dram_timing(*timing, clock_mhz);
  object.finish();
  return dram;
}

VectorUnitSpec read_vector_unit(base::ObjectReader& object) {
  VectorUnitSpec unit;
  unit.lanes = object.integer("lanes", kLanes);
  unit.startup_cycles = object.integer("startup_cycles", base::kNonNegative, 0);
  if (const auto functions =
          object.required("cycles_per_element", "an object of numbers by function")) {
    base::ObjectReader table(*functions);
    for (const std::string& function : workloads::vector_functions()) {
      if (const auto cycles = table.optional(function))
        unit.cycles_per_element[function] = cycles->number(base::kPositiveNumber);
    }
    table.finish();
  }
  unit.arithmetic = read_arithmetic(object);
  if (const auto internal = object.optional("internal")) unit.internal = read_format(*internal);
  unit.fuses_epilogue = object.boolean("fuses_epilogue", false);
  unit.approximations = read_approximations(object);
  object.finish();
  return unit;
}

HostSpec read_host(base::ObjectReader& object, double clock_mhz) {
  HostSpec host;
  host.link_bytes_per_cycle =
      per_cycle(object.number("link_gb_per_s", base::kPositiveNumber), clock_mhz);
  host.latency_cycles = whole_cycles(object.number("latency_us", kSmallTime), clock_mhz);
  host.elements_per_cycle =
      per_cycle(object.number("giga_elements_per_s", base::kPositiveNumber), clock_mhz);
  object.finish();
  return host;
}

EnergySpec read_energy(std::optional<base::ObjectReader> object) {
  EnergySpec energy;
  if (object)
    energy.table = object->choice<EnergyTable>(
        "table", {{"7nm", EnergyTable::nm7}, {"45nm", EnergyTable::nm45}}, EnergyTable::nm7);
  const MemoryEnergy memory = memory_energy(energy.table);
  energy.scratchpad_pj_per_byte = memory.scratchpad_pj_per_byte;
  energy.accumulator_pj_per_byte = memory.accumulator_pj_per_byte;
  energy.dram_pj_per_byte = memory.dram_pj_per_byte;
  if (!object) return energy;
  const auto read = [&](const char* key, double& figure) {
    figure = object->number(key, base::kNonNegativeNumber, figure);
  };
  energy.multiply_pj = read_picojoules(*object, "multiply_pj");
  energy.add_pj = read_picojoules(*object, "add_pj");
  read("scratchpad_pj_per_byte", energy.scratchpad_pj_per_byte);
  read("accumulator_pj_per_byte", energy.accumulator_pj_per_byte);
  read("dram_pj_per_byte", energy.dram_pj_per_byte);
  read("static_watts", energy.static_watts);
  object->finish();
  return energy;
}

}  // namespace npusim::npu
