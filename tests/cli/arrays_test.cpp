// SPDX-License-Identifier: Apache-2.0
// dot and quantize against values worked out by hand.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "base/array_file.h"
#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::ArrayData;
using base::ElementKind;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Dot : public testing::Test {
 protected:
  std::string put(const std::string& name, std::vector<std::int64_t> shape,
                  std::vector<double> values, ElementKind kind = ElementKind::f32) {
    base::write_npy(folder_.path(name), {kind, std::move(shape), std::move(values)});
    return folder_.path(name);
  }

  Outcome dot(const std::string& unit, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"dot",
                                          "--unit",
                                          unit,
                                          "--a",
                                          folder_.path("a.npy"),
                                          "--b",
                                          folder_.path("b.npy"),
                                          "-o",
                                          folder_.path("d.npy")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return npusim(arguments);
  }

  std::vector<double> values_of(const std::string& unit, std::vector<std::string> more = {}) {
    const Outcome outcome = dot(unit, std::move(more));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const ArrayData d = base::read_npy(folder_.path("d.npy"));
    EXPECT_EQ(d.kind, ElementKind::f32);
    EXPECT_EQ(d.shape.size(), 1u);
    return d.values;
  }

  TempFolder folder_;
};

// FP16 numbers above 2048 are the even ones; a tie goes to the multiple of four.
//   row 0: (2048+1 -> 2048), (1+0) ; 0+2048 = 2048, 2048+1 -> 2048
//   row 1: (1+1 = 2), (2048+0)     ; 0+2 = 2, 2+2048 = 2050
//   row 2: row 0 from c = 2        ; 2+2048 = 2050, 2050+1 -> 2052
TEST_F(Dot, PairsThenChainRoundWhereTheUnitRounds) {
  put("a.npy", {3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 1});
  put("b.npy", {3, 3}, {2048, 1, 1, 1, 1, 2048, 2048, 1, 1});
  const std::string c = put("c.npy", {3}, {0, 0, 2});
  EXPECT_THAT(values_of(data("tiny_unit.json"), {"--c", c}), ElementsAre(2048, 2050, 2052));
  EXPECT_THAT(values_of(data("tiny_unit.json")), ElementsAre(2048, 2050, 2048));
}

// (1 + 2^-10)^2 = 1 + 2^-9 + 2^-20: FP32 holds it, FP16 does not.
TEST_F(Dot, AccumulatorFormatDecides) {
  put("a.npy", {1, 1}, {1 + 0x1p-10});
  put("b.npy", {1, 1}, {1 + 0x1p-10});
  EXPECT_THAT(values_of("fp16_fp32_chain"), ElementsAre(1 + 0x1p-9 + 0x1p-20));
  EXPECT_THAT(values_of("fp16_chain"), ElementsAre(1 + 0x1p-9));
  EXPECT_THAT(values_of("fp16_fp32_chain", {"--set", "unit.accumulator.format=fp16"}),
              ElementsAre(1 + 0x1p-9));
}

TEST_F(Dot, OverflowAndSpecials) {
  put("a.npy", {3, 1}, {60000, -kInfinity, 0.0});
  put("b.npy", {3, 1}, {2, 1, -1});
  const std::vector<double> d = values_of("fp16_chain");
  EXPECT_EQ(d[0], kInfinity);
  EXPECT_EQ(d[1], -kInfinity);
  EXPECT_EQ(d[2], 0.0);
  EXPECT_FALSE(std::signbit(d[2]));  // +0 + -0
}

TEST_F(Dot, ValuesTheUnitLacksAreRefusedWithTheirIndex) {
  put("a.npy", {2, 2}, {1, 2, 3, 0.1}, ElementKind::f64);
  put("b.npy", {2, 2}, {1, 1, 2049, 1});
  const Outcome refused = dot("fp16_chain");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("a[1, 1] = 0.1 "));
  EXPECT_THAT(refused.err, HasSubstr("b[1, 0] = 2049"));
  EXPECT_EQ(lines_of(refused.err).size(), 2u);
  EXPECT_FALSE(exists(folder_.path("d.npy")));
  // 2049 -> 2048; 3 * 2048 = 6144, spacing 4 there: adding FP16(0.1) changes nothing.
  EXPECT_THAT(values_of("fp16_chain", {"--round-inputs"}), ElementsAre(3, 6144));
}

