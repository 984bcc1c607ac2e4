// SPDX-License-Identifier: Apache-2.0
// Each branch of the decision flow on a network of its own that needs it.
#include "sim/training/advise.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/array_file.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/training/first_gradients.h"
#include "workloads/initializer.h"
#include "workloads/recipe.h"

namespace npusim::sim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kHidden = R"(
  {"name": "w1", "shape": [16, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [16], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}},
  {"name": "w2", "shape": [3, 16], "initializer": {"kind": "xavier_normal"}})";
constexpr const char* kFirstLayer = R"(
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},)";
constexpr const char* kLastLayer = R"(
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2"], "outputs": ["logits"],
   "attributes": {"transB": 1}})";

/// Points of spirals through a network with one hidden layer.
class Adviser : public ::testing::Test {
 protected:
  Adviser() {
    char name[] = "/tmp/npusim_advise_XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~Adviser() override { std::filesystem::remove_all(folder_); }

  std::string network(int batch, const std::string& learning_rate,
                      const std::string& initializers = kHidden,
                      const std::string& nodes = std::string(kFirstLayer) + kLastLayer) const {
    const std::string file = folder_ + "/w.json";
    std::ofstream(file) << R"({"schema_version": 1, "kind": "workload", "name": "spirals",
"parameters": {"batch": )"
                        << batch << R"(},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [)" << initializers
                        << R"(], "nodes": [)" << nodes << R"(], "outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": )"
                        << learning_rate << "}}}";
    return file;
  }

  static TrainOptions options(std::int64_t train_samples, std::int64_t test_samples) {
    TrainOptions o;
    o.data = "spirals";
    o.train_samples = train_samples;
    o.test_samples = test_samples;
    o.statistics_every = 20;
    o.seed = 7;
    return o;
  }

  static Advice ask(const std::string& npu, const std::string& workload, const TrainOptions& o,
                    const std::vector<std::string>& settings = {}) {
    TrainRequest request;
    request.npu_file = find_file("npu", npu);
    request.workload_file = workload;
    for (const std::string& setting : settings)
      request.overrides.push_back(base::parse_override(setting));
    request.options = o;
    request.jobs = 1;
    return advise(request);
  }

  static AdviceQuestion question(const Advice& advice, const std::string& text) {
    for (const AdviceQuestion& q : advice.questions)
      if (q.question == text) return q;
    ADD_FAILURE() << "not asked: " << text << "\n" << text_of(advice);
    return {};
  }

  std::string folder_;
};

// --- FP32 itself -----------------------------------------------------------------------------

TEST_F(Adviser, NothingWhereFp32LearnsNothing) {
  const Advice advice = ask("systolic128_bf16", network(32, "1e-9"), options(640, 960));
  EXPECT_EQ(advice.recommended, "") << text_of(advice);
  EXPECT_THAT(advice.reason, HasSubstr("FP32 itself does not learn in 20 steps"));
  ASSERT_EQ(advice.questions.size(), 1U);
  EXPECT_EQ(advice.questions[0].question, "Does FP32 learn?");
  EXPECT_FALSE(advice.questions[0].yes);
  EXPECT_THAT(advice.questions[0].seen, HasSubstr("on 960 test labels"));
}

/// Updates of 1e12 x 1e30.
TEST_F(Adviser, NothingWhereFp32Diverges) {
  const std::string large = std::string(kHidden) + R"(,
  {"name": "large", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 1e12}})";
  const std::string nodes = std::string(kFirstLayer) + R"(
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2"], "attributes": {"transB": 1}},
  {"op": "Mul", "name": "up", "inputs": ["fc2.out", "large"], "outputs": ["logits"]})";
  const Advice advice =
      ask("systolic128_bf16", network(32, "1e30", large, nodes), options(640, 96));
  EXPECT_EQ(advice.recommended, "") << text_of(advice);
  ASSERT_EQ(advice.questions.size(), 1U);
  EXPECT_FALSE(advice.questions[0].yes);
  EXPECT_THAT(advice.questions[0].seen, HasSubstr("diverged"));
}

