// SPDX-License-Identifier: Apache-2.0
// The library of NPUs at work: coverage says what a run does, every design runs or says why not,
// and orders that are published come out. The whole matrix is in library_matrix_test.cpp (slow).
#include "tests/sim/library.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "npu_models/npu_file.h"
#include "sim/scenario.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;
using testing::request;
using testing::shipped;
using testing::timing_only;

TEST(Library, EveryNpuTakesTheMlpOrSaysWhyNot) {
  std::vector<RunRequest> requests;
  for (const std::string& npu : shipped("configs/npus"))
    for (const Mode mode : {Mode::inference, Mode::training}) {
      requests.push_back(request("systolic128_bf16", "mlp", mode));
      requests.back().npu_file = npu;
    }
  const Result result = run_all(requests, timing_only());
  int ran = 0;
  for (const RunResult& run : result.runs) {
    testing::expect_sound(run);
    if (run.status == Status::ok) ++ran;
  }
  EXPECT_GE(ran, 80) << "of " << result.runs.size();
}

/// The estimate that chooses does not mislead: 0.2 % are what neighbouring ops may shift.
TEST(Library, NoNpuIsSlowerWithWinograd) {
  std::vector<RunRequest> requests;
  for (const std::string& npu : shipped("configs/npus")) {
    requests.push_back(request("systolic128_bf16", "resnet18", Mode::inference));
    requests.back().npu_file = npu;
  }
  const auto all = [&](const std::string& mapping) {
    return run_all(requests, timing_only({"npu.mapping=" + mapping})).runs;
  };
  const std::vector<RunResult> direct = all("{}");
  for (const char* transforms : {"vector_unit", "array_edge"}) {
    const std::vector<RunResult> runs =
        all("{\"winograd\": {\"output_tiles\": [\"2x2\", \"4x4\"], \"transforms\": \"" +
            std::string(transforms) + "\"}}");
    int faster = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      testing::expect_sound(runs[i]);
      ASSERT_EQ(runs[i].status, direct[i].status) << runs[i].npu;
      if (runs[i].status != Status::ok) continue;
      const auto before = static_cast<double>(direct[i].timing->run.cycles);
      const auto after = static_cast<double>(runs[i].timing->run.cycles);
      EXPECT_LE(after, 1.002 * before) << runs[i].npu << " " << transforms;
      faster += after < 0.99 * before ? 1 : 0;
    }
    EXPECT_GT(faster, 5) << transforms;
  }
}

Coverage coverage(const std::string& npu, const std::string& workload, Mode mode,
                  const std::string& recipe = "", const std::vector<std::string>& sets = {}) {
  return *coverage_all({request(npu, workload, mode, recipe)}, timing_only(sets))
              .runs.at(0)
              .coverage;
}

TEST(CoverageVerdict, SaysWhatOneCanDo) {
  const auto verdict = [](const auto&... arguments) { return coverage(arguments...).verdict; };
  EXPECT_EQ(verdict("google_tpu_v4", "mlp", Mode::training), "runs");
  EXPECT_EQ(verdict("nvdla_fp16", "mlp", Mode::training), "runs with fallback");
  EXPECT_EQ(verdict("apple_ane_m1", "mlp", Mode::inference), "runs");
  EXPECT_EQ(verdict("apple_ane_m1", "mlp", Mode::training), "cannot train");
  EXPECT_EQ(verdict("nvidia_v100", "mlp", Mode::inference, "bf16"), "cannot run");
  EXPECT_EQ(verdict("tesla_dojo_d1", "mlp", Mode::inference), "not known");
  EXPECT_EQ(verdict("google_tpu_v4", "mlp", Mode::inference, "",
                    std::vector<std::string>{"npu.dram.gib=1e-4"}),
            "cannot run");
}

TEST(CoverageVerdict, TheFirstReasonsAreThoseOfTheWorstOps) {
  const Coverage dojo = coverage("tesla_dojo_d1", "mlp", Mode::inference);
  ASSERT_EQ(dojo.reasons.size(), 1U);
  EXPECT_EQ(dojo.reasons[0], "Relu: not in the operator table (no source says)");
  const Coverage v100 = coverage("nvidia_v100", "mlp", Mode::inference, "bf16");
  EXPECT_THAT(v100.reasons.front(), HasSubstr("fp16 only"));
  EXPECT_THAT(v100.reasons.front(), HasSubstr("(not in this format)"));
  EXPECT_LE(v100.reasons.size(), kMostReasons);
}

