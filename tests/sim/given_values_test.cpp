// SPDX-License-Identifier: Apache-2.0
// What is given and is wrong, or has no effect, ends no more than it must and is told with its
// place: labels, pins, and overrides of sections that a file may leave out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/config_override.h"
#include "base/whole_file.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/run.h"
#include "sim/training/train_all.h"
#include "sim/writers/writers.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Two classes, and labels of up to five of them.
constexpr const char* kWrongLabels = R"({"schema_version": 1, "kind": "workload",
"name": "wrong_labels",
"inputs": [{"name": "x", "shape": [16, 3], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": [16], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 4}}],
"initializers": [{"name": "w", "shape": [2, 3], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})";

class GivenValues : public ::testing::Test {
 protected:
  GivenValues() { base::write_whole_file(folder_.path("wrong.json"), kWrongLabels); }

  RunRequest request(const std::string& workload, Mode mode = Mode::training) const {
    RunRequest r;
    r.npu_file = find_file("npu", "systolic_32x32_fp32");
    r.workload_file =
        workload == "wrong" ? folder_.path("wrong.json") : find_file("workload", workload);
    r.mode = mode;
    return r;
  }
  static RunOptions options(const std::vector<std::string>& sets = {}) {
    RunOptions options;
    options.quiet = true;
    options.jobs = 1;
    for (const std::string& text : sets) options.overrides.push_back(base::parse_override(text));
    return options;
  }

  testing::SweepFolder folder_;
};

const char* const kNamed =
    "workload wrong_labels (training): node loss";  // and of what the loss is made

TEST_F(GivenValues, AWrongLabelFailsItsRunOfAComparisonAndNoOther) {
  const Result result = run_all({request("mlp"), request("wrong"), request("mlp")}, options());
  EXPECT_EQ(result.runs[0].status, Status::ok) << result.runs[0].error;
  EXPECT_EQ(result.runs[1].status, Status::failed);
  EXPECT_THAT(result.runs[1].error, AllOf(HasSubstr(kNamed), HasSubstr("is outside 0..1")));
  EXPECT_EQ(result.runs[2].status, Status::ok);
  EXPECT_TRUE(result.runs[2].numerics.has_value());
  EXPECT_EQ(exit_code_of(result), 4);
}

TEST_F(GivenValues, AWrongLabelOfTheOnlyRunIsAMistakeThatNamesTheWorkload) {
  try {
    run_all({request("wrong")}, options());
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(kNamed), HasSubstr("is outside 0..1")));
    EXPECT_EQ(error.diagnostics()[0].code, "out-of-range");
  }
}

TEST_F(GivenValues, AWrongLabelEndsNoSuite) {
  base::write_whole_file(folder_.path("suite.json"),
                         R"({"schema_version": 1, "kind": "suite", "name": "s", "runs": [
    {"name": "a", "npu": "systolic_32x32_fp32", "workload": "wrong.json", "mode": "training",
     "baseline": "a.json"},
    {"name": "b", "npu": "systolic_32x32_fp32", "workload": "mlp", "baseline": "b.json"}]})");
  const CheckReport report = check_suite(load_suite(folder_.path("suite.json")), options(), true);
  ASSERT_EQ(report.rows.size(), 2U);
  EXPECT_THAT(report.rows[0].error, HasSubstr(kNamed));
  EXPECT_EQ(report.rows[1].error, "");
}

