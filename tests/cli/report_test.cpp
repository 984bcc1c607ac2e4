// SPDX-License-Identifier: Apache-2.0
// diff and report on files that run and compare wrote.
#include <gmock/gmock.h>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;
using testing::Not;

std::string result(const TempFolder& folder, const std::string& name,
                   std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {
      "compare", "--npu",  data("tiny_npu.json"), "--workload", data("tiny_mlp.json"),
      "--quiet", "--json", folder.path(name)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  EXPECT_EQ(npusim(arguments).exit_code, 0);
  return folder.path(name);
}

TEST(Diff, EqualResultsHaveNoDifference) {
  const TempFolder folder;
  const std::string first = result(folder, "a.json");
  const std::string second = result(folder, "b.json", {"--jobs", "2"});
  const Outcome outcome = npusim({"diff", first, second, "--exit-code"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("no difference"));
}

TEST(Diff, AnotherAccumulatorShowsInCyclesAndErrors) {
  const TempFolder folder;
  const std::string first = result(folder, "a.json");
  const std::string second =
      result(folder, "b.json", {"--set", "npu.mac_array.accumulator.format=fp16"});
  const Outcome outcome = npusim({"diff", first, second});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("/config/npu/mac_array/accumulator/format"));
  EXPECT_THAT(outcome.out, HasSubstr("/numerics/outputs/"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("/by_op/")));
  const std::string details = npusim({"diff", first, second, "--details"}).out;
  EXPECT_THAT(details, HasSubstr("/numerics/by_op/"));
  EXPECT_THAT(details, HasSubstr("first tensor whose bits differ: "));
  EXPECT_EQ(npusim({"diff", first, second, "--exit-code"}).exit_code, 1);
  const JsonValue document =
      base::parse_json(npusim({"diff", first, second, "--json", "-"}).out, "stdout");
  EXPECT_FALSE(at(document, "/equal").boolean());
  EXPECT_EQ(at(document, "/runs/0/in").string(), "both");
  EXPECT_THAT(at(document, "/runs/0/bits").string(), testing::AnyOf("mapping", "arithmetic"));
  EXPECT_FALSE(at(document, "/runs/0/first_op").string().empty());
}

TEST(Diff, RowsOfOneSideOnlyAreShown) {
  const TempFolder folder;
  const std::string first = result(folder, "a.json");
  const std::string second =
      result(folder, "b.json", {"--npu", data("tiny_cube.json"), "--mode", "inference"});
  const Outcome forth = npusim({"diff", first, second, "--markdown", "-"});
  EXPECT_THAT(forth.out, HasSubstr("only in the second file"));
  EXPECT_THAT(npusim({"diff", second, first}).out, HasSubstr("only in the first file"));
}

TEST(Diff, WhatIsNoResultIsAnErrorWithItsPlace) {
  const TempFolder folder;
  const std::string newer = folder.write(
      "newer.json",
      R"({"schema_version": 2, "tool": {"name": "npusim", "version": "9", "git": "x"}, "runs": []})");
  const std::string other = folder.write("other.json", R"({"schema_version": 1, "runs": [{}]})");
  const Outcome refused = npusim({"diff", newer, other});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr("newer npusim"));
  EXPECT_THAT(refused.err, HasSubstr("other.json:1"));
  const Outcome wrong = npusim({"report", other, "--html", folder.path("r.html")});
  EXPECT_EQ(wrong.exit_code, 3);
  EXPECT_THAT(wrong.err, HasSubstr("other.json:1"));
  EXPECT_THAT(wrong.err, HasSubstr("/runs/0"));
  EXPECT_FALSE(exists(folder.path("r.html")));
  EXPECT_EQ(npusim({"diff", folder.path("none.json"), other}).exit_code, 3);
}

TEST(Compare, RatiosAreToTheNamedBase) {
  const std::vector<std::string> arguments = {"compare",
                                              "--npu",
                                              data("tiny_npu.json"),
                                              data("tiny_cube.json"),
                                              "--workload",
                                              data("tiny_mlp.json"),
                                              "--no-numerics",
                                              "--pareto",
                                              "time",
                                              "energy"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), arguments.begin(), arguments.end());
    return npusim(more);
  };
  const JsonValue document =
      base::parse_json(with({"--base", "tiny_npu", "--json", "-"}).out, "stdout");
  const double own = at(document, "/runs/1/timing/seconds").number();
  const double of_base = at(document, "/runs/0/timing/seconds").number();
  EXPECT_EQ(at(document, "/comparison/runs/1/time_ratio").number(), own / of_base);
  EXPECT_EQ(at(document, "/comparison/pareto_metrics/1").string(), "energy");
  EXPECT_THAT(with({"--base", "tiny_npu"}).out, HasSubstr("x time"));
  const Outcome wrong = with({"--base", "huge_npu"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("tiny_cube, tiny_npu"));
}

