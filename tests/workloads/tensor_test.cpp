// SPDX-License-Identifier: Apache-2.0
#include "workloads/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace npusim::workloads {
namespace {

TEST(Shape, CountsElements) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 3, 4}), 24);
  EXPECT_EQ(element_count({std::int64_t{1} << 20, std::int64_t{1} << 20}), std::int64_t{1} << 40);
  EXPECT_EQ(element_count({0, std::int64_t{1} << 62}), 0);
}

TEST(Shape, RefusesWhatDoesNotFit) {
  const std::int64_t large = std::int64_t{1} << 40;
  EXPECT_THROW(element_count({large, 2}), base::InputError);
  EXPECT_THROW(element_count({large, large, large}), base::InputError);
  EXPECT_THROW(element_count({std::int64_t{1} << 62}), base::InputError);
  EXPECT_THROW(element_count({3, -1}), base::InputError);
  EXPECT_THROW(element_count({0, -1}), base::InputError);
}

TEST(Shape, PrintsLikeAList) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{1, 64, 56, 56}), "[1, 64, 56, 56]");
}

TEST(Tensor, StartsAsZeros) {
  const Tensor tensor({2, 3});
  EXPECT_EQ(tensor.values, std::vector<double>(6, 0.0));
}

TEST(ElementType, RangesAreThoseOfTheMachineTypes) {
  EXPECT_EQ(lowest_of(ElementType::int8), std::numeric_limits<std::int8_t>::min());
  EXPECT_EQ(highest_of(ElementType::int8), std::numeric_limits<std::int8_t>::max());
  EXPECT_EQ(lowest_of(ElementType::uint16), 0.0);
  EXPECT_EQ(highest_of(ElementType::uint16), std::numeric_limits<std::uint16_t>::max());
  EXPECT_EQ(lowest_of(ElementType::int32), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(highest_of(ElementType::uint32), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(highest_of(ElementType::int4), 7.0);
  EXPECT_EQ(lowest_of(ElementType::int64), -0x1p63);
  EXPECT_LT(highest_of(ElementType::int64), 0x1p63);
  EXPECT_EQ(highest_of(ElementType::boolean), 1.0);
}

TEST(ElementType, WrapsAsTheMachineTypesDo) {
  for (std::int64_t value = -70000; value <= 70000; value += 7) {
    const auto x = static_cast<double>(value);
    ASSERT_EQ(wrapped(x, ElementType::int8), static_cast<std::int8_t>(value)) << value;
    ASSERT_EQ(wrapped(x, ElementType::uint8), static_cast<std::uint8_t>(value)) << value;
    ASSERT_EQ(wrapped(x, ElementType::int16), static_cast<std::int16_t>(value)) << value;
    ASSERT_EQ(wrapped(x, ElementType::uint16), static_cast<std::uint16_t>(value)) << value;
    ASSERT_EQ(wrapped(x, ElementType::uint32), static_cast<std::uint32_t>(value)) << value;
  }
  EXPECT_EQ(wrapped(-2.9, ElementType::int32), -2.0);
  EXPECT_EQ(wrapped(0x1p31, ElementType::int32), -0x1p31);
  EXPECT_EQ(wrapped(-9.0, ElementType::int4), 7.0);
  EXPECT_EQ(wrapped(0.5, ElementType::boolean), 1.0);
  EXPECT_EQ(wrapped(2.5, ElementType::floating), 2.5);
  EXPECT_EQ(wrapped(std::nan(""), ElementType::int8), 0.0);
}

TEST(ElementType, SaturatesAfterRoundingToEven) {
  EXPECT_EQ(saturated(127.6, ElementType::int8), 127.0);
  EXPECT_EQ(saturated(-1e9, ElementType::int8), -128.0);
  EXPECT_EQ(saturated(2.5, ElementType::uint8), 2.0);
  EXPECT_EQ(saturated(3.5, ElementType::uint8), 4.0);
  EXPECT_EQ(saturated(-0.4, ElementType::uint8), 0.0);
  EXPECT_EQ(saturated(1e30, ElementType::int64), highest_of(ElementType::int64));
}

}  // namespace
}  // namespace npusim::workloads
