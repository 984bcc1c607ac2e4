// SPDX-License-Identifier: Apache-2.0
// Training as a process: Ctrl-C, a kill and a full disk leave a checkpoint that can be used, and
// the assignment that sensitivity writes is one that train takes.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <limits>
#include <thread>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;

constexpr const char* kNetwork = R"({"schema_version": 1, "kind": "workload", "name": "spirals",
"parameters": {"batch": 8, "hidden": 64},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w1", "shape": ["hidden", 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "w2", "shape": ["hidden", "hidden"], "initializer": {"kind": "kaiming_normal"}},
  {"name": "w3", "shape": [3, "hidden"], "initializer": {"kind": "xavier_normal"}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1"], "attributes": {"transB": 1}},
  {"op": "Relu", "name": "relu1", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["relu1.out", "w2"], "attributes": {"transB": 1}},
  {"op": "Relu", "name": "relu2", "inputs": ["fc2.out"]},
  {"op": "Gemm", "name": "fc3", "inputs": ["relu2.out", "w3"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}}})";

class TrainProcess : public testing::Test {
 protected:
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"train",
                                    "--npu",
                                    "systolic128_bf16",
                                    "--workload",
                                    network_,
                                    "--recipe",
                                    "bf16_fp32_master",
                                    "--data",
                                    "spirals",
                                    "--train-samples",
                                    "80",
                                    "--test-samples",
                                    "16",
                                    "--no-reference",
                                    "--no-timing",
                                    "--quiet",
                                    "--jobs",
                                    "1"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Child start(const std::vector<std::string>& more) const {
    std::vector<std::string> all = command(more);
    all.insert(all.begin(), npusim_binary());
    return Child(all);
  }
  /// Weights after `epochs` of 10 steps.
  std::string hash_of(const std::string& epochs, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"--epochs", epochs, "--json", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = npusim(command(arguments));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    if (outcome.exit_code != 0) return outcome.err;
    return at(base::parse_json(outcome.out, "stdout"), "/runs/0/weights_hash").string();
  }
  static void pause_ms(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }

  TempFolder folder_;
  std::string network_ = folder_.write("spirals.json", kNetwork);
  std::string checkpoint_ = folder_.path("c.safetensors");
};

TEST_F(TrainProcess, CtrlCWritesACheckpointThatGoesOnBitForBit) {
  const std::string log = folder_.path("log");
  Child child = start({"--epochs", "1000000", "--checkpoint", checkpoint_, "--log", log});
  while (!exists(log) || lines_of(read_text(log)).size() < 25) pause_ms(2);
  kill(child.pid(), SIGINT);
  EXPECT_EQ(child.wait().exit_code, 130);
  ASSERT_TRUE(exists(checkpoint_));
  // The total belongs to the run, not to the checkpoint: both end after the same step.
  const std::size_t done = lines_of(read_text(log)).size();
  const std::string epochs = std::to_string(done / 10 + 2);
  EXPECT_EQ(hash_of(epochs, {"--resume", checkpoint_}), hash_of(epochs));
}

