// SPDX-License-Identifier: Apache-2.0
// The training loop on small networks: the executor's bits, threads, checkpoints, FP32 against
// FP64, and what loss scaling, master weights and formats do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/array_file.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "sim/numerics.h"
#include "sim/training/advise.h"
#include "sim/training/step_executor.h"
#include "sim/training/train_all.h"
#include "sim/training/trainer.h"
#include "tests/source_dir.h"
#include "workloads/initializer.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

namespace fs = std::filesystem;
using workloads::OptimizerSpec;
using workloads::Recipe;
using workloads::Workload;

std::string shipped(const std::string& file) {
  return std::string(test::source_dir()) + "/" + file;
}
Recipe recipe(const std::string& name) {
  return workloads::load_recipe(shipped("configs/recipes/" + name + ".json"));
}
npu::NpuSpec npu(const std::string& name) {
  return npu::load_npu(shipped("configs/npus/" + name + ".json"));
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/npusim_training_XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Points of spirals through one hidden layer.
Workload spirals(const std::string& optimizer, int hidden = 16, int batch = 8) {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "spirals",
"parameters": {"batch": )"
                      << batch << R"(, "hidden": )" << hidden << R"(},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w1", "shape": ["hidden", 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": ["hidden"], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}},
  {"name": "w2", "shape": [3, "hidden"], "initializer": {"kind": "xavier_normal"}},
  {"name": "b2", "shape": [3], "initializer": {"kind": "zeros"}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2", "b2"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label", "optimizer": )"
                      << optimizer << "}}";
  return workloads::load_workload(file);
}

TrainOptions options(std::int64_t train_samples, std::int64_t epochs) {
  TrainOptions o;
  o.data = "spirals";
  o.train_samples = train_samples;
  o.test_samples = 96;
  o.epochs = epochs;
  o.seed = 7;
  return o;
}

TrainRun run(const Workload& workload, const Recipe& r, const TrainOptions& o,
             const npu::NpuSpec* machine = nullptr, int threads = 1) {
  base::ThreadPool pool(threads);
  const precision::ParallelFor parallel = [&pool](std::int64_t n,
                                                  const std::function<void(std::int64_t)>& body) {
    pool.parallel_for(n, body);
  };
  const TrainMappings mappings =
      machine != nullptr ? map_training(*machine, workload, r) : map_training(workload, r);
  TrainRun result;
  result.recipe = r.name;
  train(workload, r, mappings, open_data(workload, o), o, parallel, result);
  return result;
}

constexpr const char* kSgd = R"({"kind": "sgd", "learning_rate": 0.2})";

// Steps of two micro-batches of four see the samples of steps of one batch of eight, in their
// order.
TEST(Training, MicroBatchesTrainLikeOneBatch) {
  const Recipe fp32 = recipe("fp32");
  Workload parts = spirals(kSgd, 16, 4);
  parts.training->micro_batches = 2;
  const TrainRun whole = run(spirals(kSgd, 16, 8), fp32, options(192, 1));
  const TrainRun split = run(parts, fp32, options(192, 1));
  ASSERT_EQ(whole.steps.size(), 24U);
  ASSERT_EQ(split.steps.size(), 24U);
  for (std::size_t i = 0; i < whole.steps.size(); ++i)
    EXPECT_NEAR(split.steps[i].loss, whole.steps[i].loss, 1e-4) << "step " << i;
}

/// One step through the executor and through `run`'s numerics: the same bits of every output.
TEST(StepExecutor, GivesTheBitsOfARun) {
  const std::pair<const char*, const char*> cases[] = {
      {"systolic128_bf16", "bf16_fp32_master"},
      {"systolic128_bf16", "bf16_stochastic_weights"},
      {"systolic128_bf16", "bf16_fp32_norm_statistics"},
      {"systolic_32x32_tables", "bf16_fp32_master"}};
  for (const auto& [design, name] : cases) {
    const npu::NpuSpec machine = npu(design);
    const Recipe r = recipe(name);
    const Workload cnn = workloads::load_workload(shipped("workloads/small_cnn.json"), {});
    const npu::MappedGraph mapped =
        npu::map_graph(machine, workloads::make_training_step(cnn, r), r);
    const Folder folder;
    NumericOptions numeric;
    numeric.seed = 5;
    numeric.dump_folder = folder.file("");
    execute(mapped, r, numeric, precision::serial());
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(mapped, r.internal, 5, serial);
    const std::vector<int> writer = workloads::writers(mapped.graph);
    for (std::size_t i = 0; i < mapped.graph.tensors.size(); ++i) {
      const workloads::TensorInfo& info = mapped.graph.tensors[i];
      if (writer[i] < 0 && info.initializer)
        executor.load(static_cast<workloads::TensorId>(i),
                      workloads::make_values(*info.initializer, info.shape, info.type,
                                             workloads::values_name(info), 5)
                          .values);
    }
    for (int repeated = 0; repeated < 2; ++repeated) {
      executor.run(0, {}, {});
      for (const workloads::TensorId id : mapped.graph.outputs) {
        const std::string& output = mapped.graph.tensor(id).name;
        EXPECT_EQ(executor.value(id).values, base::read_npy(folder.file(output + ".npy")).values)
            << name << " " << output;
      }
    }
  }
}

TEST(Training, ThreadsLeaveNoTrace) {
  const Workload workload = spirals(R"({"kind": "adam", "learning_rate": 0.01})", 300, 64);
  const npu::NpuSpec machine = npu("systolic128_bf16");
  const TrainRun one =
      run(workload, recipe("bf16_stochastic_weights"), options(512, 2), &machine, 1);
  const TrainRun three =
      run(workload, recipe("bf16_stochastic_weights"), options(512, 2), &machine, 3);
  EXPECT_EQ(one.weights_hash, three.weights_hash);
  EXPECT_EQ(one.evaluations.back().loss, three.evaluations.back().loss);
}

/// Convolutions, pools and long sums through chains and aligned blocks.
TEST(Training, ThreadsLeaveNoTraceInLeNet) {
  const Workload workload =
      workloads::load_workload(shipped("workloads/lenet5.json"),
                               {base::parse_override("workload.parameters.batch=8").override});
  TrainOptions o = options(16, 1);
  o.data = "digits";
  o.test_samples = 8;
  const std::pair<const char*, const char*> machines[] = {
      {"systolic128_bf16", "bf16_fp32_accumulate"},
      {"systolic_128x128_fp16", "fp16_fp16_accumulate"},
      {"nvidia_h100", "fp16_fp32_master"}};
  for (const auto& [name, formats] : machines) {
    const npu::NpuSpec machine = npu(name);
    const TrainRun one = run(workload, recipe(formats), o, &machine, 1);
    const TrainRun two = run(workload, recipe(formats), o, &machine, 2);
    const TrainRun five = run(workload, recipe(formats), o, &machine, 5);
    EXPECT_EQ(one.weights_hash, two.weights_hash) << name;
    EXPECT_EQ(one.weights_hash, five.weights_hash) << name;
    EXPECT_EQ(one.evaluations.back().loss, five.evaluations.back().loss) << name;
  }
}

TEST(Training, ACheckpointGoesOnBitForBit) {
  const Folder folder;
  const Workload workload = spirals(R"({"kind": "adamw", "learning_rate": 0.01,
                                        "weight_decay": 0.01})");
  const Recipe r = recipe("fp16_dynamic_scale");
  TrainOptions whole = options(160, 3);
  const TrainRun reference = run(workload, r, whole);
  TrainOptions half = whole;
  half.max_steps = 33;  // in the middle of an epoch
  half.checkpoint = folder.file("c.safetensors");
  run(workload, r, half);
  TrainOptions rest = whole;
  rest.resume = half.checkpoint;
  const TrainRun resumed = run(workload, r, rest);
  EXPECT_EQ(resumed.weights_hash, reference.weights_hash);
  EXPECT_EQ(resumed.skipped_steps, reference.skipped_steps);
  ASSERT_EQ(resumed.steps.size(), reference.steps.size());
  for (std::size_t i = 0; i < reference.steps.size(); ++i)
    EXPECT_EQ(resumed.steps[i].loss, reference.steps[i].loss) << i;
  rest.seed = 8;
  EXPECT_THROW(run(workload, r, rest), base::InputError);
  half.checkpoint = "/dev/full/none";
  EXPECT_THROW(run(workload, r, half), base::InputError);
  EXPECT_TRUE(fs::exists(folder.file("c.safetensors")));
}

/// An interrupt that comes when the flag was asked for so many times.
struct InterruptAfter {
  explicit InterruptAfter(std::int64_t after) : left(after) {}
  std::function<bool()> flag() {
    return [this] {
      ++polls;
      return left-- <= 0;
    };
  }
  std::int64_t left, polls = 0;
};

TEST(Training, AnInterruptWaitsForOneNode) {
  const Workload workload = spirals(kSgd);
  const Recipe r = recipe("bf16_fp32_master");
  TrainOptions o = options(32, 2);  // 8 steps, 3 evaluations of 12 batches
  InterruptAfter never(std::int64_t{1} << 40);
  o.interrupted = never.flag();
  EXPECT_EQ(run(workload, r, o).status, TrainStatus::ok);
  const TrainMappings mappings = map_training(workload, r);
  const auto nodes = [](const npu::MappedGraph& mapped) {
    return static_cast<std::int64_t>(mapped.graph.nodes.size());
  };
  // Asked before every node of every step and evaluation, and before every batch of a test.
  EXPECT_EQ(never.polls, 8 * nodes(mappings.step) + 3 * 12 * (nodes(mappings.forward) + 1));
  for (const std::int64_t after : {std::int64_t{0}, std::int64_t{5}, never.polls / 2 + 1}) {
    InterruptAfter now(after);
    o.interrupted = now.flag();
    const TrainRun stopped = run(workload, r, o);
    EXPECT_EQ(stopped.status, TrainStatus::interrupted) << after;
    EXPECT_EQ(now.polls, after + 1) << "no node behind the one that ran";
  }
}

TEST(Training, WhatAnInterruptLeavesGoesOnBitForBit) {
  const Folder folder;
  const Workload workload = spirals(R"({"kind": "adamw", "learning_rate": 0.01})");
  const Recipe r = recipe("fp16_dynamic_scale");
  TrainOptions o = options(24, 2);  // 6 steps, 3 evaluations
  o.statistics_every = 1;
  InterruptAfter never(std::int64_t{1} << 40);
  o.interrupted = never.flag();
  const TrainRun whole = run(workload, r, o);
  const std::int64_t polls = never.polls;
  for (std::int64_t after = 0; after < polls; after += polls / 23) {
    SCOPED_TRACE(after);
    InterruptAfter now(after);
    TrainOptions begun = o;
    begun.interrupted = now.flag();
    begun.checkpoint = folder.file("c.safetensors");
    const TrainRun stopped = run(workload, r, begun);
    ASSERT_EQ(stopped.status, TrainStatus::interrupted);
    // Of a step that was begun nothing is kept.
    EXPECT_EQ(stopped.updates.size(), stopped.steps.size());
    for (const GradientStatistics& seen : stopped.gradients)
      EXPECT_LT(seen.step, static_cast<std::int64_t>(stopped.steps.size()));
    TrainOptions rest = o;
    rest.interrupted = nullptr;
    rest.resume = begun.checkpoint;
    const TrainRun resumed = run(workload, r, rest);
    EXPECT_EQ(resumed.status, TrainStatus::ok);
    EXPECT_EQ(resumed.weights_hash, whole.weights_hash);
    ASSERT_EQ(resumed.steps.size(), whole.steps.size());
    for (std::size_t i = 0; i < whole.steps.size(); ++i)
      EXPECT_EQ(resumed.steps[i].loss, whole.steps[i].loss) << i;
    ASSERT_EQ(resumed.evaluations.size(), whole.evaluations.size());
    for (std::size_t i = 0; i < whole.evaluations.size(); ++i) {
      EXPECT_EQ(resumed.evaluations[i].step, whole.evaluations[i].step);
      EXPECT_EQ(resumed.evaluations[i].loss, whole.evaluations[i].loss);
    }
  }
}

TEST(Training, AnInterruptEndsTheWholeExperiment) {
  const Folder folder;
  TrainRequest request;
  request.npu_file = shipped("configs/npus/systolic_32x32_fp32.json");
  request.workload_file = shipped("workloads/lenet5.json");
  request.recipe_files.assign(2, shipped("configs/recipes/bf16_fp32_master.json"));
  request.options = options(64, 1);
  request.options.data = "digits";
  request.timing = false;
  request.jobs = 1;
  InterruptAfter now(40);
  request.options.interrupted = now.flag();
  const TrainResult result = train_all(request);
  EXPECT_EQ(exit_code_of(result), 130);
  EXPECT_EQ(result.reference.status, TrainStatus::interrupted);
  for (const TrainRun& run : result.runs) EXPECT_EQ(run.status, TrainStatus::interrupted);
  EXPECT_LE(now.polls, 41 + 2);
}

TEST(Training, ScalingByAPowerOfTwoLeavesNoTrace) {
  const Workload workload = spirals(kSgd);
  Recipe r = recipe("bf16_fp32_master");
  const TrainRun plain = run(workload, r, options(160, 2));
  for (const double scale : {2.0, 1024.0, 65536.0}) {
    r.loss_scaling.kind = workloads::LossScalingSpec::Kind::constant;
    r.loss_scaling.initial = scale;
    const TrainRun scaled = run(workload, r, options(160, 2));
    EXPECT_EQ(scaled.weights_hash, plain.weights_hash) << scale;
  }
}

/// Logits pass through 2^12 and 2^-12, so that their gradients, means over 4096 samples, are below
/// 2^-25 in between: FP16 holds them only with loss scaling.
Workload tiny_gradients() {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "tiny_gradients",
"parameters": {"batch": 4096},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w1", "shape": [16, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [16], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}},
  {"name": "w2", "shape": [3, 16], "initializer": {"kind": "xavier_normal"}},
  {"name": "large", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 4096}},
  {"name": "small", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 0.000244140625}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2"], "attributes": {"transB": 1}},
  {"op": "Mul", "name": "up", "inputs": ["fc2.out", "large"]},
  {"op": "Mul", "name": "down", "inputs": ["up.out", "small"], "outputs": ["logits"]}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 1.0}}})";
  return workloads::load_workload(file);
}

