// SPDX-License-Identifier: Apache-2.0
// Every sum and every product of two FP16 numbers, and every binary32 number rounded: minutes, so
// these carry the label slow. The oracle rounds with the host's round-to-integer at the right
// scale.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "patterns.h"
#include "precision/gemm.h"
#include "units.h"

namespace npusim::precision {
namespace {

double power_of_two(int e) {
  const std::uint64_t bits = static_cast<std::uint64_t>(e + 1023) << 52;
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// x, exact in a double and above 2^-1000 or zero, to an IEEE format by round-to-nearest-even.
double nearest(double x, const Format& format) {
  if (x == 0.0 || std::isnan(x) || std::isinf(x)) return x;
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1023;
  const int quantum = std::max(exponent, 1 - format.bias) - format.fraction_bits;
  const double r = std::nearbyint(x * power_of_two(-quantum)) * power_of_two(quantum);
  const double limit = power_of_two(format.bias + 1);
  return std::copysign(std::fabs(r) >= limit ? HUGE_VAL : std::fabs(r), x);
}

ParallelFor all_cores() {
  return [](std::int64_t tasks, const std::function<void(std::int64_t)>& body) {
    std::atomic<std::int64_t> next{0};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
      workers.emplace_back([&] {
        for (std::int64_t i = next++; i < tasks; i = next++) body(i);
      });
    for (std::thread& worker : workers) worker.join();
  };
}

/// Every FP16 number and both infinities.
std::vector<double> every_fp16() {
  std::vector<double> values = patterns::magnitudes(fp16());
  values.back() = HUGE_VAL;
  const std::size_t half = values.size();
  for (std::size_t i = 0; i < half; ++i) values.push_back(-values[i]);
  return values;
}

/// Compares each finished row with want(row, column) instead of storing it.
template <class Want>
class Checker final : public GemmOutput {
 public:
  explicit Checker(Want want) : want_(want) {}
  void write(std::int64_t row, std::int64_t column, std::int64_t count,
             const double* values) override {
    std::int64_t bad = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double want = want_(row, column + i);
      const bool same = std::isnan(want)
                            ? std::isnan(values[i])
                            : values[i] == want && std::signbit(values[i]) == std::signbit(want);
      bad += same ? 0 : 1;
    }
    wrong_ += bad;
    seen_ += count;
  }
  std::int64_t wrong() const { return wrong_; }
  std::int64_t seen() const { return seen_; }

 private:
  Want want_;
  std::atomic<std::int64_t> wrong_{0}, seen_{0};
};

ReductionPlan one_term() {
  ReductionPlan plan;
  plan.dims = {{"K", 1}};
  return plan;
}

TEST(Exhaustive, EverySumOfTwoFp16Numbers) {
  const std::vector<double> values = every_fp16();
  const auto count = static_cast<std::int64_t>(values.size());
  const std::vector<double> ones(values.size(), 1.0);
  Checker checker([&](std::int64_t i, std::int64_t j) {
    return nearest(values[static_cast<std::size_t>(i)] + values[static_cast<std::size_t>(j)],
                   fp16());
  });
  emulated_gemm(units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne)), one_term(),
                MatrixRows(values.data(), count, 1, 1, 1), MatrixRows(ones.data(), count, 1, 1, 1),
                {Bias::Axis::by_column, values.data()}, checker, all_cores());
  EXPECT_EQ(checker.seen(), count * count);
  EXPECT_EQ(checker.wrong(), 0);
}

TEST(Exhaustive, EveryProductOfTwoFp16Numbers) {
  const std::vector<double> values = every_fp16();
  const auto count = static_cast<std::int64_t>(values.size());
  Checker checker([&](std::int64_t i, std::int64_t j) {  // + 0: the accumulator starts from +0
    return nearest(values[static_cast<std::size_t>(i)] * values[static_cast<std::size_t>(j)],
                   fp16()) +
           0.0;
  });
  MacUnit unit = units::chain(fp16(), units::arithmetic(fp16(), Rounding::rne));
  unit.product = unit.accumulator();
  emulated_gemm(unit, one_term(), MatrixRows(values.data(), count, 1, 1, 1),
                MatrixRows(values.data(), count, 1, 1, 1), {}, checker, all_cores());
  EXPECT_EQ(checker.seen(), count * count);
  EXPECT_EQ(checker.wrong(), 0);
}

TEST(Exhaustive, EveryBinary32NumberRoundsToNearest) {
  constexpr std::uint64_t kBlock = 1 << 16;
  for (const Format& format : {fp16(), bf16(), format_from_name("e4m3")}) {
    std::atomic<std::int64_t> wrong{0};
    all_cores()(std::int64_t{1} << 16, [&](std::int64_t block) {
      std::vector<double> in(kBlock), out(kBlock);
      for (std::uint64_t i = 0; i < kBlock; ++i) {
        const auto bits =
            static_cast<std::uint32_t>(static_cast<std::uint64_t>(block) * kBlock + i);
        float x;
        std::memcpy(&x, &bits, sizeof x);
        in[i] = static_cast<double>(x);
      }
      round_array(in.data(), out.data(), static_cast<long>(kBlock), {format, Rounding::rne});
      std::int64_t bad = 0;
      for (std::uint64_t i = 0; i < kBlock; ++i) {
        const double want = nearest(in[i], format);
        const bool same = std::isnan(want)
                              ? std::isnan(out[i])
                              : out[i] == want && std::signbit(out[i]) == std::signbit(want);
        bad += same ? 0 : 1;
      }
      wrong += bad;
    });
    EXPECT_EQ(wrong.load(), 0) << format.name;
  }
}

}  // namespace
}  // namespace npusim::precision
