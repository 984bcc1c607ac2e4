// SPDX-License-Identifier: Apache-2.0
// Several devices: bits of reduced gradients in the order of the collective, the mapping of each
// device, and the time of a step held against a recomputation from its parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "npu_models/npu_file.h"
#include "precision/format.h"
#include "sim/catalog.h"
#include "sim/cluster_graphs.h"
#include "sim/run.h"
#include "sim/training/step_executor.h"
#include "sim/training/train_all.h"
#include "sim/training/train_report.h"
#include "sim/training/trainer.h"
#include "tests/base/temporary_folder.h"
#include "workloads/initializer.h"
#include "workloads/parallel/tensor_parallel.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;
using workloads::Graph;
using workloads::Node;
using workloads::Recipe;
using workloads::TensorId;
using workloads::Workload;

npu::ClusterSpec cluster(const std::string& name, const std::vector<std::string>& sets = {}) {
  std::vector<base::Override> overrides;
  for (const std::string& set : sets)
    overrides.push_back(base::parse_override("cluster." + set).override);
  return npu::load_cluster(find_file("cluster", name), overrides);
}

Recipe recipe(const std::string& name) {
  return workloads::load_recipe(find_file("recipe", name));
}

Workload workload(const std::string& name, const std::vector<std::string>& sets = {}) {
  std::vector<base::Override> overrides;
  for (const std::string& set : sets)
    overrides.push_back(base::parse_override("workload." + set).override);
  return workloads::load_workload(find_file("workload", name), overrides);
}

/// A training step with the values of every tensor that was made.
struct Step {
  npu::MappedGraph mapped;
  std::map<std::string, std::vector<double>> values;
};

Step step_of(const npu::NpuSpec& npu, const Workload& w, const Recipe& r,
             const npu::ClusterSpec* devices,
             const std::map<std::string, std::vector<double>>& inputs = {}) {
  Step step;
  Graph graph = workloads::make_training_step(w, r);
  if (devices != nullptr) set_reduction_formats(graph, *devices, r);
  step.mapped = npu::map_graph(npu, graph, r);
  const precision::ParallelFor serial = precision::serial();
  StepExecutor executor(step.mapped, r.internal, 5, serial);
  const Graph& mapped = step.mapped.graph;
  const std::vector<int> writer = workloads::writers(mapped);
  for (std::size_t i = 0; i < mapped.tensors.size(); ++i) {
    const workloads::TensorInfo& info = mapped.tensors[i];
    if (writer[i] >= 0) continue;
    const auto given = inputs.find(info.name);
    if (given != inputs.end())
      executor.load(static_cast<TensorId>(i), given->second);
    else if (info.initializer)
      executor.load(static_cast<TensorId>(i),
                    workloads::make_values(*info.initializer, info.shape, info.type,
                                           workloads::values_name(info), 5)
                        .values);
  }
  const std::vector<char> watched(mapped.tensors.size(), 1);
  executor.run(
      0,
      [&](const Node&, TensorId id, const std::vector<double>&, const workloads::Tensor& after) {
        step.values[mapped.tensor(id).name] = after.values;
        return true;
      },
      watched);
  return step;
}

/// Nearest multiple of BF16's last place; no value here is subnormal.
double bf16(double value) {
  if (value == 0.0) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(value, 8 - exponent)), exponent - 8);
}

