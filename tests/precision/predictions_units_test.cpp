// SPDX-License-Identifier: Apache-2.0
// What the literature measured of, and proved for, sums in matrix units: chunks (Wang et al. 2018),
// the narrow FP8 accumulator of Hopper and its promotion (DeepSeek-V3, arXiv:2412.19437), sums of
// two products with one rounding (Bertaccini et al. 2022), and error bounds (Higham 2002; Blanchard
// et al. 2020; Higham & Mary 2019).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "npu_models/npu_file.h"
#include "precision/gemm.h"
#include "precision/mac_chain.h"
#include "tests/source_dir.h"

namespace npusim::precision {
namespace {

using Values = std::vector<double>;

MacUnit shipped(const std::string& name) {
  return npu::load_mac_unit(test::source_dir() + "/configs/mac_units/" + name + ".json");
}

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  double uniform() { return std::ldexp(static_cast<double>(engine_() >> 11), -53); }
  /// Twelve uniform draws less six: mean 0, deviation 1.
  double normal() {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::mt19937_64 engine_;
};

double dot(const MacUnit& unit, const Values& a, const Values& b) {
  return mac_chain(unit, a.data(), b.data(), static_cast<std::int64_t>(a.size()), 0.0);
}

/// The sum of n draws of mean 1 and deviation 1 through the unit, over the true sum.
double ratio_of_long_sum(MacUnit unit, int n) {
  unit.a = unit.b = fp32();
  Draw draw(1812);
  Values a;
  double exact = 0.0;
  for (int i = 0; i < n; ++i) {
    a.push_back(
        round_to(1.0 + (2.0 * draw.uniform() - 1.0) * std::sqrt(3.0), fp32(), Rounding::rne));
    exact += a.back();
  }
  return dot(unit, a, Values(a.size(), 1.0)) / exact;
}

TEST(PredictionsOfUnits, T2LongSumsStickAt4096AndChunksOf64Repair) {
  const MacUnit chunks = shipped("wang_fp8_chunk64");
  MacUnit chain = chunks;
  chain.stages.erase(chain.stages.begin());
  EXPECT_NEAR(ratio_of_long_sum(chain, 4096), 0.907, 0.02);
  EXPECT_NEAR(ratio_of_long_sum(chain, 8192), 0.5006, 0.01);
  EXPECT_NEAR(ratio_of_long_sum(chain, 16384), 0.2508, 0.005);
  EXPECT_NEAR(ratio_of_long_sum(chain, 65536), 0.0626, 0.001);
  for (const int n : {4096, 8192, 16384, 65536}) {
    EXPECT_GT(ratio_of_long_sum(chunks, n), 0.99) << n;
    EXPECT_LT(ratio_of_long_sum(chunks, n), 1.01) << n;
  }
  EXPECT_NEAR(ratio_of_long_sum(chunks, 262144), 0.50, 0.02);
  EXPECT_NEAR(ratio_of_long_sum(chunks, 1 << 20), 0.125, 0.005);
  MacUnit small = chunks;
  small.stages[0].terms = 8;
  EXPECT_NEAR(ratio_of_long_sum(small, 65536), 0.257, 0.02);
}

TEST(PredictionsOfUnits, T2StochasticRoundingOfLongSumsIsUnbiased) {
  MacUnit chain = shipped("bf16_chain_sr");
  chain.a = chain.b = fp32();
  chain.stages[0].arithmetic.format = format_from_name("e6m9");
  Draw draw(2018);
  double total = 0.0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    Values a;
    double exact = 0.0;
    for (int i = 0; i < 16384; ++i) {
      a.push_back(
          round_to(1.0 + (2.0 * draw.uniform() - 1.0) * std::sqrt(3.0), fp32(), Rounding::rne));
      exact += a.back();
    }
    const Values ones(a.size(), 1.0);
    RandomSequence random{{seed, 7}, 0};
    const Operands operands{a.data(), ones.data(), static_cast<std::int64_t>(a.size())};
    const double ratio = mac_chain(chain, operands, 0.0, random) / exact;
    EXPECT_NEAR(ratio, 1.0, 0.08) << seed;
    total += ratio;
  }
  EXPECT_NEAR(total / 20, 1.0, 0.02);
}

/// Errors of a product of two 64 x 4096 E4M3 matrices, each scaled to 448.
struct GemmError {
  double largest_relative;  ///< of an element
  double over_largest;      ///< largest error over the largest element
};

struct Fp8Matrices {
  static constexpr std::int64_t kRows = 64, kTerms = 4096;
  Values a, b, exact;
};

template <class Next>
Fp8Matrices fp8_matrices(std::int64_t seed, Next next) {
  Fp8Matrices m;
  Draw draw(static_cast<std::uint64_t>(seed));
  for (Values* x : {&m.a, &m.b}) {
    double largest = 0.0;
    for (std::int64_t i = 0; i < m.kRows * m.kTerms; ++i) {
      x->push_back(next(draw));
      largest = std::max(largest, std::fabs(x->back()));
    }
    for (double& v : *x)
      v = round_to(v * (448.0 / largest), format_from_name("fp8_e4m3"), Rounding::rne);
  }
  for (std::int64_t i = 0; i < m.kRows; ++i)
    for (std::int64_t j = 0; j < m.kRows; ++j) {
      double sum = 0.0;  // multiples of 2^-18 below 2^30: exact
      for (std::int64_t k = 0; k < m.kTerms; ++k)
        sum += m.a[static_cast<std::size_t>(i * m.kTerms + k)] *
               m.b[static_cast<std::size_t>(j * m.kTerms + k)];
      m.exact.push_back(sum);
    }
  return m;
}

/// The first `rows` rows only.
GemmError error_of(const MacUnit& unit, const Fp8Matrices& m, std::int64_t rows) {
  ReductionPlan plan;
  plan.dims = {{"K", m.kTerms}};
  Values out(static_cast<std::size_t>(rows * m.kRows));
  MatrixOutput output(out.data(), m.kRows);
  emulated_gemm(unit, plan, MatrixRows(m.a.data(), rows, m.kTerms, m.kTerms, 1),
                MatrixRows(m.b.data(), m.kRows, m.kTerms, m.kTerms, 1), {}, output, serial());
  GemmError e{0.0, 0.0};
  double largest = 0.0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double error = std::fabs(out[i] - m.exact[i]);
    e.largest_relative = std::max(e.largest_relative, error / std::fabs(m.exact[i]));
    e.over_largest = std::max(e.over_largest, error);
    largest = std::max(largest, std::fabs(m.exact[i]));
  }
  e.over_largest /= largest;
  return e;
}

