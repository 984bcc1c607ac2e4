// SPDX-License-Identifier: Apache-2.0
// The shipped networks on a shipped design: the small ones compute a forward pass and a training
// step, all of them are timed. The design has every op here, and room for every network.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/array_file.h"
#include "sim/catalog.h"
#include "sim/run.h"
#include "tests/source_dir.h"
#include "tests/workloads/temp_file.h"
#include "workloads/op.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

/// An operator table that knows every op: fused recurrent ops and attention by their parts.
void add_operators(std::vector<base::ParsedOverride>& overrides) {
  const std::set<std::string> by_parts = {"Attention", "GRU", "LSTM", "RNN"};
  for (const workloads::Op* op : workloads::ops().all()) {
    if (op->host_only()) continue;
    const char* support = by_parts.count(op->name()) > 0 ? "decomposed" : "native";
    overrides.push_back(base::parse_override("npu.operators.ops." + op->name() +
                                             R"(={"support": ")" + support + "\"}"));
  }
}

RunResult run_on_systolic(const std::string& workload, Mode mode,
                          const std::vector<std::string>& parameters, bool numerics,
                          const std::string& weights = "") {
  RunRequest request;
  request.npu_file = find_file("npu", "systolic128_bf16");
  request.workload_file = find_file("workload", workload);
  request.mode = mode;
  RunOptions options;
  options.quiet = true;
  options.jobs = 1;
  options.numerics = numerics;
  options.weights = weights;
  add_operators(options.overrides);
  options.overrides.push_back(base::parse_override("npu.dram.gib=4096"));
  for (const std::string& text : parameters)
    options.overrides.push_back(base::parse_override("workload.parameters." + text));
  return run_all({request}, options).runs.at(0);
}

struct Small {
  const char* workload;
  std::vector<std::string> parameters;
  double most_error = 0.05;
};

class SmallNetworks : public ::testing::TestWithParam<Small> {};

TEST_P(SmallNetworks, ComputeFiniteValuesInBothModes) {
  for (const Mode mode : {Mode::inference, Mode::training}) {
    const RunResult result =
        run_on_systolic(GetParam().workload, mode, GetParam().parameters, true);
    ASSERT_EQ(result.status, Status::ok) << result.error;
    ASSERT_TRUE(result.numerics);
    EXPECT_FALSE(result.numerics->outputs.empty());
    for (const OutputError& output : result.numerics->outputs) {
      EXPECT_GT(output.error.count, 0) << output.name;
      EXPECT_EQ(output.error.nan + output.error.inf, 0) << output.name;
      ASSERT_TRUE(output.error.rel_fro) << output.name;
      EXPECT_GT(*output.error.rel_fro, 0.0) << output.name;
      EXPECT_LT(*output.error.rel_fro, GetParam().most_error) << output.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shipped, SmallNetworks,
    ::testing::Values(
        Small{"mlp", {"batch=4"}}, Small{"small_cnn", {"batch=2"}}, Small{"lenet5", {"batch=2"}},
        Small{"small_resnet", {"batch=2", "width=8"}}, Small{"small_unet", {"batch=1"}},
        // Near ties of its max pooling turn over in BF16; Adam's states are gradients.
        Small{"small_detector", {"batch=2"}, 0.3}, Small{"dcgan_discriminator", {"batch=2"}},
        Small{"small_gpt", {"batch=1", "sequence=16"}}, Small{"small_lstm", {"batch=2", "steps=5"}},
        Small{"deepspeech2", {"batch=2", "frames=24", "hidden=16", "length=4"}}),
    [](const auto& of) { return std::string(of.param.workload); });

const std::vector<std::string> kTiny = {"hidden=32", "heads=4",  "kv_heads=2", "ffn=48",
                                        "layers=2",  "vocab=16", "past=5",     "batch=4"};

/// A checkpoint with every weight of the shrunken network, as HuggingFace names them.
std::map<std::string, base::ArrayData> checkpoint(const std::string& workload,
                                                  const std::vector<std::string>& parameters) {
  std::vector<base::Override> overrides;
  for (const std::string& text : parameters)
    overrides.push_back(base::parse_override("workload.parameters." + text).override);
  std::map<std::string, base::ArrayData> tensors;
  const workloads::Workload read =
      workloads::load_workload(find_file("workload", workload), overrides);
  for (const workloads::TensorInfo& tensor : read.graph.tensors) {
    if (tensor.role != workloads::TensorRole::weight) continue;
    base::ArrayData data{base::ElementKind::f32, tensor.shape, {}};
    const std::int64_t count = workloads::element_count(tensor.shape);
    for (std::int64_t i = 0; i < count; ++i)
      data.values.push_back(static_cast<double>(i * 37 % 64 - 31) / 256.0);
    tensors[tensor.name] = std::move(data);
  }
  return tensors;
}

TEST(Checkpoints, GiveAllThatADecodeStepNeedsByTheirNames) {
  const workloads::testing::TempFolder folder;
  for (const char* workload : {"llama3_8b_decode", "mixtral_8x7b_decode"}) {
    std::map<std::string, base::ArrayData> tensors = checkpoint(workload, kTiny);
    ASSERT_EQ(tensors.count("model.layers.1.self_attn.k_proj.weight"), 1U);
    const auto run_with = [&] {
      const std::string path = folder.write("w.safetensors", base::format_safetensors(tensors));
      return run_on_systolic(workload, Mode::inference, kTiny, true, path);
    };
    const RunResult result = run_with();
    ASSERT_EQ(result.status, Status::ok) << result.error;
    const precision::ErrorMetrics& error = result.numerics->outputs.at(0).error;
    EXPECT_EQ(error.count, 4 * 16);
    EXPECT_EQ(error.nan + error.inf, 0);
    ASSERT_TRUE(error.rel_fro);
    EXPECT_LT(*error.rel_fro, 0.05);
    tensors.erase("model.layers.1.self_attn.k_proj.weight");
    EXPECT_THROW(run_with(), base::InputError);
  }
}

TEST(Checkpoints, NeedNotHoldConstants) {
  const workloads::testing::TempFolder folder;
  const std::vector<std::string> tiny = {"hidden=32", "heads=4",    "layers=1",
                                         "vocab=16",  "sequence=4", "positions=4"};
  std::map<std::string, base::ArrayData> tensors = checkpoint("gpt2_small", tiny);
  ASSERT_EQ(tensors.erase("transformer.h.0.attn.c_attn.bias"), 1U);  // zeros
  const std::string path = folder.write("w.safetensors", base::format_safetensors(tensors));
  EXPECT_EQ(run_on_systolic("gpt2_small", Mode::inference, tiny, true, path).status, Status::ok);
}

class EveryNetwork : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryNetwork, IsTimedWithoutValuesInEachOfItsModes) {
  std::vector<Mode> modes = {Mode::inference};
  if (workloads::load_workload(find_file("workload", GetParam())).training)
    modes.push_back(Mode::training);
  for (const Mode mode : modes) {
    const RunResult result = run_on_systolic(GetParam(), mode, {}, false);
    ASSERT_EQ(result.status, Status::ok) << result.error;
    EXPECT_FALSE(result.numerics);
    EXPECT_GT(result.timing->run.cycles, 0);
    EXPECT_LE(result.timing->utilization, 1.0);
  }
}

std::vector<std::string> every_network() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(test::source_dir() + "/workloads"))
    if (file.path().extension() == ".json") names.push_back(file.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Shipped, EveryNetwork, ::testing::ValuesIn(every_network()),
                         [](const auto& of) { return of.param; });

}  // namespace
}  // namespace npusim::sim
