// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_sections.h"
#include "npu_models/unit_reader.h"
#include "workloads/op.h"

namespace npusim::npu {
namespace {

using SupportChoices = std::vector<std::pair<std::string, Support>>;

const SupportChoices& all_levels() {
  static const SupportChoices levels = {{"native", Support::native},
                                        {"decomposed", Support::decomposed},
                                        {"host", Support::host},
                                        {"unknown", Support::unknown},
                                        {"unsupported", Support::unsupported}};
  return levels;
}

/// What remains where the NPU itself does not do it.
const SupportChoices& fallback_levels() {
  static const SupportChoices levels = {{"unsupported", Support::unsupported},
                                        {"unknown", Support::unknown},
                                        {"host", Support::host}};
  return levels;
}

void check_host(base::ObjectReader& object, const char* key, Support support, bool has_host) {
  if (support == Support::host && !has_host)
    object.error(key, "no-host", "work is sent to a host but the file has no host section",
                 "a host section, or another level");
}

/// A reason belongs to the level it was written with. Where an override or an extending file says
/// another level, or other formats, the inherited text would explain what is no longer so.
bool is_stale(const base::JsonValue& entry) {
  const base::JsonValue* const reason = entry.find("reason");
  if (reason == nullptr || reason->origin().line == 0) return false;
  for (const char* key : {"support", "formats", "otherwise"}) {
    const base::JsonValue* const value = entry.find(key);
    if (value == nullptr) continue;
    const bool overridden = value->origin().line == 0;
    const bool newer = *value->origin().file == *entry.origin().file &&
                       *value->origin().file != *reason->origin().file;
    if (overridden || newer) return true;
  }
  return false;
}

OperatorEntry read_entry(const base::ValueReader& value, const workloads::Op* op, bool has_host) {
  base::ObjectReader object(value);
  OperatorEntry entry;
  entry.support = object.choice<Support>("support", all_levels());
  for (const base::ValueReader& format : object.optional_array("formats"))
    entry.formats.push_back(read_format(format).name);
  entry.otherwise = object.choice<Support>("otherwise", fallback_levels(), Support::unsupported);
  entry.reason = object.string("reason", "");
  if (value.json().is_object() && is_stale(value.json())) entry.reason.clear();
  check_host(object, "support", entry.support, has_host);
  check_host(object, "otherwise", entry.otherwise, has_host);
  if (entry.support == Support::decomposed && op != nullptr && op->decomposes_into().empty())
    object.error("support", "illegal-combination",
                 "no decomposition of " + op->name() + " is known",
                 "native, host, unknown or unsupported");
  object.finish();
  return entry;
}

std::string unknown_op(const std::string& name) {
  std::vector<std::string> names;
  for (const workloads::Op* op : workloads::ops().all()) names.push_back(op->name());
  const std::string guess = base::did_you_mean(name, names);
  return "unknown op \"" + name + "\"" + (guess.empty() ? "" : "; did you mean \"" + guess + "\"?");
}

}  // namespace

OperatorTable read_operators(base::ObjectReader& object, bool has_host) {
  OperatorTable table;
  table.fallback = object.choice<Support>("default", fallback_levels(), Support::unsupported);
  check_host(object, "default", table.fallback, has_host);
  if (const auto entries = object.required("ops", "an object with an entry for each op")) {
    for (const auto& [name, value] : entries->members()) {
      const workloads::Op* op = workloads::ops().find(name);
      if (op == nullptr)
        value.error("unknown-key", unknown_op(name), "an op that `npusim list ops` names");
      table.entries[name] = read_entry(value, op, has_host);
    }
  }
  object.finish();
  return table;
}

}  // namespace npusim::npu