double loss_drop(const TrainRun& run) {
  return run.evaluations.front().loss - run.evaluations.back().loss;
}

TEST(Training, Fp16LosesSmallGradientsThatScalingKeepsAndBf16Has) {
  const Workload workload = tiny_gradients();
  TrainOptions o = options(4096 * 40, 1);
  o.test_samples = 4096;
  o.statistics_every = 39;
  const TrainRun fp32 = run(workload, recipe("fp32"), o);
  EXPECT_GT(loss_drop(fp32), 0.2);
  EXPECT_EQ(loss_drop(run(workload, recipe("fp16_naive"), o)), 0.0);  // not one update arrives
  const TrainRun lost = run(workload, recipe("fp16_fp32_master"), o);
  EXPECT_LT(loss_drop(lost), 0.1 * loss_drop(fp32));
  for (const GradientStatistics& s : lost.gradients)
    if (s.tensor == "down.da.out") {
      EXPECT_GT(s.flushed, s.count / 2);
      EXPECT_EQ(s.recovered.back(), s.flushed);  // S = 32K would save all
    }
  for (const double scale : {8.0, 128.0, 32768.0}) {
    Recipe r = recipe("fp16_constant_scale");
    r.loss_scaling.initial = scale;
    EXPECT_GT(loss_drop(run(workload, r, o)), 0.8 * loss_drop(fp32)) << scale;
  }
  for (const char* name : {"fp16_dynamic_scale", "fp16_statistics_scale", "bf16_fp32_master"})
    EXPECT_GT(loss_drop(run(workload, recipe(name), o)), 0.8 * loss_drop(fp32)) << name;
}