MacUnit with_fraction_bits(MacUnit unit, int bits) {
  Stage& stage = unit.stages[0];
  stage.alignment.fraction_bits = bits;
  Format format = bits == 23 ? fp32() : format_from_name("e8m" + std::to_string(bits));
  format.overflow = stage.arithmetic.format.overflow;
  stage.arithmetic.format = format;
  return unit;
}

TEST(PredictionsOfUnits, T8HopperFp8SumsOfPositiveTermsAndTheirPromotion) {
  const Fp8Matrices m = fp8_matrices(8, [](Draw& draw) { return draw.uniform(); });
  const MacUnit hopper = shipped("nvidia_h100_e4m3_fp32");
  const MacUnit promoted = shipped("deepseek_h800_fp8_e4m3_fp32");
  const struct {
    int bits;
    std::int64_t rows;
    double plain, promoted;
  } expected[] = {{13, 64, 7.9e-2, 6.6e-4}, {14, 16, 3.7e-2, 2.1e-4}, {15, 16, 1.65e-2, 7.1e-5}};
  for (const auto& e : expected) {
    const double plain = error_of(with_fraction_bits(hopper, e.bits), m, e.rows).largest_relative;
    const double with = error_of(with_fraction_bits(promoted, e.bits), m, e.rows).largest_relative;
    EXPECT_NEAR(plain, e.plain, 0.1 * e.plain) << e.bits;
    EXPECT_NEAR(with, e.promoted, 0.1 * e.promoted) << e.bits;
    EXPECT_GE(plain, 100 * with) << e.bits;
  }
  const double wide = error_of(with_fraction_bits(hopper, 23), m, 16).largest_relative;
  const double wide_promoted = error_of(with_fraction_bits(promoted, 23), m, 16).largest_relative;
  EXPECT_NEAR(wide, 2.6e-6, 0.4e-6);
  EXPECT_NEAR(wide_promoted, 3.1e-7, 0.5e-7);
}

TEST(PredictionsOfUnits, T9HopperFp8SumsOfMeanZero) {
  const Fp8Matrices m = fp8_matrices(9, [](Draw& draw) { return draw.normal(); });
  const double plain = error_of(shipped("nvidia_h100_e4m3_fp32"), m, 64).over_largest;
  const double promoted = error_of(shipped("deepseek_h800_fp8_e4m3_fp32"), m, 64).over_largest;
  EXPECT_NEAR(plain, 3.1e-3, 0.8e-3);
  EXPECT_NEAR(promoted, 1.3e-4, 0.2e-4);
}

TEST(PredictionsOfUnits, T14OneRoundingForTwoProductsIsNoWorseThanTwo) {
  MacUnit fused = shipped("fp16_chain"), cascaded = fused;
  fused.a = fused.b = cascaded.a = cascaded.b = format_from_name("fp8_e5m2");
  fused.stages[0].combine = Combine::exact;
  fused.stages[0].step = 2;
  for (const int n : {500, 1000, 2000}) {
    Draw draw(static_cast<std::uint64_t>(n));
    Values of_fused, of_cascaded;
    for (int i = 0; i < 600; ++i) {
      Values a, b;
      double exact = 0.0;
      for (int k = 0; k < n; ++k) {
        a.push_back(round_to(draw.normal(), fused.a, Rounding::rne));
        b.push_back(round_to(draw.normal(), fused.a, Rounding::rne));
        exact += a.back() * b.back();
      }
      of_fused.push_back(std::fabs(dot(fused, a, b) / exact - 1.0));
      of_cascaded.push_back(std::fabs(dot(cascaded, a, b) / exact - 1.0));
    }
    const auto median = [](Values v) {
      std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
      return v[v.size() / 2];
    };
    EXPECT_LE(median(of_fused), median(of_cascaded)) << n;
  }
}

