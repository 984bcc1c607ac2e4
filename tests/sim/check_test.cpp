// SPDX-License-Identifier: Apache-2.0
#include "sim/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>

#include "base/whole_file.h"
#include "sim/catalog.h"
#include "sim/suite_checks.h"
#include "tests/source_dir.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;

base::JsonValue json(const std::string& text) {
  return base::parse_json(text, "test");
}

std::vector<Violation> compare(const std::string& baseline, const std::string& current,
                               const std::vector<Tolerance>& tolerances = {}) {
  return compare_to_baseline(json(baseline), json(current), tolerances);
}

TEST(Check, EqualDocumentsHaveNoViolation) {
  EXPECT_TRUE(
      compare(R"({"a":1,"b":[1.5,"x",null,true]})", R"({"b":[1.5,"x",null,true],"a":1})").empty());
}

TEST(Check, IntegersCompareExactlyWhateverTheTolerance) {
  Tolerance wide;
  wide.metric = "/**";
  wide.relative = 1.0;
  const auto violations = compare(R"({"cycles":100})", R"({"cycles":101})", {wide});
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].pointer, "/cycles");
  EXPECT_EQ(violations[0].baseline, "100");
  EXPECT_EQ(violations[0].current, "101");
}

TEST(Check, RealsAreExactWithoutATolerance) {
  EXPECT_EQ(compare(R"({"e":0.5})", R"({"e":0.5000000000000001})").size(), 1u);
}

TEST(Check, UlpsCountPlacesOfTheBaseline) {
  Tolerance two;
  two.metric = "/e";
  two.ulps = 2.0;
  EXPECT_TRUE(compare(R"({"e":0.5})", R"({"e":0.5000000000000002})", {two}).empty());
  EXPECT_EQ(compare(R"({"e":0.5})", R"({"e":0.5000000000000004})", {two}).size(), 1u);
}

TEST(Check, HashesOfOpsAreNoMetrics) {
  EXPECT_TRUE(compare(R"({"by_op":[{"node":"a","bits_hash":"1"}]})",
                      R"({"by_op":[{"node":"a","bits_hash":"2"}]})")
                  .empty());
}

TEST(Check, TheFirstTensorThatMovedIsFoundByItsBits) {
  const auto run = [](const char* of_b, const char* plan, const char* weight) {
    return json(std::string(R"({"numerics":{"by_op":[
      {"node":"a","op":"Relu","phase":"forward","plan":null,"bits_hash":"1","inputs":[],"output":{"tensor":"a.out"}},
      {"node":"b","op":"Gemm","phase":"forward","plan":")") +
                plan + R"(","bits_hash":")" + of_b +
                R"(","inputs":[{"tensor":"a.out","mean":1.0},{"tensor":"w","mean":)" + weight +
                R"(}],"output":{"tensor":"b.out"}}]}})");
  };
  const base::JsonValue before = run("2", "k", "0.5");
  EXPECT_FALSE(first_moved_tensor(before, run("2", "k", "0.5")).has_value());
  const auto moved = first_moved_tensor(before, run("3", "k", "0.5"));
  ASSERT_TRUE(moved.has_value());
  EXPECT_EQ(moved->tensor, "b.out");
  EXPECT_TRUE(moved->inputs_moved.empty());
  EXPECT_THAT(sentence_of(*moved), HasSubstr("it sums in the same order"));
  EXPECT_THAT(sentence_of(*first_moved_tensor(before, run("3", "j", "0.5"))),
              HasSubstr("sums as \"j\", before as \"k\""));
  EXPECT_THAT(sentence_of(*first_moved_tensor(before, run("3", "k", "0.75"))),
              HasSubstr("it reads another w"));
}

TEST(Check, SaysThroughWhatBitsMoved) {
  CheckReport report;
  report.suite = "s";
  report.rows.push_back({"run",
                         "",
                         {{"/numerics/output_bits_hash", "a", "b", "exactly equal", {}}},
                         BitsMoved::arithmetic,
                         "conv1",
                         0.0});
  EXPECT_THAT(text_of(report),
              HasSubstr("FAIL run; bits moved through the arithmetic, first in conv1"));
  EXPECT_THAT(markdown_of(report), HasSubstr("first in conv1"));
}

TEST(Check, ToleranceHoldsByPatternAndMagnitude) {
  Tolerance ten_percent;
  ten_percent.metric = "/numerics/**/rel_fro";
  ten_percent.relative = 0.1;
  const std::string baseline = R"({"numerics":{"outputs":[{"name":"y","rel_fro":1.0}]}})";
  const auto at = [](const char* value) {
    return std::string(R"({"numerics":{"outputs":[{"name":"y","rel_fro":)") + value + "}]}}";
  };
  EXPECT_TRUE(compare(baseline, at("1.09"), {ten_percent}).empty());
  EXPECT_TRUE(compare(baseline, at("0.91"), {ten_percent}).empty());
  EXPECT_EQ(compare(baseline, at("1.11"), {ten_percent}).size(), 1u);
  EXPECT_EQ(compare(baseline, at("0.89"), {ten_percent}).size(), 1u);
}

TEST(Check, DirectionLetsImprovementsPass) {
  Tolerance tolerance;
  tolerance.metric = "/e";
  tolerance.direction = Tolerance::Direction::lower_is_better;
  EXPECT_TRUE(compare(R"({"e":1.0})", R"({"e":0.2})", {tolerance}).empty());
  EXPECT_EQ(compare(R"({"e":1.0})", R"({"e":1.1})", {tolerance}).size(), 1u);
  tolerance.direction = Tolerance::Direction::higher_is_better;
  EXPECT_EQ(compare(R"({"e":1.0})", R"({"e":0.2})", {tolerance}).size(), 1u);
}

TEST(Check, RowsOnOneSideOnlyAreViolationsAndMatchedByNode) {
  const auto violations = compare(R"({"by_op":[{"node":"a","x":1},{"node":"b","x":2}]})",
                                  R"({"by_op":[{"node":"b","x":2},{"node":"c","x":3}]})");
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].pointer, "/by_op/a");
  EXPECT_EQ(violations[0].current, "(absent)");
  EXPECT_EQ(violations[1].pointer, "/by_op/c");
  EXPECT_EQ(violations[1].baseline, "(absent)");
}

