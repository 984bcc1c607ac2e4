// SPDX-License-Identifier: Apache-2.0
#include "sim/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/whole_file.h"
#include "sim/catalog.h"

namespace npusim::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string stem(const std::string& file) {
  return std::filesystem::path(file).stem().string();
}

TEST(Scenario, WorkloadSuffixOverridesTheMode) {
  EXPECT_EQ(parse_workload_choice("mlp:training", Mode::inference).mode, Mode::training);
  EXPECT_EQ(parse_workload_choice("mlp:inference", Mode::training).mode, Mode::inference);
  EXPECT_EQ(parse_workload_choice("mlp", Mode::training).mode, Mode::training);
  EXPECT_THROW(parse_workload_choice("mlp:trianing", Mode::inference), base::InputError);
}

TEST(Scenario, RequestsRunNpuThenWorkloadThenRecipeLastFastest) {
  Selection selection;
  selection.npus = {"systolic128_bf16", "cube16_fp16"};
  selection.workloads = {"mlp:training", "small_cnn"};
  selection.recipes = {"fp32", "bf16"};
  std::vector<std::string> order;
  for (const RunRequest& request : requests_of(selection))
    order.push_back(stem(request.npu_file) + " " + stem(request.workload_file) + " " +
                    name_of(request.mode) + " " + stem(request.recipe_file));
  EXPECT_THAT(
      order,
      ElementsAre("systolic128_bf16 mlp training fp32", "systolic128_bf16 mlp training bf16",
                  "systolic128_bf16 small_cnn inference fp32",
                  "systolic128_bf16 small_cnn inference bf16", "cube16_fp16 mlp training fp32",
                  "cube16_fp16 mlp training bf16", "cube16_fp16 small_cnn inference fp32",
                  "cube16_fp16 small_cnn inference bf16"));
}

TEST(Scenario, UnknownNamesSuggestTheNearest) {
  try {
    find_file("npu", "systolic128_bf61");
    FAIL() << "found a file";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.diagnostics()[0].message, HasSubstr("did you mean \"systolic128_bf16\""));
    EXPECT_THAT(error.diagnostics()[0].allowed, HasSubstr("nvdla_fp16"));
  }
}

TEST(Scenario, FilesAreNamedRelativeToTheScenario) {
  char folder[] = "/tmp/npusim_scenario_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string base = folder;
  base::write_whole_file(base + "/s.json", R"({"schema_version": 1, "kind": "scenario",
    "name": "s", "workloads": ["w.json", "mlp"], "recipe": "r.json"})");
  base::write_whole_file(base + "/w.json", "{}");
  base::write_whole_file(base + "/r.json", "{}");
  const Scenario scenario = load_scenario(base + "/s.json");
  EXPECT_EQ(scenario.workload_files[0], base + "/w.json");
  EXPECT_EQ(stem(scenario.workload_files[1]), "mlp");
  EXPECT_EQ(scenario.recipe_file, base + "/r.json");
  std::filesystem::remove_all(base);
}

TEST(Scenario, MissingFilesAndEmptyPatternsAreErrors) {
  EXPECT_THROW(find_file("npu", "no/such.json"), base::InputError);
  EXPECT_THROW(expand_patterns({"/nonexistent/*.json"}), base::InputError);
  EXPECT_THAT(expand_patterns({"plain"}), ElementsAre("plain"));
}

TEST(Scenario, EveryShippedScenarioLoads) {
  const auto scenarios = list_files("scenario");
  ASSERT_FALSE(scenarios.empty());
  for (const CatalogEntry& entry : scenarios) {
    SCOPED_TRACE(entry.file);
    const Scenario scenario = load_scenario(entry.file);
    EXPECT_EQ(scenario.name, entry.name);
    EXPECT_FALSE(scenario.workload_files.empty());
    EXPECT_FALSE(entry.description.empty());
  }
}

TEST(Scenario, BadFilesReportEveryMistakeAtOnce) {
  char name[] = "/tmp/npusim_scenario_XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  const std::string file = std::string(name) + "/s.json";
  base::write_whole_file(file, R"({"schema_version":1,"kind":"scenario","name":"s","modus":"x",
    "mode":"trainig","workloads":["no_such_network"]})");
  try {
    load_scenario(file);
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    std::vector<std::string> pointers;
    for (const base::Diagnostic& item : error.diagnostics()) pointers.push_back(item.pointer);
    EXPECT_THAT(pointers, ::testing::UnorderedElementsAre("/modus", "/mode", "/workloads/0"));
  }
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace npusim::sim
