// SPDX-License-Identifier: Apache-2.0
// The JSON Schemas of scenarios, suites and sweeps accept and refuse what the strict readers do.
// What a schema cannot know (which files exist, what a metric matches) is the readers'.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/whole_file.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/comparison.h"
#include "sim/scenario.h"
#include "sim/sweep/metrics.h"
#include "sim/sweep/sweep_spec.h"
#include "sim/writers/writers.h"
#include "tests/json_schema.h"
#include "tests/source_dir.h"

namespace npusim::sim {
namespace {

using nlohmann::json;
using test::Change;
using test::changed;
using test::JsonSchema;

json read_json(const std::string& path) {
  return json::parse(std::ifstream(path));
}

class Schema : public ::testing::Test {
 protected:
  Schema() {
    char name[] = "/tmp/npusim_schema_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~Schema() override { std::filesystem::remove_all(folder_); }

  template <class Load>
  bool reader_accepts(const json& document, const Load& load) const {
    const std::string file = folder_ + "/file.json";
    base::write_whole_file(file, document.dump());
    try {
      load(file);
    } catch (const base::InputError&) {
      return false;
    }
    return true;
  }

  template <class Load>
  void expect_agreement(const std::string& kind, const json& start,
                        const std::vector<Change>& changes, const Load& load) const {
    const JsonSchema schema(kind + ".schema.json");
    EXPECT_TRUE(schema.accepts(start));
    EXPECT_TRUE(reader_accepts(start, load));
    for (const Change& change : changes) {
      const json document = changed(start, change);
      const std::string shown =
          std::string(change.pointer) + " = " + (change.value == nullptr ? "absent" : change.value);
      EXPECT_EQ(schema.accepts(document), change.good) << "schema: " << shown;
      EXPECT_EQ(reader_accepts(document, load), change.good) << "reader: " << shown;
    }
  }

  std::string folder_;
};

TEST_F(Schema, ScenariosAgreeWithTheReader) {
  const JsonSchema schema("scenario.schema.json");
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_dir() + "/configs/scenarios"))
    if (entry.path().extension() == ".json") {
      EXPECT_TRUE(schema.accepts(read_json(entry.path()))) << entry.path();
    }
  expect_agreement("scenario", json::parse(R"({
    "schema_version": 1, "kind": "scenario", "name": "s", "description": "d",
    "workloads": ["mlp"], "mode": "training", "recipe": "fp32"})"),
                   {{"/description", nullptr, true},
                    {"/mode", nullptr, true},
                    {"/recipe", nullptr, true},
                    {"/source", R"("a paper")", true},
                    {"/workloads", R"(["mlp", "small_cnn"])", true},
                    {"/name", nullptr, false},
                    {"/name", "3", false},
                    {"/workloads", nullptr, false},
                    {"/workloads", R"("mlp")", false},
                    {"/workloads/0", "1", false},
                    {"/mode", R"("trainin")", false},
                    {"/recipe", "1", false},
                    {"/kind", R"("suite")", false},
                    {"/schema_version", "2", false},
                    {"/recipes", "1", false}},
                   [](const std::string& path) { load_scenario(path); });
}

