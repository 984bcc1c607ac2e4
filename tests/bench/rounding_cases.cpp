// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <random>

#include "case.h"
#include "precision/rounding.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

/// 128 MB of doubles: far beyond the last-level cache.
constexpr std::size_t kCount = std::size_t{16} << 20;

}  // namespace

std::vector<Case> rounding_cases() {
  struct Arrays {
    std::vector<double> in, out;
  };
  const auto arrays = std::make_shared<Arrays>();
  arrays->in.resize(kCount);
  arrays->out.resize(kCount);
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  for (double& x : arrays->in) x = normal(random);
  const auto run = [arrays] {
    return cpu_seconds([&] {
      precision::round_array(arrays->in.data(), arrays->out.data(), static_cast<long>(kCount),
                             {precision::fp16(), precision::Rounding::rne});
    });
  };
  return {{"round_doubles_fp16", "Gvalues/s", 1.0 * kCount, run, {}, {{Against::nothing, 0.5}}}};
}

}  // namespace npusim::bench
