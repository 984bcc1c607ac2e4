// SPDX-License-Identifier: Apache-2.0
// The fast path of every unit and plan gives the bits of planned_dot, on every SIMD path.
#include "precision/gemm.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "oracle.h"
#include "patterns.h"
#include "precision/kernels/dispatch.h"
#include "precision/kernels/scratch.h"
#include "simd_path.h"
#include "units.h"

namespace npusim::precision {
namespace {

constexpr RandomKey kKey{77, 88};

struct Shape {
  std::int64_t rows, columns, k;
};

struct Case {
  MacUnit unit;
  ReductionPlan plan;
  std::int64_t rows, columns;
  std::vector<double> a, b, bias;
  Bias::Axis axis = Bias::Axis::none;
  std::uint64_t seed = 0;
};

ReductionPlan flat(std::int64_t k) {
  ReductionPlan plan;
  plan.dims = {{"K", k}};
  return plan;
}

Case random_case(const MacUnit& unit, const ReductionPlan& plan, const Shape& shape,
                 std::uint64_t seed, double spread, bool special) {
  units::Random random(seed);
  const auto values = [&](std::int64_t count, const Format& format) {
    return special ? random.special(count, format, spread) : random.values(count, format, spread);
  };
  Case c{unit, plan, shape.rows, shape.columns, {}, {}, {}};
  c.a = values(shape.rows * plan.terms(), unit.a);
  c.b = values(shape.columns * plan.terms(), unit.b);
  c.seed = seed;
  c.axis = static_cast<Bias::Axis>(seed % 3);
  c.bias = values(std::max(shape.rows, shape.columns), unit.accumulator().format);
  return c;
}

std::vector<double> gemm(const Case& c, const ParallelFor& parallel) {
  const std::int64_t k = c.plan.terms();
  std::vector<double> out(static_cast<std::size_t>(c.rows * c.columns), -1.0);
  MatrixOutput output(out.data(), c.columns);
  const Bias bias{c.axis, c.bias.data()};
  emulated_gemm(c.unit, c.plan, MatrixRows(c.a.data(), c.rows, k, k, 1),
                MatrixRows(c.b.data(), c.columns, k, k, 1), bias, output, parallel, kKey);
  return out;
}

std::vector<double> by_planned_dot(const Case& c) {
  const std::int64_t k = c.plan.terms();
  std::vector<double> out;
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.columns; ++j) {
      const double* bias =
          c.axis == Bias::Axis::none
              ? nullptr
              : &c.bias[static_cast<std::size_t>(c.axis == Bias::Axis::by_row ? i : j)];
      const Operands operands{c.a.data() + i * k, c.b.data() + j * k, k, nullptr, nullptr};
      out.push_back(planned_dot(c.unit, c.plan, operands, bias,
                                derived_key(kKey, static_cast<std::uint64_t>(i * c.columns + j))));
    }
  }
  return out;
}

void expect_scalar_bits(const Case& c, const std::string& path) {
  const std::vector<double> want = by_planned_dot(c);
  const std::vector<double> got = gemm(c, serial());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_TRUE(oracle::same(got[i], want[i]))
        << path << ' ' << c.unit.name << " | " << describe(c.plan) << " seed " << c.seed
        << " element " << i << std::hexfloat << ": got " << got[i] << ", want " << want[i];
  }
}

class OnEverySimdPath : public testing::TestWithParam<std::string> {
 protected:
  ForcedSimd forced_{GetParam().c_str()};
};
INSTANTIATE_TEST_SUITE_P(Gemm, OnEverySimdPath, testing::ValuesIn(simd_paths()),
                         [](const auto& path) { return path.param; });

TEST_P(OnEverySimdPath, EveryUnitGivesTheBitsOfPlannedDot) {
  std::uint64_t seed = 0;
  for (const MacUnit& unit : units::many())
    for (const Shape& shape :
         {Shape{1, 1, 1}, Shape{3, 5, 37}, Shape{9, 70, 66}, Shape{5, 129, 16}})
      expect_scalar_bits(random_case(unit, flat(shape.k), shape, ++seed, 6.0, false), GetParam());
}

TEST_P(OnEverySimdPath, SpecialOperandsGiveTheBitsOfPlannedDot) {
  std::uint64_t seed = 1000;
  for (const MacUnit& unit : units::many())
    for (const double spread : {2.0, 14.0, 130.0})
      expect_scalar_bits(random_case(unit, flat(23), {6, 67, 23}, ++seed, spread, true),
                         GetParam());
}