TEST(CheckShards, AreDisjointAndTogetherTheWholeSuite) {
  const TempFolder folder;
  std::string runs;
  for (int i = 1; i <= 5; ++i)
    runs += (i == 1 ? "" : ",") +
            (R"({"name": "run)" + std::to_string(i) + R"(", "npu": ")" + data("tiny_npu.json") +
             R"(", "workload": ")" + data("tiny_mlp.json") + R"(", "baseline": "b)" +
             std::to_string(i) + R"(.json", "numerics": false})");
  const std::string suite = folder.write(
      "s.json", R"({"schema_version": 1, "kind": "suite", "name": "s", "runs": [)" + runs + "]}");
  EXPECT_EQ(npusim({"check", suite, "--update", "--quiet"}).exit_code, 0);
  const Outcome odd = npusim({"check", suite, "--shard", "1/2"});
  const Outcome even = npusim({"check", suite, "--shard", "2/2"});
  EXPECT_EQ(odd.out, "PASS run1\nPASS run3\nPASS run5\ns: 3 of 3 passed\n");
  EXPECT_EQ(even.out, "PASS run2\nPASS run4\ns: 2 of 2 passed\n");
  for (const char* wrong : {"0/2", "3/2", "1", "1/x"})
    EXPECT_EQ(npusim({"check", suite, "--shard", wrong}).exit_code, 2) << wrong;
}

TEST(Completion, BashOffersCommandsOptionsAndNames) {
  const TempFolder folder;
  for (const char* shell : {"bash", "zsh", "fish"})
    EXPECT_THAT(npusim({"completion", shell}).out, HasSubstr("onnx-test"));
  const std::string script = folder.write("complete.sh", npusim({"completion", "bash"}).out);
  const auto offered = [&](const std::string& words) {
    return run_program(
               {"bash", "-c",
                "PATH=$(dirname " + npusim_binary() + "):$PATH; source " + script +
                    "; COMP_WORDS=(" + words +
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _npusim; echo \"${COMPREPLY[@]}\""})
        .out;
  };
  EXPECT_EQ(offered("npusim comp"), "compare completion\n");
  EXPECT_EQ(offered("npusim diff --de"), "--details\n");
  EXPECT_THAT(offered("npusim run --npu systolic128_"), HasSubstr("systolic128_bf16"));
}

TEST(Report, IsOneFileThatHoldsTheResult) {
  const TempFolder folder;
  const std::string file = result(folder, "a.json", {"--html", folder.path("direct.html")});
  ASSERT_EQ(npusim({"report", file, "--html", folder.path("r.html")}).exit_code, 0);
  const std::string page = read_text(folder.path("r.html"));
  EXPECT_THAT(page, HasSubstr("\"worst\":\"native\""));
  for (const char* outside : {"src=", "href=\"http", "@import", "url("})
    EXPECT_THAT(page.substr(0, page.find("<script")), Not(HasSubstr(outside)));
  EXPECT_EQ(page.substr(0, page.find("id=\"result\"")),
            read_text(folder.path("direct.html"))
                .substr(0, read_text(folder.path("direct.html")).find("id=\"result\"")));
}

TEST(Report, TextOfAResultCannotEndItsScript) {
  const TempFolder folder;
  const std::string file = folder.write(
      "evil.json",
      R"({"schema_version": 1, "tool": {"name": "npusim", "version": "1", "git": "x"}, "runs": [{"npu": "</script><b>", "workload": "w", "mode": "inference", "recipe": "r", "status": "ok"}]})");
  ASSERT_EQ(npusim({"report", file, "--html", folder.path("r.html")}).exit_code, 0);
  EXPECT_THAT(read_text(folder.path("r.html")), Not(HasSubstr("</script><b>")));
}

}  // namespace
}  // namespace npusim::cli_test