// --- what the NPU cannot do ------------------------------------------------------------------

TEST_F(Adviser, ADesignWithoutSixteenBitOperandsIsAResult) {
  for (const char* npu : {"google_tpu_v1", "groq_tsp"}) {
    const Advice advice = ask(npu, network(32, "0.2"), options(64, 96));
    EXPECT_EQ(advice.recommended, "");
    EXPECT_EQ(advice.reason, std::string(npu) + " multiplies neither BF16 nor FP16; it takes int8");
    ASSERT_EQ(advice.experiment.runs.size(), 1U);
    EXPECT_EQ(advice.experiment.runs[0].status, TrainStatus::unsupported);
    EXPECT_EQ(exit_code_of(advice.experiment), 0);
    EXPECT_THAT(base::dump_json(json_of(advice)),
                AllOf(HasSubstr("neither BF16 nor FP16"), HasSubstr("\"unsupported\"")));
  }
}

constexpr const char* kNormalised = R"(
  {"name": "w1", "shape": [8, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [8], "initializer": {"kind": "uniform", "low": 1.0, "high": 2.0}},
  {"name": "scale", "shape": [8], "initializer": {"kind": "ones"}},
  {"name": "bias", "shape": [8], "initializer": {"kind": "zeros"}},
  {"name": "mean", "shape": [8], "role": "statistics", "initializer": {"kind": "zeros"}},
  {"name": "var", "shape": [8], "role": "statistics", "initializer": {"kind": "ones"}},
  {"name": "w2", "shape": [3, 8], "initializer": {"kind": "xavier_normal"}})";
const std::string kNormalisedNodes = std::string(kFirstLayer) + R"(
  {"op": "BatchNormalization", "name": "bn", "inputs": ["fc1.out", "scale", "bias", "mean", "var"]},
  {"op": "Relu", "name": "relu", "inputs": ["bn.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["relu.out", "w2"], "outputs": ["logits"],
   "attributes": {"transB": 1}})";

/// A step takes 148,096 bytes in scenario 1, 147,968 in scenario 4.
TEST_F(Adviser, ScenarioFourWhereActivationsFillTheMemory) {
  const Advice advice = ask("systolic128_bf16", network(2048, "0.1", kNormalised, kNormalisedNodes),
                            options(40960, 2048), {"npu.dram.gib=0.00015"});
  EXPECT_EQ(advice.recommended, "bf16_activations_fp32_weights") << text_of(advice);
  const AdviceQuestion memory = question(advice, "Do activations fill the memory?");
  EXPECT_TRUE(memory.yes);
  EXPECT_THAT(memory.seen, HasSubstr("91.95 % of the NPU's memory; 86 % are activations"));
}

TEST_F(Adviser, ScenarioFourWhereScenarioOneDoesNotFit) {
  const Advice advice = ask("systolic128_bf16", network(2048, "0.1", kNormalised, kNormalisedNodes),
                            options(40960, 2048), {"npu.dram.gib=0.00013787"});  // 148,036 bytes
  EXPECT_EQ(advice.recommended, "bf16_activations_fp32_weights") << text_of(advice);
  EXPECT_EQ(advice.setting, "");
  const AdviceQuestion memory = question(advice, "Is the memory too small for bf16_fp32_master?");
  EXPECT_TRUE(memory.yes);
  EXPECT_THAT(memory.seen, HasSubstr("a step needs 0.15 MB, 100.04 % of the NPU's memory"));
}

