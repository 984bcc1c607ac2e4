// SPDX-License-Identifier: Apache-2.0
// The report of a training run, of results made by hand: what is compared, with what, and that the
// terminal, Markdown, CSV and JSON say the same.
#include "sim/training/train_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <map>
#include <sstream>

#include "sim/catalog.h"
#include "sim/training/train_all.h"
#include "tests/source_dir.h"

namespace npusim::sim {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream text(line);
  for (std::string cell; std::getline(text, cell, ',');) cells.push_back(cell);
  return cells;
}

/// Row `index` of the CSV by its headers, which have to be different.
std::map<std::string, std::string> csv_row(const TrainResult& result, std::size_t index) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream text(csv_of(result));
  for (std::string line; std::getline(text, line, '\r'); text.get()) rows.push_back(cells_of(line));
  std::map<std::string, std::string> row;
  for (std::size_t i = 0; i < rows.at(0).size(); ++i)
    EXPECT_TRUE(row.emplace(rows[0][i], rows.at(index + 1).at(i)).second) << rows[0][i];
  return row;
}

TrainRun run_of(const std::string& recipe, double accuracy, double loss) {
  TrainRun run;
  run.recipe = recipe;
  run.evaluations = {{0, 2.5, 0.4, {}, 4, {0, 0, 0, 0}}, {8, loss, accuracy, {}, 4, {0, 1, 2, 1}}};
  run.step_seconds = 1e-3;
  return run;
}

TrainResult result_of(const TrainRun& run) {
  TrainResult result;
  result.npu = "an_npu";
  result.reference = run_of("fp32", 0.25, 1.5);
  result.reference.evaluations.back().predictions = {0, 1, 1, 1};
  result.reference.step_seconds.reset();
  result.runs = {run};
  return result;
}

TEST(TrainReport, ARunThatEndsIsComparedWithTheReference) {
  const TrainResult result = result_of(run_of("bf16", 0.5, 1.25));
  const auto row = csv_row(result, 1);
  EXPECT_EQ(row.at("accuracy [%]"), "50.00");
  EXPECT_EQ(row.at("accuracy vs FP32"), "+25.00");
  EXPECT_EQ(row.at("loss"), "1.2500");
  EXPECT_EQ(row.at("loss vs FP32"), "-0.2500");
  EXPECT_EQ(row.at("agreement [%]"), "75.00");
  EXPECT_EQ(row.at("status"), "ok");
  EXPECT_EQ(csv_row(result, 0).at("recipe"), "fp32 (reference)");
  EXPECT_EQ(csv_row(result, 0).at("loss vs FP32"), "+0.0000");
}

/// What such a run had evaluated is not what it reached: the network of step 0 here.
TEST(TrainReport, ARunThatDoesNotEndIsComparedWithNothing) {
  for (const TrainStatus status :
       {TrainStatus::diverged, TrainStatus::failed, TrainStatus::interrupted}) {
    TrainRun stopped = run_of("fp16", 0.5, 1.25);
    stopped.evaluations.pop_back();
    stopped.status = status;
    stopped.error = "stopped after step 3";
    TrainResult result = result_of(stopped);
    const std::string shown = name_of(status) + std::string(": stopped after step 3");
    for (const char* column :
         {"accuracy [%]", "accuracy vs FP32", "loss", "loss vs FP32", "agreement [%]"})
      EXPECT_EQ(csv_row(result, 1).at(column), "-") << column;
    EXPECT_EQ(csv_row(result, 1).at("status"), shown);
    EXPECT_THAT(table_of(result), AllOf(HasSubstr(shown), Not(HasSubstr("40.00"))));
    EXPECT_THAT(markdown_of(result),
                AllOf(HasSubstr("| fp16 | - | - | - | - | - |"), HasSubstr(shown)));
    const base::JsonValue document = json_of(result);
    const base::JsonValue& run = document.find("runs")->items()[0];
    EXPECT_TRUE(run.find("agreement")->kind() == base::JsonValue::Kind::null);
    EXPECT_TRUE(run.find("perplexity_difference")->kind() == base::JsonValue::Kind::null);
    ASSERT_EQ(run.find("evaluations")->items().size(), 1U);  // what was measured stays
    EXPECT_EQ(run.find("evaluations")->items()[0].find("accuracy")->number(), 0.4);
    // Nor is anything compared with a reference that did not end.
    std::swap(result.reference.status, result.runs[0].status);
    EXPECT_EQ(csv_row(result, 1).at("accuracy [%]"), "40.00");
    EXPECT_EQ(csv_row(result, 1).at("accuracy vs FP32"), "-");
    EXPECT_EQ(csv_row(result, 1).at("loss vs FP32"), "-");
  }
}

