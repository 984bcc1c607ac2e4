// SPDX-License-Identifier: Apache-2.0
#include "pairs.h"

#include <gtest/gtest.h>

namespace npusim::precision {
namespace {

class Pairs : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Formats, Pairs,
                         testing::Values("fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz", "fp8_e5m2fnuz",
                                         "fp6_e3m2", "fp6_e2m3", "fp4_e2m1", "int8", "int4",
                                         "mxint8_element"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(Pairs, SumsAndProductsOfAllCodesInEveryMode) {
  const Format format = format_from_name(GetParam());
  const rules::Disagreements wrong = pairs::compare(format, format, 97);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_GE(wrong.seen(), 7 * (1L << (2 * format.bits())) * 2);
}

TEST_P(Pairs, IntoFp16InEveryMode) {
  const Format format = format_from_name(GetParam());
  const rules::Disagreements wrong = pairs::compare(format, fp16(), 43691);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
}

}  // namespace
}  // namespace npusim::precision
