// SPDX-License-Identifier: Apache-2.0
#include "crossings.h"

#include <gtest/gtest.h>

namespace npusim::precision {
namespace {

TEST(Crossings, SumsProductsAndFusedSumsOfCornersInEveryModeEqualMpfr) {
  for (const rules::Disagreements& wrong : crossings::compare_all(20000)) {
    EXPECT_EQ(wrong.count(), 0) << wrong.first();
    EXPECT_EQ(wrong.seen(), 7 * 20000);
  }
}

TEST(Crossings, CornersAreValuesOfTheirFormatWithSpecials) {
  const std::vector<double> corners = crossings::corners(fp16());
  EXPECT_GT(corners.size(), 800u);
  for (const double x : corners) EXPECT_TRUE(representable(x, fp16())) << x;
}

}  // namespace
}  // namespace npusim::precision