TEST(TrainReport, SpeedUpIsAgainstFp32OnTheNpuElseTheSlowest) {
  TrainResult result = result_of(run_of("bf16", 0.5, 1.25));
  result.runs.push_back(run_of("fp16", 0.5, 1.25));
  result.runs[1].step_seconds = 4e-3;
  result.fp32_step.recipe = "fp32";
  result.fp32_step.error = "an_npu declares no FP32 operands";
  EXPECT_EQ(csv_row(result, 0).at("speed-up"), "-");
  EXPECT_EQ(csv_row(result, 1).at("speed-up"), "4.00");
  EXPECT_EQ(csv_row(result, 2).at("speed-up"), "1.00");
  const std::string why = "speed-up is against fp16, the slowest here: an_npu declares no FP32";
  EXPECT_THAT(table_of(result), HasSubstr(why));
  EXPECT_THAT(markdown_of(result), HasSubstr("- " + why));
  EXPECT_EQ(json_of(result).find("speed_up_base")->find("recipe")->string(), "fp16");
  result.fp32_step.error.clear();
  result.fp32_step.step_seconds = 8e-3;
  result.fp32_step.memory.emplace();
  result.fp32_step.memory->peak_bytes = 3000000;
  EXPECT_EQ(csv_row(result, 0).at("step [ms]"), "8.0000");
  EXPECT_EQ(csv_row(result, 0).at("memory [MB]"), "3.00");
  EXPECT_EQ(csv_row(result, 0).at("speed-up"), "1.00");
  EXPECT_EQ(csv_row(result, 1).at("speed-up"), "8.00");
  EXPECT_EQ(csv_row(result, 2).at("speed-up"), "2.00");
  EXPECT_THAT(table_of(result),
              HasSubstr("speed-up is against fp32 on an_npu: 8.0000 ms, 3.00 MB a step"));
  const base::JsonValue document = json_of(result);
  EXPECT_TRUE(document.find("speed_up_base")->find("is_fp32_step")->boolean());
  EXPECT_EQ(document.find("runs")->items()[0].find("speed_up")->number(), 8.0);
  for (TrainRun& run : result.runs) run.step_seconds.reset();
  result.fp32_step.step_seconds.reset();
  EXPECT_EQ(csv_row(result, 1).at("speed-up"), "-");
  EXPECT_THAT(table_of(result), Not(HasSubstr("speed-up is")));
  EXPECT_TRUE(json_of(result).find("speed_up_base")->kind() == base::JsonValue::Kind::null);
}

/// FP32 on the NPU against itself, and on an NPU without FP32.
TEST(TrainReport, TheFp32StepIsThatOfTheFp32Recipe) {
  setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
  TrainRequest request;
  request.npu_file = find_file("npu", "google_tpu_v4");
  request.workload_file = find_file("workload", "lenet5");
  request.recipe_files = {find_file("recipe", "fp32"), find_file("recipe", "bf16_fp32_master")};
  request.overrides = {base::parse_override("workload.parameters.batch=4")};
  request.options.data = "digits";
  request.options.train_samples = request.options.test_samples = 4;
  request.fp32_step = true;
  request.reference = false;
  request.jobs = 1;
  const TrainResult result = train_all(request);
  EXPECT_EQ(speed_base(result), &result.fp32_step);
  EXPECT_EQ(*result.fp32_step.step_seconds, *result.runs[0].step_seconds);
  EXPECT_EQ(result.fp32_step.memory->peak_bytes, result.runs[0].memory->peak_bytes);
  EXPECT_EQ(speed_up(result.runs[0], result), 1.0);
  EXPECT_GT(*speed_up(result.runs[1], result), 1.0);
  request.npu_file = find_file("npu", "cube16_fp16");
  request.recipe_files = {find_file("recipe", "fp16")};
  const TrainResult without = train_all(request);
  EXPECT_EQ(speed_base(without), &without.runs[0]);
  EXPECT_EQ(without.fp32_step.error, "cube16_fp16 declares no FP32 operands");
  request.what_if = true;
  EXPECT_EQ(train_all(request).fp32_step.error, without.fp32_step.error);
}