TEST(Cluster, ReducedGradientsAreThoseOfTheRingInBf16) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic128_bf16"));
  const Recipe r = recipe("bf16_fp32_master");
  const npu::ClusterSpec ring = cluster("ring4_bf16", {"gradients.bucket_mib=0.001"});
  const Workload w = on_all_devices(workload("mlp", {"parameters.batch=2"}), ring);
  const Step step = step_of(npu, w, r, &ring);
  int nodes = 0;
  for (const Node& node : step.mapped.graph.nodes) {
    if (node.op != "AllReduce") continue;
    ++nodes;
    const std::size_t tensors = node.outputs.size();
    std::vector<std::vector<double>> buffers(4);
    std::vector<double> reduced;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto& part = step.values.at(step.mapped.graph.tensor(node.inputs[i]).name);
      std::vector<double>& buffer = buffers[i / tensors];
      buffer.insert(buffer.end(), part.begin(), part.end());
    }
    for (const TensorId id : node.outputs) {
      const auto& part = step.values.at(step.mapped.graph.tensor(id).name);
      reduced.insert(reduced.end(), part.begin(), part.end());
    }
    const std::size_t size = reduced.size();
    std::size_t begin = 0;
    for (std::size_t chunk = 0; chunk < 4; ++chunk) {
      const std::size_t end = begin + size / 4 + (chunk < size % 4 ? 1 : 0);
      for (std::size_t i = begin; i < end; ++i) {
        double sum = bf16(buffers[(chunk + 1) % 4][i]);
        for (const std::size_t hop : {2, 3, 4})
          sum = bf16(sum + bf16(buffers[(chunk + hop) % 4][i]));
        ASSERT_EQ(reduced[i], sum) << node.name << " " << i;
      }
      begin = end;
    }
  }
  EXPECT_GE(nodes, 3);  // buckets of 1 KiB
}

TEST(Cluster, RingAndTreeTrainToOtherBits) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic128_bf16"));
  const Recipe r = recipe("bf16_fp32_master");
  const auto weights = [&](const char* name) {
    const npu::ClusterSpec devices = cluster(name);
    const Workload w = on_all_devices(workload("mlp", {"parameters.batch=2"}), devices);
    return step_of(npu, w, r, &devices).values.at("fc1.weight.master.next");
  };
  EXPECT_NE(weights("ring4_bf16"), weights("tree4_bf16"));
  EXPECT_NE(weights("ring4"), weights("ring4_bf16"));
}

/// y = x w^T of small integers, mean squared error over 2 columns, learning rate 1/4.
Workload integers(int batch) {
  const test::TemporaryFolder folder;
  return workloads::load_workload(folder.write("w.json", R"({
"schema_version": 1, "kind": "workload", "name": "integers",
"parameters": {"batch": )" + std::to_string(batch) + R"(},
"inputs": [{"name": "x", "shape": ["batch", 4], "initializer": {"kind": "zeros"}},
           {"name": "t", "shape": ["batch", 2], "role": "label", "initializer": {"kind": "zeros"}}],
"initializers": [{"name": "w", "shape": [2, 4], "initializer": {"kind": "values",
                  "values": [1, -2, 3, 1, 2, 0, -1, 1]}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}}],
"outputs": ["fc.out"],
"training": {"logits": "fc.out", "labels": "t", "loss": "MeanSquaredError",
             "optimizer": {"kind": "sgd", "learning_rate": 0.25}}})"));
}

// Every product and every sum is exact in FP32: no order can be seen.
TEST(Cluster, DevicesWhoseSumsAreExactMakeTheStepOfOneDeviceBitForBit) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "nvidia_a100"));
  const Recipe r = recipe("fp32");
  std::vector<double> x, t;
  for (int i = 0; i < 32; ++i) x.push_back(i * 7 % 9 - 4);
  for (int i = 0; i < 16; ++i) t.push_back(i * 5 % 11 - 5);
  const std::vector<double> whole =
      step_of(npu, integers(8), r, nullptr, {{"x", x}, {"t", t}}).values.at("w.next");
  std::map<std::string, std::vector<double>> shares;
  for (int d = 0; d < 4; ++d) {
    const std::string suffix = workloads::micro_batch_suffix(d);
    shares["x" + suffix] = {x.begin() + 8 * d, x.begin() + 8 * d + 8};
    shares["t" + suffix] = {t.begin() + 4 * d, t.begin() + 4 * d + 4};
  }
  for (const char* topology : {"ring", "tree"}) {
    const npu::ClusterSpec devices =
        cluster("ring4", {std::string("interconnect.topology=") + topology});
    const Workload w = on_all_devices(integers(2), devices);
    EXPECT_EQ(step_of(npu, w, r, &devices, shares).values.at("w.next"), whole) << topology;
  }
}