/// All in E4M3, and E4M3 by E5M2, through the H100's own units.
TEST(Training, Fp8WithScalesFollowsBf16) {
  const npu::NpuSpec h100 = npu("nvidia_h100");
  const Workload workload = spirals(kSgd, 32, 16);
  const TrainOptions o = options(640, 2);
  const TrainRun bf16 = run(workload, recipe("bf16_fp32_master"), o, &h100);
  const auto follows = [&](const char* name, const npu::NpuSpec* machine) {
    const TrainRun fp8 = run(workload, recipe(name), o, machine);
    EXPECT_EQ(fp8.status, TrainStatus::ok) << fp8.error;
    EXPECT_GT(loss_drop(fp8), 0.8 * loss_drop(bf16)) << name;
    EXPECT_NE(fp8.weights_hash, bf16.weights_hash) << name;
  };
  follows("fp8_e4m3_current_scaling", &h100);
  follows("fp8_e4m3_delayed_scaling", &h100);
  follows("fp8_current_scaling", &h100);
  follows("fp8_delayed_scaling", &h100);
  follows("fp8_delayed_scaling", nullptr);
  // Trainium2 declares no products of E4M3 by E5M2.
  EXPECT_THROW(map_training(npu("aws_trainium2"), workload, recipe("fp8_delayed_scaling")),
               npu::UnsupportedError);
  // Every product reads E4M3 in the backward pass too.
  int products = 0;
  for (const npu::MappedOp& op :
       map_training(h100, workload, recipe("fp8_e4m3_current_scaling")).step.ops) {
    if (!op.gemm) continue;
    ++products;
    EXPECT_EQ(op.gemm->unit.name, "nvidia_h100_e4m3_fp32");
  }
  EXPECT_EQ(products, 5);  // two forward, two weight gradients, one data gradient
  // Scales go on with a checkpoint.
  const Folder folder;
  TrainOptions half = o;
  half.max_steps = 33;
  half.checkpoint = folder.file("c.safetensors");
  run(workload, recipe("fp8_e4m3_delayed_scaling"), half, &h100);
  TrainOptions rest = o;
  rest.resume = half.checkpoint;
  EXPECT_EQ(run(workload, recipe("fp8_e4m3_delayed_scaling"), rest, &h100).weights_hash,
            run(workload, recipe("fp8_e4m3_delayed_scaling"), o, &h100).weights_hash);
}

