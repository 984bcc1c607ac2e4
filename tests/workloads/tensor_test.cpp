// SPDX-License-Identifier: Apache-2.0
#include "workloads/tensor.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace npusim::workloads