/// Plans of the products by the name that copies for devices share; a second plan of a name fails.
std::map<std::string, std::string> plans_of(const npu::MappedGraph& mapped) {
  std::map<std::string, std::string> plans;
  for (const npu::MappedOp& op : mapped.ops) {
    if (!op.gemm) continue;
    const std::string name =
        workloads::plain_name(mapped.graph.nodes[static_cast<std::size_t>(op.node)].name);
    const std::string plan = npu::describe_mapping(*op.gemm) + precision::describe(op.gemm->plan);
    const auto [known, added] = plans.emplace(name, plan);
    EXPECT_EQ(known->second, plan) << name;
  }
  return plans;
}

TEST(Cluster, EveryDeviceIsMappedAsTheOneThatIsTimed) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic128_bf16"));
  const Recipe r = recipe("bf16_fp32_master");
  for (const char* name : {"ring4", "tensor4"}) {
    const npu::ClusterSpec devices = cluster(name);
    const Workload w = workload("small_gpt", {"parameters.layers=1", "parameters.batch=2"});
    const auto mapped = [&](const Workload& on) {
      return npu::map_graph(npu, workloads::make_training_step(on, r), r);
    };
    EXPECT_EQ(plans_of(mapped(on_all_devices(w, devices))),
              plans_of(mapped(on_one_device(w, devices))))
        << name;
  }
}

// A pin by exact name fits one device's copy of a node, and the reference of --pin-mapping has one
// device: all are computed as the one that is timed.
TEST(Cluster, EveryDeviceComputesConvolutionsInTheFormThatIsTimed) {
  const auto runs = [&](const std::string& form) {
    std::vector<RunRequest> requests(2);
    for (RunRequest& request : requests) {
      request.npu_file = find_file("npu", "google_tpu_v3");
      request.workload_file = find_file("workload", "small_cnn");
      request.recipe_file = find_file("recipe", "bf16_fp32_master");
      request.mode = Mode::training;
    }
    requests.front().npu_file = find_file("npu", "systolic128_bf16");
    RunOptions options;
    options.quiet = true;
    options.jobs = 1;
    options.timing = false;
    options.cluster_file = find_file("cluster", "ring4");
    options.pin_mapping = "systolic128_bf16";
    const std::string mapping =
        "{\"winograd\": {\"output_tiles\": [\"2x2\"], \"transforms\": \"array_edge\", "
        "\"weights\": \"on_the_fly\"}, \"pins\": [{\"op\": \"stage2.conv\", \"winograd\": \"" +
        form + "\"}]}";
    for (const std::string& set :
         {"npu.mapping=" + mapping, std::string("workload.parameters.batch=1")})
      options.overrides.push_back(base::parse_override(set));
    return run_all(requests, options).runs;
  };
  for (const std::string form : {"direct", "2x2"}) {
    for (const RunResult& run : runs(form)) {
      SCOPED_TRACE(run.npu + " " + form);
      ASSERT_EQ(run.status, Status::ok) << run.error;
      std::map<std::string, std::uint64_t> timed;
      for (const OpMapping& op : run.mappings) timed[workloads::plain_name(op.node)] = op.plan_hash;
      int copies = 0;
      for (const OpError& op : run.numerics->by_op) {
        if (op.plan.empty()) continue;
        const std::string name = workloads::plain_name(op.node);
        EXPECT_EQ(base::fnv1a(op.plan), timed.at(name)) << op.node;
        if (name != "stage2.conv") continue;
        ++copies;
        EXPECT_EQ(op.plan.rfind("winograd 2x2", 0) == 0, form == "2x2") << op.node;
      }
      EXPECT_EQ(copies, 4);
    }
  }
}

/// By node of the forward pass.
std::map<std::string, std::string> forms_of(const npu::MappedGraph& mapped) {
  std::map<std::string, std::string> forms;
  for (const npu::MappedOp& op : mapped.ops) {
    const Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
    if (op.gemm && node.op == "Conv")
      forms[node.name] = op.gemm->winograd ? npu::describe(*op.gemm->winograd) : "direct";
  }
  return forms;
}

