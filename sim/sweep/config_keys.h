// SPDX-License-Identifier: Apache-2.0
// The config hash of a design point without reading its configs in full: what a sweep needs to know
// which points its store has already. It is the hash that `npusim run` states for the same configs.
#pragma once

#include <map>
#include <string>

#include "base/json_value.h"
#include "sim/sweep/point.h"

namespace npusim::sim {

class ConfigKeys {
 public:
  /// Of configs whose overrides do not apply: of the files and the overrides as text.
  std::string hash_of(const PointRequest& point);

 private:
  const base::JsonValue& document(const std::string& kind, const std::string& file);
  std::string text_of(const std::string& kind, const std::string& file,
                      const std::vector<base::Override>& overrides);
  std::string strict_hash_of(const PointRequest& point);

  std::map<std::string, base::JsonValue> documents_;  ///< by file, without overrides
  std::map<std::string, std::string> texts_;          ///< of other kinds than npu, by overrides too
};

}  // namespace npusim::sim