TEST_P(OnEverySimdPath, AccumulatorsNearTheirLargestValue) {
  // Sums that climb to the format's end: the lanes must not overflow where the true sum rounds
  // back.
  std::uint64_t seed = 2000;
  for (const MacUnit& unit : units::many()) {
    const Format& format = unit.accumulator().format;
    if (format.exponent_bits > 8) continue;
    for (const double scale : {1.0, 0.5, 0x1p-12, 0x1p-20}) {
      Case c = random_case(unit, flat(8), {4, 66, 8}, ++seed, 4.0, false);
      c.axis = Bias::Axis::by_column;
      c.bias.resize(66);
      for (std::size_t i = 0; i < c.bias.size(); ++i)
        c.bias[i] = round_to((i % 2 == 0 ? 1.0 : -1.0) * format.max_finite() * scale, format,
                             Rounding::rtz);
      // Products as large as the operands allow, but in the kernels' middle range.
      const double largest = std::min(0x1p59, unit.a.max_finite());
      units::Random random(seed);
      for (double& x : c.a)
        x = round_to((random.uniform() + 0.5) * largest / 2, unit.a, Rounding::rtz);
      for (double& x : c.b) x = round_to((random.uniform() - 0.3) * largest, unit.b, Rounding::rtz);
      expect_scalar_bits(c, GetParam());
      c.plan.chunks = {{4 * unit.block_terms(), Chunk::Join::add, unit.accumulator()}};
      expect_scalar_bits(c, GetParam());
    }
  }
}

TEST_P(OnEverySimdPath, ChunksOrdersPaddingAndBias) {
  std::uint64_t seed = 3000;
  const Arithmetic half = units::arithmetic(fp16(), Rounding::rne);
  const Arithmetic single = units::arithmetic(fp32(), Rounding::rne);
  const Arithmetic odd = units::arithmetic(format_from_name("e6m9"), Rounding::odd);
  const Arithmetic truncated = units::arithmetic(fp32(), Rounding::rtz);
  for (const MacUnit& unit : units::many()) {
    const std::int64_t block = unit.block_terms();
    for (const Arithmetic& join : {half, single, odd, truncated}) {
      for (const BiasEntry entry : {BiasEntry::preload, BiasEntry::after}) {
        ReductionPlan plan;
        plan.dims = {{"C", 10}, {"R", 2}, {"S", 3}};
        plan.order = {{0, 4}, {1, 1}, {2, 1}, {0, 1}};
        plan.tail = seed % 2 == 0 ? Tail::pad : Tail::pack;
        plan.bias = entry;
        const bool special = seed % 4 < 2;
        const auto way = seed % 3 == 0 ? Chunk::Join::carry : Chunk::Join::add;
        plan.chunks = {{block, way, join}, {block * 4, Chunk::Join::add, single}};
        if (block > 100) plan.chunks.resize(1);
        expect_scalar_bits(random_case(unit, plan, {3, 35, 60}, ++seed, 5.0, special), GetParam());
      }
    }
  }
}

/// As matrix units read convolutions: channels innermost, each tap's filled to whole blocks.
ReductionPlan padded_taps(std::int64_t channels, std::int64_t block) {
  ReductionPlan plan;
  plan.dims = {{"C", channels}, {"R", 2}, {"S", 2}};
  plan.order = {{0, block}, {1, 1}, {2, 1}, {0, 1}};
  plan.tail = Tail::pad;
  return plan;
}

TEST_P(OnEverySimdPath, BlocksOfMostlyPadding) {
  std::uint64_t seed = 3500;
  const Arithmetic single = units::arithmetic(fp32(), Rounding::rne);
  for (const MacUnit& unit : units::many_blocks()) {
    const std::int64_t block = unit.block_terms();
    for (const std::int64_t channels : {1, 2, 3, 5, 9})
      for (const bool chunked : {false, true}) {
        ++seed;
        ReductionPlan plan = padded_taps(channels, block);
        plan.bias = seed % 2 == 0 ? BiasEntry::preload : BiasEntry::after;
        if (chunked) plan.chunks = {{block * 2, Chunk::Join::add, single}};
        expect_scalar_bits(random_case(unit, plan, {7, 35, 0}, seed, 5.0, seed % 4 == 0),
                           GetParam());
      }
  }
}

