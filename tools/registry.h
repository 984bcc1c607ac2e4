// SPDX-License-Identifier: Apache-2.0
// Everything that has a name: shipped files and what is built in.
#pragma once

#include <string>
#include <vector>

#include "sim/catalog.h"

namespace npusim::tools {

/// File kinds, then op, organisation, format, rounding.
std::vector<std::string> all_kinds();

/// Entries of one kind, sorted by name (built-in ones in their own order); `file` is empty for what
/// is built in. Throws base::InputError for an unknown kind.
std::vector<sim::CatalogEntry> entries_of(const std::string& kind);

}  // namespace npusim::tools
