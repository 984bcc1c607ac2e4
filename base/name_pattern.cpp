// SPDX-License-Identifier: Apache-2.0
#include "base/name_pattern.h"

#include <fnmatch.h>

namespace npusim::base {

bool fits_pattern(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace npusim::base
