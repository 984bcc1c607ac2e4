// SPDX-License-Identifier: Apache-2.0
// What train writes follows its JSON Schema, which charts of training rely on.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "sim/catalog.h"
#include "sim/training/train_all.h"
#include "sim/training/train_report.h"
#include "tests/json_schema.h"
#include "tests/source_dir.h"

namespace npusim::sim {
namespace {

using nlohmann::json;
using test::Change;
using test::changed;

TEST(TrainSchema, ResultsFollowIt) {
  const test::JsonSchema schema("train_result.schema.json");
  setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
  TrainRequest request;
  request.npu_file = find_file("npu", "cube16_fp16");
  request.workload_file = find_file("workload", "lenet5");
  request.recipe_files = {find_file("recipe", "fp16_dynamic_scale"), find_file("recipe", "bf16")};
  request.overrides = {base::parse_override("workload.parameters.batch=4")};
  request.options.data = "digits";
  request.options.train_samples = 8;
  request.options.test_samples = 4;
  request.options.statistics_every = 1;
  request.fp32_step = true;
  request.jobs = 1;
  const TrainResult result = train_all(request);
  const json document = json::parse(base::dump_json(json_of(result)));
  EXPECT_TRUE(schema.accepts(document));
  EXPECT_EQ(document["runs"][1]["status"], "unsupported");  // no BF16 there
  EXPECT_EQ(document["speed_up_base"]["reason"], "cube16_fp16 declares no FP32 operands");
  // A histogram holds every value that is neither zero nor infinite.
  const json& gradient = document["runs"][0]["gradients"][0];
  std::int64_t counted =
      gradient["zeros"].get<std::int64_t>() + gradient["nonfinite"].get<std::int64_t>();
  for (const auto& bin : gradient["exponents"].items()) counted += bin.value().get<std::int64_t>();
  EXPECT_EQ(counted, gradient["count"].get<std::int64_t>());
  EXPECT_EQ(document["runs"][0]["steps"].size(), 2U);
  EXPECT_EQ(document["runs"][0]["steps"][0]["loss_scale"], 65536.0);
  const std::vector<Change> changes = {{"/runs/0/steps/0/loss", "null", true},
                                       {"/runs/0/something_new", "1", true},
                                       {"/reference", "null", true},
                                       {"/runs/0/steps/0/loss_scale", nullptr, false},
                                       {"/runs/0/steps/0/skipped", "0", false},
                                       {"/runs/0/gradients/0/exponents/-3.5", "1", false},
                                       {"/runs/0/gradients/0/exponents", nullptr, false},
                                       {"/runs/0/evaluations/0/accuracy", "1.5", false},
                                       {"/runs/0/status", R"("fine")", false},
                                       {"/runs/0/speed_up", "-1", false},
                                       {"/runs/0/perplexity_difference", "null", true},
                                       {"/speed_up_base/is_fp32_step", nullptr, false},
                                       {"/speed_up_base", "null", true},
                                       {"/kind", R"("result")", false}};
  for (const Change& change : changes)
    EXPECT_EQ(schema.accepts(changed(document, change)), change.good) << change.pointer;
}

}  // namespace
}  // namespace npusim::sim
