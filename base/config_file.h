// SPDX-License-Identifier: Apache-2.0
// Loading of a config file of this project: header check (`schema_version`, `kind`), `extends` (RFC
// 7396 merge patch on the parent, path relative to the file, chains allowed, cycles and chains
// deeper than 16 are errors) and `--set` overrides. Values keep the place they were written at, so
// an error in an inherited value points into the parent, and one in an override at the override.
#pragma once

#include <string>
#include <vector>

#include "base/json_value.h"

namespace npusim::base {

inline constexpr int kSchemaVersion = 1;

/// One `--set path=value`. The path (without the leading kind word) has dotted keys and [index]
/// parts; the value is JSON, or a bare string when it does not parse as JSON.
struct Override {
  std::string text;  ///< as given, for messages: "npu.mac_array.rows=64"
  std::string path;  ///< "mac_array.rows"
  std::string value;
};

/// "npu.mac_array.rows=64" → kind word "npu" and the rest. Throws InputError.
struct ParsedOverride {
  std::string kind;  ///< npu | workload | recipe | unit
  Override override;
};
ParsedOverride parse_override(const std::string& text);

/// The document with parents merged and overrides applied; `extends` itself is removed.
/// Throws InputError: missing file, syntax, wrong kind or version (allowed ones named), cyclic
/// extends, an override whose parent object or array element does not exist (a leaf key that nobody
/// knows is found by the strict reader afterwards, with the override as its place).
JsonValue load_config(const std::string& path, const std::string& kind,
                      const std::vector<Override>& overrides = {});
/// The same, but goes on where it can, so that the file's other mistakes are found too: what was
/// wrong is added to `diagnostics`. Without a parent that could not be read, the objects of the
/// document are incomplete(). Throws, with everything collected, when there is nothing to go on
/// with: no such file, no JSON, another kind.
JsonValue load_config(const std::string& path, const std::string& kind,
                      const std::vector<Override>& overrides, Diagnostics& diagnostics);

/// `kind` of a file, for `npusim validate`; `known` names the kinds there are. Throws InputError
/// when it has none, or another.
std::string kind_of_config(const std::string& path, const std::vector<std::string>& known);

}  // namespace npusim::base
