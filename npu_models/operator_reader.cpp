// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>

#include "npu_models/npu_sections.h"
#include "npu_models/unit_reader.h"
#include "workloads/attention_shape.h"
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

const SupportChoices& dynamic_levels() {
  static const SupportChoices levels = {
      {"native", Support::native}, {"host", Support::host}, {"unsupported", Support::unsupported}};
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

ShapeLimits read_limits(base::ObjectReader& entry) {
  ShapeLimits limits;
  auto object = entry.optional_object("limits");
  if (!object) return limits;
  const auto read = [&](const char* key, std::optional<std::int64_t>& limit) {
    if (object->has(key)) limit = object->integer(key, base::kPositive);
  };
  read("max_rank", limits.max_rank);
  read("max_dimension", limits.max_dimension);
  read("max_batch", limits.max_batch);
  read("max_kernel", limits.max_kernel);
  object->finish();
  return limits;
}

/// All keys but `ops`, which only groups have.
OperatorEntry read_entry(base::ObjectReader& object, bool has_host) {
  OperatorEntry entry;
  entry.support = object.choice<Support>("support", all_levels());
  for (const base::ValueReader& format : object.optional_array("formats"))
    entry.formats.push_back(read_format(format).name);
  entry.otherwise = object.choice<Support>("otherwise", fallback_levels(), Support::unsupported);
  entry.limits = read_limits(object);
  entry.reason = object.string("reason", "");
  const base::JsonValue& json = object.self().json();
  if (json.is_object() && is_stale(json)) entry.reason.clear();
  check_host(object, "support", entry.support, has_host);
  check_host(object, "otherwise", entry.otherwise, has_host);
  return entry;
}

bool decomposes(const workloads::Op& op) {
  return !op.decomposes_into().empty();
}

std::string unknown_op(const std::string& name) {
  std::vector<std::string> names;
  for (const workloads::Op* op : workloads::ops().all()) names.push_back(op->name());
  const std::string guess = base::did_you_mean(name, names);
  return "unknown op \"" + name + "\"" + (guess.empty() ? "" : "; did you mean \"" + guess + "\"?");
}

/// What a name in a group's `ops` stands for; a later kind counts more than an earlier one.
enum class Reach { all, op_class, training, one };

bool selects(const std::string& selector, const workloads::Op& op) {
  using workloads::OpClass;
  if (selector == "@all") return true;
  if (selector == "@training") return op.internal() && op.op_class() != OpClass::view;
  if (selector == "@matrix") return op.op_class() == OpClass::matrix;
  if (selector == "@vector") return op.op_class() == OpClass::vector;
  return selector == "@view" && op.op_class() == OpClass::view;
}

Reach reach_of(const std::string& selector) {
  if (selector == "@all") return Reach::all;
  return selector == "@training" ? Reach::training : Reach::op_class;
}

class TableReader {
 public:
  TableReader(OperatorTable& table, bool has_host) : table_(table), has_host_(has_host) {}

  void group(const std::string& name, const base::ValueReader& value) {
    base::ObjectReader object(value);
    OperatorEntry entry = read_entry(object, has_host_);
    entry.group = name;
    for (const base::ValueReader& op : object.array("ops")) {
      const std::string text = op.string();
      if (text.rfind('@', 0) == 0)
        add_class(text, op, entry);
      else if (!text.empty())
        add_one(text, op, entry, true);
    }
    object.finish();
  }

  void single(const std::string& name, const base::ValueReader& value) {
    base::ObjectReader object(value);
    add_one(name, value, read_entry(object, has_host_), false);
    object.finish();
  }

 private:
  void add_one(const std::string& name, const base::ValueReader& value, const OperatorEntry& entry,
               bool grouped) {
    const workloads::Op* op = workloads::ops().find(name);
    if (op == nullptr)
      value.error("unknown-key", unknown_op(name), "an op that `npusim list ops` names");
    if (op != nullptr && entry.support == Support::decomposed && !decomposes(*op))
      value.error("illegal-combination", "no decomposition of " + name + " is known",
                  "native, host, unknown or unsupported");
    const bool whole =
        name == workloads::kAttentionWithStatistics || name == workloads::kAttentionGradient;
    const ShapeLimits& limits = entry.limits;
    const bool limited = !entry.formats.empty() || limits.max_rank || limits.max_dimension ||
                         limits.max_batch || limits.max_kernel;
    if (whole && (entry.support != Support::native || limited))
      value.error("illegal-combination",
                  name +
                      " is native without limits: a mapping makes it where all parts of Attention "
                      "and of its gradient are native",
                  "entries for those parts, or \"fused_attention_backward\": false in mapping");
    const auto known = reach_.find(name);
    if (grouped && known != reach_.end() && known->second == Reach::one)
      value.error("duplicate", name + " stands in two groups", "each op in one group");
    table_.entries[name] = entry;
    reach_[name] = Reach::one;
  }

  void add_class(const std::string& selector, const base::ValueReader& value,
                 const OperatorEntry& entry) {
    static const std::vector<std::string> kSelectors = {"@all", "@matrix", "@vector", "@view",
                                                        "@training"};
    const std::size_t before = value.diagnostics().items().size();
    value.choice(kSelectors);
    if (value.diagnostics().items().size() != before) return;
    const Reach reach = reach_of(selector);
    for (const workloads::Op* op : workloads::ops().all()) {
      if (!selects(selector, *op) || (entry.support == Support::decomposed && !decomposes(*op)))
        continue;
      const auto known = reach_.find(op->name());
      if (known != reach_.end() && known->second >= reach) continue;
      table_.entries[op->name()] = entry;
      reach_[op->name()] = reach;
    }
  }

  OperatorTable& table_;
  bool has_host_;
  std::map<std::string, Reach> reach_;
};

}  // namespace

OperatorTable read_operators(base::ObjectReader& object, bool has_host) {
  OperatorTable table;
  table.fallback = object.choice<Support>("default", fallback_levels(), Support::unsupported);
  check_host(object, "default", table.fallback, has_host);
  if (object.has("dynamic_shapes")) {
    table.dynamic_shapes = object.choice<Support>("dynamic_shapes", dynamic_levels());
    check_host(object, "dynamic_shapes", *table.dynamic_shapes, has_host);
  }
  TableReader reader(table, has_host);
  if (const auto groups = object.optional("groups"))
    for (const auto& [name, value] : groups->members()) reader.group(name, value);
  if (const auto entries = object.optional("ops"))
    for (const auto& [name, value] : entries->members()) reader.single(name, value);
  if (!object.has("groups") && !object.has("ops") && !object.self().json().incomplete())
    object.error("groups", "missing-key", "the table has no entries",
                 "groups, or ops: an object with an entry for each op");
  object.finish();
  return table;
}

}  // namespace npusim::npu