TEST(TrainReport, StatisticsStandInCsvAndBeneathTheTables) {
  TrainRun run = run_of("fp16", 0.5, 1.25);
  GradientStatistics first, second;
  first.tensor = "a.grad";
  first.count = 90;
  first.flushed = 8;
  first.recovered.back() = 6;
  first.masked = 2;
  first.signed_bias = 0.125;
  second.tensor = "b.grad";
  second.step = 5;
  second.count = 10;
  second.overflowing.back() = 1;
  second.signed_bias = -0.25;
  run.gradients = {first, second};
  UpdateStatistics update;
  update.with_gradient = 8;
  update.small_updates = 2;
  update.working_drift = 0.5;
  update.master_squares = 4.0;
  run.updates = {update};
  run.first_nonfinite = {7, "fc1.db", "fc1.grad"};
  run.scaling_verdict = "ok (few)";
  const TrainResult result = result_of(run);
  const auto row = csv_row(result, 1);
  EXPECT_EQ(row.at("small updates [%]"), "25.000");
  EXPECT_EQ(row.at("working drift"), "5.000e-01");
  EXPECT_EQ(row.at("signed bias"), "-2.500e-01");
  EXPECT_EQ(row.at("masked overflows"), "2");
  EXPECT_EQ(row.at("saved by scale x 32768 [%]"), "75.000");
  EXPECT_EQ(row.at("overflow at scale x 32768 [%]"), "1.000");
  EXPECT_EQ(row.at("first NaN step"), "7");
  EXPECT_EQ(row.at("first NaN op"), "fc1.db");
  EXPECT_EQ(row.at("first NaN tensor"), "fc1.grad");
  EXPECT_EQ(row.at("loss scaling"), "ok (few)");
  EXPECT_EQ(csv_row(result, 0).at("first NaN step"), "-");
  EXPECT_EQ(csv_row(result, 0).at("working drift"), "-");
  for (const char* line :
       {"|w| >= 2048 |dw| in 25.000 % of the updates; working weights 5.000e-01 from master",
        "signed bias of gradients up to -2.500e-01 (b.grad, step 5)",
        "2 overflows are masked by saturation",
        "a loss scale 32768 times larger would save 75.000 % of what underflows and overflow 1.000 "
        "% of all values",
        "first NaN or infinity in step 7, fc1.db (fc1.grad)", "loss scaling ok (few)"}) {
    EXPECT_THAT(table_of(result), HasSubstr(std::string("\nfp16: ") + line)) << line;
  }
  const std::string lines = table_of(result).substr(table_of(result).find("\nfp16: "));
  std::string listed;
  for (const char c : lines.substr(0, lines.size() - 1))
    listed += c == '\n' ? "\n- " : std::string(1, c);
  EXPECT_THAT(markdown_of(result), HasSubstr(listed));  // the same lines, as a list
}

TEST(TrainReport, SequencesHaveAPerplexity) {
  TrainResult result = result_of(run_of("bf16", 0.5, std::log(6.0)));
  result.reference.evaluations.back().loss = std::log(4.0);
  EXPECT_EQ(csv_row(result, 1).count("perplexity"), 0U);
  EXPECT_NEAR(json_of(result).find("runs")->items()[0].find("perplexity_difference")->number(), 2.0,
              1e-12);
  result.sequences = true;
  EXPECT_EQ(csv_row(result, 0).at("perplexity"), "4");
  EXPECT_EQ(csv_row(result, 1).at("perplexity"), "6");
  EXPECT_EQ(csv_row(result, 1).at("perplexity vs FP32"), "+2");
}

}  // namespace
}  // namespace npusim::sim