TEST_F(Schema, SuitesAgreeWithTheReader) {
  EXPECT_TRUE(JsonSchema("suite.schema.json")
                  .accepts(read_json(test::source_dir() + "/tests/golden/suite.json")));
  expect_agreement("suite", json::parse(R"({
    "schema_version": 1, "kind": "suite", "name": "s", "description": "d",
    "runs": [{"name": "a", "npu": "systolic128_bf16", "workload": "mlp", "mode": "training",
              "recipe": "bf16", "seed": 3, "numerics": true, "timing": true,
              "set": ["workload.parameters.batch=2"], "baseline": "a.json"}],
    "tolerances": [{"metric": "/numerics/**/rel_fro", "absolute": 0.5, "relative": 0.1,
                    "direction": "lower_is_better"}]})"),
                   {{"/description", nullptr, true},
                    {"/tolerances", nullptr, true},
                    {"/runs/0/mode", nullptr, true},
                    {"/runs/0/recipe", nullptr, true},
                    {"/runs/0/seed", nullptr, true},
                    {"/runs/0/timing", "false", true},
                    {"/runs/0/set", "[]", true},
                    {"/tolerances/0/absolute", nullptr, true},
                    {"/tolerances/0/direction", R"("both")", true},
                    {"/name", nullptr, false},
                    {"/runs", nullptr, false},
                    {"/runs", "{}", false},
                    {"/runs/0", "1", false},
                    {"/runs/0/name", nullptr, false},
                    {"/runs/0/npu", nullptr, false},
                    {"/runs/0/npu", "1", false},
                    {"/runs/0/workload", nullptr, false},
                    {"/runs/0/baseline", nullptr, false},
                    {"/runs/0/mode", R"("both")", false},
                    {"/runs/0/seed", "-1", false},
                    {"/runs/0/seed", "1.5", false},
                    {"/runs/0/numerics", "1", false},
                    {"/runs/0/set", R"("workload.parameters.batch=2")", false},
                    {"/runs/0/set/0", R"("foo.x=1")", false},
                    {"/runs/0/set/0", R"("unit.x=1")", false},
                    {"/runs/0/set/0", R"("npu.clock_mhz")", false},
                    {"/runs/0/sets", "[]", false},
                    {"/tolerances/0/metric", nullptr, false},
                    {"/tolerances/0/metric", "1", false},
                    {"/tolerances/0/absolute", "-1", false},
                    {"/tolerances/0/relative", R"("1%")", false},
                    {"/tolerances/0/direction", R"("up")", false},
                    {"/tolerances/0/tolerance", "1", false},
                    {"/kind", R"("scenario")", false},
                    {"/schema_version", "2", false},
                    {"/unknown", "1", false}},
                   [](const std::string& path) { load_suite(path); });
}

TEST_F(Schema, SweepsAgreeWithTheReader) {
  setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
  const JsonSchema schema("sweep.schema.json");
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_dir() + "/configs/sweeps")) {
    EXPECT_TRUE(schema.accepts(read_json(entry.path()))) << entry.path();
    EXPECT_NO_THROW(load_sweep(entry.path())) << entry.path();
  }
  const std::string example = test::source_dir() + "/examples/sweep/cube_under_area.json";
  EXPECT_TRUE(schema.accepts(read_json(example)));
  EXPECT_NO_THROW(load_sweep(example));
  const auto load = [](const std::string& path) { load_sweep(path); };
  expect_agreement(
      "sweep", json::parse(R"({
    "schema_version": 1, "kind": "sweep", "name": "s", "description": "d",
    "npu": "systolic128_bf16", "workload": "mlp", "recipe": "bf16", "mode": "training", "seed": 3,
    "timing": true, "numerics": true, "set": ["npu.clock_mhz=500"],
    "search": {"method": "grid"},
    "axes": [{"path": "npu.mac_array.rows", "values": [64, 128]},
             {"path": ["npu.clock_mhz", "npu.launch_cycles"], "from": 100, "to": 200, "count": 3,
              "scale": "log", "integer": true}],
    "constraints": [{"metric": "power_w", "at_most": 5, "at_least": 1}],
    "objectives": ["seconds", "rel_error"], "limits": {"seconds": 5, "memory_gib": 2}})"),
      {{"/description", nullptr, true},
       {"/recipe", nullptr, true},
       {"/search", nullptr, true},
       {"/search", R"({"method": "random", "samples": 5, "seed": 1})", true},
       {"/search", R"({"method": "grid", "refine": {"stride": 4}})", true},
       {"/search", R"({"method": "grid", "refine": {"stride": 1}})", false},
       {"/search", R"({"method": "grid", "refine": 4})", false},
       {"/search", R"({"method": "random", "samples": 5, "refine": {"stride": 4}})", false},
       {"/search", R"({"method": "latin_hypercube", "samples": 5})", true},
       {"/axes", "[]", true},
       {"/axes/0", R"({"path": "recipe", "values": ["bf16", "fp32"]})", true},
       {"/axes/1/scale", nullptr, true},
       {"/objectives", nullptr, true},
       {"/constraints/0/at_least", nullptr, true},
       {"/limits", nullptr, true},
       {"/limits/seconds", nullptr, true},
       {"/name", nullptr, false},
       {"/npu", nullptr, false},
       {"/workload", "1", false},
       {"/axes", nullptr, false},
       {"/points", "[]", false},
       {"/search", R"({"method": "list"})", false},
       {"/search", R"({"method": "all"})", false},
       {"/search", R"({"method": "random"})", false},
       {"/search", R"({"method": "grid", "samples": 3})", false},
       {"/axes/0/path", nullptr, false},
       {"/axes/0/path", R"("unknown.x")", false},
       {"/axes/0/path", "[]", false},
       {"/axes/0/values", nullptr, false},
       {"/axes/0/values", "[]", false},
       {"/axes/0/from", "1", false},
       {"/axes/1/to", nullptr, false},
       {"/axes/1/count", "0", false},
       {"/axes/1",
        R"({"path": "npu.clock_mhz", "from": 1, "to": 9007199254740992, "count": 3, "integer": true})",
        true},
       {"/axes/1",
        R"({"path": "npu.clock_mhz", "from": 1, "to": 9007199254740994, "count": 3, "integer": true})",
        false},
       {"/axes/1",
        R"({"path": "npu.clock_mhz", "from": 1, "to": 9007199254740994, "count": 3, "integer": false})",
        true},
       {"/axes/1",
        R"({"path": "npu.clock_mhz", "from": 1, "to": 2.5, "count": 3, "integer": true})", false},
       {"/axes/1/scale", R"("square")", false},
       {"/constraints/0/metric", nullptr, false},
       {"/constraints/0/metric", R"("power")", false},
       {"/constraints/0/at_most", R"("5")", false},
       {"/constraints/0", R"({"metric": "power_w"})", false},
       {"/objectives", "[]", false},
       {"/objectives/0", R"("time")", false},
       {"/limits/seconds", "0", false},
       {"/set/0", R"("npu.clock_mhz")", false},
       {"/kind", R"("suite")", false},
       {"/unknown", "1", false}},
      load);
  expect_agreement("sweep", json::parse(R"({
    "schema_version": 1, "kind": "sweep", "name": "s", "npu": "systolic128_bf16",
    "workload": "mlp", "search": {"method": "list"}, "points": [{"npu.clock_mhz": 5}]})"),
                   {{"/points", "[]", false},
                    {"/points", nullptr, false},
                    {"/points/0", "3", false},
                    {"/axes", "[]", false}},
                   load);
}