TEST_P(OnEverySimdPath, FewRowsByManyColumns) {
  constexpr std::int64_t kColumns = 17 * 64 + 5;
  std::uint64_t seed = 3700;
  for (const MacUnit& unit : units::many()) {
    ++seed;
    expect_scalar_bits(random_case(unit, flat(unit.block_terms() > 100 ? unit.block_terms() : 18),
                                   {2, kColumns, 0}, seed, 5.0, seed % 3 == 0),
                       GetParam());
  }
  for (const MacUnit& unit : units::many_blocks()) {
    ++seed;
    expect_scalar_bits(
        random_case(unit, padded_taps(3, unit.block_terms()), {7, kColumns, 0}, seed, 5.0, false),
        GetParam());
  }
}

TEST_P(OnEverySimdPath, TermsDealtToSeveralSums) {
  std::uint64_t seed = 4000;
  const Arithmetic single = units::arithmetic(fp32(), Rounding::rne);
  for (const MacUnit& unit : units::many()) {
    const std::int64_t block = unit.block_terms();
    for (const std::int64_t sums : {2, 3}) {
      ReductionPlan plan = flat(5 * block * sums - 1);
      plan.deal = Deal{sums, block, 2 * block * sums};
      plan.chunks = {{2 * block, Chunk::Join::add, single},
                     {2 * block * sums, Chunk::Join::add, unit.accumulator()}};
      const bool special = seed++ % 2 == 0;
      expect_scalar_bits(random_case(unit, plan, {3, 35, 0}, seed, 5.0, special), GetParam());
    }
  }
}

TEST_P(OnEverySimdPath, NoTermsAtAllLeaveTheBias) {
  Case c = random_case(units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne)), flat(1),
                       {2, 3, 1}, 1, 1.0, false);
  std::fill(c.a.begin(), c.a.end(), 0.0);
  expect_scalar_bits(c, GetParam());
}

ParallelFor threads(int count) {
  return [count](std::int64_t tasks, const std::function<void(std::int64_t)>& body) {
    std::vector<std::thread> workers;
    for (int t = 0; t < count; ++t)
      workers.emplace_back([&, t] {
        for (std::int64_t i = tasks - 1 - t; i >= 0; i -= count) body(i);
      });
    for (std::thread& worker : workers) worker.join();
  };
}

TEST(Gemm, ThreadCountLeavesNoTrace) {
  const MacUnit unit = units::tree(fp16(), 16, units::arithmetic(fp16(), Rounding::rne));
  const Case c = random_case(unit, flat(100), {50, 200, 100}, 77, 4.0, false);
  const std::vector<double> want = gemm(c, serial());
  for (const int count : {2, 3, 7}) EXPECT_EQ(gemm(c, threads(count)), want) << count;
}

/// Counts rows that the scalar code reads.
class Watched final : public OperandRows {
 public:
  explicit Watched(const OperandRows& rows) : rows_(rows) {}
  std::int64_t rows() const override { return rows_.rows(); }
  void read(std::int64_t row, double* to) const override {
    ++scalar_reads;
    rows_.read(row, to);
  }
  void read_floats(std::int64_t row, std::int64_t k, float* to) const override {
    rows_.read_floats(row, k, to);
  }
  mutable std::atomic<int> scalar_reads{0};

 private:
  const OperandRows& rows_;
};

// Columns that nobody has are not packed: what lies there must not look like sums out of range.
TEST_P(OnEverySimdPath, IdleLanesHaveNoSay) {
  constexpr std::int64_t kTerms = 48, kPanel = kTerms * kernels::kFloatLanes * 4;
  const MacUnit stochastic = units::chain(fp16(), {fp16(), Rounding::sr, 10});
  std::vector<MacUnit> all = units::many_blocks();
  all.push_back(stochastic);
  for (const MacUnit& unit : all) {
    Case c = random_case(unit, flat(kTerms), {20, 20, 0}, 4100, 2.0, false);
    std::vector<void*> blocks(8);
    for (void*& block : blocks) {
      block = kernels::take_scratch(kPanel);
      std::memset(block, 0x7f, kPanel);  // near the largest finite value
    }
    for (void* block : blocks) kernels::give_back_scratch(block, kPanel);
    const std::vector<double> want = by_planned_dot(c);
    const MatrixRows a(c.a.data(), 20, kTerms, kTerms, 1), b(c.b.data(), 20, kTerms, kTerms, 1);
    const Watched watched_a(a), watched_b(b);
    std::vector<double> out(400);
    MatrixOutput output(out.data(), 20);
    emulated_gemm(unit, c.plan, watched_a, watched_b, {c.axis, c.bias.data()}, output, serial(),
                  kKey);
    EXPECT_EQ(out, want) << unit.name;
    const bool in_lanes = kernels::fit_float(unit, c.plan, kernels::chosen_kernels()).has_value();
    EXPECT_EQ(watched_a.scalar_reads + watched_b.scalar_reads == 0, in_lanes) << unit.name;
  }
}