TEST_F(Adviser, ActivationsComputedAgainWhereScenarioFourDoesNotFitEither) {
  const Advice advice = ask("systolic128_bf16", network(2048, "0.1", kNormalised, kNormalisedNodes),
                            options(40960, 2048), {"npu.dram.gib=0.00013"});
  EXPECT_EQ(advice.recommended, "bf16_fp32_master") << text_of(advice);
  EXPECT_THAT(advice.setting, HasSubstr("workload.training.recompute_segments="));
  EXPECT_THAT(text_of(advice), HasSubstr("Recommended: bf16_fp32_master with --set workload."));
  ASSERT_TRUE(advice.experiment.runs.back().memory);
  EXPECT_LE(advice.experiment.runs.back().memory->peak_bytes, 139586);
}

TEST_F(Adviser, NothingWhereNothingFits) {
  const Advice advice = ask("systolic128_bf16", network(2048, "0.1", kNormalised, kNormalisedNodes),
                            options(40960, 2048), {"npu.dram.gib=0.00005"});
  EXPECT_EQ(advice.recommended, "") << text_of(advice);
  EXPECT_THAT(advice.reason, HasSubstr("memory is too small: a step needs 0.15 MB, 275.85 %"));
  EXPECT_FALSE(question(advice, "Does it fit with activations computed again?").yes);
}

// --- the questions in their order ------------------------------------------------------------

/// Logits pass through values that FP16 does not have, behind the last product.
TEST_F(Adviser, LastLayerInFp32WhereOnlyItOverflows) {
  const std::string more = std::string(kHidden) + R"(,
  {"name": "large", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 262144}},
  {"name": "small", "shape": [], "role": "statistics",
   "initializer": {"kind": "constant", "value": 0.000003814697265625}})";
  const std::string nodes = std::string(kFirstLayer) + R"(
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2"], "attributes": {"transB": 1}},
  {"op": "Mul", "name": "up", "inputs": ["fc2.out", "large"]},
  {"op": "Mul", "name": "down", "inputs": ["up.out", "small"], "outputs": ["logits"]})";
  TrainOptions o = options(1280, 960);
  o.epochs = 2;
  const Advice advice = ask("cube16_fp16", network(32, "0.2", more, nodes), o);
  EXPECT_EQ(advice.recommended, "fp16_last_layer_fp32") << text_of(advice);
  const AdviceQuestion last = question(advice, "NaN or infinity in the last layer only?");
  EXPECT_TRUE(last.yes);
  EXPECT_EQ(last.seen, "first in step 0, up, in the last layer");
}

/// A vector unit that rounds every inner step to BF16 loses the means of 2048 samples.
TEST_F(Adviser, Fp32StatisticsWhereTheyDrift) {
  const Advice advice = ask("systolic128_bf16", network(2048, "0.1", kNormalised, kNormalisedNodes),
                            options(40960, 2048), {"recipe.internal=bf16"});
  EXPECT_EQ(advice.recommended, "bf16_fp32_norm_statistics") << text_of(advice);
  EXPECT_FALSE(question(advice, "NaN or infinity in the last layer only?").yes);
  EXPECT_TRUE(question(advice, "Do the running statistics of normalisations drift?").yes);
}

/// Sums that rise to 300 and come down again: BF16 has no fractions up there.
const std::string kLongSums = R"(
  {"name": "w1", "shape": [1024, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [1024], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}},
  {"name": "w2", "shape": [3, 2048], "initializer": {"kind": "uniform", "low": 0.5, "high": 0.6}})";
const std::string kLongSumsNodes = std::string(kFirstLayer) + R"(
  {"op": "Sigmoid", "name": "up", "inputs": ["fc1.out"]},
  {"op": "Neg", "name": "down", "inputs": ["up.out"]},
  {"op": "Concat", "name": "both", "inputs": ["up.out", "down.out"], "attributes": {"axis": 1}},
  {"op": "Gemm", "name": "fc2", "inputs": ["both.out", "w2"], "outputs": ["logits"],
   "attributes": {"transB": 1}})";

