// SPDX-License-Identifier: Apache-2.0
// Whole runs on the shipped designs: what must hold of every result.
#include "sim/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "sim/writers/writers.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;

RunRequest request(const std::string& npu, const std::string& workload,
                   const std::string& recipe = "", Mode mode = Mode::inference) {
  RunRequest r;
  r.npu_file = find_file("npu", npu);
  r.workload_file = find_file("workload", workload);
  if (!recipe.empty()) r.recipe_file = find_file("recipe", recipe);
  r.mode = mode;
  return r;
}

RunOptions quiet(const std::vector<std::string>& sets = {}) {
  RunOptions options;
  options.quiet = true;
  options.jobs = 1;
  for (const std::string& text : sets) options.overrides.push_back(base::parse_override(text));
  return options;
}

RunResult run(const RunRequest& r, const RunOptions& options) {
  return run_all({r}, options).runs.at(0);
}

std::string deterministic_part(const Result& result) {
  base::JsonValue document = json_of(result);
  document.set("host", base::JsonValue::make_null());
  return base::dump_json(document);
}

class EveryNpu : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryNpu, ArrayCyclesHaveExactlyOneCauseEach) {
  RunOptions options = quiet();
  options.numerics = false;
  for (const Mode mode : {Mode::inference, Mode::training}) {
    const RunResult result = run(request(GetParam(), "mlp", "", mode), options);
    ASSERT_EQ(result.status, Status::ok) << result.error;
    const npu::TimingResult& timing = result.timing->run;
    std::int64_t accounted = timing.busy_cycles;
    for (const auto& [cause, cycles] : timing.stall_cycles) {
      EXPECT_GE(cycles, 0) << cause;
      accounted += cycles;
    }
    EXPECT_EQ(accounted, timing.cycles * timing.arrays);
  }
}

TEST_P(EveryNpu, FiguresFollowFromCyclesAndClock) {
  RunOptions options = quiet();
  options.numerics = false;
  const RunResult result = run(request(GetParam(), "small_cnn"), options);
  ASSERT_EQ(result.status, Status::ok) << result.error;
  const Timing& timing = *result.timing;
  const double peak = timing.run.peak_macs_per_cycle;
  EXPECT_DOUBLE_EQ(timing.utilization, static_cast<double>(timing.run.macs) /
                                           (static_cast<double>(timing.run.cycles) * peak));
  EXPECT_LE(timing.utilization, 1.0);
  EXPECT_NEAR(timing.achieved_tops, timing.peak_tops * timing.utilization, 1e-9 * timing.peak_tops);
  EXPECT_GT(timing.samples_per_s, 0.0);
  EXPECT_GT(timing.run.energy.total_mj(), 0.0);
}