TEST_P(OnEverySimdPath, FewRowsOrColumnsInThreadsAndInPlace) {
  constexpr std::int64_t kMany = 18 * 64, kTerms = 20;
  const MacUnit native = units::chain(bf16(), units::arithmetic(fp32(), Rounding::rne));
  const Case wide = random_case(native, flat(kTerms), {3, kMany, 0}, 4200, 2.0, false);
  const std::vector<double> want = by_planned_dot(wide);
  EXPECT_EQ(gemm(wide, threads(3)), want);
  // Results that are floats in memory, and no bias: nothing is laid out anew.
  Case plain = wide;
  plain.axis = Bias::Axis::none;
  const std::vector<float> a(plain.a.begin(), plain.a.end()), b(plain.b.begin(), plain.b.end());
  std::vector<float> out(static_cast<std::size_t>(3 * kMany));
  FloatMatrixOutput output(out.data(), kMany);
  emulated_gemm(native, plain.plan, FloatMatrixRows(a.data(), 3, kTerms, kTerms, 1),
                FloatMatrixRows(b.data(), kMany, kTerms, kTerms, 1), {}, output, threads(2), kKey);
  EXPECT_EQ(std::vector<double>(out.begin(), out.end()), by_planned_dot(plain));
  const Case tall = random_case(native, flat(kTerms), {kMany, 3, 0}, 4201, 2.0, false);
  EXPECT_EQ(gemm(tall, threads(3)), by_planned_dot(tall));
}

TEST(Gemm, ReadsRowsThroughTheirStrides) {
  const MacUnit unit = units::chain(fp16(), units::arithmetic(fp32(), Rounding::rne));
  const Case c = random_case(unit, flat(12), {7, 9, 12}, 3, 3.0, false);
  std::vector<double> transposed(c.a.size());
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t k = 0; k < 12; ++k) transposed[k * 7 + i] = c.a[i * 12 + k];
  std::vector<double> out(9 * 7, 0.0);
  MatrixOutput output(out.data(), 1, 7);  // column by column
  emulated_gemm(unit, c.plan, MatrixRows(transposed.data(), 7, 12, 1, 7),
                MatrixRows(c.b.data(), 9, 12, 12, 1), {c.axis, c.bias.data()}, output, serial());
  const std::vector<double> want = by_planned_dot(c);
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t j = 0; j < 9; ++j) EXPECT_EQ(out[j * 7 + i], want[i * 9 + j]);
}

/// The same product with operands and results as floats.
std::vector<double> gemm_of_floats(const Case& c, std::int64_t stride_of_k) {
  const std::int64_t k = c.plan.terms();
  const auto narrowed = [&](const std::vector<double>& values) {
    std::vector<float> result(values.size() * static_cast<std::size_t>(stride_of_k));
    for (std::size_t i = 0; i < values.size(); ++i)
      result[i * static_cast<std::size_t>(stride_of_k)] = static_cast<float>(values[i]);
    return result;
  };
  const std::vector<float> a = narrowed(c.a);
  const std::vector<float> b = narrowed(c.b);
  const std::int64_t out_stride = c.columns + 3;
  std::vector<float> out(static_cast<std::size_t>(c.rows * out_stride), -1.0F);
  FloatMatrixOutput output(out.data(), out_stride);
  emulated_gemm(c.unit, c.plan, FloatMatrixRows(a.data(), c.rows, k, k * stride_of_k, stride_of_k),
                FloatMatrixRows(b.data(), c.columns, k, k * stride_of_k, stride_of_k),
                {c.axis, c.bias.data()}, output, serial(), kKey);
  std::vector<double> dense;
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < out_stride; ++j) {
      const float x = out[static_cast<std::size_t>(i * out_stride + j)];
      if (j < c.columns) dense.push_back(static_cast<double>(x));
      if (j >= c.columns) {
        EXPECT_EQ(x, -1.0F) << "written beyond the row";
      }
    }
  }
  return dense;
}

