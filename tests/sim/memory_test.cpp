// SPDX-License-Identifier: Apache-2.0
// Published and hand-counted sizes of shipped networks, and limits held against the runs beside
// them.
#include "sim/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "library.h"
#include "sim/writers/writers.h"

namespace npusim::sim {
namespace {

using npu::MemoryKind;
using ::testing::HasSubstr;
using testing::request;
using testing::timing_only;

RunResult memory_of(const RunRequest& r, const RunOptions& options,
                    const MemoryOptions& memory = {}) {
  return memory_all({r}, options, memory).runs.at(0);
}

/// What a step keeps for each parameter.
double bytes_per_parameter(const std::string& npu, const std::string& recipe) {
  const RunResult run = memory_of(
      request(npu, "lenet5", Mode::training, recipe),
      timing_only({"workload.training.optimizer={\"kind\": \"adam\", \"learning_rate\": 0.001}"}));
  if (!run.memory) return 0.0;
  const npu::BytesByKind& most = run.memory->footprint.most;
  const std::int64_t bytes = most[MemoryKind::weights] + most[MemoryKind::master_weights] +
                             most[MemoryKind::weight_gradients] + most[MemoryKind::optimizer_state];
  return static_cast<double>(bytes) / static_cast<double>(run.parameters);
}

// Bytes: weights, gradients and two moments in FP32 make 4 * 4; 2 + 2 for 16-bit weights and
// gradients, 4 for master weights and 8 for the moments make 16 too, and 18 with FP32 gradients.
// Rate, count and scale add a few bytes to 61,706 parameters.
TEST(Memory, AdamTakes16BytesAParameterInFp32AndInMixedPrecision) {
  EXPECT_NEAR(bytes_per_parameter("google_tpu_v4", "fp32"), 16.0, 1e-3);
  EXPECT_NEAR(bytes_per_parameter("cube16_fp16", "fp16_dynamic_scale"), 16.0, 1e-3);
  EXPECT_NEAR(bytes_per_parameter("cube16_fp16", "fp16_fp32_master"), 18.0, 1e-3);
  EXPECT_NEAR(bytes_per_parameter("google_tpu_v4", "bf16_fp32_master"), 18.0, 1e-3);
}

// 6,738,415,616 parameters of two bytes; rotary tables are beside them.
TEST(Memory, WeightsOfLlama2Take13GigabytesIn16Bits) {
  const RunResult run = memory_of(
      request("google_tpu_v4", "llama2_7b_decode", Mode::inference, "bf16"), timing_only());
  EXPECT_EQ(run.parameters, 6738415616);
  const double gigabytes =
      static_cast<double>(run.memory->footprint.most[MemoryKind::weights]) / 1e9;
  EXPECT_NEAR(gigabytes, 13.48, 0.005);
  // Two tensors of 32 layers, 32 heads of 128, 2,047 positions.
  EXPECT_EQ(run.memory->footprint.most[MemoryKind::state], 2LL * 32 * 4096 * 2047 * 2);
}

TEST(Memory, UnscaledCopiesOfFewGradientsLiveAtATime) {
  const RunResult run = memory_of(
      request("cube16_fp16", "lenet5", Mode::training, "fp16_dynamic_scale"), timing_only());
  ASSERT_TRUE(run.memory.has_value());
  const npu::BytesByKind& most = run.memory->footprint.most;
  EXPECT_GT(most[MemoryKind::unscaled_gradients], 0);
  // The largest weight is 400 x 120: its copy in FP32.
  EXPECT_LT(most[MemoryKind::unscaled_gradients], 4 * 400 * 120 + 4 * 1000);
}

/// Whether it fits with this value of a parameter.
bool fits(const RunRequest& r, const std::string& parameter, std::int64_t value,
          std::vector<std::string> sets = {}) {
  sets.push_back("workload.parameters." + parameter + "=" + std::to_string(value));
  return memory_of(r, timing_only(sets)).status == Status::ok;
}

TEST(Memory, TheLargestBatchFitsAndTheNextDoesNot) {
  const RunRequest r = request("cube16_fp16", "lenet5", Mode::training);
  const std::string small = "npu.dram.gib=0.00390625";  // 4 MiB: a batch of some hundred
  const RunResult run = memory_of(r, timing_only({small}), {{"batch"}, false});
  ASSERT_EQ(run.memory->limits.size(), 1U);
  const ParameterLimit& limit = run.memory->limits.front();
  EXPECT_EQ(limit.parameter, "batch");
  EXPECT_FALSE(limit.at_least);
  EXPECT_GT(limit.largest, 32);
  EXPECT_THAT(limit.limited_by, HasSubstr("memory at "));
  EXPECT_LE(limit.peak_bytes, run.memory->capacity_bytes);
  EXPECT_TRUE(fits(r, "batch", limit.largest, {small}));
  EXPECT_FALSE(fits(r, "batch", limit.largest + 1, {small}));
  EXPECT_EQ(json_of(run).find("memory")->find("max_batch")->integer(), limit.largest);
}

TEST(Memory, TheCacheBoundsTheContext) {
  const RunRequest r = request("google_tpu_v3", "llama2_7b_decode", Mode::inference, "bf16");
  const RunResult run = memory_of(r, timing_only(), {{"past"}, false});
  const ParameterLimit& limit = run.memory->limits.at(0);
  EXPECT_TRUE(fits(r, "past", limit.largest));
  EXPECT_FALSE(fits(r, "past", limit.largest + 1));
}

// Position embeddings of GPT-2 end at 1,024: the file says so, not the memory.
TEST(Memory, WhatTheWorkloadRefusesIsALimitToo) {
  const RunResult run = memory_of(request("google_tpu_v4", "gpt2_small", Mode::inference, "bf16"),
                                  timing_only(), {{"sequence"}, false});
  const ParameterLimit& limit = run.memory->limits.at(0);
  EXPECT_EQ(limit.largest, 1024);
  EXPECT_EQ(limit.limited_by.find("memory"), std::string::npos) << limit.limited_by;
}

TEST(Memory, WhatNeverFitsHasTheLimitZeroAndStillItsFootprint) {
  const RunResult run = memory_of(request("google_tpu_v4", "gpt3_175b", Mode::inference, "bf16"),
                                  timing_only(), {{"batch"}, false});
  EXPECT_EQ(run.status, Status::unsupported);
  EXPECT_GT(run.memory->footprint.peak_bytes, run.memory->capacity_bytes);
  EXPECT_EQ(run.memory->limits.at(0).largest, 0);
}

TEST(Memory, UnknownParametersAreNamed) {
  try {
    memory_of(request("google_tpu_v4", "lenet5", Mode::inference), timing_only(),
              {{"sequence"}, false});
    FAIL();
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.diagnostics().at(0).message,
                HasSubstr("no workload has a parameter sequence"));
  }
}

// Of ResNet-50's activations the borders of the segments remain, and products are computed twice;
// micro-batches hold the activations of one of them.
TEST(Memory, RecomputationAndMicroBatchesSaveActivations) {
  const auto step = [&](const std::vector<std::string>& sets) {
    return memory_of(request("google_tpu_v4", "resnet50", Mode::training), timing_only(sets));
  };
  const RunResult all = step({"workload.parameters.batch=16"});
  const RunResult again =
      step({"workload.parameters.batch=16", "workload.training.recompute_segments=8"});
  const RunResult parts =
      step({"workload.parameters.batch=4", "workload.training.micro_batches=4"});
  const auto activations = [](const RunResult& run) {
    return static_cast<double>(run.memory->footprint.most[MemoryKind::activations]);
  };
  EXPECT_LT(activations(again), 0.5 * activations(all));
  EXPECT_LT(again.memory->footprint.peak_bytes, all.memory->footprint.peak_bytes);
  EXPECT_GT(again.coverage->macs, all.coverage->macs);
  EXPECT_LT(again.coverage->macs, all.coverage->macs * 4 / 3 + 1);
  EXPECT_LT(activations(parts), 0.3 * activations(all));
  EXPECT_EQ(parts.coverage->macs, all.coverage->macs);
}

// The scenarios of the documents on a step of ResNet-50: FP32 weights and states cost memory,
// 16-bit activations save it.
TEST(Memory, ScenariosSaveWhereTheyShould) {
  const auto kinds = [](const std::string& recipe) {
    const RunResult run = memory_of(request("google_tpu_v4", "resnet50", Mode::training, recipe),
                                    timing_only({"workload.parameters.batch=16"}));
    return run.memory->footprint;
  };
  const npu::MemoryFootprint fp32 = kinds("fp32"), master = kinds("bf16_fp32_master"),
                             pure = kinds("bf16_pure"),
                             activations = kinds("bf16_activations_fp32_weights");
  const auto of = [](const npu::MemoryFootprint& m, MemoryKind kind) { return m.most[kind]; };
  EXPECT_NEAR(static_cast<double>(of(fp32, MemoryKind::activations)),
              2.0 * static_cast<double>(of(master, MemoryKind::activations)),
              0.02 * static_cast<double>(of(fp32, MemoryKind::activations)));
  EXPECT_EQ(of(master, MemoryKind::master_weights), 25557032 * 4);
  EXPECT_EQ(of(pure, MemoryKind::master_weights), 0);
  EXPECT_EQ(of(activations, MemoryKind::master_weights), 0);
  EXPECT_LT(pure.peak_bytes, activations.peak_bytes);
  EXPECT_LT(activations.peak_bytes, fp32.peak_bytes);
  // What the plan of buffers adds to the bytes that are alive.
  for (const npu::MemoryFootprint& m : {fp32, master, pure, activations}) {
    EXPECT_GE(m.peak_bytes, m.at_peak.total());
    EXPECT_LT(static_cast<double>(m.peak_bytes), 1.1 * static_cast<double>(m.at_peak.total()));
  }
}

}  // namespace
}  // namespace npusim::sim
