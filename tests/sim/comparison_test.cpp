// SPDX-License-Identifier: Apache-2.0
#include "sim/comparison.h"

#include <gtest/gtest.h>

namespace npusim::sim {
namespace {

RunResult run(const std::string& npu, const std::string& workload, double seconds, double error) {
  RunResult made;
  made.npu = npu;
  made.workload = workload;
  made.mode = "inference";
  made.recipe = "r";
  made.timing.emplace();
  made.timing->seconds = seconds;
  made.numerics.emplace();
  OutputError output;
  output.error.rel_fro = error;
  made.numerics->outputs.push_back(output);
  return made;
}

TEST(Comparison, TheFrontIsWithinOneWorkload) {
  Result result;
  result.runs = {run("fast", "a", 1.0, 0.5), run("exact", "a", 4.0, 0.1), run("bad", "a", 4.0, 0.2),
                 run("other", "b", 9.0, 0.9)};
  const std::vector<RunComparison> compared = compare_runs(result, {});
  EXPECT_EQ(compared[0].pareto, true);
  EXPECT_EQ(compared[1].pareto, true);
  EXPECT_EQ(compared[2].pareto, false);
  EXPECT_EQ(compared[3].pareto, true);
  EXPECT_TRUE(compared[0].best[0]);
  EXPECT_FALSE(compared[0].best[2]);
  EXPECT_TRUE(compared[1].best[2]);
  EXPECT_FALSE(compared[3].best[0]) << "nothing to be better than";
}

TEST(Comparison, EqualRunsAreBothOnTheFront) {
  Result result;
  result.runs = {run("a", "w", 1.0, 0.5), run("b", "w", 1.0, 0.5)};
  const std::vector<RunComparison> compared = compare_runs(result, {"", {Metric::time}});
  EXPECT_EQ(compared[0].pareto, true);
  EXPECT_EQ(compared[1].pareto, true);
}

TEST(Comparison, WhatHasNoValueIsNeitherOnTheFrontNorBeatsAnybody) {
  Result result;
  result.runs = {run("a", "w", 1.0, 0.5), run("b", "w", 0.5, 0.1)};
  result.runs[1].timing.reset();
  const std::vector<RunComparison> compared = compare_runs(result, {});
  EXPECT_EQ(compared[0].pareto, true);
  EXPECT_FALSE(compared[1].pareto.has_value());
}

TEST(Comparison, RatiosAreToTheBaseWithTheSameRecipe) {
  Result result;
  result.runs = {run("base", "w", 2.0, 0.5), run("base", "w", 4.0, 0.0), run("x", "w", 1.0, 0.25),
                 run("x", "v", 1.0, 0.25)};
  result.runs[1].recipe = result.runs[2].recipe = "s";
  const std::vector<RunComparison> compared = compare_runs(result, {"base", {Metric::time}});
  EXPECT_DOUBLE_EQ(compared[0].ratio[0].value(), 1.0);
  EXPECT_DOUBLE_EQ(compared[2].ratio[0].value(), 0.25);
  EXPECT_FALSE(compared[2].ratio[2].has_value()) << "the base's error is 0";
  EXPECT_FALSE(compared[3].ratio[0].has_value()) << "the base has no such workload";
}

}  // namespace
}  // namespace npusim::sim
