// SPDX-License-Identifier: Apache-2.0
// What can be found wrong in the paths and values of a sweep without running it.
#pragma once

#include "base/object_reader.h"
#include "sim/sweep/sweep_spec.h"

namespace npusim::sim {

/// The file behind a name; "" and a mistake at the value when there is none.
std::string find_named_file(const base::ValueReader& value, const std::string& kind,
                            const std::string& folder);

/// Paths that lead nowhere, values of a type that their key never takes, names of files that do not
/// exist. Each value is tried alone on top of the sweep's own configs and overrides: values that
/// only fail together with others are for the points to find, and so are paths that only some of
/// the files have that the sweep looks at (points of the others are `invalid`).
void check_settings(const Sweep& sweep, base::ObjectReader& root, base::Diagnostics& diagnostics);

}  // namespace npusim::sim
