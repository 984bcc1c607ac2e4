// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/evaluator.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <set>

#include "sim/sweep/config_keys.h"
#include "sim/sweep/design_space.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using testing::SweepFolder;

std::vector<PointOutcome> evaluate_all(const Sweep& sweep, bool reuse) {
  PointSetup setup = setup_of(sweep);
  setup.reuse_numerics = reuse;
  PointEvaluator evaluator(setup);
  const DesignSpace space(sweep);
  std::vector<PointOutcome> outcomes;
  for (std::int64_t i = 0; i < space.size(); ++i)
    outcomes.push_back(evaluator.evaluate(request_of(sweep, space.at(i))));
  return outcomes;
}

TEST(PointEvaluator, ReusedNumericsAreByteForByteThoseThatWouldBeComputed) {
  // Bandwidth moves no bit; rows of an array that accumulates below cut K and do; so does a recipe.
  const Sweep sweep = SweepFolder().sweep(R"("numerics": true,
    "set": ["npu.mac_array.accumulator.format=bf16", "npu.mac_array.accumulator.choices=[\"bf16\", \"fp32\"]"],
    "axes": [{"path": "npu.dram.bandwidth_gb_per_s", "values": [100, 200]},
             {"path": "npu.mac_array.rows", "values": [64, 128]},
             {"path": "recipe", "values": ["bf16", "bf16_pure"]}])");
  std::vector<PointOutcome> reused = evaluate_all(sweep, true);
  const std::vector<PointOutcome> computed = evaluate_all(sweep, false);
  ASSERT_EQ(reused.size(), 8u);
  std::set<std::string> keys;
  for (std::size_t i = 0; i < 8; ++i) {
    ASSERT_EQ(reused[i].status, PointStatus::ok) << reused[i].reason;
    EXPECT_EQ(reused[i].reused_numerics, i >= 4) << i;
    EXPECT_FALSE(computed[i].reused_numerics);
    reused[i].reused_numerics = false;
    EXPECT_EQ(to_text(reused[i]), to_text(computed[i]));
    EXPECT_TRUE(reused[i].metrics[*find_metric("rel_error")].has_value());
    keys.insert(reused[i].numeric_key);
  }
  EXPECT_EQ(keys.size(), 4u);
  EXPECT_NE(reused[0].metrics[*find_metric("rel_error")],
            reused[2].metrics[*find_metric("rel_error")]);
}

TEST(PointEvaluator, KnowsTheHashThatKeysOfConfigsSay) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [
    {"path": "npu", "values": ["systolic128_bf16", "nvidia_a100"]},
    {"path": "workload.parameters.batch", "values": [1, 2]}])");
  const std::vector<PointOutcome> outcomes = evaluate_all(sweep, true);
  ConfigKeys keys;
  const DesignSpace space(sweep);
  for (std::int64_t i = 0; i < space.size(); ++i)
    EXPECT_EQ(keys.hash_of(request_of(sweep, space.at(i))),
              outcomes[static_cast<std::size_t>(i)].config_hash);
}

TEST(PointEvaluator, TakesPathsOfMacUnits) {
  const SweepFolder folder;
  const Sweep sweep = folder.sweep(R"("numerics": true, "recipe": "bf16",
    "axes": [{"path": "npu", "values": ["nvidia_a100"]},
             {"path": "unit.accumulator.alignment.fraction_bits", "values": [24, 8]}])");
  const std::vector<PointOutcome> outcomes = evaluate_all(sweep, true);
  ConfigKeys keys;
  const DesignSpace space(sweep);
  for (std::int64_t i = 0; i < 2; ++i) {
    const PointOutcome& outcome = outcomes[static_cast<std::size_t>(i)];
    ASSERT_EQ(outcome.status, PointStatus::ok) << outcome.reason;
    EXPECT_EQ(keys.hash_of(request_of(sweep, space.at(i))), outcome.config_hash);
  }
  EXPECT_NE(outcomes[0].config_hash, outcomes[1].config_hash);
  EXPECT_EQ(outcomes[0].metrics[*find_metric("cycles")],
            outcomes[1].metrics[*find_metric("cycles")]);
  EXPECT_LT(*outcomes[0].metrics[*find_metric("rel_error")],
            *outcomes[1].metrics[*find_metric("rel_error")]);
}

