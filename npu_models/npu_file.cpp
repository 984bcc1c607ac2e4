// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_file.h"

#include <set>
#include <stdexcept>

#include "base/config_override.h"
#include "npu_models/area.h"
#include "npu_models/array_reader.h"
#include "npu_models/mapping_reader.h"
#include "npu_models/npu_sections.h"
#include "npu_models/unit_reader.h"

namespace npusim::npu {
namespace {

constexpr base::NumberRange kClockMhz{0.001, 1e6, false};

void read_peaks(base::ObjectReader& root, NpuSpec& npu) {
  const auto peaks = root.optional("peak_tops");
  if (!peaks) return;
  for (const auto& [name, value] : peaks->members()) {
    try {
      precision::format_from_name(name);
    } catch (const std::invalid_argument&) {
      value.error("unknown-format", "unknown number format \"" + name + "\"", known_formats());
    }
    PublishedPeak& peak = npu.peaks[name];
    if (!value.json().is_object()) {
      peak.tops = value.number(base::kPositiveNumber);
      continue;
    }
    base::ObjectReader object(value);
    peak.tops = object.number("value", base::kPositiveNumber);
    peak.explained = object.string("explained");
    object.finish();
  }
}

void read_sections(base::ObjectReader& root, const std::vector<base::Override>& unit_overrides,
                   NpuSpec& npu) {
  if (auto array = root.object("mac_array")) npu.mac_array = read_mac_array(*array, unit_overrides);
  if (auto scratchpad = root.object("scratchpad")) npu.scratchpad = read_scratchpad(*scratchpad);
  if (auto dram = root.object("dram")) npu.dram = read_dram(*dram, npu.clock_mhz);
  if (auto dma = root.optional_object("dma")) npu.dma = read_dma(*dma);
  if (auto layout = root.optional_object("data_layout"))
    npu.data_layout = read_data_layout(*layout);
  if (auto vector = root.object("vector_unit")) npu.vector_unit = read_vector_unit(*vector);
  if (auto host = root.optional_object("host")) npu.host = read_host(*host, npu.clock_mhz);
  if (auto mapping = root.optional_object("mapping")) npu.mapping = read_mapping(*mapping);
  npu.energy = read_energy(root.optional_object("energy"));
  const bool may_have_host = npu.host || root.self().json().incomplete();
  if (auto operators = root.object("operators"))
    npu.operators = read_operators(*operators, may_have_host);
}

/// What the MAC-unit files that `document` names hold becomes its member `unit_files`, so that the
/// config of a run says all that it depends on.
void add_unit_files(base::JsonValue& document, const std::string& npu,
                    const std::vector<base::Override>& overrides, base::Diagnostics& diagnostics) {
  base::JsonValue units = base::JsonValue::make_object();
  std::set<std::string> applied;
  for (const auto& [name, file] : unit_files_of(document)) {
    // A file that cannot be read has been told where it is named.
    base::Diagnostics told;
    told.collect([&, &name = name, &file = file] {
      const std::vector<base::Override> own = applicable_to_unit(file, overrides);
      for (const base::Override& override : own) applied.insert(override.text);
      units.set(name, base::load_config(file, "mac_unit", own));
    });
  }
  for (const base::Override& override : overrides) {
    if (applied.count(override.text) != 0) continue;
    base::Diagnostic mistake;
    mistake.file = "--set " + override.text;
    mistake.code = "invalid-override";
    mistake.message = units.members().empty() ? npu + " names no MAC-unit files"
                                              : "no MAC-unit file of " + npu + " has this";
    mistake.allowed = "a path in a MAC-unit file that the NPU's inputs name";
    diagnostics.add(std::move(mistake));
  }
  if (!units.members().empty()) document.set("unit_files", std::move(units));
}

}  // namespace

std::vector<base::Override> applicable_to_unit(const std::string& path,
                                               const std::vector<base::Override>& overrides) {
  if (overrides.empty()) return {};
  const base::JsonValue document = base::load_config(path, "mac_unit");
  std::vector<base::Override> applicable;
  for (const base::Override& override : overrides) {
    base::JsonValue copy = document;
    base::Diagnostics ignored;
    if (ignored.collect([&] { base::apply_override(copy, override); }))
      applicable.push_back(override);
  }
  return applicable;
}

NpuSpec load_npu(const std::string& path, const std::vector<base::Override>& overrides,
                 const std::vector<base::Override>& unit_overrides) {
  base::Diagnostics diagnostics;
  base::JsonValue document = base::load_config(path, "npu", overrides, diagnostics);
  base::ObjectReader root(base::ValueReader(document, "", diagnostics));
  for (const char* header : {"schema_version", "kind"}) root.optional(header);
  NpuSpec npu;
  npu.name = root.string("name");
  npu.description = root.string("description", "");
  npu.interconnect = root.string("interconnect", "");
  npu.roofline = root.boolean("roofline", false);
  npu.facts = read_facts(root);
  read_peaks(root, npu);
  npu.clock_mhz = root.number("clock_mhz", kClockMhz);
  npu.default_recipe = root.string("default_recipe");
  npu.launch_cycles = root.integer("launch_cycles", base::kNonNegative, 0);
  read_sections(root, unit_overrides, npu);
  std::optional<AreaCoefficients> area;
  if (auto section = root.optional_object("area")) area = read_area(*section);
  root.finish();
  if (!document.incomplete() && !diagnostics.spoilt("/sources"))
    check_provenance(document, npu.facts, diagnostics);
  // The rules across values say nothing useful about values that are wrong in themselves.
  const bool array_known = !document.incomplete() && !diagnostics.spoilt("/mac_array");
  if (array_known) check_array(npu, document, diagnostics);
  if (array_known && !diagnostics.spoilt("/mac_array") && !diagnostics.spoilt("/scratchpad"))
    check_buffers(npu, document, diagnostics);
  if (array_known && diagnostics.empty()) check_memory_paths(npu, document, diagnostics);
  if (area && array_known && diagnostics.empty()) check_area(npu, *area, document, diagnostics);
  add_unit_files(document, npu.name, unit_overrides, diagnostics);
  diagnostics.throw_if_any();
  npu.resolved = std::move(document);
  return npu;
}

}  // namespace npusim::npu