TEST(Check, TypeChangesAreViolations) {
  EXPECT_EQ(compare(R"({"e":null})", R"({"e":0.5})").size(), 1u);
}

void collect_reals(const base::JsonValue& value, const std::string& pointer,
                   std::vector<std::string>& found) {
  if (value.kind() == base::JsonValue::Kind::real) found.push_back(pointer);
  if (value.is_array())
    for (const base::JsonValue& item : value.items()) collect_reals(item, pointer + "/x", found);
  if (value.is_object())
    for (const auto& [key, member] : value.members())
      collect_reals(member, pointer + "/" + base::pointer_token(key), found);
}

// What a tolerance may name is what results really hold.
TEST(Check, EveryRealNumberOfTheBaselinesCanBeNamedByATolerance) {
  std::vector<std::string> found;
  for (const char* name : {"systolic128_mlp_training", "nvdla_small_cnn"})
    collect_reals(base::parse_json_file(test::source_dir() + "/tests/golden/" + name + ".json"), "",
                  found);
  EXPECT_GT(found.size(), 100U);
  for (const std::string& pointer : found) EXPECT_TRUE(can_match_metric(pointer, true, true));
  EXPECT_TRUE(can_match_metric("/numerics/**/rel_fro", false, true));
  EXPECT_FALSE(can_match_metric("/numerics/**/rel_fro", true, false));
  EXPECT_TRUE(can_match_metric("/timing/by_op/conv1/energy_mj", true, false));
  EXPECT_FALSE(can_match_metric("/timing/cycles", true, true));
  EXPECT_FALSE(can_match_metric("/timings/**", true, true));
}

CheckReport failing_report() {
  CheckReport report;
  report.suite = "s<1>";
  report.rows.push_back({"good", "", {}, BitsMoved::no, "", 0.25});
  report.rows.push_back({"bad",
                         "",
                         {{"/timing/cycles", "1", "2", "exactly equal", {}}},
                         BitsMoved::unknown,
                         "",
                         0.5});
  return report;
}

TEST(Check, ReportsNameRunAndMetric) {
  const CheckReport report = failing_report();
  EXPECT_FALSE(report.passed());
  EXPECT_THAT(text_of(report),
              HasSubstr("bad: /timing/cycles: baseline 1, now 2 (allowed: exactly equal)"));
  EXPECT_THAT(text_of(report), HasSubstr("1 of 2 passed"));
  EXPECT_THAT(junit_of(report),
              HasSubstr("<testsuite name=\"s&lt;1&gt;\" tests=\"2\" failures=\"1\">"));
  EXPECT_THAT(junit_of(report), HasSubstr("<failure message=\"1 violations\">"));
  EXPECT_THAT(markdown_of(report), HasSubstr("| bad | **fail** | /timing/cycles | 1 | 2 |"));
}

class SuiteOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/npusim_check_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    base::write_whole_file(folder_ + "/suite.json", R"({
      "schema_version": 1, "kind": "suite", "name": "one",
      "runs": [{"name": "mlp", "npu": "systolic128_bf16", "workload": "mlp", "numerics": false,
                "set": ["workload.parameters.batch=2"], "baseline": "mlp.json"}]
    })");
    common_.quiet = true;
    common_.jobs = 1;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  CheckReport check(bool update) {
    return check_suite(load_suite(folder_ + "/suite.json"), common_, update);
  }

  std::string folder_;
  RunOptions common_;
};

TEST_F(SuiteOnDisk, MissingBaselineFailsAndUpdateWritesOneThatPasses) {
  const CheckReport missing = check(false);
  ASSERT_FALSE(missing.passed());
  EXPECT_THAT(missing.rows[0].error, HasSubstr("does not exist"));
  EXPECT_TRUE(check(true).passed());
  EXPECT_TRUE(check(false).passed());
}

TEST_F(SuiteOnDisk, AChangedCycleCountIsFoundAndNamed) {
  ASSERT_TRUE(check(true).passed());
  common_.overrides.push_back(base::parse_override("npu.launch_cycles=12345"));
  const CheckReport changed = check(false);
  ASSERT_FALSE(changed.passed());
  EXPECT_THAT(text_of(changed), HasSubstr("/timing/cycles"));
}

}  // namespace
}  // namespace npusim::sim
