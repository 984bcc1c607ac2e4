// SPDX-License-Identifier: Apache-2.0
#include "workloads/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace npusim::workloads {
namespace {

// Random123 1.09, tests/kat_vectors, philox4x32 with 10 rounds.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
  const std::uint32_t f = 0xffffffffU;
  EXPECT_EQ(philox4x32_10({f, f, f, f}, {f, f}),
            (PhiloxBlock{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}));
  EXPECT_EQ(philox4x32_10({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U},
                          {0xa4093822U, 0x299f31d0U}),
            (PhiloxBlock{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}));
}

TEST(RandomStream, DependsOnSeedNameAndIndexOnly) {
  const RandomStream stream(1, "conv1.weight");
  const std::uint64_t bits = stream.bits(12345);
  EXPECT_EQ(RandomStream(1, "conv1.weight").bits(12345), bits);
  EXPECT_NE(RandomStream(2, "conv1.weight").bits(12345), bits);
  EXPECT_NE(RandomStream(1, "conv2.weight").bits(12345), bits);
  EXPECT_NE(stream.bits(12344), bits);
}

TEST(RandomStream, ElementsAreHalvesOfBlocks) {
  const RandomStream stream(3, "x");
  EXPECT_EQ(stream.bits(10), stream.block(5).first);
  EXPECT_EQ(stream.bits(11), stream.block(5).second);
}

TEST(RandomStream, UnitIntervalStaysBelowOne) {
  EXPECT_EQ(unit_interval(0), 0.0);
  EXPECT_EQ(unit_interval(~std::uint64_t{0}), 1.0 - 0x1p-53);
}

TEST(NormalValues, ExtremeBitsStayFinite) {
  const std::uint64_t ones = ~std::uint64_t{0};
  const RandomStream::Pair bits[] = {{0, 0}, {0, ones}, {ones, 0}, {ones, ones}};
  double values[8];
  normal_values(bits, 4, values);
  for (const double value : values) EXPECT_LT(std::fabs(value), 8.6);
}

// u = 1/2 and angle 0: sqrt(2 ln 2) and 0, by hand.
TEST(NormalValues, FollowBoxAndMuller) {
  const std::uint64_t half = (std::uint64_t{1} << 63) - (std::uint64_t{1} << 11);
  const RandomStream::Pair bits{half, 0};
  double values[2];
  normal_values(&bits, 1, values);
  EXPECT_NEAR(values[0], 1.1774100225154747, 1e-15);
  EXPECT_EQ(values[1], 0.0);
}

}  // namespace
}  // namespace npusim::workloads