TEST(Evaluation, TakesConvolutionsAsTheStepsDo) {
  const Recipe r = recipe("bf16_fp32_master");
  for (const char* weights : {"offline", "on_the_fly"}) {
    const std::string mapping =
        "npu.mapping={\"winograd\": {\"output_tiles\": [\"2x2\", \"4x4\"], \"transforms\": "
        "\"array_edge\", \"weights\": \"" +
        std::string(weights) + "\"}}";
    std::vector<base::Override> overrides;  // a small array that memory keeps busy
    for (const std::string& set :
         {mapping, std::string("npu.mac_array.rows=16"), std::string("npu.mac_array.cols=16"),
          std::string("npu.dram.bandwidth_gb_per_s=1000")})
      overrides.push_back(base::parse_override(set).override);
    const npu::NpuSpec npu = npu::load_npu(find_file("npu", "systolic128_bf16"), overrides);
    const TrainMappings one = map_training(npu, workload("small_cnn"), r);
    EXPECT_EQ(forms_of(one.forward), forms_of(one.step));
    EXPECT_EQ(forms_of(one.step).at("stage2.conv") == "direct", std::string(weights) == "offline");
    // What is not trained may be transformed before the run.
    EXPECT_NE(forms_of(npu::map_graph(npu, workload("small_cnn").graph, r)).at("stage2.conv"),
              "direct");
    const npu::ClusterSpec ring = cluster("ring4");
    const Workload all = on_all_devices(workload("small_cnn"), ring);
    const npu::MappedGraph device = npu::map_graph(
        npu, workloads::make_training_step(on_one_device(workload("small_cnn"), ring), r), r);
    const TrainMappings four = map_training(npu, ring, all, r, device);
    for (const auto& [name, form] : forms_of(four.step))
      EXPECT_EQ(form, forms_of(device).at(workloads::plain_name(name))) << name;
    for (const auto& [name, form] : forms_of(four.forward))
      EXPECT_EQ(form, forms_of(device).at(name)) << name;
  }
}

RunResult timed(const std::string& workload_name, const std::string& cluster_name, Mode mode,
                const std::vector<std::string>& sets) {
  RunRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", workload_name);
  request.mode = mode;
  RunOptions options;
  options.quiet = true;
  options.jobs = 1;
  options.numerics = false;
  if (!cluster_name.empty()) options.cluster_file = find_file("cluster", cluster_name);
  for (const std::string& set : sets) options.overrides.push_back(base::parse_override(set));
  return run_all({request}, options).runs.at(0);
}

/// A ring of 4, 25 GB/s, 2 us.
double ring_seconds(std::int64_t elements, std::int64_t width) {
  return 6 * (2e-6 + static_cast<double>((elements + 3) / 4 * width) / 25e9);
}

