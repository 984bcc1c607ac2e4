// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "sim/sweep/front.h"
#include "sim/sweep/sweep_report.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;
using testing::outcome;
using testing::SweepFolder;

std::string mistakes(const std::string& members) {
  const SweepFolder folder;
  std::string text;
  try {
    folder.sweep(members);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& item : error.diagnostics()) text += base::to_string(item) + "\n";
  }
  return text;
}

TEST(SweepFile, PathsThatLeadNowhereAreFoundBeforeAnythingRuns) {
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu.mac_array.row", "values": [1]}])"),
              HasSubstr("/axes/0"));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu.mac_array.row", "values": [1]}])"),
              HasSubstr("did you mean \"rows\""));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu.mac_array.rows", "values": [1, "x"]}])"),
              HasSubstr("an integer"));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "mac_array.rows", "values": [1]}])"),
              HasSubstr("the path starts with"));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu", "values": ["cube16", 3]}])"),
              HasSubstr("no shipped npu is named \"cube16\""));
  EXPECT_THAT(mistakes(R"("axes": [], "set": ["npu.nothing.x=1"])"), HasSubstr("/set/0"));
  EXPECT_THAT(mistakes(R"("search": {"method": "list"}, "points": [{"npu.clock": 3}])"),
              HasSubstr("/points/0"));
}

TEST(SweepFile, ValuesThatOnlyOtherValuesMakeWrongAreForThePoints) {
  EXPECT_EQ(mistakes(R"("axes": [{"path": "npu.mac_array.rows", "values": [1, 100000]}])"), "");
}

TEST(SweepFile, PathsAreTriedOnTopOfTheOverridesOfAllPoints) {
  const std::string area =
      R"("npu.area={\"mac_um2\": {\"bf16\": {\"fp32\": 1}}, \"sram_um2_per_kib\": 1}")";
  const std::string axis = R"("axes": [{"path": "npu.area.mac_um2.bf16.fp32", "values": [1, 2]}])";
  EXPECT_EQ(mistakes(R"("set": [)" + area + "], " + axis), "");
  EXPECT_THAT(mistakes(axis), HasSubstr("/axes/0"));
}

TEST(SweepFile, APathThatOnlySomeFilesHaveIsForThePoints) {
  const std::string workloads = R"("axes": [{"path": "workload", "values": ["mlp", "gpt2_small"]},
                                            {"path": "workload.)";
  EXPECT_EQ(mistakes(workloads + R"(blocks.gpt2_block.outputs", "values": [["y"]]}])"), "");
  EXPECT_THAT(mistakes(workloads + R"(blocks.gpt3_block.outputs", "values": [["y"]]}])"),
              HasSubstr("/axes/1"));
  EXPECT_THAT(
      mistakes(R"("axes": [{"path": "workload.blocks.gpt2_block.outputs", "values": [["y"]]}])"),
      HasSubstr("/axes/0"));
  EXPECT_EQ(mistakes(workloads + R"(parameters.sequence", "values": [64]}])"), "");
  EXPECT_EQ(mistakes(R"("search": {"method": "list"}, "points": [
                       {"workload": "gpt2_small", "workload.blocks.gpt2_block.outputs": ["y"]}, {}])"),
            "");
  EXPECT_EQ(mistakes(R"("axes": [{"path": "npu", "values": ["systolic128_bf16", "nvidia_a100"]},
                       {"path": "unit.accumulator.alignment.fraction_bits", "values": [4]}])"),
            "");
}

TEST(SweepFile, RangesThatNoDoubleCanCutAreRefused) {
  const auto range = [](const std::string& members) {
    return mistakes(R"("axes": [{"path": "npu.clock_mhz", )" + members + R"(, "count": 3}])");
  };
  EXPECT_THAT(range(R"("from": 1, "to": 9007199254740994, "integer": true)"),
              HasSubstr("/axes/0/to: an integer range ends beyond 2^53"));
  EXPECT_THAT(range(R"("from": -1e300, "to": 4, "integer": true)"), HasSubstr("/axes/0/from"));
  EXPECT_EQ(range(R"("from": 1, "to": 9007199254740992, "integer": true)"), "");
  EXPECT_THAT(range(R"("from": 1e-200, "to": 1e200, "scale": "log")"),
              HasSubstr("/axes/0/scale: the ratio"));
  EXPECT_THAT(range(R"("from": 1e200, "to": 1e-200, "scale": "log")"),
              HasSubstr("/axes/0/scale: the ratio"));
  EXPECT_THAT(range(R"("from": -1e308, "to": 1e308)"), HasSubstr("/axes/0/to: the range is wider"));
}

