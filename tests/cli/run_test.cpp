// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>

#include "base/array_file.h"
#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;

std::vector<std::string> tiny(const std::string& command, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {command, "--npu", data("tiny_npu.json"), "--workload",
                                        data("tiny_mlp.json")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

JsonValue json_run(const std::vector<std::string>& arguments) {
  const Outcome outcome = npusim(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return base::parse_json(outcome.out, "stdout");
}

JsonValue tiny_json(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--json", "-"});
  return json_run(tiny("run", more));
}

/// The document without what may differ between two runs.
std::string without_host(JsonValue document) {
  document.set("host", JsonValue::make_null());
  return base::dump_json(document);
}

std::string bits_of(const JsonValue& document) {
  return at(document, "/runs/0/numerics/output_bits_hash").string();
}

TEST(Run, PrintsOneRowAndNothingElse) {
  const Outcome outcome = npusim(tiny("run"));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* cell : {"tiny_npu", "tiny_mlp", "inference", "cycles", "3 native", "ok"})
    EXPECT_THAT(outcome.out, HasSubstr(cell));
}

TEST(Run, OnSeveralDevices) {
  const std::vector<std::string> command = {"run",
                                            "--npu",
                                            "systolic128_bf16",
                                            "--workload",
                                            "mlp",
                                            "--mode",
                                            "training",
                                            "--cluster",
                                            "ring4",
                                            "--set",
                                            "cluster.devices=2",
                                            "--set",
                                            "workload.parameters.batch=2"};
  std::vector<std::string> json = command;
  json.insert(json.end(), {"--json", "-"});
  const JsonValue document = json_run(json);
  EXPECT_EQ(at(document, "/runs/0/cluster/devices").integer(), 2);
  EXPECT_EQ(at(document, "/runs/0/config/cluster/name").string(), "ring4");
  EXPECT_EQ(at(document, "/runs/0/numerics/first_nonfinite_op").kind(), JsonValue::Kind::null);
  EXPECT_THAT(npusim(command).out, HasSubstr("2 devices (ring4, data parallel, ring"));
  // Tables for programs have the time of all devices, too.
  std::vector<std::string> csv = command;
  csv.insert(csv.end(), {"--no-numerics", "--csv", "-"});
  for (const char* number : {"step_seconds", "samples_per_s"}) {
    const std::string path = std::string("/runs/0/cluster/") + number;
    const std::string text = base::dump_json(at(document, path), -1);
    EXPECT_THAT(npusim(csv).out, HasSubstr("," + text + ",")) << path;
  }
  const Outcome missing =
      npusim({"run", "--npu", "systolic128_bf16", "--workload", "mlp", "--cluster", "ring5"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("did you mean \"ring4\""));
}

TEST(Run, VerboseAddsTheOps) {
  const Outcome outcome = npusim(tiny("run", {"-v"}));
  EXPECT_THAT(outcome.out, HasSubstr("fc1"));
  EXPECT_THAT(outcome.out, HasSubstr("local error"));
}

TEST(Run, JsonOnStdoutIsTheOnlyThingThere) {
  const JsonValue document = tiny_json();
  std::vector<std::string> keys;
  for (const auto& member : document.members()) keys.push_back(member.first);
  EXPECT_EQ(keys, (std::vector<std::string>{"schema_version", "tool", "host", "runs"}));
  EXPECT_EQ(at(document, "/tool/name").string(), "npusim");
  EXPECT_EQ(at(document, "/runs/0/status").string(), "ok");
  EXPECT_EQ(at(document, "/runs/0/parameters").integer(), 8 * 12 + 8 + 3 * 8 + 3);
  EXPECT_EQ(at(document, "/runs/0/timing/macs").integer(), 4 * (8 * 12 + 3 * 8));
}

TEST(Run, EveryArrayCycleHasOneCause) {
  const JsonValue document = tiny_json();
  std::int64_t sum = at(document, "/runs/0/timing/busy_cycles").integer();
  for (const auto& [cause, cycles] : at(document, "/runs/0/timing/stall_cycles").members())
    sum += cycles.integer();
  EXPECT_EQ(sum, at(document, "/runs/0/timing/cycles").integer() *
                     at(document, "/runs/0/timing/arrays").integer());
}

TEST(Run, ResultsDoNotDependOnJobs) {
  const std::vector<std::string> both = {"compare",
                                         "--npu",
                                         data("tiny_npu.json"),
                                         data("tiny_cube.json"),
                                         "--workload",
                                         data("tiny_mlp.json"),
                                         data("tiny_mlp.json") + ":training",
                                         "--json",
                                         "-"};
  std::vector<std::string> one = both, two = both;
  one.insert(one.end(), {"--jobs", "1"});
  two.insert(two.end(), {"--jobs", "2"});
  EXPECT_EQ(without_host(json_run(one)), without_host(json_run(two)));
}

TEST(Run, SeedChangesValuesButNotCycles) {
  const JsonValue zero = tiny_json();
  const JsonValue again = tiny_json({"--seed", "0"});
  const JsonValue seven = tiny_json({"--seed", "7"});
  EXPECT_EQ(without_host(zero), without_host(again));
  EXPECT_NE(bits_of(zero), bits_of(seven));
  EXPECT_EQ(at(seven, "/runs/0/seed").integer(), 7);
  EXPECT_EQ(at(zero, "/runs/0/timing/cycles").integer(),
            at(seven, "/runs/0/timing/cycles").integer());
}

TEST(Run, PartsCanBeLeftOut) {
  const JsonValue cycles = tiny_json({"--no-numerics"});
  EXPECT_EQ(at(cycles, "/runs/0/numerics").kind(), JsonValue::Kind::null);
  EXPECT_GT(at(cycles, "/runs/0/timing/cycles").integer(), 0);
  const JsonValue values = tiny_json({"--no-timing"});
  EXPECT_EQ(at(values, "/runs/0/timing").kind(), JsonValue::Kind::null);
  EXPECT_TRUE(at(values, "/runs/0/numerics/outputs").is_array());
}

TEST(Run, SetReachesTheMachine) {
  const JsonValue before = tiny_json();
  const JsonValue narrow = tiny_json({"--set", "npu.mac_array.accumulator.format=fp16"});
  EXPECT_NE(bits_of(before), bits_of(narrow));
  EXPECT_NE(at(before, "/runs/0/config_hash").string(), at(narrow, "/runs/0/config_hash").string());
  EXPECT_EQ(at(narrow, "/runs/0/config/npu/mac_array/accumulator/format").string(), "fp16");

  const JsonValue wide =
      tiny_json({"--set", "workload.parameters.batch=8", "--set", "npu.clock_mhz=1000"});
  EXPECT_EQ(at(wide, "/runs/0/timing/macs").integer(),
            2 * at(before, "/runs/0/timing/macs").integer());
  EXPECT_EQ(at(wide, "/runs/0/config/npu/clock_mhz").number(), 1000.0);
}

TEST(Run, InputsAreReadAndOutputsAreDumped) {
  TempFolder folder;
  base::ArrayData x{base::ElementKind::f32, {4, 12}, std::vector<double>(48, 0.0)};
  base::write_npy(folder.path("x.npy"), x);
  const Outcome outcome = npusim(
      tiny("run", {"--input", "x=" + folder.path("x.npy"), "--dump-outputs", folder.path("out")}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const base::ArrayData logits = base::read_npy(folder.path("out/logits.npy"));
  ASSERT_EQ(logits.shape, (std::vector<std::int64_t>{4, 3}));
  EXPECT_NE(logits.values[0], 0.0);
  // Equal input rows give equal output rows.
  for (std::size_t i = 3; i < 12; ++i) EXPECT_EQ(logits.values[i], logits.values[i % 3]);
}

/// 8 bytes of header length, a JSON header, the values.
std::string safetensors(const std::string& header, const std::vector<float>& values) {
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size() % 256);
  bytes[1] = static_cast<char>(header.size() / 256);
  bytes += header;
  const std::size_t start = bytes.size();
  bytes.resize(start + values.size() * sizeof(float));
  std::memcpy(bytes.data() + start, values.data(), values.size() * sizeof(float));
  return bytes;
}

// With a zero last layer the logits are its bias, whatever the seed.
TEST(Run, WeightsComeFromAFileByName) {
  TempFolder folder;
  std::vector<float> values(131, 0.5f);  // the first layer does not matter then
  std::fill(values.begin(), values.begin() + 24, 0.0f);
  values[24] = 1.5f;
  values[25] = -2.0f;
  values[26] = 0.1f;
  const std::string file = folder.write(
      "w.safetensors",
      safetensors(R"({"fc2.weight":{"dtype":"F32","shape":[3,8],"data_offsets":[0,96]},)"
                  R"("fc2.bias":{"dtype":"F32","shape":[3],"data_offsets":[96,108]},)"
                  R"("fc1.weight":{"dtype":"F32","shape":[8,12],"data_offsets":[108,492]},)"
                  R"("fc1.bias":{"dtype":"F32","shape":[8],"data_offsets":[492,524]}})",
                  values));
  const Outcome outcome =
      npusim(tiny("run", {"--weights", file, "--dump-outputs", folder.path("out"), "--seed", "5"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const base::ArrayData logits = base::read_npy(folder.path("out/logits.npy"));
  for (std::size_t row = 0; row < 4; ++row) {
    EXPECT_EQ(logits.values[3 * row], 1.5);
    EXPECT_EQ(logits.values[3 * row + 1], -2.0);
    EXPECT_EQ(logits.values[3 * row + 2], 0.0999755859375);  // 0.1 in FP16
  }
}

TEST(Run, AnUnknownInputNameIsRefused) {
  TempFolder folder;
  base::write_npy(folder.path("x.npy"),
                  {base::ElementKind::f32, {4, 12}, std::vector<double>(48, 0.0)});
  const Outcome outcome = npusim(
      tiny("run", {"--input", "y=" + folder.path("x.npy"), "--dump-outputs", folder.path("out")}));
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("y"));
  EXPECT_TRUE(!exists(folder.path("out")) ||
              lines_of(run_program({"ls", folder.path("out")}).out).empty());
}

TEST(Run, WhatTheMachineCannotDoIsARowWithAReason) {
  const Outcome outcome = npusim(tiny("run", {"--recipe", "fp32", "--json", "-"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  EXPECT_EQ(at(document, "/runs/0/status").string(), "unsupported");
  EXPECT_THAT(at(document, "/runs/0/error").string(), HasSubstr("fp32"));
  EXPECT_THAT(outcome.err, HasSubstr("unsupported"));
}

TEST(Run, AScenarioBringsWorkloadModeAndRecipe) {
  TempFolder folder;
  const std::string scenario =
      folder.write("s.json",
                   "{\"schema_version\": 1, \"kind\": \"scenario\", \"name\": \"tiny_training\",\n"
                   " \"workloads\": [\"" +
                       data("tiny_mlp.json") +
                       "\"], \"mode\": \"training\",\n"
                       " \"recipe\": \"" +
                       data("tiny_recipe.json") + "\"}");
  const JsonValue document =
      json_run({"run", "--npu", data("tiny_npu.json"), "--scenario", scenario, "--json", "-"});
  EXPECT_EQ(at(document, "/runs/0/scenario").string(), "tiny_training");
  EXPECT_EQ(at(document, "/runs/0/mode").string(), "training");
  EXPECT_EQ(at(document, "/runs/0/recipe").string(), "tiny_recipe");
  EXPECT_EQ(at(document, "/runs/0/numerics/outputs").items().size(), 5u);  // loss and four weights
}

TEST(Compare, OrderIsNpuWorkloadRecipeLastFastest) {
  const JsonValue document =
      json_run({"compare", "--npu", data("tiny_npu.json"), data("tiny_cube.json"), "--workload",
                data("tiny_mlp.json") + ":training", data("tiny_mlp.json"), "--recipe", "fp16",
                "--recipe", data("tiny_recipe.json"), "--json", "-"});
  std::vector<std::string> rows;
  for (const JsonValue& run : at(document, "/runs").items())
    rows.push_back(at(run, "/npu").string() + " " + at(run, "/mode").string() + " " +
                   at(run, "/recipe").string());
  EXPECT_EQ(rows, (std::vector<std::string>{
                      "tiny_npu training fp16", "tiny_npu training tiny_recipe",
                      "tiny_npu inference fp16", "tiny_npu inference tiny_recipe",
                      "tiny_cube training fp16", "tiny_cube training tiny_recipe",
                      "tiny_cube inference fp16", "tiny_cube inference tiny_recipe"}));
}

TEST(Compare, TableAndFilesAgreeAndFilesAreNamed) {
  TempFolder folder;
  const Outcome outcome = npusim({"compare", "--npu", data("tiny_[cn]*.json"), "--workload",
                                  data("tiny_mlp.json"), "--json", folder.path("r.json"), "--csv",
                                  folder.path("r.csv"), "--markdown", folder.path("r.md")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* name : {"r.json", "r.csv", "r.md"})
    EXPECT_THAT(outcome.err, HasSubstr("wrote " + folder.path(name) + "\n"));
  const JsonValue document = base::parse_json_file(folder.path("r.json"));
  ASSERT_EQ(at(document, "/runs").items().size(), 2u);
  const std::vector<std::string> csv = lines_of(read_text(folder.path("r.csv")));
  ASSERT_EQ(csv.size(), 3u);
  for (const char* column : {"npu", "cycles", "seconds", "utilization", "dram_bytes", "energy_mj",
                             "worst_rel_fro", "native"})
    EXPECT_THAT(csv[0], HasSubstr(column));
  EXPECT_THAT(
      csv[1],
      HasSubstr("," + std::to_string(at(document, "/runs/0/timing/cycles").integer()) + ","));
  EXPECT_THAT(read_text(folder.path("r.md")), HasSubstr("| tiny_cube"));
  EXPECT_THAT(outcome.out, HasSubstr("tiny_npu"));
  EXPECT_EQ(npusim(tiny("compare", {"--json", folder.path("q.json"), "--quiet"})).err, "");
}

TEST(Config, ExtendsIsAMergePatchOnTheParent) {
  const JsonValue document = json_run({"run", "--npu", data("tiny_cube.json"), "--workload",
                                       data("tiny_mlp.json"), "--no-numerics", "--json", "-"});
  EXPECT_EQ(at(document, "/runs/0/config/npu/mac_array/organisation").string(), "cube");
  EXPECT_EQ(at(document, "/runs/0/config/npu/mac_array/rows").integer(), 4);
  EXPECT_EQ(at(document, "/runs/0/config/npu/mac_array").find("dataflow"), nullptr);
}

TEST(Config, PrintConfigNamesTheOriginOfEachValue) {
  const Outcome outcome =
      npusim({"run", "--npu", data("tiny_cube.json"), "--workload", data("tiny_mlp.json"), "--set",
              "npu.clock_mhz=250", "--print-config"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  ASSERT_EQ(at(document, "/configs").items().size(), 3u);
  EXPECT_EQ(at(document, "/configs/0/config/clock_mhz").integer(), 250);
  const JsonValue& values = at(document, "/configs/0/values");
  const auto origin = [&](const char* pointer) {
    return values.find(pointer)->find("origin")->string();
  };
  EXPECT_EQ(origin("/clock_mhz"), "--set npu.clock_mhz=250");
  EXPECT_EQ(origin("/mac_array/depth"), data("tiny_cube.json") + ":11");
  EXPECT_EQ(origin("/mac_array/rows"), data("tiny_npu.json") + ":13");
  EXPECT_EQ(values.find("/mac_array/rows")->find("value")->integer(), 4);
  EXPECT_EQ(at(document, "/configs/2/kind").string(), "recipe");
}

TEST(Config, PrintConfigStillFindsMistakes) {
  EXPECT_EQ(npusim(tiny("run", {"--set", "npu.mac_array.rows=0", "--print-config"})).exit_code, 3);
}

}  // namespace
}  // namespace npusim::cli_test