TEST_F(GivenValues, APinThatNamesNoProductIsAWarningWithItsPlaceAndNearNames) {
  const auto warnings = [&](const std::string& pins, const std::vector<RunRequest>& requests) {
    RunOptions o = options({"npu.mapping.pins=" + pins});
    o.numerics = o.timing = false;
    const Result ran = run_all(requests, o);
    EXPECT_EQ(coverage_all(requests, o).warnings, ran.warnings);
    const base::JsonValue document = json_of(ran);
    EXPECT_EQ(document.find("warnings") == nullptr, ran.warnings.empty());
    return ran.warnings;
  };
  const RunRequest mlp = request("mlp", Mode::inference),
                   cnn = request("small_cnn", Mode::inference);
  const std::string wrong = R"([{"op": "fc1.gemm", "split": {"m": 1}}, {"op": "fc1.gem"}])";
  EXPECT_THAT(warnings(wrong, {mlp}),
              ElementsAre(AllOf(HasSubstr("--set npu.mapping.pins=" + wrong),
                                HasSubstr("/mapping/pins/1/op: no product is named \"fc1.gem\" "
                                          "(did you mean \"fc1.gemm\"?): the pin has no effect"),
                                HasSubstr("allowed: fc1.gemm, fc2.gemm, fc3.gemm"))));
  EXPECT_THAT(warnings(R"([{"op": "*"}])", {mlp}), IsEmpty());
  // A name that one of several workloads has is no mistake; nor is one of what could not be mapped.
  const std::string convolution = R"([{"op": "stage*"}])";
  EXPECT_EQ(warnings(convolution, {mlp}).size(), 1U);
  EXPECT_THAT(warnings(convolution, {mlp, cnn}), IsEmpty());
  RunRequest unsupported = mlp;
  unsupported.recipe_file = find_file("recipe", "fp64");
  EXPECT_THAT(warnings(convolution, {mlp, unsupported}), IsEmpty());
  // An activation is no product.
  EXPECT_EQ(warnings(R"([{"op": "relu1"}])", {mlp}).size(), 1U);
}

TEST_F(GivenValues, TrainingWarnsOfPinsToo) {
  TrainRequest train;
  train.npu_file = find_file("npu", "systolic_32x32_fp32");
  train.workload_file = find_file("workload", "lenet5");
  train.recipe_files = {find_file("recipe", "bf16")};
  train.overrides = {
      base::parse_override("workload.parameters.batch=4"),
      base::parse_override(R"(npu.mapping.pins=[{"op": "conv1*"}, {"op": "conv9*"}])")};
  train.options.data = "digits";
  train.options.train_samples = train.options.test_samples = 4;
  train.reference = train.timing = false;
  train.jobs = 1;
  EXPECT_THAT(train_all(train).warnings, ElementsAre(HasSubstr("/mapping/pins/1/op")));
}

/// What the schema of a kind lets a file leave out, --set can reach into: the objects of the schema
/// and those that base/config_override.cpp makes are the same.
TEST_F(GivenValues, OverridesReachEveryObjectThatASchemaLetsAFileLeaveOut) {
  int objects = 0;
  for (const char* kind : {"npu", "workload", "recipe", "cluster"}) {
    const auto schema = nlohmann::json::parse(
        std::ifstream(test::source_dir() + "/configs/schema/" + kind + ".schema.json"));
    for (const auto& [name, property] : schema["properties"].items()) {
      nlohmann::json resolved = property;
      while (resolved.contains("$ref"))
        resolved = schema["definitions"]
                         [resolved["$ref"].get<std::string>().substr(sizeof("#/definitions/") - 1)];
      if (!resolved.contains("type") || resolved["type"] != "object") continue;
      if (name == "kind" || name == "schema_version") continue;
      ++objects;
      base::JsonValue document =
          base::parse_json(std::string(R"({"kind": ")") + kind + "\"}", "a file");
      const std::string path = name + ".key";
      EXPECT_NO_THROW(base::apply_override(document, {path + "=1", path, "1"}))
          << kind << " " << path;
    }
  }
  EXPECT_GT(objects, 20);
}

TEST_F(GivenValues, AnOptionalSectionIsReadLikeOneOfAFile) {
  const auto load = [](const std::vector<std::string>& texts) {
    std::vector<base::Override> overrides;
    for (const std::string& text : texts) overrides.push_back(base::parse_override(text).override);
    return npu::load_npu(find_file("npu", "systolic_32x32_fp32"), overrides);
  };
  EXPECT_TRUE(load({"npu.mapping.fused_attention=true"}).mapping.fused_attention);
  EXPECT_EQ(base::dump_json(load({"npu.mapping.search=exhaustive"}).resolved),
            base::dump_json(load({R"(npu.mapping={"search": "exhaustive"})"}).resolved));
  try {
    load({"npu.mapping.serch=exhaustive"});
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("--set npu.mapping.serch=exhaustive"),
                                    HasSubstr("did you mean \"search\"?")));
  }
}

}  // namespace
}  // namespace npusim::sim
