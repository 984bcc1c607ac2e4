// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/array_file.h"
#include "base/error.h"
#include "temp_file.h"

namespace npusim::workloads {
namespace {

using Kind = Initializer::Kind;

struct Moments {
  double mean = 0.0, stddev = 0.0, skew = 0.0, kurtosis = 0.0, low = 1e300, high = -1e300;
};

Moments moments_of(const Tensor& tensor) {
  Moments result;
  const auto n = static_cast<double>(tensor.values.size());
  for (const double x : tensor.values) {
    result.mean += x / n;
    result.low = std::min(result.low, x);
    result.high = std::max(result.high, x);
  }
  double m2 = 0.0, m3 = 0.0, m4 = 0.0;
  for (const double x : tensor.values) {
    const double d = x - result.mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  result.stddev = std::sqrt(m2);
  result.skew = m3 / std::pow(m2, 1.5);
  result.kurtosis = m4 / (m2 * m2);
  return result;
}

Tensor make(const Initializer& initializer, const Shape& shape, const std::string& name = "t",
            std::uint64_t seed = 42, ElementType type = ElementType::floating) {
  return make_values(initializer, shape, type, name, seed);
}

Initializer of(Kind kind) {
  Initializer initializer;
  initializer.kind = kind;
  return initializer;
}

TEST(Initializer, RotaryTablesHoldTheAnglesOfTheirPositions) {
  for (const bool cosine : {true, false}) {
    Initializer initializer = of(cosine ? Kind::rotary_cos : Kind::rotary_sin);
    initializer.value = 10000.0;
    initializer.low = 2000.0;
    const Tensor table = make(initializer, {2, 5, 8});
    for (std::size_t i = 0; i < table.values.size(); ++i) {
      const long double position = 2000.0L + static_cast<long double>(i / 8 % 5);
      const long double angle =
          position * std::pow(10000.0L, -2.0L * static_cast<long double>(i % 8) / 16.0L);
      const long double expected = cosine ? std::cos(angle) : std::sin(angle);
      EXPECT_NEAR(table.values[i], static_cast<double>(expected), 6.1e-8) << i;
    }
  }
}

TEST(Initializer, NormalHasItsMoments) {
  Initializer initializer = of(Kind::normal);
  initializer.mean = 1.5;
  initializer.stddev = 0.25;
  const Moments m = moments_of(make(initializer, {1000, 1001}));
  EXPECT_NEAR(m.mean, 1.5, 0.001);
  EXPECT_NEAR(m.stddev, 0.25, 0.001);
  EXPECT_NEAR(m.skew, 0.0, 0.01);
  EXPECT_NEAR(m.kurtosis, 3.0, 0.03);
}

TEST(Initializer, NeighboursAreUncorrelated) {
  const Tensor tensor = make(of(Kind::normal), {1 << 20});
  for (const std::size_t lag : {1U, 2U, 3U, 64U}) {
    double sum = 0.0;
    for (std::size_t i = lag; i < tensor.values.size(); ++i)
      sum += tensor.values[i] * tensor.values[i - lag];
    EXPECT_LT(std::fabs(sum) / static_cast<double>(tensor.values.size()), 0.005) << lag;
  }
}

TEST(Initializer, UniformFillsItsHalfOpenInterval) {
  Initializer initializer = of(Kind::uniform);
  initializer.low = -2.0;
  initializer.high = 6.0;
  const Moments m = moments_of(make(initializer, {1 << 20}));
  EXPECT_GE(m.low, -2.0);
  EXPECT_LT(m.high, 6.0);
  EXPECT_NEAR(m.mean, 2.0, 0.01);
  EXPECT_NEAR(m.stddev, 8.0 / std::sqrt(12.0), 0.01);
}

// Rounding to binary32 must not reach the open end, even of a tiny interval.
TEST(Initializer, UniformNeverReturnsTheOpenEnd) {
  Initializer initializer = of(Kind::uniform);
  initializer.low = 1.0;
  initializer.high = 1.0 + 3 * 0x1p-23;
  const Tensor tensor = make(initializer, {10000});
  for (const double x : tensor.values) {
    EXPECT_GE(x, initializer.low);
    EXPECT_LT(x, initializer.high);
  }
}

TEST(Initializer, UniformIntCoversBothEndsEvenly) {
  Initializer initializer = of(Kind::uniform_int);
  initializer.low = -1.0;
  initializer.high = 8.0;
  const Tensor tensor = make(initializer, {100000}, "labels", 1, ElementType::int64);
  std::vector<int> count(10, 0);
  for (const double x : tensor.values) ++count[static_cast<std::size_t>(x + 1.0)];
  for (const int c : count) EXPECT_NEAR(c, 10000, 500);
}

TEST(Initializer, FanRules) {
  const Shape conv = {64, 32, 3, 3};  // fan in 288, fan out 576
  EXPECT_NEAR(moments_of(make(of(Kind::kaiming_normal), conv)).stddev, std::sqrt(2.0 / 288), 0.001);
  EXPECT_NEAR(moments_of(make(of(Kind::xavier_normal), conv)).stddev, std::sqrt(2.0 / 864), 0.001);
  const Shape gemm = {100, 400};  // fan in 400, fan out 100
  const Moments kaiming = moments_of(make(of(Kind::kaiming_uniform), gemm));
  EXPECT_NEAR(kaiming.high, std::sqrt(6.0 / 400), 0.001);
  EXPECT_NEAR(kaiming.low, -std::sqrt(6.0 / 400), 0.001);
  EXPECT_NEAR(moments_of(make(of(Kind::xavier_uniform), gemm)).high, std::sqrt(6.0 / 500), 0.001);
}

TEST(Initializer, KaimingKeepsAGivenMean) {
  Initializer initializer = of(Kind::kaiming_normal);
  initializer.mean = 0.125;
  EXPECT_NEAR(moments_of(make(initializer, {64, 64, 3, 3})).mean, 0.125, 0.001);
}

TEST(Initializer, KaimingNeedsAFan) {
  EXPECT_THROW(make(of(Kind::kaiming_normal), {64}), base::InputError);
}

TEST(Initializer, ValuesAreBinary32) {
  for (const double x : make(of(Kind::normal), {999}).values)
    EXPECT_EQ(x, static_cast<double>(static_cast<float>(x)));
}

// A prefix of a longer tensor holds the same values: they depend on the index alone.
TEST(Initializer, ValuesDependOnTheIndexOnly) {
  for (const Kind kind : {Kind::normal, Kind::uniform}) {
    const Tensor longer = make(of(kind), {1000});
    const Tensor shorter = make(of(kind), {333});
    EXPECT_TRUE(std::equal(shorter.values.begin(), shorter.values.end(), longer.values.begin()));
  }
}

TEST(Initializer, ValuesDoNotDependOnHowTheWorkIsSplit) {
  const precision::ParallelFor backwards = [](std::int64_t count,
                                              const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = count; i-- > 0;) body(i);
  };
  for (const Kind kind : {Kind::normal, Kind::uniform, Kind::uniform_int})
    EXPECT_EQ(make_values(of(kind), {100001}, ElementType::floating, "t", 42, backwards).values,
              make(of(kind), {100001}).values);
}

// From a second program (Philox, SplitMix64 and FNV-1a in Python, rounded to binary32): recorded
// baselines rest on these values.
TEST(Initializer, KnownValues) {
  const Tensor normal = make(of(Kind::normal), {4}, "x", 1);
  const Tensor uniform = make(of(Kind::uniform), {2}, "x", 1);
  EXPECT_EQ(normal.values,
            (std::vector<double>{-0x1.b9d77ap-1, -0x1.19012cp-2, 0x1.37befcp-1, 0x1.0ea826p-1}));
  EXPECT_EQ(uniform.values, (std::vector<double>{0x1.53c8d2p-1, 0x1.1916ap-1}));
}

TEST(Initializer, ValuesDependOnNameAndSeed) {
  const Tensor one = make(of(Kind::normal), {8}, "a", 1);
  EXPECT_EQ(one.values, make(of(Kind::normal), {8}, "a", 1).values);
  EXPECT_NE(one.values, make(of(Kind::normal), {8}, "b", 1).values);
  EXPECT_NE(one.values, make(of(Kind::normal), {8}, "a", 2).values);
}

TEST(Initializer, AStreamReplacesTheName) {
  Initializer initializer = of(Kind::normal);
  initializer.stream = "w";
  EXPECT_EQ(make(initializer, {8}, "w.master").values, make(of(Kind::normal), {8}, "w").values);
}

TEST(Initializer, IntegersRefuseFractions) {
  EXPECT_THROW(make(of(Kind::normal), {4}, "labels", 1, ElementType::int64), base::InputError);
}

TEST(Initializer, ReadsNpy) {
  const testing::TempFolder folder;
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f32, {2, 2}, {1.0, 2.0, 3.0, 4.5}});
  Initializer initializer = of(Kind::file);
  initializer.path = folder.path("x.npy");
  EXPECT_EQ(make(initializer, {2, 2}).values, (std::vector<double>{1.0, 2.0, 3.0, 4.5}));
  EXPECT_THROW(make(initializer, {4}), base::InputError);
  EXPECT_THROW(make(initializer, {2, 2}, "labels", 1, ElementType::int64), base::InputError);
}

