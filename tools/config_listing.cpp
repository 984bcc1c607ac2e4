// SPDX-License-Identifier: Apache-2.0
#include "tools/config_listing.h"

#include <algorithm>

#include "workloads/onnx/load_workload.h"

namespace npusim::tools {
namespace {

using base::JsonValue;

/// "file:line", or the override itself, which has no lines.
std::string place_of(const base::Origin& origin) {
  const std::string file = origin.file ? *origin.file : std::string();
  return origin.line > 0 ? file + ":" + std::to_string(origin.line) : file;
}

void flatten(const JsonValue& value, const std::string& pointer, JsonValue& values) {
  if (value.is_object() && !value.members().empty()) {
    for (const auto& [key, member] : value.members())
      flatten(member, pointer + "/" + base::pointer_token(key), values);
    return;
  }
  if (value.is_array() && !value.items().empty()) {
    for (std::size_t i = 0; i < value.items().size(); ++i)
      flatten(value.items()[i], pointer + "/" + std::to_string(i), values);
    return;
  }
  JsonValue entry = JsonValue::make_object();
  entry.set("value", value);
  entry.set("origin", place_of(value.origin()));
  values.set(pointer, std::move(entry));
}

}  // namespace

void ConfigListing::add(const std::string& kind, const std::string& file,
                        const std::vector<base::Override>& overrides) {
  const auto& known = configs_.items();
  const auto same = [&](const JsonValue& config) {
    return config.find("kind")->string() == kind && config.find("file")->string() == file;
  };
  if (std::any_of(known.begin(), known.end(), same)) return;
  const JsonValue document = workloads::onnx::is_onnx_file(file)
                                 ? workloads::load_workload(file, overrides).resolved
                                 : base::load_config(file, kind, overrides);
  JsonValue values = JsonValue::make_object();
  flatten(document, "", values);
  JsonValue config = JsonValue::make_object();
  config.set("kind", kind);
  config.set("file", file);
  config.set("config", document);
  config.set("values", std::move(values));
  configs_.push_back(std::move(config));
}

std::string ConfigListing::text() const {
  JsonValue object = JsonValue::make_object();
  object.set("configs", configs_);
  return base::dump_json(object) + "\n";
}

}  // namespace npusim::tools