// The links as a queue that is served in order, stepped from event to event: gradients arrive when
// the op that makes them ends.
TEST(Cluster, OverlappedBucketsFollowTheBackwardPass) {
  for (const char* overlap : {"true", "false"}) {
    const RunResult run = timed("mlp", "ring4", Mode::training,
                                {"cluster.gradients.bucket_mib=0.05",
                                 std::string("cluster.gradients.overlap_backward=") + overlap});
    ASSERT_EQ(run.status, Status::ok) << run.error;
    ASSERT_TRUE(run.cluster.has_value());
    const ClusterTiming& c = *run.cluster;
    const double second = run.timing->seconds / static_cast<double>(run.timing->run.cycles);
    double backward_end = 0.0;
    std::map<std::string, double> end;
    for (const npu::OpTiming& op : run.timing->run.ops) {
      end[op.node] = static_cast<double>(op.end_cycle) * second;
      if (op.phase == "backward") backward_end = std::max(backward_end, end[op.node]);
    }
    ASSERT_GE(c.collectives.size(), 2U);
    const bool overlapped = std::string(overlap) == "true";
    double links_free = overlapped ? 0.0 : backward_end, all = 0.0;
    std::int64_t bytes = 0;
    for (const CollectiveRun& bucket : c.collectives) {
      EXPECT_LE(bucket.ready_seconds, backward_end * (1 + 1e-12));
      bool made_by_an_op = false;
      for (const auto& [node, seconds] : end)
        made_by_an_op = made_by_an_op || std::fabs(seconds - bucket.ready_seconds) < 1e-15;
      EXPECT_TRUE(made_by_an_op);
      const double start = std::max(bucket.ready_seconds, links_free);
      const double length = ring_seconds(bucket.bytes / 4, 4);
      EXPECT_NEAR(bucket.start_seconds, start, 1e-15);
      EXPECT_NEAR(bucket.end_seconds, start + length, 1e-15);
      links_free = start + length;
      all += length;
      bytes += bucket.bytes;
    }
    EXPECT_EQ(bytes, 4 * run.parameters);  // FP32
    EXPECT_EQ(c.link_bytes, 2 * 3 * bytes);
    const double exposed = std::max(0.0, links_free - backward_end);
    EXPECT_NEAR(c.collective_seconds, all, 1e-15);
    EXPECT_NEAR(c.exposed_seconds, exposed, 1e-15);
    if (overlapped)
      EXPECT_LT(exposed, all);
    else
      EXPECT_NEAR(exposed, all, 1e-15);
    EXPECT_NEAR(c.step_seconds, run.timing->seconds + exposed, 1e-15);
    EXPECT_NEAR(c.samples_per_s,
                4 * run.timing->samples_per_s * run.timing->seconds / c.step_seconds,
                1e-9 * c.samples_per_s);
    EXPECT_NEAR(*c.scaling_efficiency, run.timing->seconds / c.step_seconds, 1e-12);
  }
}

TEST(Cluster, TensorParallelWaitsForEverySum) {
  const std::vector<std::string> sets = {"workload.parameters.layers=2",
                                         "workload.parameters.batch=2"};
  const RunResult alone = timed("small_gpt", "", Mode::training, sets);
  const RunResult run = timed("small_gpt", "tensor4", Mode::training, sets);
  ASSERT_EQ(run.status, Status::ok) << run.error;
  const ClusterTiming& c = *run.cluster;
  ASSERT_EQ(c.collectives.size(), 2U * 2U * 2U);  // two a layer forward, two backward
  double all = 0.0;
  for (const CollectiveRun& sum : c.collectives) {
    EXPECT_EQ(sum.bytes, 2 * 64 * 128 * 2);  // batch, sequence, hidden in BF16
    all += ring_seconds(2 * 64 * 128, 2);
  }
  EXPECT_NEAR(c.exposed_seconds, all, 1e-15);
  EXPECT_NEAR(c.step_seconds, run.timing->seconds + all, 1e-15);
  EXPECT_NEAR(*c.scaling_efficiency, alone.timing->seconds / (4 * c.step_seconds), 1e-12);
  EXPECT_LT(run.timing->run.macs, alone.timing->run.macs);
  EXPECT_LT(run.memory->footprint.peak_bytes, alone.memory->footprint.peak_bytes);
}

TEST(Cluster, TensorParallelHasValuesOfItsOwn) {
  RunRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", "small_gpt");
  RunOptions options;
  options.quiet = true;
  options.jobs = 1;
  options.timing = false;
  for (const char* set : {"workload.parameters.layers=1", "workload.parameters.batch=1"})
    options.overrides.push_back(base::parse_override(set));
  const RunResult alone = run_all({request}, options).runs.at(0);
  options.cluster_file = find_file("cluster", "tensor4");
  const RunResult spread = run_all({request}, options).runs.at(0);
  options.overrides.push_back(base::parse_override("cluster.interconnect.topology=tree"));
  const RunResult tree = run_all({request}, options).runs.at(0);
  ASSERT_TRUE(alone.numerics && spread.numerics && tree.numerics) << spread.error << tree.error;
  EXPECT_NE(spread.numerics->output_bits_hash, alone.numerics->output_bits_hash);
  EXPECT_NE(spread.numerics->output_bits_hash, tree.numerics->output_bits_hash);
  EXPECT_NE(spread.config_hash, tree.config_hash);
  // The same function: no worse than twice the error of one device.
  EXPECT_LT(*spread.numerics->outputs[0].error.rel_fro,
            2.0 * *alone.numerics->outputs[0].error.rel_fro);
}

