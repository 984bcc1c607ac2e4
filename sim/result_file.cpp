// SPDX-License-Identifier: Apache-2.0
#include "sim/result_file.h"

#include "base/object_reader.h"
#include "sim/result.h"

namespace npusim::sim {
namespace {

using base::ObjectReader;
using base::ValueReader;

void read_run(const ValueReader& value) {
  ObjectReader run(value);
  if (!value.json().is_object()) return;
  for (const char* key : {"npu", "workload", "mode", "recipe"}) run.string(key);
  if (const auto status = run.required("status", "ok, unsupported, failed, interrupted"))
    status->choice({"ok", "unsupported", "failed", "interrupted"});
}

void read_version(ObjectReader& reader) {
  if (const auto version = reader.required("schema_version", "a number from 1 on")) {
    if (version->integer(base::kPositive) > kResultSchemaVersion)
      version->error("newer-schema",
                     "this file was written by a newer npusim: schema version " +
                         std::to_string(version->json().integer()),
                     "at most " + std::to_string(kResultSchemaVersion));
  }
}

}  // namespace

base::JsonValue load_for_report(const std::string& path) {
  base::Diagnostics diagnostics;
  base::JsonValue document = base::parse_json_file(path, diagnostics);
  diagnostics.throw_if_any();
  const base::JsonValue* kind = document.is_object() ? document.find("kind") : nullptr;
  if (kind == nullptr || !kind->is_string() || kind->string() != "train_result")
    return load_result(path);
  ObjectReader reader(ValueReader(document, "", diagnostics));
  read_version(reader);
  for (const char* key : {"npu", "workload", "data"}) reader.string(key);
  for (const ValueReader& run : reader.array("runs")) {
    ObjectReader one(run);
    if (!run.json().is_object()) continue;
    for (const char* key : {"recipe", "status"}) one.string(key);
    for (const char* key : {"evaluations", "steps", "gradients"}) one.array(key);
  }
  diagnostics.throw_if_any();
  return document;
}

base::JsonValue load_result(const std::string& path) {
  base::Diagnostics diagnostics;
  base::JsonValue document = base::parse_json_file(path, diagnostics);
  ObjectReader reader(ValueReader(document, "", diagnostics));
  read_version(reader);
  if (auto tool = reader.object("tool"))
    for (const char* key : {"name", "version", "git"}) tool->string(key);
  for (const ValueReader& run : reader.array("runs")) read_run(run);
  diagnostics.throw_if_any();
  return document;
}

}  // namespace npusim::sim
