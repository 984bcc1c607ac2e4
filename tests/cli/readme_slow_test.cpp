// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/cli/readme.h"

namespace npusim::cli_test {
namespace {

TEST(Readme, LongCommandsWork) {
  EXPECT_GT(run_readme_commands(is_long), 0);
}

}  // namespace
}  // namespace npusim::cli_test