TEST(Training, UpdatesOfFp16WeightsStallWithoutAMasterCopy) {
  const Workload workload = spirals(R"({"kind": "sgd", "learning_rate": 0.0001})");
  TrainOptions o = options(800, 10);
  o.statistics_every = 50;
  const TrainRun without = run(workload, recipe("fp16"), o);
  const TrainRun with = run(workload, recipe("fp16_fp32_master"), o);
  const TrainRun fp32 = run(workload, recipe("fp32"), o);
  std::int64_t stalled = 0, all = 0, kept = 0;
  for (const UpdateStatistics& u : without.updates) {
    stalled += u.stalled;
    all += u.with_gradient;
    EXPECT_GE(u.small_updates * 10, u.stalled * 9);  // the rule |w| >= 2048 |dw|
  }
  for (const UpdateStatistics& u : with.updates) kept += u.stalled;
  EXPECT_GT(stalled, all * 8 / 10);
  EXPECT_LT(kept, all / 100);
  EXPECT_LT(loss_drop(without), 0.5 * loss_drop(fp32));
  EXPECT_NEAR(loss_drop(with), loss_drop(fp32), 0.05 * loss_drop(fp32));
  EXPECT_GT(with.updates.back().working_drift, 1e-5);  // half a unit of FP16 and less
  EXPECT_LT(with.updates.back().working_drift, 0x1p-11);
}