TEST(SweepFile, MistakesAreTold) {
  EXPECT_THAT(mistakes(R"("search": {"method": "list"}, "points": [])"),
              HasSubstr("/points: no point"));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu.clock_mhz", "from": 1, "to": 2}])"),
              HasSubstr("count"));
  EXPECT_THAT(
      mistakes(
          R"("axes": [{"path": "npu.clock_mhz", "from": 0, "to": 2, "count": 3, "scale": "log"}])"),
      HasSubstr("positive ends"));
  EXPECT_THAT(mistakes(R"("axes": [], "objectives": ["rel_error"])"),
              HasSubstr("needs \"numerics\""));
  EXPECT_THAT(mistakes(R"("axes": [], "objectives": ["second"])"),
              HasSubstr("did you mean \"seconds\""));
  EXPECT_THAT(mistakes(R"("axes": [], "constraints": [{"metric": "power_w"}])"),
              HasSubstr("without a bound"));
}

TEST(SweepFile, PathsOfMacUnitsNeedAnNpuThatNamesUnits) {
  EXPECT_THAT(mistakes(R"("axes": [{"path": "unit.accumulator.step", "values": [4]}])"),
              HasSubstr("names no MAC-unit files"));
  EXPECT_THAT(mistakes(R"("axes": [{"path": "npu", "values": ["nvidia_a100"]},
                                   {"path": "unit.accumulator.aligned.bits", "values": [4]}])"),
              HasSubstr("no MAC-unit file of nvidia_a100 has this"));
  EXPECT_EQ(mistakes(R"("axes": [{"path": "npu", "values": ["nvidia_a100"]},
                       {"path": "unit.accumulator.alignment.fraction_bits", "values": [4]}])"),
            "");
}

TEST(SweepFile, AreaNeedsCoefficients) {
  EXPECT_THAT(mistakes(R"("axes": [], "constraints": [{"metric": "area_mm2", "at_most": 5}])"),
              HasSubstr("area_mm2 needs coefficients"));
  const std::string area =
      R"("npu.area={\"mac_um2\": {\"bf16\": {\"fp32\": 1}}, \"sram_um2_per_kib\": 1}")";
  EXPECT_EQ(mistakes(R"("axes": [], "objectives": ["area_mm2"], "set": [)" + area + "]"), "");
}

TEST(SweepFront, IsOfThePointsThatKeepTheConstraints) {
  const Sweep sweep = SweepFolder().sweep(
      R"("axes": [], "objectives": ["seconds", "samples_per_s"],
         "constraints": [{"metric": "power_w", "at_most": 10}, {"metric": "utilization", "at_least": 0.5}])");
  const auto made = [](const std::string& hash, double seconds, double rate, double power,
                       double utilization) {
    return StoredPoint{{},
                       outcome(hash, {{"seconds", seconds},
                                      {"samples_per_s", rate},
                                      {"power_w", power},
                                      {"utilization", utilization}})};
  };
  std::vector<StoredPoint> points = {
      made("a", 2.0, 5.0, 10.0, 0.5), made("b", 1.0, 9.0, 11.0, 0.5),  // too much power
      made("c", 1.0, 9.0, 9.0, 0.4),                                   // used too little
      made("d", 3.0, 4.0, 1.0, 0.9),                                   // beaten by a
      made("e", 3.0, 6.0, 1.0, 0.9),                                   // more samples a second
  };
  points.emplace_back();
  points.back().outcome.status = PointStatus::invalid;
  EXPECT_EQ(front_of(sweep, points), (std::vector<bool>{true, false, false, false, true, false}));
}

TEST(SweepReport, CsvIsExactAndInOrder) {
  SweepResult result;
  result.sweep = SweepFolder().sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [1, 2]}])");
  result.points = {{{{"npu.clock_mhz", base::JsonValue::make_integer(2)}},
                    outcome("a", {{"seconds", 0.1}, {"energy_mj", 2.0}, {"cycles", 7.0}})},
                   {}};
  result.points[1].outcome.status = PointStatus::timeout;
  result.points[1].outcome.reason = "took longer than 1.0 s";
  result.front = front_of(result.sweep, result.points);
  const std::string csv = csv_of(result);
  EXPECT_THAT(csv, HasSubstr("config_hash,npu.clock_mhz,status,reason,cycles,seconds,"));
  EXPECT_THAT(csv, HasSubstr("a,2,ok,,7,0.1,"));
  EXPECT_THAT(csv, HasSubstr(",,timeout,took longer than 1.0 s,,"));
  EXPECT_EQ(exit_code_of(result), 4);
  EXPECT_THAT(summary_of(result), HasSubstr("1 x timeout: took longer than 1.0 s"));
}

}  // namespace
}  // namespace npusim::sim
