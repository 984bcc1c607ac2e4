// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;
using testing::Not;

Outcome coverage(std::vector<std::string> more) {
  std::vector<std::string> arguments = {
      "coverage",           "--npu", data("tiny_npu.json"), data("tiny_cube.json"), "--workload",
      data("tiny_mlp.json")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return npusim(arguments);
}

TEST(Coverage, CountsOpsByLevel) {
  const JsonValue document = base::parse_json(coverage({"--json", "-"}).out, "stdout");
  EXPECT_EQ(at(document, "/runs/0/coverage/native").integer(), 3);
  EXPECT_EQ(at(document, "/runs/1/coverage/native").integer(), 2);
  EXPECT_EQ(at(document, "/runs/1/coverage/host").integer(), 1);
  EXPECT_EQ(at(document, "/runs/1/coverage/ops/1/op").string(), "Relu");
  EXPECT_EQ(at(document, "/runs/1/coverage/ops/1/support").string(), "host");
  EXPECT_EQ(at(document, "/runs/0/timing").kind(), JsonValue::Kind::null);
}

// An accumulator the array lacks, an op nobody does, tensors that do not fit the memory, and a run
// that works: coverage and run say the same, in every writer.
TEST(Coverage, StatusIsWhatARunWouldSay) {
  const std::vector<std::vector<std::string>> cases = {
      {"--recipe", "fp64"},
      {"--set", "npu.operators.ops.Gemm.support=unknown"},
      {"--set", "npu.dram.gib=1e-7"},
      {"--recipe", "fp16_fp16_accumulate"}};
  for (const std::vector<std::string>& options : cases) {
    const auto say = [&](const std::string& command, const std::vector<std::string>& more) {
      std::vector<std::string> all = {command, "--npu", data("tiny_npu.json"), "--workload",
                                      data("tiny_mlp.json")};
      all.insert(all.end(), options.begin(), options.end());
      all.insert(all.end(), more.begin(), more.end());
      return npusim(all).out;
    };
    const JsonValue coverage = base::parse_json(say("coverage", {"--json", "-"}), "stdout");
    const JsonValue run = base::parse_json(say("run", {"--no-numerics", "--json", "-"}), "stdout");
    const std::string status = at(run, "/runs/0/status").string();
    EXPECT_EQ(status, options[1] == "fp16_fp16_accumulate" ? "ok" : "unsupported") << options[1];
    for (const char* same : {"/runs/0/status", "/runs/0/error", "/runs/0/mapping_hash"})
      EXPECT_EQ(base::dump_json(at(coverage, same)), base::dump_json(at(run, same))) << same;
    EXPECT_THAT(say("coverage", {"--csv", "-"}), HasSubstr("," + status + ","));
    EXPECT_THAT(lines_of(say("coverage", {})).back(), testing::EndsWith(" " + status));
    EXPECT_THAT(lines_of(say("coverage", {"--markdown", "-"})).back(),
                testing::EndsWith("| " + status + " |"));
  }
}

TEST(Coverage, RequireListsTheGapsAndFails) {
  const Outcome native = coverage({"--require", "native"});
  EXPECT_EQ(native.exit_code, 1);
  EXPECT_EQ(lines_of(native.err).size(), 1u) << native.err;
  EXPECT_THAT(native.err, HasSubstr("tiny_cube tiny_mlp inference fp16: relu1 (Relu) is host"));
  EXPECT_THAT(native.err, HasSubstr("no activation unit"));
  EXPECT_THAT(native.out, HasSubstr("tiny_cube"));
  EXPECT_EQ(coverage({"--require", "decomposed"}).exit_code, 1);
  const Outcome host = coverage({"--require", "host"});
  EXPECT_EQ(host.exit_code, 0);
  EXPECT_EQ(host.err, "");
}

TEST(Coverage, UnsupportedIsAGapAtEveryLevel) {
  EXPECT_EQ(coverage({"--recipe", "fp32", "--require", "host"}).exit_code, 1);
}

TEST(Coverage, DetailsGiveReasons) {
  EXPECT_THAT(coverage({}).out, Not(HasSubstr("relu1")));
  EXPECT_THAT(coverage({"--details"}).out, HasSubstr("no activation unit"));
  EXPECT_THAT(coverage({"--details"}).out, HasSubstr("relu1"));
  EXPECT_THAT(coverage({"--details", "--markdown", "-"}).out, HasSubstr("| tiny_cube"));
}

class Check : public testing::Test {
 protected:
  void SetUp() override {
    suite_ = folder_.write("suite.json",
                           "{\"schema_version\": 1, \"kind\": \"suite\", \"name\": \"tiny\",\n"
                           " \"runs\": [{\"name\": \"mlp\", \"npu\": \"" +
                               data("tiny_npu.json") +
                               "\",\n"
                               "   \"workload\": \"" +
                               data("tiny_mlp.json") + "\", \"baseline\": \"mlp.json\"}]}");
  }

  Outcome check(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"check", suite_});
    return npusim(more);
  }

  TempFolder folder_;
  std::string suite_;
};