TEST(Training, AnOverflowIsSkippedLocatedAndJudged) {
  const Workload workload = spirals(kSgd);
  Recipe r = recipe("fp16_dynamic_scale");
  r.loss_scaling.initial = 0x1p40;
  const TrainRun found = run(workload, r, options(320, 2));
  EXPECT_EQ(found.status, TrainStatus::ok);
  EXPECT_GT(found.skipped_steps, 10);
  EXPECT_EQ(found.first_nonfinite.step, 0);
  EXPECT_NE(found.first_nonfinite.op, "");
  EXPECT_GT(loss_drop(found), 0.0);
  // A format that saturates never shows an overflow: the scale never backs off.
  Recipe masked = r;
  masked.activation_gradients.overflow = precision::Overflow::saturate;
  masked.weight_gradients.overflow = precision::Overflow::saturate;
  TrainOptions looking = options(320, 2);
  looking.statistics_every = 20;
  const TrainRun blind = run(workload, masked, looking);
  EXPECT_EQ(blind.skipped_steps, 0);
  std::int64_t hidden = 0;
  for (const GradientStatistics& s : blind.gradients) hidden += s.masked;
  EXPECT_GT(hidden, 0);
}

/// One product, so that all overflows are those of its unit.
Workload one_product() {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "one_product",
"parameters": {"batch": 32},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [{"name": "w", "shape": [3, 2], "initializer": {"kind": "xavier_normal"}}],
"nodes": [
  {"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})";
  return workloads::load_workload(file);
}

TEST(Training, OverflowsThatTheUnitClampsAreMaskedToo) {
  const Workload workload = one_product();
  Recipe r = recipe("fp16_dynamic_scale");
  r.accumulator = precision::fp16();
  r.loss_scaling.initial = 0x1p20;  // gradients of logits, means of 32, stay below 2^15
  TrainOptions looking = options(160, 1);
  looking.statistics_every = 1;
  const auto masked = [](const TrainRun& of) {
    std::int64_t sum = 0;
    for (const GradientStatistics& s : of.gradients) sum += s.masked;
    return sum;
  };
  const npu::NpuSpec machine = npu("cube16_fp16");
  const TrainRun seen = run(workload, r, looking, &machine);
  EXPECT_GT(seen.skipped_steps, 0);
  EXPECT_EQ(masked(seen), 0);
  const npu::NpuSpec clamping =
      npu::load_npu(shipped("configs/npus/cube16_fp16.json"),
                    {base::parse_override("npu.mac_array.accumulator.overflow=saturate").override});
  const TrainRun blind = run(workload, r, looking, &clamping);
  EXPECT_EQ(blind.skipped_steps, 0);  // the scale never backs off
  EXPECT_GT(masked(blind), 0);
}

/// Logits pass through 2^-24 and 2^24: on their way back gradients pass through 2^24 alone, beyond
/// FP16, while the loss stays finite.
Workload large_gradients() {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "large_gradients",
"parameters": {"batch": 4},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w", "shape": [3, 2], "initializer": {"kind": "xavier_normal"}},
  {"name": "large", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 4096}},
  {"name": "small", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 0.000244140625}}],