/// The workers that simulate a step take the signal: no recipe is trained then.
TEST_F(TrainProcess, CtrlCWhileAStepIsSimulatedEndsAllRecipes) {
  const std::string json = folder_.path("r.json"), log = folder_.path("log");
  std::vector<std::string> words = {npusim_binary(),  "train",   "--npu",    "systolic_8x8_fp32",
                                    "--workload",     network_,  "--recipe", "bf16",
                                    "fp16",           "--data",  "spirals",  "--train-samples",
                                    "8192",           "--quiet", "--jobs",   "1",
                                    "--test-samples", "8192",    "--json",   json,
                                    "--log",          log};
  for (const char* set : {"workload.parameters.batch=8192", "workload.parameters.hidden=4096",
                          "npu.scratchpad.kib=8", "npu.mac_array.accumulator.memory_kib=2"})
    words.insert(words.end(), {"--set", set});
  Child child(words);
  // A worker is a child of the process.
  const std::string children =
      "/proc/" + std::to_string(child.pid()) + "/task/" + std::to_string(child.pid()) + "/children";
  while (read_text(children).empty()) pause_ms(1);
  kill(-child.pid(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_EQ(read_text(log), "");  // not a step, not an evaluation
  const base::JsonValue document = base::parse_json(read_text(json), json);
  EXPECT_EQ(at(document, "/reference/status").string(), "interrupted");
  for (const base::JsonValue& run : at(document, "/runs").items())
    EXPECT_EQ(at(run, "/status").string(), "interrupted");
}

TEST_F(TrainProcess, AKillLeavesAWholeCheckpoint) {
  for (const int wait : {0, 3, 11, 17, 29}) {
    const std::string log = folder_.path("log");
    unlink(log.c_str());
    Child child = start({"--epochs", "1000000", "--checkpoint", checkpoint_, "--log", log});
    while (!exists(log) || lines_of(read_text(log)).size() < 15) pause_ms(1);
    pause_ms(wait);
    kill(child.pid(), SIGKILL);
    EXPECT_EQ(child.wait().exit_code, 128 + SIGKILL);
    ASSERT_TRUE(exists(checkpoint_));
    const Outcome resumed =
        npusim(command({"--epochs", "1", "--max-steps", "1", "--resume", checkpoint_}));
    EXPECT_EQ(resumed.exit_code, 0) << wait << ": " << resumed.err;
  }
}

TEST_F(TrainProcess, AFullDiskLeavesThePreviousCheckpoint) {
  hash_of("1", {"--checkpoint", checkpoint_});
  const std::string before = read_text(checkpoint_);
  ASSERT_GT(before.size(), 65536U);
  std::string line = "trap '' XFSZ; ulimit -f 64; exec " + npusim_binary();
  for (const std::string& word : command({"--epochs", "2", "--checkpoint", checkpoint_}))
    line += " " + word;
  const Outcome full = run_program({"sh", "-c", line});  // files of 64 blocks at most
  EXPECT_EQ(full.exit_code, 3) << full.err;
  EXPECT_THAT(full.err, HasSubstr("c.safetensors"));
  EXPECT_EQ(read_text(checkpoint_), before);
  EXPECT_EQ(hash_of("2", {"--resume", checkpoint_}), hash_of("2"));
}

TEST_F(TrainProcess, ALogGoesOnBehindWhatIsThere) {
  const std::string log = folder_.path("log");
  hash_of("1", {"--checkpoint", checkpoint_, "--log", log});
  const std::string first = read_text(log);
  EXPECT_EQ(lines_of(first).size(), 12U);  // 10 steps, an evaluation before and after
  hash_of("2", {"--resume", checkpoint_, "--log", log});
  const std::string both = read_text(log);
  EXPECT_EQ(both.substr(0, first.size()), first);
  EXPECT_EQ(lines_of(both).size(), 23U);
  EXPECT_EQ(base::parse_json(lines_of(both)[12], log).find("step")->integer(), 10);
  hash_of("1", {"--log", log});  // from the start: a new log
  EXPECT_EQ(read_text(log), first);
}

TEST_F(TrainProcess, ALogThatCannotBeWrittenIsSaidOnceAndInTheExitCode) {
  const std::string json = folder_.path("r.json");
  const Outcome full = npusim(command({"--epochs", "1", "--log", "/dev/full", "--json", json}));
  EXPECT_EQ(full.exit_code, 3);
  EXPECT_EQ(lines_of(full.err).size(), 1U) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write the log /dev/full: No space left on device"));
  // The training went on, and its result is there.
  const base::JsonValue result = base::parse_json_file(json);
  EXPECT_EQ(at(result, "/runs/0/steps").items().size(), 10U);
  EXPECT_EQ(at(result, "/runs/0/weights_hash").string(), hash_of("1"));
}

TEST_F(TrainProcess, APatternOfSeveralRecipesHasNoCheckpoint) {
  std::vector<std::string> words = command({"--checkpoint", checkpoint_});
  for (std::string& word : words)
    if (word == "bf16_fp32_master") word = data("../../../configs/recipes/bf16_fp32_*.json");
  const Outcome several = npusim(words);
  EXPECT_EQ(several.exit_code, 2) << several.err;
  EXPECT_THAT(several.err, HasSubstr("--checkpoint and --resume take a single recipe, not "));
  EXPECT_FALSE(exists(checkpoint_));
}

/// NaN among the inputs is a mistake of the data, not a network that diverges.
TEST_F(TrainProcess, InputsThatAreNotFiniteAreAMistakeOfTheFile) {
  std::string rows;
  for (int i = 0; i < 96; ++i) rows += i == 57 ? "0.1,nan,1\n" : "0.5,-0.25,1\n";
  const std::string csv = folder_.write("points.csv", rows);
  std::vector<std::string> words = command({});
  for (std::string& word : words)
    if (word == "spirals") word = "csv:" + csv;
  const Outcome outcome = npusim(words);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("points.csv: record 57, input 2 is nan"));
}

/// The loss and accuracy of the network before training are not what it reached.
TEST_F(TrainProcess, ADivergedRunIsNotCompared) {
  const Outcome outcome =
      npusim(command({"--csv", "-", "--set", "workload.training.optimizer.learning_rate=1e30"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("bf16_fp32_master,-,-,-,-,-,"));
  EXPECT_THAT(outcome.out, HasSubstr("diverged: weights are no longer finite after step "));
}

/// What a search found, once its rows are in order and `train` takes its recipe to the loss that it
/// stated.
class Sensitivity : public TrainProcess {
 protected:
  base::JsonValue search(const std::string& npu, const std::vector<std::string>& more) {
    const std::string recipe = folder_.path("mixed.json"), json = folder_.path("s.json");
    const std::vector<std::string> data = {"--data",         "spirals", "--train-samples", "640",
                                           "--test-samples", "240",     "--quiet"};
    std::vector<std::string> words = {
        "sensitivity",     "--npu", npu,      "--workload", network_,         "--most-loss", "0.05",
        "--most-accuracy", "2",     "--json", json,         "--write-recipe", recipe};
    words.insert(words.end(), data.begin(), data.end());
    words.insert(words.end(), more.begin(), more.end());
    const Outcome found = npusim(words);
    EXPECT_EQ(found.exit_code, 0) << found.err;
    if (found.exit_code != 0) return base::JsonValue::make_null();
    base::JsonValue result = base::parse_json_file(json);
    double last = std::numeric_limits<double>::infinity();
    for (const base::JsonValue& row : at(result, "/rows").items()) {
      if (row.find("status")->string() != "ok") {
        last = -std::numeric_limits<double>::infinity();
        continue;
      }
      EXPECT_LE(row.find("loss_change")->number(), last);  // most harmful first, failed ones last
      last = row.find("loss_change")->number();
    }
    EXPECT_FALSE(at(result, "/chosen").items().empty());
    EXPECT_LE(at(result, "/assignment/loss").number(),
              1.05 * at(result, "/base_row/loss").number());
    EXPECT_EQ(npusim({"validate", recipe}).exit_code, 0);
    std::vector<std::string> train = {
        "train", "--npu",  npu, "--workload",  network_,        "--recipe",
        recipe,  "--json", "-", "--no-timing", "--no-reference"};
    train.insert(train.end(), data.begin(), data.end());
    const Outcome trained = npusim(train);
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
    const base::JsonValue run = base::parse_json(trained.out, "stdout");
    EXPECT_EQ(at(run, "/runs/0/evaluations/1/loss").number(),
              at(result, "/assignment/loss").number());
    return result;
  }

  /// Each lowered part moves the loss, or the format went nowhere.
  static bool moves_the_loss(const base::JsonValue& result) {
    for (const base::JsonValue& row : at(result, "/rows").items())
      if (row.find("loss_change")->number() != 0.0) return true;
    return false;
  }
};

TEST_F(Sensitivity, OfLayersWritesARecipeWithinItsBoundThatTrainTakes) {
  const base::JsonValue result = search("nvidia_h100", {"--candidate", "fp8_e4m3", "bf16"});
  ASSERT_TRUE(result.is_object());
  EXPECT_EQ(at(result, "/rows").items().size(), 6U);  // three layers in two formats
  EXPECT_LT(at(result, "/assignment/bytes").number(), at(result, "/base_row/bytes").number());
}

TEST_F(Sensitivity, OfOpsAndRolesToo) {
  for (const char* part : {"op", "role"}) {
    const base::JsonValue result = search("nvidia_h100", {"--part", part, "--candidate", "bf16"});
    ASSERT_TRUE(result.is_object()) << part;
    EXPECT_EQ(at(result, "/rows/0/part").string(), part);
    EXPECT_TRUE(moves_the_loss(result)) << part;
    EXPECT_LT(at(result, "/assignment/bytes").number(), at(result, "/base_row/bytes").number());
  }
}

TEST_F(Sensitivity, OfTheAccumulatorToo) {
  const base::JsonValue result =
      search("cube16_fp16", {"--recipe", "fp16_fp32_master", "--accumulator", "fp16"});
  ASSERT_TRUE(result.is_object());
  ASSERT_EQ(at(result, "/rows").items().size(), 1U);
  EXPECT_EQ(at(result, "/rows/0/part").string(), "accumulator");
  EXPECT_TRUE(moves_the_loss(result));
}

}  // namespace
}  // namespace npusim::cli_test