/// A .safetensors file with one f32 tensor [2] of value `x` under `name`.
std::string safetensors(const std::string& name, float x) {
  const std::string header =
      "{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header;
  for (int i = 0; i < 2; ++i) bytes.append(reinterpret_cast<const char*>(&x), sizeof x);
  return bytes;
}

TEST(Initializer, ReadsSafetensorsByName) {
  const testing::TempFolder folder;
  Initializer initializer = of(Kind::file);
  initializer.path = folder.write("w.safetensors", safetensors("fc.weight", 2.5F));
  EXPECT_EQ(make(initializer, {2}, "fc.weight").values, (std::vector<double>{2.5, 2.5}));
  EXPECT_THROW(make(initializer, {2}, "other"), base::InputError);
  initializer.tensor = "fc.weight";
  EXPECT_EQ(make(initializer, {2}, "other").values, (std::vector<double>{2.5, 2.5}));
}

// The file that was read last is kept; a changed one is read again.
TEST(Initializer, SeesAChangedSafetensors) {
  const testing::TempFolder folder;
  Initializer initializer = of(Kind::file);
  initializer.path = folder.write("w.safetensors", safetensors("w", 1.0F));
  EXPECT_EQ(make(initializer, {2}, "w").values.front(), 1.0);
  folder.write("w.safetensors", safetensors("w", 2.0F) + std::string());
  std::filesystem::last_write_time(
      initializer.path,
      std::filesystem::last_write_time(initializer.path) + std::chrono::seconds(2));
  EXPECT_EQ(make(initializer, {2}, "w").values.front(), 2.0);
}

