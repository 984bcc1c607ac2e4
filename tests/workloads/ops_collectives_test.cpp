// SPDX-License-Identifier: Apache-2.0
// Collectives between devices: the order of sums written out by hand, in BF16, against the op.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ops_support.h"

namespace npusim::workloads::testing {
namespace {

using ::testing::HasSubstr;

/// To BF16, to nearest even, by integer arithmetic on binary32.
double bf16(double value) {
  const auto single = static_cast<float>(value);  // exact for sums of two BF16 values below
  std::uint32_t bits = 0;
  std::memcpy(&bits, &single, sizeof bits);
  bits += 0x7fffU + (bits >> 16 & 1U);
  bits &= 0xffff0000U;
  float rounded = 0.0F;
  std::memcpy(&rounded, &bits, sizeof rounded);
  return rounded;
}

precision::Rounder bf16_rounder() {
  return precision::Rounder({precision::bf16(), precision::Rounding::rne});
}

Attributes collective(const char* algorithm, std::int64_t devices) {
  return {{"algorithm", std::string(algorithm)}, {"devices", devices}};
}

/// Two tensors on each device: 5 and 6 elements, a buffer of 11.
std::vector<Tensor> gradients(std::int64_t devices) {
  std::vector<Tensor> all;
  for (std::int64_t d = 0; d < devices; ++d) {
    all.push_back(random_tensor({5}, static_cast<std::uint64_t>(10 + d)));
    all.push_back(random_tensor({2, 3}, static_cast<std::uint64_t>(20 + d)));
  }
  return all;
}

std::vector<double> buffer_of(const std::vector<Tensor>& tensors, std::size_t first) {
  std::vector<double> buffer = tensors[first].values;
  buffer.insert(buffer.end(), tensors[first + 1].values.begin(), tensors[first + 1].values.end());
  return buffer;
}

// Chunk c of four: 3, 3, 3 and 2 elements. It starts at device c + 1 and ends at device c.
TEST(Collectives, RingAddsEachChunkRoundTheRing) {
  const std::vector<Tensor> g = gradients(4);
  const std::vector<double> reduced =
      buffer_of(run_op_outputs("AllReduce", g, collective("ring", 4), 2, bf16_rounder()), 0);
  const std::size_t chunk_of[] = {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3};
  const std::size_t order[4][4] = {{1, 2, 3, 0}, {2, 3, 0, 1}, {3, 0, 1, 2}, {0, 1, 2, 3}};
  for (std::size_t i = 0; i < 11; ++i) {
    const std::size_t* hops = order[chunk_of[i]];
    double sum = bf16(buffer_of(g, 2 * hops[0])[i]);
    for (std::size_t h = 1; h < 4; ++h) sum = bf16(sum + bf16(buffer_of(g, 2 * hops[h])[i]));
    EXPECT_EQ(reduced[i], sum) << i;
  }
}

TEST(Collectives, TreeAddsInPairs) {
  const std::vector<Tensor> g = gradients(5);
  const std::vector<double> reduced =
      buffer_of(run_op_outputs("AllReduce", g, collective("tree", 5), 2, bf16_rounder()), 0);
  for (std::size_t i = 0; i < 11; ++i) {
    double own[5];
    for (std::size_t d = 0; d < 5; ++d) own[d] = bf16(buffer_of(g, 2 * d)[i]);
    const double pairs = bf16(bf16(own[0] + own[1]) + bf16(own[2] + own[3]));
    EXPECT_EQ(reduced[i], bf16(pairs + own[4])) << i;  // the fifth device joins in the last round
  }
}

TEST(Collectives, RingAndTreeDifferInBf16AndAgreeWhereSumsAreExact) {
  const std::vector<Tensor> g = gradients(4);
  std::vector<Tensor> exact = g;  // multiples of 1/8 below 4: sums of four need 6 bits
  for (Tensor& tensor : exact)
    for (double& value : tensor.values) value = std::floor(value * 32.0) / 8.0;
  const auto reduce = [](const std::vector<Tensor>& of, const char* algorithm) {
    return buffer_of(run_op_outputs("AllReduce", of, collective(algorithm, 4), 2, bf16_rounder()),
                     0);
  };
  EXPECT_NE(reduce(g, "ring"), reduce(g, "tree"));
  EXPECT_EQ(reduce(exact, "ring"), reduce(exact, "tree"));
  for (std::size_t i = 0; i < 11; ++i) {
    double sum = 0.0;
    for (std::size_t d = 0; d < 4; ++d) sum += buffer_of(exact, 2 * d)[i];
    EXPECT_EQ(reduce(exact, "ring")[i], sum);
  }
}

// Six columns in two groups for three devices: columns 0 and 3, 1 and 4, 2 and 5.
TEST(Collectives, PartsAreCutOutOfEveryGroup) {
  const Tensor x =
      typed_tensor({2, 6}, ElementType::floating, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  const Attributes cut = {{"axis", one(1)}, {"groups", one(2)}, {"devices", one(3)}};
  const std::vector<Tensor> parts = run_op_outputs("ToParts", {x}, cut, 3);
  expect_near(parts[0], {2, 2}, {0, 3, 10, 13});
  expect_near(parts[1], {2, 2}, {1, 4, 11, 14});
  expect_near(parts[2], {2, 2}, {2, 5, 12, 15});
  expect_near(run_op("FromParts", parts, {{"axis", one(1)}, {"groups", one(2)}}), {2, 6}, x.values);
  // Rows of one group.
  const std::vector<Tensor> rows =
      run_op_outputs("ToParts", {x}, {{"axis", one(0)}, {"devices", one(2)}}, 2);
  expect_near(rows[1], {1, 6}, {10, 11, 12, 13, 14, 15});
  EXPECT_THAT(error_of("ToParts", {{2, 6}}, {{"axis", one(1)}, {"devices", one(4)}}),
              HasSubstr("no 4 equal pieces"));
}

TEST(Collectives, OneDeviceKeepsWhatItHas) {
  const std::vector<Tensor> g = gradients(1);
  EXPECT_EQ(buffer_of(run_op_outputs("AllReduce", g, collective("ring", 1), 2, bf16_rounder()), 0),
            buffer_of(g, 0));
}

TEST(Collectives, GradientsGoBackThroughCopiesAndSums) {
  const std::vector<Tensor> three = {random_tensor({2, 3}, 1), random_tensor({2, 3}, 2),
                                     random_tensor({2, 3}, 3)};
  expect_right_gradients("AllReduce", three, collective("tree", 3));
  expect_right_gradients("ToDevices", {three[0]}, collective("ring", 1));
}

TEST(Collectives, TensorsMustBeThoseOfTheDevices) {
  EXPECT_THAT(error_of("AllReduce", {{2}, {3}}, collective("ring", 2)), HasSubstr("another shape"));
  EXPECT_THAT(error_of("AllReduce", {{2}, {2}, {2}}, collective("ring", 2)),
              HasSubstr("not those of 2 devices"));
  EXPECT_THAT(error_of("AllReduce", {{2}, {2}}, collective("star", 2)), HasSubstr("ring, tree"));
}

}  // namespace
}  // namespace npusim::workloads::testing
