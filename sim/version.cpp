// SPDX-License-Identifier: Apache-2.0
#include "sim/version.h"

#include "git_id.h"

namespace npusim::sim {

const char* version() {
  return NPUSIM_VERSION;
}
const char* git_id() {
  return NPUSIM_GIT_ID;
}

}  // namespace npusim::sim