"nodes": [
  {"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}},
  {"op": "Mul", "name": "down1", "inputs": ["fc.out", "small"]},
  {"op": "Mul", "name": "down2", "inputs": ["down1.out", "small"]},
  {"op": "Mul", "name": "up1", "inputs": ["down2.out", "large"]},
  {"op": "Mul", "name": "up2", "inputs": ["up1.out", "large"], "outputs": ["logits"]}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 1.0}}})";
  return workloads::load_workload(file);
}

TEST(Training, AnOverflowOfTheBackwardPassIsLocatedWithoutScalingToo) {
  TrainOptions o = options(4, 1);
  o.test_samples = 4;
  const TrainRun found = run(large_gradients(), recipe("fp16_fp32_master"), o);
  EXPECT_EQ(found.status, TrainStatus::diverged);
  EXPECT_TRUE(std::isfinite(found.steps.front().loss));
  EXPECT_EQ(found.first_nonfinite.step, 0);
  EXPECT_EQ(found.first_nonfinite.op, "up1.da");
}

/// Hard enough to tell networks apart: LeNet-5 passes 97 % (tests/accuracy).
TEST(Training, ALinearModelStaysBelow90PercentOnTheDigits) {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "linear",
"parameters": {"batch": 32},
"inputs": [{"name": "x", "shape": ["batch", 1, 28, 28], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 9}}],
"initializers": [{"name": "w", "shape": [10, 784], "initializer": {"kind": "xavier_normal"}},
                 {"name": "b", "shape": [10], "initializer": {"kind": "zeros"}}],
"nodes": [
  {"op": "Flatten", "name": "flat", "inputs": ["x"]},
  {"op": "Gemm", "name": "fc", "inputs": ["flat.out", "w", "b"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.005, "momentum": 0.9},
             "schedule": {"kind": "cosine", "period": 1248, "factor": 0.01}}})";
  TrainOptions o = options(10000, 4);
  o.data = "digits";
  o.test_samples = 2000;
  const TrainRun found = run(workloads::load_workload(file), recipe("fp32"), o);
  EXPECT_GT(found.evaluations.back().accuracy, 0.7);  // it does learn
  EXPECT_LT(found.evaluations.back().accuracy, 0.9);
}

TEST(Training, EverySampleOfTheTestSetIsEvaluated) {
  const Recipe r = recipe("fp32");
  TrainOptions o = options(100, 1);
  o.data = "digits";
  o.test_samples = 100;
  o.max_steps = 1;
  const auto of_batch = [&](const char* batch) {
    const Workload lenet = workloads::load_workload(
        shipped("workloads/lenet5.json"),
        {base::parse_override(std::string("workload.parameters.batch=") + batch).override});
    return run(lenet, r, o).evaluations.front();
  };
  const Evaluation whole = of_batch("25"), with_rest = of_batch("32");
  EXPECT_EQ(whole.labels, 100);
  EXPECT_EQ(with_rest.labels, 100);
  EXPECT_EQ(with_rest.predictions, whole.predictions);
  EXPECT_NEAR(with_rest.loss, whole.loss, 1e-12);
}

