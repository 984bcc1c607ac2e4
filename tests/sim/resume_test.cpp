// SPDX-License-Identifier: Apache-2.0
// What a checkpoint belongs to, and that a result which was reached in two parts has both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/error.h"
#include "sim/catalog.h"
#include "sim/training/train_all.h"
#include "sim/training/train_report.h"

#include "tests/source_dir.h"
#include "tests/workloads/temp_file.h"

namespace npusim::sim {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
    request_.npu_file = find_file("npu", "cube16_fp16");
    request_.workload_file = find_file("workload", "lenet5");
    request_.recipe_files = {find_file("recipe", "fp16_dynamic_scale")};
    request_.overrides = {base::parse_override("workload.parameters.batch=4")};
    request_.options.data = "digits";
    request_.options.train_samples = 8;
    request_.options.epochs = 2;
    request_.options.test_samples = 4;
    request_.options.statistics_every = 1;
    request_.reference = false;
    request_.timing = false;
    request_.jobs = 1;
  }

  /// Two of four steps, into a checkpoint that `request_` goes on from.
  void train_half() {
    TrainRequest half = request_;
    half.options.epochs = 1;
    half.options.checkpoint = folder_.path("c.safetensors");
    ASSERT_EQ(train_all(half).runs[0].steps.size(), 2U);
    request_.options.resume = half.options.checkpoint;
  }

  static std::string refused(const TrainRequest& request) {
    try {
      train_all(request);
    } catch (const base::InputError& error) {
      return error.what();
    }
    return "";
  }

  workloads::testing::TempFolder folder_;
  TrainRequest request_;
};

TEST_F(Resume, TakesCheckpointsOfTheSameMachineAndSamplesOnly) {
  train_half();
  TrainRequest other = request_;
  other.npu_file = find_file("npu", "systolic_128x128_fp16");
  EXPECT_THAT(refused(other),
              AllOf(HasSubstr("c.safetensors is of another run: mapping on the NPU"),
                    Not(HasSubstr("samples"))));
  other = request_;
  other.options.train_samples = 32;
  EXPECT_THAT(refused(other), HasSubstr("another run: --train-samples 8, here 32"));
  other.options.test_samples = 8;
  other.options.seed = 3;
  EXPECT_THAT(refused(other),
              HasSubstr("--train-samples 8, here 32; --test-samples 4, here 8; --seed 0, here 3"));
  other = request_;
  other.overrides = {base::parse_override("workload.parameters.batch=2")};
  EXPECT_THAT(refused(other), HasSubstr("another run: workload"));
  other = request_;
  other.recipe_files = {find_file("recipe", "fp16_fp32_master")};
  EXPECT_THAT(refused(other), HasSubstr("recipe "));
  EXPECT_EQ(refused(request_), "");
}

TEST_F(Resume, NamesAClusterThatIsAnother) {
  request_.cluster_file = find_file("cluster", "ring4");
  request_.overrides = {base::parse_override("workload.parameters.batch=1")};
  train_half();
  EXPECT_EQ(refused(request_), "");
  TrainRequest other = request_;
  other.overrides.push_back(base::parse_override("cluster.interconnect.topology=tree"));
  EXPECT_THAT(refused(other), HasSubstr("is of another run: cluster "));
  other.cluster_file.clear();
  other.overrides.pop_back();
  EXPECT_THAT(refused(other), AllOf(HasSubstr("here none"), Not(HasSubstr("run: workload"))));
}

TEST_F(Resume, KeepsTheStatisticsOfTheFirstPart) {
  // The first step overflows, the next does not.
  request_.overrides.push_back(base::parse_override("recipe.loss_scaling.initial=524288"));
  const TrainRun whole = train_all(request_).runs[0];
  train_half();
  const TrainRun resumed = train_all(request_).runs[0];
  EXPECT_EQ(whole.first_nonfinite.step, 0);
  EXPECT_EQ(resumed.first_nonfinite.step, whole.first_nonfinite.step);
  EXPECT_EQ(resumed.first_nonfinite.op, whole.first_nonfinite.op);
  EXPECT_EQ(resumed.first_nonfinite.tensor, whole.first_nonfinite.tensor);
  ASSERT_GT(whole.gradients.size(), 4U);
  ASSERT_EQ(whole.updates.size(), 4U);
  const auto text = [](TrainRun run) {
    run.host_seconds = 0;
    for (Evaluation& evaluation : run.evaluations) evaluation.predictions.clear();
    TrainResult result;
    result.runs = {std::move(run)};
    return base::dump_json(json_of(result)) + csv_of(result);
  };
  EXPECT_EQ(resumed.skipped_steps, 1);
  EXPECT_TRUE(text(resumed) == text(whole));
}

}  // namespace
}  // namespace npusim::sim
