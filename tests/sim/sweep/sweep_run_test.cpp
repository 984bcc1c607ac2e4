// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/sweep_run.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "base/error.h"
#include "sim/sweep/config_keys.h"
#include "sim/sweep/design_space.h"
#include "sim/sweep/sweep_report.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using testing::outcome;
using testing::SweepFolder;

/// Gives every point back at once, with what `answer` says of it.
class Echo : public PointRunner {
 public:
  explicit Echo(std::function<PointOutcome(const std::string& request)> answer)
      : answer_(std::move(answer)) {}
  bool has_room() const override { return held_.empty(); }
  void start(std::uint64_t ticket, const std::string& request) override {
    held_.push_back({ticket, answer_(request)});
  }
  std::size_t running() const override { return held_.size(); }
  std::vector<FinishedPoint> wait(int) override { return std::exchange(held_, {}); }

 private:
  std::function<PointOutcome(const std::string&)> answer_;
  std::vector<FinishedPoint> held_;
};

PointOutcome fine(const std::string& request) {
  return outcome(ConfigKeys().hash_of(request_of_text(request)), {{"seconds", 1.0}});
}

const SweepRunOptions kQuiet{{}, true, {}, {}};

TEST(SweepRun, ConfigsThatChangeMeanwhileEndItAndLeaveNoRow) {
  const SweepFolder folder;
  const Sweep sweep =
      folder.sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [100, 200, 300]}])");
  SweepStore store = SweepStore::create(folder.path("s.db"), header_of(sweep));
  int asked = 0;
  Echo changing([&](const std::string& request) {
    return ++asked < 3 ? fine(request) : outcome("0000000000000000", {{"seconds", 9.0}});
  });
  EXPECT_THROW(run_points(sweep, kQuiet, store, changing), base::InputError);
  EXPECT_EQ(store.points().size(), 2u);
  Echo steady(fine);
  const SweepCounts counts = run_points(sweep, kQuiet, store, steady);
  EXPECT_EQ(counts.ran, 1);
  EXPECT_EQ(counts.reused, 2);
}

TEST(SweepRun, AFileBrokenMeanwhileRefusesNoPointForGood) {
  const SweepFolder folder;
  const std::string shipped = test::source_dir() + "/configs/npus/systolic128_bf16.json";
  base::write_whole_file(folder.path("own.json"), base::read_whole_file(shipped));
  const Sweep sweep = folder.sweep(R"("axes": [{"path": "npu", "values": ["own.json"]},
                                  {"path": "npu.mac_array.rows", "values": [100000, 30000]}])");
  SweepStore store = SweepStore::create(folder.path("s.db"), header_of(sweep));
  int asked = 0;
  Echo breaking([&](const std::string&) {
    if (++asked == 2) base::write_whole_file(folder.path("own.json"), "{");
    PointOutcome refused;
    refused.status = PointStatus::invalid;
    return refused;
  });
  EXPECT_THROW(run_points(sweep, kQuiet, store, breaking), base::InputError);
  EXPECT_EQ(store.points().size(), 1u) << "the one that was refused for its own sake";
}

TEST(SweepRun, AnInterruptIsHeardWhileKnownPointsArePassedOver) {
  const SweepFolder folder;
  const Sweep sweep = folder.sweep(R"("axes": [
    {"path": "npu.clock_mhz", "from": 1, "to": 2000, "count": 2000, "integer": true}])");
  SweepStore store = SweepStore::create(folder.path("s.db"), header_of(sweep));
  ConfigKeys keys;
  const DesignSpace space(sweep);
  for (std::int64_t i = 0; i < space.size(); ++i)
    store.append({space.at(i), outcome(keys.hash_of(request_of(sweep, space.at(i))), {})});
  store.commit();
  Echo runner(fine);
  SweepRunOptions options = kQuiet;
  int looks = 0;
  options.interrupted = [&looks] { return ++looks == 3; };
  const SweepCounts counts = run_points(sweep, options, store, runner);
  EXPECT_TRUE(counts.interrupted);
  EXPECT_GT(counts.reused, 0);
  EXPECT_LT(counts.reused, 1000);
  options.interrupted = {};
  EXPECT_EQ(run_points(sweep, options, store, runner).reused, 2000);
}

TEST(SweepRun, ResultsAreOfThePointsThatTheSweepStillHas) {
  const SweepFolder folder;
  const Sweep both = folder.sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [100, 200]}])");
  SweepStore store = SweepStore::create(folder.path("s.db"), header_of(both));
  Echo runner(fine);
  run_points(both, kQuiet, store, runner);
  const Sweep one = folder.sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [200, 300]}])");
  ASSERT_EQ(header_of(one).identity, header_of(both).identity);
  const SweepCounts counts = run_points(one, kQuiet, store, runner);
  EXPECT_EQ(counts.ran, 1);
  EXPECT_EQ(store.points().size(), 3u);
  const SweepResult result = result_of(one, store, counts.hashes);
  ASSERT_EQ(result.points.size(), 2u);
  for (const StoredPoint& point : result.points)
    EXPECT_GE(point.assignment[0].value.integer(), 200);
  EXPECT_EQ(result_of(one, store).points.size(), 2u) << "as a merge tells them";
}

TEST(SweepRun, APointIsStatedByWhatItSetsNow) {
  const SweepFolder folder;
  const Sweep before = folder.sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [100, 200]}])");
  SweepStore store = SweepStore::create(folder.path("s.db"), header_of(before));
  Echo runner(fine);
  run_points(before, kQuiet, store, runner);
  // The same configs by one more path, one of them by two ways.
  const Sweep after = folder.sweep(R"("axes": [{"path": "npu.clock_mhz", "values": [100, 100.0]},
                                               {"path": "npu.mac_array.rows", "values": [128]}])");
  for (int round = 0; round < 2; ++round) {
    const SweepCounts counts = run_points(after, kQuiet, store, runner);
    for (const SweepResult& result :
         {result_of(after, store, counts.hashes), result_of(after, store)}) {
      ASSERT_EQ(result.points.size(), counts.hashes.size());
      for (const StoredPoint& point : result.points) EXPECT_EQ(point.assignment.size(), 2u);
    }
  }
}

TEST(SweepRun, AStoreIsOfOneDesignWorkloadRecipeModeAndSetOfOverrides) {
  const SweepFolder folder;
  const std::string plain = header_of(folder.sweep(R"("axes": [])")).identity;
  EXPECT_EQ(header_of(folder.sweep(R"("mode": "inference", "axes": [])")).identity, plain);
  for (const char* members :
       {R"("recipe": "fp32", "axes": [])", R"("mode": "training", "axes": [])",
        R"("set": ["npu.clock_mhz=5"], "axes": [])"})
    EXPECT_NE(header_of(folder.sweep(members)).identity, plain) << members;
}

}  // namespace
}  // namespace npusim::sim
