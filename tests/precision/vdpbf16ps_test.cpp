// SPDX-License-Identifier: Apache-2.0
// The unit intel_avx512_bf16_fp32 against the instruction itself, on CPUs that have it.
#include "vdpbf16ps.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "npu_models/npu_file.h"
#include "oracle.h"
#include "precision/mac_chain.h"
#include "tests/source_dir.h"

namespace npusim::precision::hardware {
namespace {

constexpr int kInstructions = 1 << 17;  // 2^21 lanes

float float_of(std::uint32_t bits) {
  float x = 0.0F;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

double element(std::uint32_t pair, int i) {
  return static_cast<double>(float_of(i == 0 ? pair << 16 : pair & 0xffff0000U));
}

class Draw {
 public:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_() % n); }

  /// A binary32 code whose low `dropped` bits are zero: any code, or one of the regime's exponents.
  std::uint32_t code(int regime, int dropped) {
    std::uint32_t bits = static_cast<std::uint32_t>(engine_());
    if (regime == 1) bits = with_exponent(bits, 124 + below(7));
    if (regime == 2) bits = with_exponent(bits, 58 + below(12));  // products around 2^-126
    if (regime == 3) bits = with_exponent(bits, below(4) == 0 ? 127 + below(127) : below(2));
    if (regime == 4) bits = with_exponent(bits, 186 + below(8));  // products around 2^128
    if (regime == 5 && below(8) == 0)
      bits = with_exponent(below(2) == 0 ? bits & kSign : bits, 255);
    if (regime == 6) bits = with_exponent(bits, 51 + below(2));  // products around 2^-150
    if (below(16) == 0) bits &= kSign;
    return bits >> dropped << dropped;
  }
  std::uint32_t pair(int regime) { return code(regime, 16) | (code(regime, 16) >> 16); }

  float sum(int regime) {
    if (regime == 2)
      return float_of(with_exponent(static_cast<std::uint32_t>(engine_()), below(12)));
    if (regime == 4)
      return float_of(with_exponent(static_cast<std::uint32_t>(engine_()), 250 + below(5)));
    if (regime == 6) return float_of((code(0, 0) & kSign) | 0x00800000U);  // the smallest normal
    return float_of(code(regime, 0));
  }

 private:
  static constexpr std::uint32_t kSign = 0x80000000U;
  static std::uint32_t with_exponent(std::uint32_t bits, std::uint32_t exponent) {
    return (bits & 0x807fffffU) | (exponent << 23);
  }
  std::mt19937_64 engine_{20190507};
};

TEST(HardwareVdpbf16ps, EveryLaneIsTheUnitsResult) {
  if (!has_vdpbf16ps()) GTEST_SKIP() << "this CPU has no AVX512_BF16";
  const MacUnit unit =
      npu::load_mac_unit(test::source_dir() + "/configs/mac_units/intel_avx512_bf16_fp32.json");
  Draw draw;
  Sums sums{};
  int different = 0;
  for (int i = 0; i < kInstructions; ++i) {
    Pairs a{}, b{};
    for (std::size_t lane = 0; lane < a.size(); ++lane) {
      const int regime = static_cast<int>(draw.below(7));
      a[lane] = draw.pair(regime);
      b[lane] = draw.pair(regime);
      if (draw.below(2) == 0) sums[lane] = draw.sum(regime);  // else chained to the last result
    }
    const Sums results = vdpbf16ps(sums, a, b);
    for (std::size_t lane = 0; lane < a.size(); ++lane) {
      const double x[] = {element(a[lane], 0), element(a[lane], 1)};
      const double y[] = {element(b[lane], 0), element(b[lane], 1)};
      const double want = static_cast<double>(results[lane]);
      const double got = mac_chain(unit, x, y, 2, static_cast<double>(sums[lane]));
      if (oracle::same(got, want) || ++different > 3) continue;
      ADD_FAILURE() << std::hexfloat << x[0] << " * " << y[0] << " + " << x[1] << " * " << y[1]
                    << " + " << sums[lane] << ": CPU " << want << ", unit " << got;
    }
    sums = results;
  }
  EXPECT_EQ(different, 0);
}

}  // namespace
}  // namespace npusim::precision::hardware
