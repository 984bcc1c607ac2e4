// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace npusim::sim {

const char* version();  ///< "0.1.0"
const char* git_id();   ///< short commit id of the build, or "unknown"

}  // namespace npusim::sim
