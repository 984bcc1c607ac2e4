// SPDX-License-Identifier: Apache-2.0
// One dot product step by step, against numbers worked out by hand.
#include <gmock/gmock.h>

#include "base/array_file.h"
#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;

JsonValue explained(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "explain");
  arguments.insert(arguments.end(), {"--json", "-"});
  const Outcome outcome = npusim(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return base::parse_json(outcome.out, "stdout");
}

// V100 keeps 23 bits below the largest exponent, 2^0: 2^-24 is dropped whole, of 2^-23 + 2^-24 the
// upper half stays. 1 + 1 + 2^-23 does not fit binary32 either, and is truncated to 2.
TEST(Explain, ShowsWhatTheShifterDrops) {
  const JsonValue document =
      explained({"--unit", "nvidia_v100_fp16_fp32", "--a", "1,0x1p-12,0x1.8p-12", "--b",
                 "1,0x1p-12,0x1p-11", "--c", "1"});
  const JsonValue& step = at(document, "/steps/0");
  EXPECT_EQ(at(step, "/aligned_to").integer(), 0);
  EXPECT_EQ(at(step, "/running/value").number(), 1.0);
  EXPECT_EQ(at(step, "/terms/0/kept").number(), 1.0);
  EXPECT_EQ(at(step, "/terms/1/index").integer(), 1);
  EXPECT_EQ(at(step, "/terms/1/exponent").integer(), -24);
  EXPECT_EQ(at(step, "/terms/1/kept").number(), 0.0);
  EXPECT_EQ(at(step, "/terms/1/dropped").number(), 0x1p-24);
  EXPECT_EQ(at(step, "/terms/2/kept").number(), 0x1p-23);
  EXPECT_EQ(at(step, "/terms/2/dropped").number(), 0x1p-24);
  EXPECT_EQ(at(step, "/terms/3/index").integer(), -1);
  EXPECT_EQ(at(step, "/sum").number(), 2.0 + 0x1p-23);
  EXPECT_EQ(at(document, "/result").number(), 2.0);
  EXPECT_EQ(at(document, "/exact").number(), 2.0 + 0x1p-22);
  EXPECT_EQ(at(document, "/nearest").number(), 2.0 + 0x1p-22);
}

// Pairs of FP16 sums before an FP32 accumulator: 2048 + 1 is a tie and stays 2048.
TEST(Explain, FollowsEveryStageOfAUnit) {
  const JsonValue document =
      explained({"--unit", "gemmini_fp16_fp32", "--a", "2048,1,0,0,4", "--b", "1,1,0,0,1"});
  std::vector<double> results;
  std::vector<std::int64_t> stages;
  for (const JsonValue& step : at(document, "/steps").items()) {
    results.push_back(at(step, "/result").number());
    stages.push_back(at(step, "/stage").integer());
  }
  EXPECT_THAT(stages, testing::ElementsAre(0, 0, 0, 0, 1, 0, 0, 0, 0, 1));
  EXPECT_THAT(results, testing::ElementsAre(2048, 2048, 2048, 2048, 2048, 4, 4, 4, 4, 2052));
  EXPECT_EQ(at(document, "/exact").number(), 2053.0);
}

TEST(Explain, PrintsATableAndTheErrorInUlps) {
  const Outcome outcome =
      npusim({"explain", "--unit", "fp16_chain", "--a", "2048,1", "--b", "1,1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* part : {"fp16*fp16 exact | chain -> fp16 rne", "a[1]*b[1]", "running sum",
                           "exact   2049.0", "result  2048.0", "-0.5 ulp"})
    EXPECT_THAT(outcome.out, HasSubstr(part));
}

// Sixteen E2M1 products of 1 under scales 4 and 0.5 and sixteen under 1 and 1: 32 + 16, exact.
TEST(Explain, TakesTheScalesOfBlockScaledUnits) {
  std::string ones = "1";
  for (int i = 1; i < 32; ++i) ones += ",1";
  const JsonValue document = explained({"--unit", "nvidia_b200_nvfp4_fp32", "--a", ones, "--b",
                                        ones, "--a-scales", "4,1", "--b-scales", "0.5,1"});
  EXPECT_EQ(at(document, "/result").number(), 48.0);
  EXPECT_EQ(at(document, "/exact").number(), 48.0);
  const Outcome missing = npusim({"explain", "--unit", "nvidia_b200_nvfp4_fp32", "--a", ones, "--b",
                                  ones, "--a-scales", "4,1", "--b-scales", "0.3,1"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("b-scales[0] = 0.3 is not a value of fp8_e4m3"));
}

TEST(Explain, TakesARowOfArrays) {
  const TempFolder folder;
  base::write_npy(folder.path("a.npy"), {base::ElementKind::f32, {2, 2}, {1, 2, 3, 4}});
  base::write_npy(folder.path("c.npy"), {base::ElementKind::f32, {2}, {10, 20}});
  const JsonValue document =
      explained({"--unit", "fp32_chain", "--a", folder.path("a.npy"), "--b", folder.path("a.npy"),
                 "--c", folder.path("c.npy"), "--row", "1"});
  EXPECT_EQ(at(document, "/result").number(), 45.0);
}

TEST(Explain, SaysWhatIsWrongWithTheOperands) {
  const auto error_of = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"explain", "--unit", "fp16_chain"});
    const Outcome outcome = npusim(arguments);
    EXPECT_EQ(outcome.exit_code, 3);
    return outcome.err;
  };
  EXPECT_THAT(error_of({"--a", "1,x", "--b", "1,2"}), HasSubstr("\"x\" is no number"));
  EXPECT_THAT(error_of({"--a", "1,2", "--b", "1"}), HasSubstr("a has 2 values, b 1"));
  EXPECT_THAT(error_of({"--a", "0.1", "--b", "1"}), HasSubstr("is not a value of fp16"));
}

}  // namespace
}  // namespace npusim::cli_test
