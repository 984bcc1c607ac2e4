// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/cli/sweep_files.h"

namespace npusim::cli_test {
namespace {

TEST(SweepKills, OfTwoHundredTrialsNoneLosesAPoint) {
  kill_at_random(200, 2);
}

}  // namespace
}  // namespace npusim::cli_test
