// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "case.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/training/trainer.h"
#include "two_threads.h"

namespace npusim::bench {
namespace {

constexpr std::int64_t kBatch = 64, kSteps = 16;
constexpr double kEpochSteps = 10000.0 / static_cast<double>(kBatch);

struct Training {
  workloads::Workload workload;
  workloads::Recipe recipe;
  sim::TrainMappings mappings;
};

Training training_of(const std::string& design, const std::string& recipe) {
  Training result;
  result.workload = workloads::load_workload(
      sim::find_file("workload", "lenet5"),
      {base::parse_override("workload.parameters.batch=" + std::to_string(kBatch)).override});
  result.recipe = workloads::load_recipe(sim::find_file("recipe", recipe));
  const npu::NpuSpec npu = npu::load_npu(sim::find_file("npu", design));
  result.mappings = sim::map_training(npu, result.workload, result.recipe);
  return result;
}

void run_steps(const Training& training, const precision::ParallelFor& parallel) {
  sim::TrainOptions options;
  options.data = "digits";
  options.train_samples = kBatch * kSteps;
  options.test_samples = kBatch;
  sim::TrainRun run;
  sim::train(training.workload, training.recipe, training.mappings,
             sim::open_data(training.workload, options), options, parallel, run);
}

/// Part of an epoch, pictures drawn and two looks at a test batch included. The goal is the time of
/// an epoch of 10,000 pictures on two cores.
Case training_case(const std::string& name, const std::string& design, const std::string& recipe,
                   double epoch_seconds) {
  const auto training = std::make_shared<Training>(training_of(design, recipe));
  const auto macs = static_cast<double>(training->mappings.step.graph.mac_count());
  const auto run = [training] {
    return two_thread_seconds(
        [&](const precision::ParallelFor& parallel) { run_steps(*training, parallel); });
  };
  return {name, "GMAC/s", macs * kSteps,
          run,  {},       {{Against::nothing, macs * kEpochSteps / epoch_seconds * 1e-9, true}},
          1};
}

}  // namespace

std::vector<Case> training_cases() {
  return {
      training_case("lenet5_epoch_fp32_accumulate", "systolic128_bf16", "bf16_fp32_accumulate",
                    3.0),
      training_case("lenet5_epoch_fp16_accumulate", "systolic_128x128_fp16", "fp16_fp16_accumulate",
                    5.0),
      training_case("lenet5_epoch_h100", "nvidia_h100", "fp16_fp32_master", 6.0),
  };
}

}  // namespace npusim::bench
