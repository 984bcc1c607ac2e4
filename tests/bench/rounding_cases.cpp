// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <random>

#include "case.h"
#include "precision/indexed_rounding.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

using precision::Arithmetic;
using precision::Format;
using precision::Rounding;

/// 128 MB of floats, in and out: far beyond the last-level cache.
constexpr std::size_t kCount = std::size_t{32} << 20;

struct Arrays {
  std::vector<float> in = std::vector<float>(kCount), out = in;

  Arrays() {
    std::mt19937 random(1);
    for (float& x : in) x = (static_cast<float>(random()) - 0x1p31F) * 0x1p-28F;
  }
};

const std::shared_ptr<Arrays>& arrays() {
  static const std::shared_ptr<Arrays> shared = std::make_shared<Arrays>();
  return shared;
}

Case rounding_case(const Format& format, Rounding rounding) {
  const Arithmetic arithmetic{format, rounding, rounding == Rounding::sr ? 13 : 0};
  const auto run = [arithmetic] {
    return cpu_seconds([&] {
      precision::round_indexed(arrays()->in.data(), arrays()->out.data(),
                               static_cast<std::int64_t>(kCount), arithmetic, {1, 2});
    });
  };
  const auto copy = [] { return copy_rate(arrays()->in, arrays()->out); };
  std::vector<Goal> goals = {{Against::copy, 0.8}};
  if (rounding == Rounding::sr) goals = {{Against::nothing, 2.5}};
  const std::string name = "round_" + format.name + "_" + precision::name_of(rounding);
  return {name, "Gvalues/s", 1.0 * kCount, run, copy, goals};
}

}  // namespace

std::vector<Case> rounding_cases() {
  using precision::format_from_name;
  return {
      rounding_case(precision::fp16(), Rounding::rne),
      rounding_case(precision::fp16(), Rounding::rtz),
      rounding_case(precision::fp16(), Rounding::sr),
      rounding_case(precision::bf16(), Rounding::rne),
      rounding_case(precision::bf16(), Rounding::odd),
      rounding_case(precision::bf16(), Rounding::sr),
      rounding_case(format_from_name("fp8_e4m3"), Rounding::rne),
      rounding_case(format_from_name("fp8_e4m3"), Rounding::sr),
      rounding_case(format_from_name("e6m9"), Rounding::ru),
  };
}

}  // namespace npusim::bench