TEST(CoverageVerdict, SharesOfMacsAndTime) {
  const Result result = run_all({request("nvdla_fp16", "mlp", Mode::training),
                                 request("systolic128_bf16", "mlp", Mode::training),
                                 request("nvdla_fp16", "small_cnn", Mode::training)},
                                timing_only());
  const Coverage& nvdla = *result.runs.at(0).coverage;
  EXPECT_EQ(nvdla.macs_on_npu, nvdla.macs);  // gradients of dense layers are products too
  EXPECT_LT(*nvdla.time_on_npu, 0.5);        // but losses and updates go to the host
  const Coverage& systolic = *result.runs.at(1).coverage;
  EXPECT_EQ(systolic.macs_on_npu, systolic.macs);
  EXPECT_EQ(*systolic.time_on_npu, 1.0);
  // Of a convolution the forward product stays, its one or two gradients of the same size do not.
  const Coverage& cnn = *result.runs.at(2).coverage;
  EXPECT_GT(3 * cnn.macs_on_npu, cnn.macs);
  EXPECT_LT(3 * cnn.macs_on_npu, 2 * cnn.macs);
}

// The loss of the systolic design runs as log-softmax and negative log-likelihood: both are timed
// and both are computed.
TEST(CoverageVerdict, ADecomposedOpCostsItsPartsInTimeAndInBits) {
  RunOptions options = timing_only();
  options.numerics = true;
  const RunResult run =
      run_all({request("systolic128_bf16", "mlp", Mode::training)}, options).runs.at(0);
  std::map<std::string, int> timed, computed;
  for (const npu::OpTiming& op : run.timing->run.ops) ++timed[op.op];
  for (const OpError& error : run.numerics->by_op) ++computed[error.op];
  for (const char* part : {"LogSoftmax", "NegativeLogLikelihoodLoss"}) {
    EXPECT_EQ(timed[part], 1) << part;
    EXPECT_EQ(computed[part], 1) << part;
  }
  EXPECT_EQ(timed["SoftmaxCrossEntropyLoss"], 0);
}

TEST(CoverageVerdict, EveryShippedScenarioHasOne) {
  Selection selection;
  selection.npus = {"google_tpu_v4", "nvdla_full"};
  selection.scenarios = shipped("configs/scenarios");
  const Result result = coverage_all(requests_of(selection), timing_only());
  EXPECT_GE(result.runs.size(), 2 * selection.scenarios.size());
  for (const RunResult& run : result.runs) testing::expect_sound(run);
}

double samples_per_s(const std::string& npu, const std::string& recipe = "") {
  const RunResult run = run_all({request(npu, "mlp", Mode::training, recipe)},
                                timing_only({"workload.parameters.batch=8192"}))
                            .runs.at(0);
  EXPECT_EQ(run.status, Status::ok) << run.error;
  return run.timing->samples_per_s;
}

/// Ops with this gap on one NPU, where these parameters change from run to run.
std::vector<std::string> gaps(const std::string& npu, const std::string& workload, npu::Gap gap,
                              const std::vector<std::string>& dynamic, npu::Support* worst) {
  RunOptions options = timing_only();
  options.dynamic = dynamic;
  const RunResult run = coverage_all({request(npu, workload, Mode::inference)}, options).runs.at(0);
  if (worst != nullptr) *worst = run.coverage->worst;
  std::vector<std::string> nodes;
  for (const npu::CoverageRow& row : run.coverage->ops)
    if (row.verdict.gap == gap) nodes.push_back(row.node);
  return nodes;
}

// OpenVINO's NPU plugin takes no dynamic shapes; of a TPU no source says; a design may state that
// it does.
TEST(CoverageVerdict, DynamicShapesAreAGapOfTheirOwn) {
  npu::Support worst = npu::Support::native;
  EXPECT_TRUE(gaps("intel_npu_4000", "small_cnn", npu::Gap::dynamic, {}, nullptr).empty());
  EXPECT_FALSE(gaps("intel_npu_4000", "small_cnn", npu::Gap::dynamic, {"batch"}, &worst).empty());
  EXPECT_EQ(worst, npu::Support::unsupported);
  EXPECT_FALSE(gaps("google_tpu_v4", "small_cnn", npu::Gap::dynamic, {"batch"}, &worst).empty());
  EXPECT_EQ(worst, npu::Support::unknown);
}

// Only what the parameter reaches: the image of a transformer's tokens is as large as ever, the
// scores are not.
TEST(CoverageVerdict, OnlyShapesThatChangeAreDynamic) {
  const std::vector<std::string> all =
      gaps("intel_npu_4000", "gpt2_small", npu::Gap::dynamic, {"batch"}, nullptr);
  const std::vector<std::string> some =
      gaps("intel_npu_4000", "llama2_7b_decode", npu::Gap::dynamic, {"past"}, nullptr);
  EXPECT_FALSE(all.empty());
  ASSERT_FALSE(some.empty());
  for (const std::string& node : some)
    EXPECT_EQ(node.find("mlp"), std::string::npos) << node << " does not see the cache";
}