TEST(PointEvaluator, SaysWhatIsWrongWithAPoint) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [
    {"path": "npu.mac_array.rows", "values": [100, 30000]},
    {"path": "recipe", "values": ["bf16", "fp32"]}])");
  const std::vector<PointOutcome> outcomes = evaluate_all(sweep, true);
  EXPECT_EQ(outcomes[0].status, PointStatus::ok);
  EXPECT_EQ(outcomes[1].status, PointStatus::unsupported);
  EXPECT_NE(outcomes[1].reason, "");
  EXPECT_EQ(outcomes[2].status, PointStatus::invalid);
  EXPECT_NE(outcomes[2].reason, "");
}

TEST(PointEvaluator, APathThatTheFileOfAPointLacksMakesItInvalid) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [
    {"path": "workload", "values": ["mlp", "gpt2_small"]},
    {"path": "workload.parameters.sequence", "values": [16]}])");
  const std::vector<PointOutcome> outcomes = evaluate_all(sweep, true);
  EXPECT_EQ(outcomes[0].status, PointStatus::invalid);
  EXPECT_NE(outcomes[0].reason.find("\"sequence\""), std::string::npos) << outcomes[0].reason;
  EXPECT_EQ(outcomes[1].status, PointStatus::ok) << outcomes[1].reason;
}

TEST(PointEvaluator, SaysWhenThePointItselfStarts) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [
    {"path": "npu.mac_array.rows", "values": [100, 30000]}])");
  PointEvaluator evaluator(setup_of(sweep));
  const DesignSpace space(sweep);
  int started = 0;
  const auto starts = [&started] { ++started; };
  evaluator.evaluate(request_of(sweep, space.at(0)), starts);
  EXPECT_EQ(started, 1);
  evaluator.evaluate(request_of(sweep, space.at(1)), starts);
  EXPECT_EQ(started, 1) << "refused before it starts";
}

TEST(PointEvaluator, AFileThatCannotBeReadMayBeReadLater) {
  const SweepFolder folder;
  const Sweep sweep = folder.sweep(R"("axes": [])");
  PointRequest request = request_of(sweep, {});
  request.request.workload_file = folder.path("gone.json");
  const PointOutcome outcome = PointEvaluator(setup_of(sweep)).evaluate(request);
  EXPECT_EQ(outcome.status, PointStatus::not_run) << outcome.reason;
  EXPECT_FALSE(is_finished(outcome.status));
}

TEST(PointEvaluator, WithoutRoomForAProcessAPointIsTriedAgainLater) {
  const Sweep sweep = SweepFolder().sweep(R"("axes": [])");
  PointEvaluator evaluator(setup_of(sweep));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // Files are read before the pipe to the child is made: no descriptor is left for it.
  const auto starve = [&] {
    const rlimit none{0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  };
  const PointOutcome starved = evaluator.evaluate(request_of(sweep, {}), starve);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(starved.status, PointStatus::not_run) << starved.reason;
  EXPECT_NE(starved.reason.find("cannot start a process"), std::string::npos);
  EXPECT_EQ(evaluator.evaluate(request_of(sweep, {})).status, PointStatus::ok);
}

#ifndef __SANITIZE_ADDRESS__  // its shadow memory is address space too
// 60,000 x 784 inputs in binary64 alone take 0.35 GiB.
TEST(PointEvaluator, TooLittleMemoryIsAnOutcome) {
  const Sweep sweep = SweepFolder().sweep(
      R"("numerics": true, "set": ["workload.parameters.batch=60000"], "axes": [],
         "limits": {"memory_gib": 0.4})");
  const std::vector<PointOutcome> outcomes = evaluate_all(sweep, true);
  EXPECT_EQ(outcomes[0].status, PointStatus::out_of_memory) << outcomes[0].reason;
}
#endif

}  // namespace
}  // namespace npusim::sim
