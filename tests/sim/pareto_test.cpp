// SPDX-License-Identifier: Apache-2.0
#include "sim/pareto.h"

#include <gtest/gtest.h>

#include "precision/counter_random.h"

namespace npusim::sim {
namespace {

/// The definition, read out.
bool beaten(const Objectives& own, const std::vector<Objectives>& all) {
  for (const Objectives& other : all) {
    bool as_good = true, better = false;
    for (std::size_t i = 0; i < own.size(); ++i) {
      as_good = as_good && other[i] <= own[i];
      better = better || other[i] < own[i];
    }
    if (as_good && better) return true;
  }
  return false;
}

TEST(Pareto, IsWhatTheDefinitionSays) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const std::size_t values = 1 + seed % 4;
    std::vector<Objectives> points(60);
    for (std::size_t i = 0; i < points.size(); ++i)
      for (std::size_t v = 0; v < values; ++v)  // few values, so that many are equal
        points[i].push_back(static_cast<double>(precision::mixed(seed * 1000 + i * 10 + v) % 7));
    const std::vector<bool> front = pareto_front(points);
    for (std::size_t i = 0; i < points.size(); ++i)
      EXPECT_EQ(front[i], !beaten(points[i], points)) << "seed " << seed << " point " << i;
  }
}

TEST(Pareto, OfNothingIsNothing) {
  EXPECT_TRUE(pareto_front({}).empty());
}

}  // namespace
}  // namespace npusim::sim
