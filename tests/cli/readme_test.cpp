// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/readme.h"

#include <gtest/gtest.h>

namespace npusim::cli_test {
namespace {

TEST(Readme, QuickCommandsWork) {
  EXPECT_GT(run_readme_commands([](const std::string& line) { return !is_long(line); }), 0);
}

TEST(Readme, FilesAreValid) {
  EXPECT_GT(validate_readme_files(), 0);
}

}  // namespace
}  // namespace npusim::cli_test