TEST_F(Dot, LongListsOfMisfitsAreCounted) {
  put("a.npy", {1, 50}, std::vector<double>(50, 0.1), ElementKind::f64);
  put("b.npy", {1, 50}, std::vector<double>(50, 1.0));
  const Outcome outcome = dot("fp16_chain");
  EXPECT_EQ(lines_of(outcome.err).size(), 21u);
  EXPECT_THAT(outcome.err, HasSubstr("30 more"));
}

TEST_F(Dot, AResultBeyondFloat32IsAnErrorWithItsIndex) {
  put("a.npy", {2, 2}, {1, 0, 1, 0x1p-14});
  put("b.npy", {2, 2}, {1, 0, 1, 0x1p-14});
  const Outcome outcome = dot("fp16_fp32_chain", {"--set", "unit.accumulator.format=fp64"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("d[1] = 1.0000000037252903"));
  EXPECT_FALSE(exists(folder_.path("d.npy")));
}

TEST_F(Dot, ShapesMustFit) {
  put("a.npy", {2, 3}, std::vector<double>(6, 1.0));
  put("b.npy", {2, 2}, std::vector<double>(4, 1.0));
  EXPECT_THAT(dot("fp16_chain").err, HasSubstr("b has shape [2, 2] but a has [2, 3]"));
  put("b.npy", {2, 3}, std::vector<double>(6, 1.0));
  const Outcome outcome = dot("fp16_chain", {"--c", put("c.npy", {3}, {1, 1, 1})});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("c has shape [3]"));
  put("a.npy", {6}, std::vector<double>(6, 1.0));
  EXPECT_EQ(dot("fp16_chain").exit_code, 3);
}

TEST_F(Dot, OnlyUnitOverridesApply) {
  put("a.npy", {1, 1}, {1});
  put("b.npy", {1, 1}, {1});
  const Outcome outcome = dot("fp16_chain", {"--set", "npu.clock_mhz=3"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("npu.clock_mhz=3"));
  const Outcome config = dot(data("tiny_unit.json"), {"--set", "unit.a=bf16", "--print-config"});
  EXPECT_EQ(at(base::parse_json(config.out, "-"), "/configs/0/values")
                .find("/a")
                ->find("origin")
                ->string(),
            "--set unit.a=bf16");
}

TEST_F(Dot, BadFilesAreInputErrors) {
  put("b.npy", {1, 1}, {1});
  EXPECT_EQ(dot("fp16_chain").exit_code, 3);  // no a.npy
  folder_.write("a.npy", "\x93NUMPY\x01\x00 not an array");
  EXPECT_EQ(dot("fp16_chain").exit_code, 3);
  EXPECT_EQ(dot("no_such_unit").exit_code, 3);
}

// Row 0: 32 products of 1 under 2^3 * 2^-1, row 1: under 2^-2 * 1; one block a row.
TEST_F(Dot, BlockScaledUnitsTakeAScaleABlock) {
  put("a.npy", {2, 32}, std::vector<double>(64, 1.0));
  put("b.npy", {2, 32}, std::vector<double>(64, 1.0));
  put("sa.npy", {2, 1}, {8.0, 0.25});
  put("sb.npy", {2, 1}, {0.5, 1.0});
  const std::string unit = "nvidia_b200_mxfp8_e4m3_fp32";
  EXPECT_THAT(
      values_of(unit, {"--a-scales", folder_.path("sa.npy"), "--b-scales", folder_.path("sb.npy")}),
      ElementsAre(128.0, 8.0));
  const Outcome missing = dot(unit, {"--a-scales", folder_.path("sa.npy")});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("--b-scales is missing, expected [2, 1]"));
  put("sb.npy", {2, 1}, {0.3125, 1.0});
  const Outcome misfit =
      dot(unit, {"--a-scales", folder_.path("sa.npy"), "--b-scales", folder_.path("sb.npy")});
  EXPECT_THAT(misfit.err, HasSubstr("b-scales[0, 0] = 0.3125 is not a value of e8m0"));
  EXPECT_EQ(dot("fp16_chain", {"--a-scales", folder_.path("sa.npy")}).exit_code, 3);
}

