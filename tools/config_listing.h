// SPDX-License-Identifier: Apache-2.0
// `--print-config`: config files as used (extends and overrides applied) with the place each value
// was written at. Values a file leaves to their defaults are not listed.
#pragma once

#include <string>
#include <vector>

#include "base/config_file.h"

namespace npusim::tools {

class ConfigListing {
 public:
  /// A file that is there already is not added twice. kind: as in the file ("mac_unit").
  void add(const std::string& kind, const std::string& file,
           const std::vector<base::Override>& overrides);
  /// {"configs": [{"kind", "file", "config", "values": {"/pointer": {"value", "origin"}}}]}
  std::string text() const;

 private:
  base::JsonValue configs_ = base::JsonValue::make_array();
};

}  // namespace npusim::tools