TEST(Cluster, WhatDevicesCannotShareIsRefused) {
  try {
    timed("mlp", "ring4", Mode::inference, {});
    ADD_FAILURE() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("in inference its devices share nothing"));
  }
  try {
    timed("mlp", "", Mode::training, {"cluster.devices=3"});
    ADD_FAILURE() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a run has no cluster file"));
  }
}

TrainRequest training(const std::string& cluster_name, const std::vector<std::string>& sets) {
  TrainRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", "small_cnn");
  request.recipe_files = {find_file("recipe", "bf16_fp32_master")};
  if (!cluster_name.empty()) request.cluster_file = find_file("cluster", cluster_name);
  for (const std::string& set : sets) request.overrides.push_back(base::parse_override(set));
  request.options.data = "digits";
  request.options.train_samples = 160;
  request.options.test_samples = 32;
  request.options.seed = 3;
  request.jobs = 1;
  return request;
}

TEST(Cluster, TrainsOnTheSamplesOfAllDevices) {
  const TrainResult one = train_all(training("", {"workload.parameters.batch=32"}));
  const TrainResult four = train_all(training("ring4", {"workload.parameters.batch=8"}));
  const TrainResult tree = train_all(training("tree4_bf16", {"workload.parameters.batch=8"}));
  ASSERT_EQ(four.runs.at(0).status, TrainStatus::ok) << four.runs.at(0).error;
  EXPECT_EQ(four.batch, 32);
  ASSERT_EQ(four.runs[0].steps.size(), one.runs.at(0).steps.size());
  // The same samples a step: only rounding differs.
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(four.runs[0].steps[i].loss, one.runs[0].steps[i].loss, 0.02) << i;
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NEAR(four.reference.steps[i].loss, one.reference.steps[i].loss, 1e-4) << i;
  EXPECT_NE(four.runs[0].weights_hash, tree.runs.at(0).weights_hash);
  EXPECT_EQ(four.reference.weights_hash == tree.reference.weights_hash, false);  // tree's order
  ASSERT_TRUE(four.runs[0].cluster.has_value());
  EXPECT_EQ(*four.runs[0].step_seconds, four.runs[0].cluster->step_seconds);
  EXPECT_THAT(table_of(four), HasSubstr("4 devices (ring4, data parallel, ring"));
}

TEST(Cluster, TrainsWithSpreadWeights) {
  TrainRequest request =
      training("tensor4", {"workload.parameters.layers=1", "workload.parameters.batch=4",
                           "workload.parameters.sequence=16",
                           "workload.training.optimizer.learning_rate=0.05"});
  request.workload_file = find_file("workload", "small_gpt");
  request.options.data = "markov";
  request.options.train_samples = 40;
  request.options.test_samples = 8;
  const TrainResult result = train_all(request);
  const TrainRun& run = result.runs.at(0);
  ASSERT_EQ(run.status, TrainStatus::ok) << run.error;
  EXPECT_EQ(result.batch, 4);
  request.cluster_file.clear();
  const TrainResult alone = train_all(request);
  ASSERT_EQ(run.steps.size(), alone.runs.at(0).steps.size());
  for (std::size_t i = 0; i < run.steps.size(); ++i)
    EXPECT_NEAR(run.steps[i].loss, alone.runs[0].steps[i].loss, 0.05) << i;
  EXPECT_NE(run.weights_hash, alone.runs[0].weights_hash);
  EXPECT_EQ(result.reference.weights_hash, alone.reference.weights_hash);
}

}  // namespace
}  // namespace npusim::sim
