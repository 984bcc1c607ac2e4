// SPDX-License-Identifier: Apache-2.0
#include "tools/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/object_reader.h"
#include "npu_models/organisation.h"
#include "precision/block_format.h"
#include "precision/rounding.h"
#include "workloads/op.h"

namespace npusim::tools {
namespace {

using Entries = std::vector<sim::CatalogEntry>;

Entries op_entries() {
  Entries entries;
  for (const workloads::Op* op : workloads::ops().all())
    entries.push_back({op->name(), "op", "", op->description()});
  return entries;
}

Entries organisation_entries() {
  Entries entries;
  for (const npu::Organisation* organisation : npu::organisations())
    entries.push_back({organisation->name(), "organisation", "", organisation->description()});
  return entries;
}

std::string layout_of(const precision::Format& format) {
  if (format.is_fixed_point()) return fmt::format("{} bits, two's complement", format.bits());
  if (format.is_scale()) return fmt::format("{} bits of exponent: a scale", format.bits());
  return fmt::format("{} bits: 1 sign, {} exponent, {} fraction", format.bits(),
                     format.exponent_bits, format.fraction_bits);
}

Entries format_entries() {
  Entries entries;
  for (const std::string& name : precision::named_formats()) {
    const precision::Format format = precision::format_from_name(name);
    entries.push_back({name, "format", "",
                       fmt::format("{}; largest {:.6g}", layout_of(format), format.max_finite())});
  }
  for (const std::string& name : precision::named_block_formats()) {
    const precision::BlockFormat format = precision::block_format_from_name(name);
    entries.push_back(
        {name, "format", "",
         fmt::format("blocks of {} {} with a scale of {}{}", format.block, format.element.name,
                     format.scale->name, format.tensor_scale ? " and one of the tensor" : "")});
  }
  return entries;
}

std::string meaning_of(const std::string& rounding) {
  static const std::vector<std::pair<std::string, std::string>> meanings = {
      {"rne", "to nearest, ties to even"},
      {"rna", "to nearest, ties away from zero"},
      {"rtz", "toward zero"},
      {"ru", "toward +infinity"},
      {"rd", "toward -infinity"},
      {"odd", "exact values stay, others go to the neighbour whose last bit is one"},
      {"sr", "stochastic: random bits are added below the last place, then truncated"}};
  for (const auto& [name, meaning] : meanings)
    if (name == rounding) return meaning;
  return {};
}

Entries rounding_entries() {
  Entries entries;
  for (const std::string& name : precision::rounding_names())
    entries.push_back({name, "rounding", "", meaning_of(name)});
  return entries;
}

}  // namespace

std::vector<std::string> all_kinds() {
  std::vector<std::string> kinds = sim::file_kinds();
  kinds.insert(kinds.end(), {"op", "organisation", "format", "rounding"});
  return kinds;
}

std::vector<sim::CatalogEntry> entries_of(const std::string& kind) {
  if (kind == "op") return op_entries();
  if (kind == "organisation") return organisation_entries();
  if (kind == "format") return format_entries();
  if (kind == "rounding") return rounding_entries();
  const std::vector<std::string> kinds = all_kinds();
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return sim::list_files(kind);
  base::Diagnostic diagnostic;
  diagnostic.code = "unknown-kind";
  diagnostic.message = "there is no kind \"" + kind + "\"";
  const std::string near = base::did_you_mean(kind, kinds);
  if (!near.empty()) diagnostic.message += " (did you mean \"" + near + "\"?)";
  for (const std::string& known : kinds)
    diagnostic.allowed += (diagnostic.allowed.empty() ? "" : ", ") + known;
  throw base::InputError(std::vector<base::Diagnostic>{diagnostic});
}

}  // namespace npusim::tools
