// SPDX-License-Identifier: Apache-2.0
// Finds what a name means, then leaves the description to tools/describe.
#include "tools/describe/describe.h"

#include <algorithm>

#include "base/config_file.h"
#include "base/error.h"
#include "base/object_reader.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/format_argument.h"
#include "tools/output.h"
#include "tools/registry.h"
#include "workloads/onnx/load_workload.h"

namespace npusim::tools {
namespace {

struct Describer {
  const char* kind;
  std::string (*describe)(const std::string& file_or_name);
};
constexpr Describer kDescribers[] = {
    {"npu", describe_npu},
    {"mac_unit", describe_mac_unit},
    {"workload", describe_workload},
    {"recipe", describe_recipe},
    {"scenario", describe_scenario},
    {"suite", describe_suite},
    {"sweep", describe_sweep},
    {"cluster", describe_cluster},
    {"op", describe_op},
    {"organisation", describe_organisation},
    {"format", describe_format},
    {"rounding", describe_rounding},
};

std::string describe_as(const std::string& kind, const std::string& what) {
  for (const Describer& describer : kDescribers)
    if (kind == describer.kind) return describer.describe(what);
  throw base::InputError("files of kind \"" + kind + "\" cannot be described", "unknown-kind");
}

bool looks_like_file(const std::string& name) {
  return name.find('/') != std::string::npos ||
         (name.size() > 5 && name.compare(name.size() - 5, 5, ".json") == 0);
}

/// Formats have infinitely many names (eXmY) that no list holds.
bool is_format(const std::string& name) {
  try {
    format_argument(name);
    return true;
  } catch (const base::InputError&) {
    return false;
  }
}

struct Matches {
  std::vector<sim::CatalogEntry> found;
  std::vector<std::string> names;  ///< of all entries, for a did-you-mean
};

Matches search(const std::string& name, const std::vector<std::string>& kinds) {
  Matches matches;
  for (const std::string& kind : kinds) {
    for (const sim::CatalogEntry& entry : entries_of(kind)) {
      matches.names.push_back(entry.name);
      if (entry.name == name) matches.found.push_back(entry);
    }
    const bool listed = !matches.found.empty() && matches.found.back().kind == kind;
    if (kind == "format" && !listed && is_format(name))
      matches.found.push_back({name, kind, "", ""});
  }
  return matches;
}

[[noreturn]] void fail_unknown(const std::string& name, const std::vector<std::string>& names) {
  std::string message = "nothing is named \"" + name + "\"";
  const std::string near = base::did_you_mean(name, names);
  if (!near.empty()) message += " (did you mean \"" + near + "\"?)";
  throw base::InputError(message + "; npusim list prints all names", "unknown-name");
}

[[noreturn]] void fail_ambiguous(const std::string& name, const Matches& matches) {
  std::string kinds;
  for (const sim::CatalogEntry& entry : matches.found)
    kinds += (kinds.empty() ? "" : ", ") + entry.kind;
  throw base::InputError("\"" + name + "\" names several things: " + kinds + "; choose with --kind",
                         "ambiguous-name");
}

}  // namespace

int describe(const DescribeArguments& arguments) {
  if (workloads::onnx::is_onnx_file(arguments.name)) {
    print(describe_as("workload", arguments.name));
    return kOk;
  }
  if (looks_like_file(arguments.name)) {
    print(describe_as(base::kind_of_config(arguments.name, sim::file_kinds()), arguments.name));
    return kOk;
  }
  const std::vector<std::string> kinds =
      arguments.kind.empty() ? all_kinds() : std::vector<std::string>{arguments.kind};
  const Matches matches = search(arguments.name, kinds);
  if (matches.found.empty()) fail_unknown(arguments.name, matches.names);
  if (matches.found.size() > 1) fail_ambiguous(arguments.name, matches);
  const sim::CatalogEntry& entry = matches.found.front();
  print(describe_as(entry.kind, entry.file.empty() ? entry.name : entry.file));
  return kOk;
}

}  // namespace npusim::tools
