// SPDX-License-Identifier: Apache-2.0
#include "precision/mac_chain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "oracle.h"
#include "patterns.h"
#include "units.h"

namespace npusim::precision {
namespace {

using units::arithmetic;

/// c + a*b over crossed corners (a third of all pairs a, b); want computes the same with the
/// oracle.
template <class Want>
void expect_steps(const MacUnit& unit, const Want& want) {
  const std::vector<double> as = patterns::corners(unit.a);
  const std::vector<double> bs = patterns::corners(unit.b);
  const std::vector<double> cs = patterns::corners(unit.accumulator().format);
  for (std::size_t i = 0; i < as.size(); ++i) {
    for (std::size_t j = i % 3; j < bs.size(); j += 3) {
      for (const double c : cs) {
        const double a = as[i];
        const double b = bs[j];
        const double got = mac_chain(unit, &a, &b, 1, c);
        const double expected = want(a, b, c);
        ASSERT_TRUE(oracle::same(got, expected))
            << std::hexfloat << unit.name << ": " << a << " * " << b << " + " << c << " gave "
            << got << ", want " << expected;
      }
    }
  }
}

struct Pair {
  Format operand, sum;
};
const std::vector<Pair> kPairs = {
    {fp16(), fp16()}, {bf16(), bf16()},
    {fp16(), fp32()}, {bf16(), fp32()},
    {fp32(), fp32()}, {fp16(), bf16()},
    {bf16(), fp16()}, {format_from_name("e4m3"), format_from_name("e6m9")}};

TEST(MacChain, FusedStepsOfCornerOperandsAreRoundedOnceInEveryMode) {
  for (const Pair& pair : kPairs) {
    for (const Rounding rounding : patterns::kRoundings) {
      const MacUnit unit = units::chain(pair.operand, arithmetic(pair.sum, rounding));
      expect_steps(unit, [&](double a, double b, double c) {
        return oracle::fused(a, b, c, unit.accumulator());
      });
    }
  }
}

TEST(MacChain, UnfusedStepsRoundTheProductFirst) {
  for (const Pair& pair : kPairs) {
    for (const Rounding rounding : patterns::kRoundings) {
      MacUnit unit = units::chain(pair.operand, arithmetic(pair.sum, rounding));
      unit.product = unit.accumulator();
      expect_steps(unit, [&](double a, double b, double c) {
        return oracle::unfused(a, b, c, *unit.product, unit.accumulator());
      });
    }
  }
}

TEST(MacChain, FlushingAndSaturatingAccumulators) {
  for (const Format& format : patterns::variants(fp16())) {
    const MacUnit unit = units::chain(fp16(), arithmetic(format, Rounding::rne));
    expect_steps(unit, [&](double a, double b, double c) {
      return oracle::fused(a, b, c, unit.accumulator());
    });
  }
}

TEST(MacChain, Fp64ChainsAreFusedTooAndRoundedOnce) {
  for (const Format& operand : {fp32(), fp64()}) {
    const MacUnit unit = units::chain(operand, arithmetic(fp64(), Rounding::rne));
    validate(unit);
    expect_steps(unit, [&](double a, double b, double c) {
      return oracle::fused(a, b, c, unit.accumulator());
    });
  }
}

TEST(MacChain, Fp64ProductsMayBeRoundedFirst) {
  MacUnit unit = units::chain(fp64(), arithmetic(fp64(), Rounding::rne));
  unit.product = unit.accumulator();
  validate(unit);
  expect_steps(unit, [&](double a, double b, double c) {
    return oracle::unfused(a, b, c, *unit.product, unit.accumulator());
  });
}

TEST(MacChain, RandomChainsAgreeStepByStep) {
  units::Random random(11);
  for (const Pair& pair : kPairs) {
    const Arithmetic sum = arithmetic(pair.sum, Rounding::rne);
    const MacUnit unit = units::chain(pair.operand, sum);
    for (int n = 0; n <= 40; ++n) {
      const std::vector<double> a = random.values(n, pair.operand, 3.0);
      const std::vector<double> b = random.values(n, pair.operand, 3.0);
      double want = round_to(0.3, sum);
      const double c = want;
      for (std::size_t i = 0; i < a.size(); ++i) want = oracle::fused(a[i], b[i], want, sum);
      EXPECT_TRUE(oracle::same(mac_chain(unit, a.data(), b.data(), n, c), want));
    }
  }
}

TEST(MacChain, FusedFp16IsNotAnFp32FmaRoundedAgain) {
  // The true sum lies 2^-31 below the tie between 1 + 2^-10 (odd) and 1 + 2^-9; FP32 loses the
  // 2^-31.
  const double x = 1.0 + 0x1p-10, y = 0x1p-11 - 0x1p-21, c = 1.0 + 0x1p-10;
  const MacUnit unit = units::chain(fp16(), arithmetic(fp16(), Rounding::rne));
  EXPECT_EQ(mac_chain(unit, &x, &y, 1, c), 1.0 + 0x1p-10);
  const float twice =
      std::fmaf(static_cast<float>(x), static_cast<float>(y), static_cast<float>(c));
  EXPECT_EQ(round_to(static_cast<double>(twice), fp16(), Rounding::rne), 1.0 + 0x1p-9);
}

TEST(TreeStage, SixteenProductsArePairedAsNeighbours) {
  // FP16 tree: ones beside 2048 vanish when they meet it alone, and count when they meet each
  // other.
  MacUnit unit = units::tree(fp16(), 4, arithmetic(fp16(), Rounding::rne));
  const double ones[4] = {1, 1, 1, 1};
  const double together[4] = {2048, 0, 1, 1};
  const double apart[4] = {2048, 1, 0, 1};
  EXPECT_EQ(mac_chain(unit, together, ones, 4, 0.0), 2050.0);
  EXPECT_EQ(mac_chain(unit, apart, ones, 4, 0.0), 2048.0);
}

TEST(TreeStage, AnOddOneOutMovesUpUnchanged) {
  MacUnit unit = units::tree(fp16(), 3, arithmetic(fp16(), Rounding::rne));
  const double ones[3] = {1, 1, 1};
  const double values[3] = {1, 1, 2048};
  EXPECT_EQ(mac_chain(unit, values, ones, 3, 0.0), 2050.0);
}

TEST(TreeStage, RandomTreesAgreeWithARecursiveOracle) {
  units::Random random(5);
  for (const int terms : {2, 3, 5, 8, 16, 64}) {
    for (const Format& format : {fp16(), fp32(), bf16()}) {
      for (const Rounding rounding : patterns::kRoundings) {
        const Arithmetic sum = arithmetic(format, rounding);
        const MacUnit unit = units::tree(fp16(), terms, sum);
        const int n = 3 * terms - 1;  // the last group is one short
        std::vector<double> a = random.values(n, fp16(), 4.0);
        std::vector<double> b = random.values(n, fp16(), 4.0);
        const double got = mac_chain(unit, a.data(), b.data(), n, 1.0);
        a.push_back(0.0);
        b.push_back(0.0);
        double want = 1.0;
        for (int g = 0; g < 3; ++g) {
          std::vector<double> level;
          for (int i = 0; i < terms; ++i) {
            const auto at = static_cast<std::size_t>(g * terms + i);
            level.push_back(a[at] * b[at]);
          }
          while (level.size() > 1) {
            std::vector<double> next;
            for (std::size_t i = 0; i < level.size(); i += 2)
              next.push_back(i + 1 < level.size() ? oracle::rounded_sum(level[i], level[i + 1], sum)
                                                  : level[i]);
            level = next;
          }
          want = oracle::rounded_sum(want, level.front(), sum);
        }
        EXPECT_TRUE(oracle::same(got, want))
            << terms << ' ' << format.name << ' ' << got << ' ' << want;
      }
    }
  }
}

TEST(ChainStage, StartsFromTheGroupsFirstTerm) {
  // Groups of 4 rounded to FP16, then an FP32 chain: 2048 + 1 + 1 + 1 stays 2048 within a group.
  MacUnit unit = units::chain(fp16(), arithmetic(fp32(), Rounding::rne));
  unit.stages.insert(unit.stages.begin(), {4, Combine::chain, arithmetic(fp16(), Rounding::rne)});
  const double ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  const double values[8] = {2048, 1, 1, 1, 1, 1, 1, 2048};
  EXPECT_EQ(mac_chain(unit, values, ones, 8, 0.5), 2048.0 + 2052.0 + 0.5);
}

TEST(SignedZeros, FollowIeee754) {
  const double one = 1.0, minus = -1.0, zero = 0.0, minus_zero = -0.0;
  for (const Rounding rounding : patterns::kRoundings) {
    const MacUnit unit = units::chain(fp16(), arithmetic(fp16(), rounding));
    const double cancelled = rounding == Rounding::rd ? -0.0 : 0.0;
    EXPECT_TRUE(oracle::same(mac_chain(unit, &one, &minus, 1, 1.0), cancelled))
        << name_of(rounding);
    EXPECT_TRUE(oracle::same(mac_chain(unit, &minus_zero, &one, 1, -0.0), -0.0));
    EXPECT_TRUE(oracle::same(mac_chain(unit, &zero, &one, 1, 0.0), 0.0));
    EXPECT_TRUE(oracle::same(mac_chain(unit, &minus_zero, &one, 1, 0.0), cancelled));
  }
}

TEST(SignedZeros, AGroupCutShortIsFilledWithPlusZero) {
  const std::vector<double> zeros(4, -0.0), ones(4, 1.0);
  const MacUnit unit = units::tree(fp16(), 4, arithmetic(fp16(), Rounding::rne));
  EXPECT_TRUE(oracle::same(mac_chain(unit, zeros.data(), ones.data(), 4, -0.0), -0.0));
  EXPECT_TRUE(oracle::same(mac_chain(unit, zeros.data(), ones.data(), 3, -0.0), 0.0));
}

TEST(Validation, NamesTheBrokenRule) {
  const auto broken = [](const MacUnit& unit, const char* rule) {
    try {
      validate(unit);
      ADD_FAILURE() << "accepted: " << rule;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(rule), std::string::npos) << error.what();
    }
  };
  const Arithmetic half = arithmetic(fp16(), Rounding::rne);
  broken(MacUnit{"none", fp16(), fp16(), std::nullopt, {}}, "at least one stage");
  broken(MacUnit{"wide", fp64(), fp64(), std::nullopt, {{0, Combine::chain, half}}},
         "53 significand bits");
  broken(MacUnit{"sum",
                 fp16(),
                 fp16(),
                 std::nullopt,
                 {{0, Combine::chain, arithmetic(fp64(), Rounding::rtz)}}},
         "51 significand bits");
  broken(MacUnit{"end", fp16(), fp16(), std::nullopt, {{4, Combine::chain, half}}},
         "takes all terms");
  broken(MacUnit{"tree", fp16(), fp16(), std::nullopt, {{0, Combine::tree, half}}}, "is no tree");
  broken(MacUnit{"group",
                 fp16(),
                 fp16(),
                 std::nullopt,
                 {{1, Combine::tree, half}, {0, Combine::chain, half}}},
         "2 terms or more");
  EXPECT_NO_THROW(validate(units::tree(fp16(), 16, half)));
}

TEST(MacUnit, BlockIsTheProductOfTheInnerGroups) {
  MacUnit unit = units::tree(fp16(), 16, arithmetic(fp16(), Rounding::rne));
  EXPECT_EQ(unit.block_terms(), 16);
  unit.stages.insert(unit.stages.begin(), {4, Combine::chain, arithmetic(fp32(), Rounding::rne)});
  EXPECT_EQ(unit.block_terms(), 64);
}

}  // namespace
}  // namespace npusim::precision