TEST(Initializer, FiltersHaveMeansOfTheirOwn) {
  Initializer plain = of(Kind::kaiming_normal);
  Initializer shifted = plain;
  shifted.filter_mean = 0.5;
  const Shape shape = {200, 64, 3, 3};
  const double stddev = std::sqrt(2.0 / (64 * 9));
  const Tensor before = make(plain, shape), after = make(shifted, shape);
  const std::size_t filter = 64 * 9;
  double squares = 0.0;
  for (std::size_t f = 0; f < 200; ++f) {
    // Every element of a filter is shifted by the same amount, to the roundings to binary32.
    const double shift = after.values[f * filter] - before.values[f * filter];
    for (std::size_t i = 0; i < filter; ++i)
      ASSERT_NEAR(after.values[f * filter + i] - before.values[f * filter + i], shift, 1e-7);
    squares += shift * shift / 200;
  }
  EXPECT_NEAR(std::sqrt(squares), 0.5 * stddev, 0.1 * stddev);
}

TEST(Initializer, OutlierChannelsAreTheSameInEveryTensorOfAWidth) {
  Initializer plain = of(Kind::normal);
  Initializer outliers = plain;
  outliers.outlier_channels = 0.02;
  outliers.outlier_scale = 16.0;
  std::set<std::size_t> of_first;
  for (const char* name : {"a", "b"}) {
    const Tensor before = make(plain, {7, 200}, name), after = make(outliers, {7, 200}, name);
    std::set<std::size_t> larger;
    for (std::size_t i = 0; i < before.values.size(); ++i) {
      if (after.values[i] == before.values[i]) continue;
      EXPECT_EQ(after.values[i], 16.0 * before.values[i]);
      larger.insert(i % 200);
    }
    EXPECT_EQ(larger.size(), 4U);
    if (of_first.empty()) of_first = larger;
    EXPECT_EQ(larger, of_first);
  }
}

TEST(Initializer, ElementsOneByOneAreThoseOfTheWholeTensor) {
  const Shape shape = {30, 7, 3};
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < 500; ++i) indices.push_back(i * 7919 % 630);
  for (const std::int64_t begin : {7, 100})  // rows of neighbours, from an odd and an even element
    for (std::int64_t i = 0; i < 61; ++i) indices.push_back(begin + i);
  for (const Kind kind : {Kind::constant, Kind::uniform, Kind::normal, Kind::kaiming_normal,
                          Kind::kaiming_uniform, Kind::xavier_normal, Kind::xavier_uniform,
                          Kind::calibrated_mean, Kind::calibrated_variance}) {
    Initializer initializer = of(kind);
    initializer.value = 0.1;
    initializer.mean = 0.25;
    initializer.filter_mean = 0.5;
    initializer.outlier_channels = 0.3;
    const Tensor whole = make(initializer, shape);
    std::vector<double> elements(indices.size());
    make_elements(initializer, shape, ElementType::floating, "t", 42, indices, elements.data());
    for (std::size_t i = 0; i < indices.size(); ++i)
      ASSERT_EQ(elements[i], whole.values[static_cast<std::size_t>(indices[i])])
          << name_of(kind) << " " << indices[i];
  }
}

}  // namespace
}  // namespace npusim::workloads