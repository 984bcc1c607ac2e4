// SPDX-License-Identifier: Apache-2.0
// Where the sources of this build stand. One file knows the path: objects of all others are the
// same in every clone, and a compiler cache can serve them.
#pragma once

#include <string>

namespace npusim::test {

const std::string& source_dir();

}  // namespace npusim::test
