// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/json_value.h"
#include "sim/writers/text_table.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/registry.h"

namespace npusim::tools {
namespace {

base::JsonValue json_of(const std::vector<sim::CatalogEntry>& entries) {
  base::JsonValue list = base::JsonValue::make_array();
  for (const sim::CatalogEntry& entry : entries) {
    base::JsonValue item = base::JsonValue::make_object();
    item.set("name", entry.name);
    item.set("kind", entry.kind);
    item.set("file", entry.file);
    item.set("description", entry.description);
    list.push_back(std::move(item));
  }
  return list;
}

std::string table_of(const std::vector<sim::CatalogEntry>& entries) {
  sim::TextTable table;
  for (const char* header : {"kind", "name", "description"}) table.column(header);
  for (const sim::CatalogEntry& entry : entries)
    table.row({entry.kind, entry.name, entry.description});
  return table.aligned();
}

/// "ops" means "op".
std::string singular(const std::string& kind) {
  const std::vector<std::string> kinds = all_kinds();
  const auto known = [&](const std::string& name) {
    return std::find(kinds.begin(), kinds.end(), name) != kinds.end();
  };
  const bool plural = !kind.empty() && kind.back() == 's' && known(kind.substr(0, kind.size() - 1));
  return plural ? kind.substr(0, kind.size() - 1) : kind;
}

}  // namespace

int list(const ListArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json});
  const std::vector<std::string> kinds =
      arguments.kind.empty() ? all_kinds() : std::vector<std::string>{singular(arguments.kind)};
  std::vector<sim::CatalogEntry> entries;
  for (const std::string& kind : kinds)
    for (sim::CatalogEntry& entry : entries_of(kind)) entries.push_back(std::move(entry));
  if (files.json != kStdout) print(table_of(entries));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(json_of(entries)) + "\n", arguments.common.quiet);
  return kOk;
}

}  // namespace npusim::tools