TEST_P(EveryNpu, TrainingStepHasErrorsForLossAndEveryUpdatedWeight) {
  const RunResult result =
      run(request(GetParam(), "mlp", "", Mode::training), quiet({"workload.parameters.batch=4"}));
  ASSERT_EQ(result.status, Status::ok) << result.error;
  ASSERT_TRUE(result.numerics.has_value());
  EXPECT_EQ(result.numerics->outputs.size(), 1u + 6u);  // loss, three weights and three biases
  EXPECT_TRUE(result.numerics->first_nonfinite_op.empty());
  for (const OutputError& output : result.numerics->outputs) {
    ASSERT_TRUE(output.error.rel_fro.has_value()) << output.name;
    EXPECT_LT(*output.error.rel_fro, 0.05) << output.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shipped, EveryNpu,
                         ::testing::Values("systolic128_bf16", "cube16_fp16", "nvdla_fp16"));

TEST(Run, SaysWhatErrorsMeanForTheTask) {
  for (const Mode mode : {Mode::inference, Mode::training}) {
    const RunResult result = run(request("systolic128_bf16", "lenet5", "", mode),
                                 quiet({"workload.parameters.batch=16"}));
    ASSERT_TRUE(result.numerics && result.numerics->task) << result.error;
    const TaskMetrics& task = *result.numerics->task;
    EXPECT_EQ(task.predictions, 16);
    EXPECT_GT(task.agreement, 0.5);
    ASSERT_TRUE(task.loss.has_value());
    EXPECT_NE(*task.loss, *task.reference_loss);
    EXPECT_NEAR(*task.loss, *task.reference_loss, 0.01);
    const base::JsonValue document = json_of(result);
    EXPECT_EQ(document.find("numerics")->find("task")->find("predictions")->integer(), 16);
  }
  // Boxes are no classes.
  const RunResult detector = run(request("systolic128_bf16", "small_detector"), quiet({}));
  ASSERT_TRUE(detector.numerics.has_value()) << detector.error;
  EXPECT_FALSE(detector.numerics->task.has_value());
}

const char* const kArea =
    R"(npu.area={"mac_um2": {"bf16": {"fp32": 500}}, "sram_um2_per_kib": 1000, "other_mm2": 2.5})";

TEST(Run, AreaIsInTheResultWhereTheFileStatesCoefficients) {
  RunOptions options = quiet({"npu.mac_array.rows=64", kArea});
  options.numerics = false;
  const RunRequest one = request("systolic128_bf16", "mlp");
  const Result with = run_all({one}, options);
  ASSERT_TRUE(with.runs[0].area.has_value());
  const npu::Area& area = *with.runs[0].area;
  EXPECT_DOUBLE_EQ(area.arrays_mm2, 64 * 128 * 500e-6);
  EXPECT_EQ(area.status, npu::FactStatus::assumed);
  const base::JsonValue document = json_of(with.runs[0]);
  const base::JsonValue* section = document.find("area");
  ASSERT_NE(section, nullptr);
  double parts = 0.0;
  for (const char* part : {"arrays_mm2", "memories_mm2", "vector_mm2", "other_mm2"})
    parts += section->find(part)->number();
  EXPECT_DOUBLE_EQ(section->find("total_mm2")->number(), parts);
  EXPECT_DOUBLE_EQ(section->find("total_mm2")->number(), area.total_mm2());
  EXPECT_EQ(section->find("status")->string(), "assumed");
  EXPECT_THAT(table_of(with), HasSubstr("area [mm2]"));
  EXPECT_THAT(csv_of(with), HasSubstr(",area_mm2\r\n"));
  // A design that states none has an empty cell beside one that does; alone, no column.
  Result mixed = with;
  mixed.runs.push_back(run(one, quiet({"npu.clock_mhz=900"})));
  EXPECT_FALSE(mixed.runs[1].area.has_value());
  const std::string csv = csv_of(mixed);
  EXPECT_EQ(csv.substr(csv.size() - 3), ",\r\n");
  mixed.runs.erase(mixed.runs.begin());
  EXPECT_THAT(csv_of(mixed), ::testing::Not(HasSubstr("area")));
  EXPECT_THAT(table_of(mixed), ::testing::Not(HasSubstr("area")));
  EXPECT_EQ(json_of(mixed.runs[0]).find("area"), nullptr);
}

TEST(Run, ResultDoesNotDependOnJobs) {
  const std::vector<RunRequest> requests = {request("systolic128_bf16", "mlp", "", Mode::training),
                                            request("cube16_fp16", "small_cnn"),
                                            request("nvdla_fp16", "small_cnn")};
  RunOptions one = quiet();
  RunOptions four = quiet();
  four.jobs = 4;
  // Timing forks before numerics starts threads, so the second run_all of a process must not follow
  // threads that still live: the pool of the first one has ended with it.
  const std::string first = deterministic_part(run_all(requests, one));
  EXPECT_EQ(first, deterministic_part(run_all(requests, four)));
}

/// small_cnn on the cube with FP16 sums that are rounded by 12 random bits.
RunOptions stochastic(int jobs) {
  RunOptions options =
      quiet({"npu.mac_array.accumulator.format=fp16", "npu.mac_array.accumulator.rounding=sr",
             "npu.mac_array.accumulator.random_bits=12"});
  options.jobs = jobs;
  return options;
}

TEST(Run, StochasticSumsDoNotDependOnJobs) {
  const std::vector<RunRequest> requests = {request("cube16_fp16", "small_cnn")};
  EXPECT_EQ(deterministic_part(run_all(requests, stochastic(1))),
            deterministic_part(run_all(requests, stochastic(3))));
}

TEST(Run, StochasticSumsChangeBitsAndNotCycles) {
  const RunResult nearest =
      run(request("cube16_fp16", "small_cnn"), quiet({"npu.mac_array.accumulator.format=fp16"}));
  const RunResult random = run(request("cube16_fp16", "small_cnn"), stochastic(1));
  ASSERT_EQ(random.status, Status::ok) << random.error;
  EXPECT_NE(nearest.numerics->output_bits_hash, random.numerics->output_bits_hash);
  EXPECT_EQ(nearest.timing->run.cycles, random.timing->run.cycles);
}

TEST(Run, SeedChangesValuesAndNotCycles) {
  RunOptions options = quiet();
  const RunResult zero = run(request("systolic128_bf16", "small_cnn"), options);
  options.seed = 1;
  const RunResult one = run(request("systolic128_bf16", "small_cnn"), options);
  EXPECT_NE(zero.numerics->output_bits_hash, one.numerics->output_bits_hash);
  EXPECT_EQ(zero.timing->run.cycles, one.timing->run.cycles);
}

TEST(Run, AccumulatorFormatChangesBitsEnergyAndCycles) {
  for (const char* npu : {"systolic128_bf16", "cube16_fp16", "nvdla_fp16"}) {
    SCOPED_TRACE(npu);
    const RunResult wide = run(request(npu, "mlp"), quiet());
    const RunResult narrow =
        run(request(npu, "mlp"), quiet({"npu.mac_array.accumulator.format=fp16"}));
    ASSERT_EQ(narrow.status, Status::ok) << narrow.error;
    EXPECT_NE(wide.numerics->output_bits_hash, narrow.numerics->output_bits_hash);
    EXPECT_LT(*worst_output_error(wide), *worst_output_error(narrow));
    EXPECT_GT(wide.timing->run.energy.mac_mj, narrow.timing->run.energy.mac_mj);
    EXPECT_NE(wide.timing->run.cycles, narrow.timing->run.cycles);
  }
}

TEST(Run, EqualWidthAndLatencyEqualCycles) {
  const auto with = [](const std::string& format) {
    return run(request("systolic128_bf16", "mlp"),
               quiet({"npu.mac_array.accumulator.format=" + format,
                      "npu.mac_array.accumulator.latency_cycles=3"}));
  };
  const RunResult fp16 = with("fp16");
  const RunResult bf16 = with("bf16");
  EXPECT_EQ(fp16.timing->run.cycles, bf16.timing->run.cycles);
  EXPECT_EQ(fp16.timing->run.stall_cycles, bf16.timing->run.stall_cycles);
  EXPECT_EQ(fp16.timing->run.dram_bytes, bf16.timing->run.dram_bytes);
  EXPECT_NE(fp16.numerics->output_bits_hash, bf16.numerics->output_bits_hash);
}

TEST(Run, OneMappingDrivesCyclesAndBits) {
  const auto rows = [](int count, const char* partial_sums) {
    return run(request("systolic128_bf16", "mlp"),
               quiet({"npu.mac_array.rows=" + std::to_string(count),
                      "npu.mac_array.accumulator.format=fp16",
                      std::string("npu.mac_array.partial_sums=") + partial_sums}));
  };
  const RunResult below32 = rows(32, "accumulate_below");
  const RunResult below128 = rows(128, "accumulate_below");
  EXPECT_NE(below32.timing->run.cycles, below128.timing->run.cycles);
  EXPECT_NE(below32.numerics->output_bits_hash, below128.numerics->output_bits_hash);
  EXPECT_NE(below32.mapping_hash, below128.mapping_hash);
  const RunResult above32 = rows(32, "reinject_above");
  const RunResult above128 = rows(128, "reinject_above");
  EXPECT_NE(above32.timing->run.cycles, above128.timing->run.cycles);
  EXPECT_EQ(above32.numerics->output_bits_hash, above128.numerics->output_bits_hash);
}

TEST(Run, EveryOrganisationTrainsTheMlp) {
  const std::vector<std::vector<std::string>> arrays = {
      {"systolic128_bf16", "dataflow=input_stationary"},
      {"systolic128_bf16", "dataflow=output_stationary", "partial_sums=null",
       "preload_hiding=null"},
      {"cube16_fp16", "organisation=tensor_core", "fragments_in_flight=4"},
      {"cube16_fp16", "organisation=simd", "outputs_per_pe=8", "partial_sums_per_output=2"}};
  for (const std::vector<std::string>& array : arrays) {
    std::vector<std::string> overrides;
    for (std::size_t i = 1; i < array.size(); ++i) overrides.push_back("npu.mac_array." + array[i]);
    const RunResult result = run(request(array[0], "mlp", "", Mode::training), quiet(overrides));
    ASSERT_EQ(result.status, Status::ok) << array[1] << ": " << result.error;
    const npu::TimingResult& timing = result.timing->run;
    std::int64_t causes = timing.busy_cycles;
    for (const auto& [cause, cycles] : timing.stall_cycles) causes += cycles;
    EXPECT_EQ(causes, timing.cycles * timing.arrays) << array[1];
    EXPECT_LT(*worst_output_error(result), 0.01) << array[1];
  }
}

TEST(Run, OutputsInTurnKeepTheBitsPartialSumsChangeThem) {
  const auto with = [](const char* outputs, const char* sums) {
    const RunResult result =
        run(request("systolic128_bf16", "mlp"),
            quiet({"npu.mac_array.organisation=simd", "npu.mac_array.depth=1",
                   "npu.mac_array.dataflow=null", "npu.mac_array.fold_overlap=null",
                   "npu.mac_array.partial_sums=null", "npu.mac_array.preload_hiding=null",
                   "npu.mac_array.rows=2", "npu.mac_array.cols=16",
                   "npu.mac_array.accumulator.format=fp16",
                   "npu.mac_array.accumulator.latency_cycles=4", outputs, sums}));
    EXPECT_EQ(result.status, Status::ok) << result.error;
    return result;
  };
  const char* one_sum = "npu.mac_array.partial_sums_per_output=1";
  const RunResult plain = with("npu.mac_array.outputs_per_pe=1", one_sum);
  const RunResult in_turn = with("npu.mac_array.outputs_per_pe=4", one_sum);
  const RunResult dealt =
      with("npu.mac_array.outputs_per_pe=1", "npu.mac_array.partial_sums_per_output=4");
  EXPECT_GT(plain.timing->run.stall_cycles.at("accumulate"),
            in_turn.timing->run.stall_cycles.at("accumulate"));
  EXPECT_EQ(plain.numerics->output_bits_hash, in_turn.numerics->output_bits_hash);
  EXPECT_NE(plain.numerics->output_bits_hash, dealt.numerics->output_bits_hash);
}

TEST(Run, MemoryBoundLayerShowsLoadStalls) {
  RunOptions options = quiet({"npu.dram.bandwidth_gb_per_s=1"});
  options.numerics = false;
  const RunResult slow = run(request("systolic128_bf16", "mlp"), options);
  const npu::TimingResult& timing = slow.timing->run;
  EXPECT_EQ(timing.bound, "memory");
  EXPECT_GT(timing.stall_cycles.at("load"), timing.cycles / 2);
}

TEST(Run, MacsOfTheHostAreNotTheArrays) {
  RunOptions options = quiet();
  options.numerics = false;
  const RunResult result = run(request("nvdla_fp16", "small_cnn", "", Mode::training), options);
  ASSERT_EQ(result.status, Status::ok) << result.error;
  std::int64_t arrays = 0;
  std::int64_t host = 0;
  for (const npu::OpTiming& op : result.timing->run.ops)
    (op.engine == "matrix" ? arrays : host) += op.macs;
  EXPECT_GT(host, 0);
  EXPECT_EQ(result.timing->run.macs, arrays);
}

// Weighted by the array-cycles charged to them, the layers' utilisation is the run's.
TEST(Run, UtilisationOfTheLayersMakesThatOfTheRun) {
  RunOptions options = quiet();
  options.numerics = false;
  const RunResult result = run(request("google_tpu_v4", "small_cnn", "bf16"), options);
  ASSERT_EQ(result.status, Status::ok) << result.error;
  const npu::TimingResult& timing = result.timing->run;
  double used = 0.0;
  for (const npu::OpTiming& op : timing.ops) {
    EXPECT_EQ(op.utilization > 0.0, op.engine == "matrix") << op.node;
    EXPECT_LE(op.utilization, 1.0) << op.node;
    std::int64_t charged = op.array_busy_cycles;
    for (const auto& stall : op.stall_cycles) charged += stall.second;
    used += op.utilization * static_cast<double>(charged);
  }
  EXPECT_NEAR(used / static_cast<double>(timing.cycles * timing.arrays), result.timing->utilization,
              1e-12);
}

TEST(Run, UndeclaredFormatsAreUnsupportedRowsNotFailures) {
  const Result result = run_all({request("systolic128_bf16", "mlp", "fp16_fp16_accumulate"),
                                 request("systolic128_bf16", "mlp")},
                                quiet());
  EXPECT_EQ(result.runs[0].status, Status::unsupported);
  EXPECT_THAT(result.runs[0].error, HasSubstr("fp16"));
  EXPECT_EQ(result.runs[1].status, Status::ok);
  EXPECT_EQ(exit_code_of(result), 0);
}

TEST(Run, InterruptionKeepsWhatIsDone) {
  RunOptions options = quiet();
  int polls = 0;
  options.interrupted = [&polls] { return ++polls > 3; };
  const Result result = run_all({request("systolic128_bf16", "mlp")}, options);
  EXPECT_EQ(result.runs[0].status, Status::interrupted);
  EXPECT_TRUE(result.runs[0].timing.has_value());
  EXPECT_EQ(exit_code_of(result), 130);
}

TEST(Run, UnknownOverridePathsAndInputsAreErrors) {
  EXPECT_THROW(run(request("systolic128_bf16", "mlp"), quiet({"npu.mac_array.rowz=3"})),
               base::InputError);
  EXPECT_THROW(run(request("systolic128_bf16", "mlp"), quiet({"unit.name=x"})), base::InputError);
  RunOptions options = quiet();
  options.inputs["no_such_input"] = "x.npy";
  EXPECT_THROW(run(request("systolic128_bf16", "mlp"), options), base::InputError);
}

TEST(Run, CoverageAloneNeedsNoRun) {
  const Result result = coverage_all({request("nvdla_fp16", "mlp", "", Mode::training)}, quiet());
  ASSERT_TRUE(result.runs[0].coverage.has_value());
  std::int64_t rows = 0;
  for (const auto& [level, count] : result.runs[0].coverage->counts) rows += count;
  EXPECT_EQ(rows, static_cast<std::int64_t>(result.runs[0].coverage->ops.size()));
  EXPECT_GT(result.runs[0].coverage->counts.at(npu::Support::host), 0);
  EXPECT_FALSE(result.runs[0].timing.has_value());
}

// An NPU that rounds to BF16 and accumulates in its own order computes the same bits twice, in more
// time.
TEST(Run, RecomputedActivationsHaveTheBitsOfKeptOnes) {
  const RunRequest step = request("systolic128_bf16", "lenet5", "", Mode::training);
  const RunResult kept = run(step, quiet());
  const RunResult again = run(step, quiet({"workload.training.recompute_segments=2"}));
  ASSERT_EQ(again.status, Status::ok) << again.error;
  EXPECT_EQ(again.numerics->output_bits_hash, kept.numerics->output_bits_hash);
  EXPECT_GT(again.timing->run.macs, kept.timing->run.macs);
  EXPECT_GT(again.timing->run.cycles, kept.timing->run.cycles);
}

TEST(Run, EachProductHasItsMappingAndPlanInTheResult) {
  const RunRequest r = request("systolic128_bf16", "mlp");
  const RunResult wide = run(r, quiet());
  const RunResult low = run(r, quiet({"npu.mac_array.rows=32"}));
  ASSERT_EQ(wide.mappings.size(), 3U);
  ASSERT_EQ(low.mappings.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(wide.mappings[i].node, low.mappings[i].node);
    EXPECT_THAT(wide.mappings[i].mapping, HasSubstr("tile "));
    EXPECT_NE(wide.mappings[i].plan_hash, low.mappings[i].plan_hash) << "cut every 32 rows";
  }
  const RunResult again = run(r, quiet({"npu.dram.bandwidth_gb_per_s=3"}));
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(wide.mappings[i].plan_hash, again.mappings[i].plan_hash);
}

TEST(Run, MicroBatchesCountAllSamplesOfAStep) {
  const RunRequest step = request("systolic128_bf16", "mlp", "", Mode::training);
  RunOptions options = quiet({"workload.parameters.batch=16", "workload.training.micro_batches=4"});
  options.numerics = false;
  const RunResult result = run(step, options);
  ASSERT_EQ(result.status, Status::ok) << result.error;
  EXPECT_NEAR(result.timing->samples_per_s, 64.0 / result.timing->seconds, 1e-3);
}

}  // namespace
}  // namespace npusim::sim