TEST(Training, ADivergingRunIsAResult) {
  const TrainRun run_ =
      run(spirals(R"({"kind": "sgd", "learning_rate": 1.0e30})"), recipe("fp16"), options(160, 1));
  EXPECT_EQ(run_.status, TrainStatus::diverged);
  EXPECT_GE(run_.first_nonfinite.step, 0);
  EXPECT_NE(run_.first_nonfinite.op, "");
  EXPECT_NE(run_.error, "");
}

/// Scenario 5: means over 512 samples stall in BF16 (256 + 1 = 256); FP32 statistics do not.
TEST(Training, Fp32StatisticsRepairBatchNormalisationInBf16) {
  const Folder folder;
  const std::string file = folder.file("w.json");
  std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "norm",
"parameters": {"batch": 2048},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w1", "shape": [8, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [8], "initializer": {"kind": "uniform", "low": 1.0, "high": 2.0}},
  {"name": "scale", "shape": [8], "initializer": {"kind": "ones"}},
  {"name": "bias", "shape": [8], "initializer": {"kind": "zeros"}},
  {"name": "mean", "shape": [8], "role": "statistics", "initializer": {"kind": "zeros"}},
  {"name": "var", "shape": [8], "role": "statistics", "initializer": {"kind": "ones"}},
  {"name": "w2", "shape": [3, 8], "initializer": {"kind": "xavier_normal"}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},
  {"op": "BatchNormalization", "name": "bn", "inputs": ["fc1.out", "scale", "bias", "mean", "var"]},
  {"op": "Relu", "name": "relu", "inputs": ["bn.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["relu.out", "w2"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})";
  const Workload workload = workloads::load_workload(file);
  TrainOptions o = options(2048 * 20, 1);
  o.test_samples = 2048;
  const auto statistics = [&](const char* name) {
    o.checkpoint = folder.file(std::string(name) + ".safetensors");
    run(workload, recipe(name), o);
    const auto tensors = base::read_safetensors(o.checkpoint);
    std::vector<double> values = tensors.at("mean").values;
    const std::vector<double>& var = tensors.at("var").values;
    values.insert(values.end(), var.begin(), var.end());
    return values;
  };
  const auto drift = [&](const std::vector<double>& values, const std::vector<double>& reference) {
    double error = 0.0, size = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      error += (values[i] - reference[i]) * (values[i] - reference[i]);
      size += reference[i] * reference[i];
    }
    return std::sqrt(error / size);
  };
  const std::vector<double> fp32 = statistics("fp32");
  EXPECT_GT(drift(statistics("bf16_pure"), fp32), 0.2);
  EXPECT_LT(drift(statistics("bf16_fp32_norm_statistics"), fp32), 0.01);
}

Advice advice_on(const char* machine, const Workload& workload, TrainOptions o) {
  const Folder folder;
  TrainRequest request;
  request.npu_file = shipped(std::string("configs/npus/") + machine + ".json");
  request.workload_file = folder.file("w.json");
  std::ofstream(request.workload_file) << base::dump_json(workload.resolved);
  o.statistics_every = 10;
  request.options = o;
  request.jobs = 1;
  return advise(request);
}

TEST(Advise, ScenarioOneWhereItKeepsUpWithFp32) {
  const Advice advice = advice_on("systolic128_bf16", spirals(kSgd, 16, 32), options(640, 2));
  EXPECT_EQ(advice.recommended, "bf16_fp32_master") << text_of(advice);
  ASSERT_GE(advice.questions.size(), 2U);
  EXPECT_TRUE(advice.questions[0].yes);  // FP32 learns
  EXPECT_TRUE(advice.questions[1].yes);
  EXPECT_TRUE(advice.experiment.runs[0].step_seconds.has_value());
  EXPECT_TRUE(advice.experiment.runs[0].memory.has_value());
}

TEST(Advise, LossScalingWhereGradientsAreTooSmall) {
  TrainOptions o = options(4096 * 40, 1);
  o.test_samples = 4096;
  const Advice advice = advice_on("cube16_fp16", tiny_gradients(), o);
  EXPECT_EQ(advice.recommended, "fp16_dynamic_scale") << text_of(advice);
  EXPECT_FALSE(advice.questions[1].yes);
  EXPECT_EQ(advice.questions.back().question, "Are gradients too small?");
  EXPECT_EQ(advice.questions.back().tried, "fp16_dynamic_scale");
  EXPECT_THAT(markdown_of(advice), ::testing::HasSubstr("Recommended: fp16_dynamic_scale"));
}

}  // namespace
}  // namespace npusim::sim
