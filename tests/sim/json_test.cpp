// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "sim/writers/writers.h"

namespace npusim::sim {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> keys(const base::JsonValue& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.members()) names.push_back(name);
  return names;
}

TEST(ResultJson, DocumentAndRunsHaveTheStableMembersInOrder) {
  Result result;
  result.runs.emplace_back();
  result.runs[0].config = base::JsonValue::make_object();
  const base::JsonValue document = json_of(result);
  EXPECT_THAT(keys(document), ElementsAre("schema_version", "tool", "host", "runs"));
  EXPECT_THAT(keys(document.find("runs")->items()[0]),
              ElementsAre("npu", "workload", "mode", "recipe", "scenario", "status", "error",
                          "config_hash", "mapping_hash", "seed", "parameters", "mappings", "timing",
                          "numerics", "memory", "coverage", "training", "config"));
}

TEST(ResultJson, SectionsThatWereNotComputedAreNull) {
  Result result;
  result.runs.emplace_back();
  result.runs[0].config = base::JsonValue::make_object();
  const base::JsonValue document = json_of(result);
  const base::JsonValue& run = document.find("runs")->items()[0];
  for (const char* section : {"timing", "numerics", "memory", "coverage", "training"})
    EXPECT_EQ(run.find(section)->kind(), base::JsonValue::Kind::null) << section;
}

TEST(ResultJson, NonFiniteMetricsBecomeNull) {
  Result result;
  result.runs.emplace_back();
  result.runs[0].config = base::JsonValue::make_object();
  result.runs[0].numerics.emplace();
  OutputError output;
  output.name = "y";
  output.error.max_abs = std::numeric_limits<double>::infinity();
  result.runs[0].numerics->outputs.push_back(output);
  const std::string text = base::dump_json(json_of(result));
  EXPECT_EQ(text.find("inf,"), std::string::npos);
  EXPECT_NE(text.find("\"max_abs\": null"), std::string::npos);
}

}  // namespace
}  // namespace npusim::sim
