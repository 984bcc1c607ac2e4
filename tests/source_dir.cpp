// SPDX-License-Identifier: Apache-2.0
#include "tests/source_dir.h"

namespace npusim::test {

const std::string& source_dir() {
  static const std::string folder = NPUSIM_SOURCE_DIR;
  return folder;
}

}  // namespace npusim::test