TEST_F(Schema, NamesTheMetricsOfSweeps) {
  const json schema = read_json(test::source_dir() + "/configs/schema/sweep.schema.json");
  EXPECT_EQ(schema["definitions"]["metric"]["enum"].get<std::vector<std::string>>(),
            sweep_metric_names());
}

/// A document of two runs, one of which has no timing.
json some_result() {
  RunOptions options;
  options.quiet = true;
  RunRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", "small_cnn");
  Result result = run_all({request, request}, options);
  result.runs[1].timing.reset();
  json document = json::parse(base::dump_json(json_of(result)));
  document["comparison"] = json::parse(base::dump_json(json_of(result, ComparisonOptions())));
  return document;
}

TEST_F(Schema, ResultsFollowTheirs) {
  setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
  const JsonSchema schema("result.schema.json");
  const json document = some_result();
  EXPECT_TRUE(schema.accepts(document));
  const std::vector<Change> changes = {{"/runs/0/numerics", "null", true},
                                       {"/runs/0/timing/something_new", "1", true},
                                       {"/runs/0/numerics/outputs/0/rel_fro", "null", true},
                                       {"/schema_version", "2", false},
                                       {"/runs/0/timing/cycles", "1.5", false},
                                       {"/runs/0/timing/stall_cycles/load", "-1", false},
                                       {"/runs/0/timing/by_op/0/node", nullptr, false},
                                       {"/runs/0/numerics/outputs/0/rel_fro", nullptr, false},
                                       {"/runs/0/numerics/by_op/0/local/rmse", nullptr, false},
                                       {"/runs/0/numerics/by_op/0/output/mean", nullptr, false},
                                       {"/runs/0/numerics/sampled", "{}", false},
                                       {"/runs/0/coverage/ops/0/support", R"("good")", false},
                                       {"/runs/0/area",
                                        R"({"total_mm2": 3, "arrays_mm2": 1, "memories_mm2": 1,
                                            "vector_mm2": 1, "other_mm2": 0, "status": "derived"})",
                                        true},
                                       {"/runs/0/area", R"({"total_mm2": 3})", false},
                                       {"/runs/0/status", R"("fine")", false},
                                       {"/runs/1/config", nullptr, false},
                                       {"/comparison/runs/0/time_ratio", nullptr, false}};
  for (const Change& change : changes)
    EXPECT_EQ(schema.accepts(changed(document, change)), change.good) << change.pointer;
}

}  // namespace
}  // namespace npusim::sim