TEST(CoverageVerdict, UnknownDynamicParametersAreErrors) {
  RunOptions options = timing_only();
  options.dynamic = {"sequence"};
  EXPECT_THROW(coverage_all({request("google_tpu_v4", "mlp", Mode::inference)}, options),
               base::InputError);
}

TEST(PublishedOrder, LaterTpusTrainFaster) {
  const double v2 = samples_per_s("google_tpu_v2"), v3 = samples_per_s("google_tpu_v3");
  const double v4 = samples_per_s("google_tpu_v4"), v5p = samples_per_s("google_tpu_v5p");
  EXPECT_LT(v2, v3);
  EXPECT_LT(v3, v4);
  EXPECT_LT(v4, v5p);
}

// Busy array-cycles of products whose K fills the array: FP32 takes its published multiple of BF16.
TEST(PublishedOrder, Fp32TakesItsPublishedFactorOfBf16) {
  const std::map<std::string, double> factors = {
      {"aws_trainium1", 4}, {"google_tpu_v3", 6}, {"nvidia_a100", 16}, {"habana_gaudi3", 8}};
  for (const auto& [npu, factor] : factors) {
    const auto busy = [&, name = npu](const std::string& recipe) {
      const RunResult run = run_all({request(name, "mlp", Mode::inference, recipe)},
                                    timing_only({"workload.parameters.batch=8192"}))
                                .runs.at(0);
      EXPECT_EQ(run.status, Status::ok) << run.error;
      return static_cast<double>(run.timing->run.busy_cycles);
    };
    const double ratio = busy("fp32") / busy("bf16");
    EXPECT_GT(ratio, 0.85 * factor) << npu;
    EXPECT_LT(ratio, 1.05 * factor) << npu;
  }
}

// One row times a matrix: every weight is read once for one product.
TEST(PublishedOrder, ProductsOfOneRowAreBoundByMemory) {
  for (const char* npu : {"google_tpu_v4", "nvidia_a100", "aws_trainium1", "huawei_ascend_910",
                          "habana_gaudi2", "systolic_128x128_fp32"}) {
    const RunResult run = run_all({request(npu, "mlp", Mode::inference)},
                                  timing_only({"workload.parameters.batch=1",
                                               "npu.dram.latency_ns=0", "npu.launch_cycles=0"}))
                              .runs.at(0);
    ASSERT_EQ(run.status, Status::ok) << npu << run.error;
    EXPECT_LT(run.timing->utilization, 0.05) << npu;
  }
}

/// Weights that enter all arrays in a cycle when one row of positions streams, in bytes: a row of
/// stationary weights, or a step of K of the columns of an output-stationary array.
double weight_bytes_per_cycle(const npu::NpuSpec& npu) {
  const npu::MacArraySpec& array = npu.mac_array;
  return static_cast<double>(array.arrays * array.cols / array.outputs_per_pe) *
         static_cast<double>(array.inputs.front().format.storage_bytes());
}

// Generation at batch 1 reads every weight for one product. DRAM decides on every NPU that runs it,
// but for systolic arrays whose edges take weights more slowly than DRAM gives them: these are
// bound by that rate.
TEST(PublishedOrder, DecodeOfOneSequenceIsBoundByBandwidth) {
  const std::set<std::string> slower_than_dram = {"google_tpu_v2",         "habana_gaudi2",
                                                  "habana_gaudi3",         "systolic_256x256_bf16",
                                                  "systolic_256x256_fp16", "systolic_256x256_fp32"};
  std::vector<RunRequest> requests;
  for (const std::string& npu : shipped("configs/npus")) {
    requests.push_back(request("systolic128_bf16", "llama2_7b_decode", Mode::inference));
    requests.back().npu_file = npu;
  }
  int ran = 0;
  for (const RunResult& run : run_all(requests, timing_only()).runs) {
    if (run.status != Status::ok) continue;
    ++ran;
    const npu::TimingResult& timing = run.timing->run;
    const double dram =
        static_cast<double>(timing.dma_busy_cycles) / static_cast<double>(timing.cycles);
    const npu::NpuSpec npu = npu::load_npu(find_file("npu", run.npu));
    const double rate = weight_bytes_per_cycle(npu) / npu.dram.bandwidth_bytes_per_cycle;
    RecordProperty(run.npu, std::to_string(dram));
    if (slower_than_dram.count(run.npu) == 0) {
      EXPECT_EQ(timing.bound, "memory") << run.npu;
      EXPECT_GT(dram, 0.8) << run.npu;
      continue;
    }
    EXPECT_EQ(npu.mac_array.organisation, "systolic") << run.npu;
    EXPECT_LT(rate, 1.0) << run.npu;
    EXPECT_EQ(timing.bound, "compute") << run.npu;
    EXPECT_LT(dram, 1.1 * rate) << run.npu;  // weights come no faster than the arrays take them
  }
  EXPECT_EQ(ran, 21);
}

}  // namespace
}  // namespace npusim::sim