TEST_F(Check, AMissingBaselineFails) {
  const Outcome outcome = check();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("FAIL mlp"));
  EXPECT_THAT(outcome.out, HasSubstr("--update"));
}

TEST_F(Check, UpdateWritesABaselineThatThenPasses) {
  EXPECT_EQ(check({"--update"}).exit_code, 0);
  const Outcome outcome = check({"--junit", folder_.path("j.xml")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("PASS mlp"));
  EXPECT_THAT(read_text(folder_.path("j.xml")), HasSubstr("failures=\"0\""));
}

TEST_F(Check, AChangeFailsWithOneLineAViolation) {
  ASSERT_EQ(check({"--update"}).exit_code, 0);
  std::string baseline = read_text(folder_.path("mlp.json"));
  const std::size_t macs = baseline.find("\"macs\": 480");
  ASSERT_NE(macs, std::string::npos);
  folder_.write("mlp.json", baseline.replace(macs, 11, "\"macs\": 481"));
  const Outcome outcome = check({"--junit", folder_.path("j.xml"), "--markdown",
                                 folder_.path("m.md"), "--json", folder_.path("c.json")});
  EXPECT_EQ(outcome.exit_code, 1);
  int violations = 0;
  for (const std::string& line : lines_of(outcome.out))
    violations += contains(line, "allowed:") ? 1 : 0;
  EXPECT_EQ(violations, 1) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("/timing/macs: baseline 481, now 480"));
  EXPECT_THAT(read_text(folder_.path("j.xml")), HasSubstr("<failure"));
  EXPECT_THAT(read_text(folder_.path("m.md")), HasSubstr("/timing/macs"));
  EXPECT_THAT(read_text(folder_.path("c.json")), HasSubstr("\"passed\": false"));
}

TEST_F(Check, SetShowsWhatAChangeWouldBreak) {
  ASSERT_EQ(check({"--update"}).exit_code, 0);
  EXPECT_EQ(check({"--set", "npu.clock_mhz=250"}).exit_code, 1);
  EXPECT_EQ(check({"--set", "npu.clock_mhz=250", "--update"}).exit_code, 2);
}

// The accumulator changes the first product; a store in another format changes what is stored
// before that.
TEST_F(Check, BisectNamesTheFirstTensorWhoseBitsDiffer) {
  ASSERT_EQ(check({"--update"}).exit_code, 0);
  EXPECT_THAT(check({"--bisect-op"}).out, HasSubstr("no tensor's bits are known to differ"));
  const Outcome outcome = check({"--bisect-op", "--set", "npu.mac_array.accumulator.format=fp16",
                                 "--json", folder_.path("c.json")});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("first tensor whose bits differ: "));
  const JsonValue report = base::parse_json(read_text(folder_.path("c.json")), "c.json");
  const JsonValue baseline = base::parse_json(read_text(folder_.path("mlp.json")), "mlp.json");
  const JsonValue& first = at(baseline, "/numerics/by_op/0");
  EXPECT_EQ(at(report, "/runs/0/first_moved_tensor/node").string(), at(first, "/node").string());
  EXPECT_EQ(at(report, "/runs/0/first_moved_tensor/tensor").string(),
            at(first, "/output/tensor").string());
}

TEST_F(Check, UpdateSaysWhatChanged) {
  ASSERT_EQ(check({"--update"}).exit_code, 0);
  std::string baseline = read_text(folder_.path("mlp.json"));
  folder_.write("mlp.json", baseline.replace(baseline.find("\"macs\": 480"), 11, "\"macs\": 481"));
  const Outcome outcome = check({"--update"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("/timing/macs: was 481, now 480"));
  EXPECT_EQ(check().exit_code, 0);
}

}  // namespace
}  // namespace npusim::cli_test