class Quantize : public testing::Test {
 protected:
  ArrayData quantize(const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {"quantize", "-i", folder_.path("x.npy"), "-o",
                                          folder_.path("y.npy")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    last_ = npusim(arguments);
    EXPECT_EQ(last_.exit_code, 0) << last_.err;
    EXPECT_EQ(last_.out, "");
    return base::read_npy(folder_.path("y.npy"));
  }

  TempFolder folder_;
  Outcome last_;
};

TEST_F(Quantize, Fp16NearestEven) {
  base::write_npy(
      folder_.path("x.npy"),
      {ElementKind::f64, {2, 4}, {0.1, -0.1, 65519, 65520, 2049, 0x1p-25, 0x1.8p-24, -0.0}});
  const ArrayData y = quantize({"--format", "fp16"});
  EXPECT_EQ(y.kind, ElementKind::f64);
  EXPECT_EQ(y.shape, (std::vector<std::int64_t>{2, 4}));
  EXPECT_THAT(y.values, ElementsAre(0.0999755859375, -0.0999755859375, 65504, kInfinity, 2048, 0,
                                    0x1p-23, 0));
  EXPECT_TRUE(std::signbit(y.values[7]));
  EXPECT_THAT(last_.err, HasSubstr("7 of 8 elements changed"));
  EXPECT_THAT(last_.err, HasSubstr("inf 1"));
}

TEST_F(Quantize, DirectionsAndRules) {
  base::write_npy(folder_.path("x.npy"),
                  {ElementKind::f32, {4}, {0x1p100, 0x1p-30, -0x1p-30, 0x1p-15}});
  EXPECT_THAT(quantize({"--format", "fp16", "--rounding", "ru"}).values,
              ElementsAre(kInfinity, 0x1p-24, 0, 0x1p-15));
  EXPECT_THAT(quantize({"--format", "fp16", "--rounding", "rd"}).values,
              ElementsAre(65504, 0, -0x1p-24, 0x1p-15));
  EXPECT_THAT(quantize({"--format", "fp16", "--rounding", "rtz"}).values,
              ElementsAre(65504, 0, 0, 0x1p-15));
  const ArrayData saturated =
      quantize({"--format", "fp16", "--overflow", "saturate", "--subnormals", "flush"});
  EXPECT_THAT(saturated.values, ElementsAre(65504, 0, 0, 0));
  EXPECT_EQ(saturated.kind, ElementKind::f32);
}

TEST_F(Quantize, Bf16KeepsTheRangeOfFp32) {
  base::write_npy(folder_.path("x.npy"), {ElementKind::f32, {2}, {1.00390625, 0x1.2345p126}});
  const ArrayData y = quantize({"--format", "bf16", "--quiet"});
  EXPECT_EQ(y.values[0], 1.0);  // 1 + 2^-8: a tie
  EXPECT_EQ(y.values[1], 0x1.24p126);
  EXPECT_EQ(last_.err, "");
}

TEST_F(Quantize, Mistakes) {
  EXPECT_EQ(
      npusim({"quantize", "--format", "fp16", "-i", "/no/such.npy", "-o", folder_.path("y.npy")})
          .exit_code,
      3);
  base::write_npy(folder_.path("x.npy"), {ElementKind::f32, {1}, {1}});
  const Outcome outcome = npusim(
      {"quantize", "--format", "fp17", "-i", folder_.path("x.npy"), "-o", folder_.path("y.npy")});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("fp17"));
  EXPECT_FALSE(exists(folder_.path("y.npy")));
}

}  // namespace
}  // namespace npusim::cli_test