TEST_P(OnEverySimdPath, FloatOperandsAndResultsGiveTheSameBits) {
  std::uint64_t seed = 5000;
  for (const MacUnit& unit : units::many()) {
    const auto beyond_float = [](const Format& f) { return f.exponent_bits > 8; };
    const Format& sum = unit.accumulator().format;
    if (beyond_float(unit.a) || beyond_float(sum) || sum.max_exponent() > 127 ||
        sum.fraction_bits > 23)
      continue;
    for (const Shape& shape : {Shape{3, 5, 37}, Shape{70, 3, 40}, Shape{29, 130, 33}}) {
      const bool special = seed % 2 == 0;
      Case c = random_case(unit, flat(shape.k), shape, ++seed, 5.0, special);
      const std::vector<double> want = gemm(c, serial());
      for (const std::int64_t stride : {1, 2}) {
        const std::vector<double> got = gemm_of_floats(c, stride);
        ASSERT_EQ(got.size(), want.size());
        for (std::size_t i = 0; i < want.size(); ++i)
          ASSERT_TRUE(oracle::same(got[i], want[i])) << unit.name << " seed " << c.seed;
      }
    }
  }
}

TEST_P(OnEverySimdPath, NansWithPayloadsComeOutAsTheDefaultOne) {
  const std::uint32_t payload = 0xffffffffU;
  float nan = 0.0F;
  std::memcpy(&nan, &payload, sizeof nan);
  std::vector<float> a(20, 1.0F), b(64 * 20, 1.0F), out(64);
  a[3] = nan;
  for (const Format& sum : {fp32(), fp16(), bf16()}) {
    FloatMatrixOutput output(out.data(), 64);
    emulated_gemm(units::chain(bf16(), units::arithmetic(sum, Rounding::rne)), flat(20),
                  FloatMatrixRows(a.data(), 1, 20, 20, 1), FloatMatrixRows(b.data(), 64, 20, 20, 1),
                  {}, output, serial());
    for (const float x : out) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &x, sizeof bits);
      ASSERT_EQ(bits, 0x7fc00000U) << sum.name;
    }
  }
}

TEST(Gemm, RefusesBrokenUnitsAndPlans) {
  Case c = random_case(units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne)), flat(4),
                       {1, 1, 4}, 1, 1.0, false);
  c.plan.order = {{0, 2}};
  EXPECT_THROW(gemm(c, serial()), std::invalid_argument);
  c.plan.order.clear();
  c.unit.stages.clear();
  EXPECT_THROW(gemm(c, serial()), std::invalid_argument);
}

TEST_P(OnEverySimdPath, ReferenceIsTheSequentialDoubleSum) {
  for (const Shape& shape :
       {Shape{1, 1, 1}, Shape{5, 33, 300}, Shape{7, 64, 17}, Shape{2, 31, 600}}) {
    for (const Bias::Axis axis : {Bias::Axis::none, Bias::Axis::by_row, Bias::Axis::by_column}) {
      units::Random random(9);
      const std::vector<double> a = random.values(shape.rows * shape.k, fp64(), 20.0);
      const std::vector<double> b = random.values(shape.columns * shape.k, fp64(), 20.0);
      const std::vector<double> bias = random.values(64, fp64(), 20.0);
      std::vector<double> out(static_cast<std::size_t>(shape.rows * shape.columns));
      MatrixOutput output(out.data(), shape.columns);
      reference_gemm(shape.k, MatrixRows(a.data(), shape.rows, shape.k, shape.k, 1),
                     MatrixRows(b.data(), shape.columns, shape.k, shape.k, 1), {axis, bias.data()},
                     output, threads(2));
      for (std::int64_t i = 0; i < shape.rows; ++i) {
        for (std::int64_t j = 0; j < shape.columns; ++j) {
          double want = 0.0;
          for (std::int64_t k = 0; k < shape.k; ++k) {
            const double product = a[static_cast<std::size_t>(i * shape.k + k)] *
                                   b[static_cast<std::size_t>(j * shape.k + k)];
            want += product;
          }
          if (axis != Bias::Axis::none)
            want += bias[static_cast<std::size_t>(axis == Bias::Axis::by_row ? i : j)];
          ASSERT_EQ(out[static_cast<std::size_t>(i * shape.columns + j)], want);
        }
      }
    }
  }
}

TEST(SimdPath, FollowsTheEnvironmentDownwards) {
  const std::string widest = simd_path();
  {
    const ForcedSimd forced("baseline");
    EXPECT_STREQ(simd_path(), "baseline");
  }
  const ForcedSimd forced("avx512");
  EXPECT_EQ(simd_path(), widest);
}

}  // namespace
}  // namespace npusim::precision
