// SPDX-License-Identifier: Apache-2.0
// More than ten million cases a mode.
#include <gtest/gtest.h>

#include "crossings.h"

namespace npusim::precision {
namespace {

TEST(CrossingsExhaustive, TenMillionCasesAModeEqualMpfr) {
  long cases = 0;
  for (const rules::Disagreements& wrong : crossings::compare_all(1000000)) {
    EXPECT_EQ(wrong.count(), 0) << wrong.first();
    cases += wrong.seen() / 7;
  }
  EXPECT_GE(cases, 10000000);
}

}  // namespace
}  // namespace npusim::precision