TEST_F(Adviser, Fp32AccumulationWhereGradientsAreTheBetterForIt) {
  TrainOptions o = options(640, 480);
  o.epochs = 2;
  const std::string workload = network(32, "0.002", kLongSums, kLongSumsNodes);
  const Advice advice = ask("systolic_8x8_bf16", workload, o,
                            {R"(npu.mac_array.inputs=[{"format": "bf16"}])",
                             R"(npu.mac_array.accumulator.choices=["bf16", "fp32"])"});
  EXPECT_EQ(advice.recommended, "bf16_fp32_accumulate") << text_of(advice);
  const AdviceQuestion accumulator = question(advice, "Is it the accumulator?");
  EXPECT_TRUE(accumulator.yes);
  EXPECT_THAT(accumulator.seen, HasSubstr("weight gradients of the first step are 49.77 %"));

  // The same array without the choice.
  const Advice without = ask("systolic_8x8_bf16", workload, o);
  EXPECT_EQ(without.recommended, "");
  EXPECT_EQ(question(without, "Is it the accumulator?").yes, false);
  EXPECT_THAT(question(without, "Is it the accumulator?").seen,
              HasSubstr("the recipe accumulates in fp32, the array offers bf16"));
}

// --- what it stands on -----------------------------------------------------------------------

/// w' = w - r g, from the weights that one step of training leaves.
TEST_F(Adviser, FirstGradientsAreThoseOfTheFirstStep) {
  const auto workload = workloads::load_workload(network(32, "0.25"));
  const auto recipe = workloads::load_recipe(find_file("recipe", "fp32"));
  const TrainMappings mappings = map_training(workload, recipe);
  TrainOptions o = options(640, 96);
  const TrainData data = open_data(workload, o);
  const auto weights = [&](std::int64_t steps) {
    o.max_steps = steps;
    o.checkpoint = folder_ + "/weights.safetensors";
    TrainRun run;
    train(workload, recipe, mappings, data, o, precision::serial(), run);
    return base::read_safetensors(o.checkpoint);
  };
  const auto first = weights(1), second = weights(2);
  // FP32 rounds w', so what is left of g is no better than half a ulp of w over r.
  const WeightGradients gradients =
      first_gradients(workload, recipe, mappings, data, o.seed, precision::serial());
  ASSERT_EQ(gradients.size(), 3U);
  EXPECT_EQ(relative_error(gradients, gradients), 0.0);
  double difference = 0.0;
  for (const auto& [name, g] : gradients) {
    const auto initial =
        workloads::make_values(*workload.graph.tensor(workload.graph.find(name)).initializer,
                               workload.graph.tensor(workload.graph.find(name)).shape,
                               workloads::ElementType::floating, name, o.seed, precision::serial());
    for (std::size_t i = 0; i < g.size(); ++i) {
      const double before = static_cast<float>(initial.values[i]);
      EXPECT_NEAR(first.at(name).values[i], before - 0.25 * g[i], 1e-6) << name;
      difference += std::fabs(second.at(name).values[i] - (before - 0.25 * g[i]));
    }
  }
  EXPECT_GT(difference, 1e-3);
}

/// The FP16 scenarios say what the BF16 ones say, with one format for the other.
TEST_F(Adviser, Fp16RecipesAreTheBf16OnesInFp16) {
  const auto text = [](const std::string& name) {
    const base::JsonValue resolved = workloads::load_recipe(find_file("recipe", name)).resolved;
    std::string result;
    for (const char* key : {"formats", "accumulator", "internal", "rounding", "operands", "rules"})
      if (const base::JsonValue* value = resolved.find(key))
        result += std::string(key) + ": " + base::dump_json(*value) + "\n";
    for (std::size_t at = 0; (at = result.find("bf16", at)) != std::string::npos;)
      result.replace(at, 4, "fp16");
    return result;
  };
  for (const char* scenario : {"fp32_master", "fp32_accumulate", "last_layer_fp32",
                               "activations_fp32_weights", "fp32_norm_statistics"})
    EXPECT_EQ(text(std::string("fp16_") + scenario), text(std::string("bf16_") + scenario));
}

}  // namespace
}  // namespace npusim::sim