double gamma(double k, double u) {
  return k * u / (1.0 - k * u);
}

/// A random dot product, its exact value and the sum of the magnitudes of its products.
struct Sum {
  Values a, b;
  double exact = 0.0, magnitude = 0.0;
};

Sum random_sum(const MacUnit& unit, int n, Draw& draw) {
  Sum s;
  for (int i = 0; i < n; ++i) {
    s.a.push_back(round_to(draw.normal(), unit.a, Rounding::rne));
    s.b.push_back(round_to(draw.normal(), unit.b, Rounding::rne));
    s.exact += s.a.back() * s.b.back();
    s.magnitude += std::fabs(s.a.back() * s.b.back());
  }
  return s;
}

TEST(PredictionsOfUnits, T16LowPrecisionOutputsOfFp32SumsStayWithinTheBound) {
  for (const char* name : {"fp16_fp32_chain", "bf16_fp32_chain", "fp16_fp32_tree16"}) {
    const MacUnit unit = shipped(name);
    const double low = std::ldexp(1.0, -unit.a.precision()), u = 0x1p-24;
    Draw draw(16);
    for (int i = 0; i < 2000; ++i) {
      const int n = 1 + static_cast<int>(draw.uniform() * 600.0);
      const Sum s = random_sum(unit, n, draw);
      const double result = round_to(dot(unit, s.a, s.b), unit.a, Rounding::rne);
      EXPECT_LE(std::fabs(result - s.exact), (low + gamma(n, u) * (1.0 + low)) * s.magnitude)
          << name << ", " << n << " terms";
    }
  }
}

/// Roundings that one product of an n-term sum meets at most.
using Roundings = double (*)(int n);

TEST(PredictionsOfUnits, WorstCaseBoundsHold) {
  const struct {
    const char* unit;
    int most_terms;  ///< so that k u stays below 1
    Roundings roundings;
  } rows[] = {
      {"fp16_chain", 1000, [](int n) { return double(n); }},
      {"bf16_chain", 100, [](int n) { return double(n); }},
      {"fp16_chain_unfused", 1000, [](int n) { return n + 1.0; }},
      {"bf16_fp32_chain", 1000, [](int n) { return double(n); }},
      {"fp16_fp16_tree16", 1000, [](int n) { return 4.0 + std::ceil(n / 16.0); }},
      {"fp16_fp32_tree64", 1000, [](int n) { return 6.0 + std::ceil(n / 64.0); }},
      {"huawei_ascend_fp16_fp16", 1000, [](int n) { return 4.0 + std::ceil(n / 16.0); }},
      {"google_tpu_v4_bf16_fp32", 1000, [](int n) { return std::ceil(n / 4.0); }},
      {"graphcore_mk2_fp16_fp16", 1000, [](int n) { return std::ceil(n / 16.0); }},
      {"gemmini_fp16_fp32", 1000, [](int n) { return 4.0 + std::ceil(n / 4.0); }},
      {"wang_fp8_chunk64", 400, [](int n) { return 64.0 + std::ceil(n / 64.0); }},
      {"fp32_exact", 1000, [](int) { return 1.0; }},
  };
  for (const auto& row : rows) {
    const MacUnit unit = shipped(row.unit);
    int precision = 53;
    for (const Stage& stage : unit.stages)
      precision = std::min(precision, stage.arithmetic.format.precision());
    const double u = std::ldexp(1.0, -precision);
    Draw draw(27);
    for (int i = 0; i < 500; ++i) {
      const int n = 1 + static_cast<int>(draw.uniform() * row.most_terms);
      const Sum s = random_sum(unit, n, draw);
      EXPECT_LE(std::fabs(dot(unit, s.a, s.b) - s.exact), gamma(row.roundings(n), u) * s.magnitude)
          << row.unit << ", " << n << " terms";
    }
  }
}

/// Higham & Mary 2019, theorem 3.1, at a probability of failure of 1 % a sum.
TEST(PredictionsOfUnits, ProbabilisticBoundHoldsForRoundingToNearest) {
  for (const char* name : {"fp16_chain", "bf16_chain", "bf16_fp32_chain"}) {
    const MacUnit unit = shipped(name);
    const double u = std::ldexp(1.0, -unit.accumulator().format.precision());
    Draw draw(2019);
    int beyond = 0;
    for (int i = 0; i < 300; ++i) {
      const int n = 10 + static_cast<int>(draw.uniform() * 1000.0);
      const Sum s = random_sum(unit, n, draw);
      const double lambda = std::sqrt(2.0 * std::log(2.0 * n / 0.01)) / (1.0 - u);
      const double bound = std::expm1(lambda * std::sqrt(n) * u + n * u * u / (1.0 - u));
      beyond += std::fabs(dot(unit, s.a, s.b) - s.exact) > bound * s.magnitude ? 1 : 0;
    }
    EXPECT_EQ(beyond, 0) << name;
  }
}

}  // namespace
}  // namespace npusim::precision
