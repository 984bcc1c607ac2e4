// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/cli/sweep_files.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

Outcome sweep(const std::string& file, const std::string& store, const std::string& csv,
              const std::vector<std::string>& more = {}) {
  return Child(sweep_command(file, store, csv, more)).wait();
}

TEST(Sweep, ResultsAreTheSameForAnyNumberOfWorkersAndShards) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, kGridOf48);
  const Outcome one = sweep(file, folder.path("1.db"), folder.path("1.csv"), {"--jobs", "1"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("48 points: 36 ok, 12 invalid"));
  const Outcome three = sweep(file, folder.path("3.db"), folder.path("3.csv"), {"--jobs", "3"});
  ASSERT_EQ(three.exit_code, 0) << three.err;
  EXPECT_EQ(one.out, three.out);
  const std::string csv = read_text(folder.path("1.csv"));
  EXPECT_EQ(lines_of(csv).size(), 49u);
  EXPECT_EQ(read_text(folder.path("3.csv")), csv);
  std::vector<std::string> merge = {"merge", "-o", folder.path("m.db"), "--csv",
                                    folder.path("m.csv")};
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const std::string store = folder.path(std::string("shard") + shard[0] + ".db");
    ASSERT_EQ(sweep(file, store, "", {"--shard", shard}).exit_code, 0);
    merge.push_back(store);
  }
  ASSERT_EQ(npusim(merge).exit_code, 0);
  EXPECT_EQ(read_text(folder.path("m.csv")), csv);
}

TEST(Sweep, AConfigHashIsThatOfTheRunWithTheSameSettings) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.clock_mhz", "values": [250]},
                          {"path": "workload.parameters.batch", "values": [3]}])");
  ASSERT_EQ(sweep(file, folder.path("s.db"), "", {"--json", folder.path("s.json")}).exit_code, 0);
  const Outcome run =
      npusim({"run", "--npu", data("tiny_npu.json"), "--workload", data("tiny_mlp.json"),
              "--recipe", data("tiny_recipe.json"), "--set", "npu.clock_mhz=250", "--set",
              "workload.parameters.batch=3", "--no-numerics", "--json", "-"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const base::JsonValue point = base::parse_json_file(folder.path("s.json"));
  const base::JsonValue result = base::parse_json(run.out, "-");
  EXPECT_EQ(at(point, "/points/0/config_hash").string(),
            at(result, "/runs/0/config_hash").string());
  EXPECT_EQ(at(point, "/points/0/metrics/cycles").integer(),
            at(result, "/runs/0/timing/cycles").integer());
  EXPECT_EQ(at(point, "/points/0/metrics/energy_mj").number(),
            at(result, "/runs/0/timing/energy_mj").number());
}

TEST(Sweep, EqualConfigsRunOnce) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [4, 4, 8, 4]}])");
  const Outcome outcome = sweep(file, folder.path("s.db"), folder.path("s.csv"));
  EXPECT_THAT(outcome.err, HasSubstr("ran 2 points"));
  EXPECT_EQ(lines_of(read_text(folder.path("s.csv"))).size(), 3u);
}

TEST(Sweep, ResumeRunsOnlyWhatIsMissingAndTakesNewConstraintsAtOnce) {
  TempFolder folder;
  const std::string store = folder.path("s.db");
  std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [2, 4]}])");
  ASSERT_EQ(sweep(file, store, "").exit_code, 0);
  EXPECT_EQ(sweep(file, store, "").exit_code, 2) << "without --resume";
  file = tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [2, 4, 8]}],
                               "constraints": [{"metric": "power_w", "at_most": 1e-9}])");
  const Outcome more = sweep(file, store, "", {"--resume"});
  EXPECT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, HasSubstr("ran 1 points, 2 were in"));
  EXPECT_THAT(more.out, HasSubstr("3 points: 3 ok, 0 within the constraints"));
  file = tiny_sweep(folder, R"("axes": [], "seed": 3)");
  const Outcome other = sweep(file, store, "", {"--resume"});
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_THAT(other.err, HasSubstr("holds outcomes of"));
}

TEST(Sweep, APointThatTakesTooLongIsARow) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [], "set": ["workload.parameters.batch=4096"],
                                                 "limits": {"seconds": 0.000001})");
  const Outcome outcome = sweep(file, folder.path("s.db"), folder.path("s.csv"));
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(read_text(folder.path("s.csv")), HasSubstr("timeout,took longer than 1e-06 s"));
}

TEST(Sweep, AWorkerThatDiesCostsOnePoint) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, R"("axes": [{"path": "workload.parameters.batch",
                                      "from": 20000, "to": 20005, "count": 6, "integer": true}])");
  Child child(
      sweep_command(file, folder.path("s.db"), folder.path("s.csv"), {"--jobs", "1", "-v"}));
  const std::string children =
      "/proc/" + std::to_string(child.pid()) + "/task/" + std::to_string(child.pid()) + "/children";
  pid_t worker = 0, busy = 0;
  for (int i = 0; i < 50000 && busy == 0; ++i) {
    std::ifstream list(children);
    if (!(list >> worker)) continue;
    std::ifstream points("/proc/" + std::to_string(worker) + "/task/" + std::to_string(worker) +
                         "/children");
    points >> busy;
  }
  ASSERT_GT(busy, 0);
  kill(worker, SIGKILL);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("6 points: 5 ok, 1 crashed"));
  EXPECT_THAT(read_text(folder.path("s.csv")), HasSubstr("crashed,worker killed by signal 9"));
  const Outcome again = sweep(file, folder.path("s.db"), "", {"--resume"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("6 points: 6 ok"));
}

/// Interrupts a long sweep after a while; how many points it said to have stored, each found in the
/// store.
std::size_t stored_before_interrupt(std::chrono::milliseconds after) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, R"("axes": [{"path": "workload.parameters.batch",
                                      "from": 20000, "to": 29999, "count": 10000, "integer": true}])");
  Child child(sweep_command(file, folder.path("s.db"), "", {"-v"}));
  std::this_thread::sleep_for(after);
  kill(-child.pid(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  const Outcome read = npusim({"merge", folder.path("s.db"), "-o", folder.path("copy.db"), "--csv",
                               folder.path("s.csv"), "--quiet"});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  const std::string rows = read.exit_code == 0 ? read_text(folder.path("s.csv")) : "";
  std::size_t stored = 0;
  for (const std::string& line : lines_of(outcome.err)) {
    if (line.rfind("stored ", 0) != 0) continue;
    ++stored;
    EXPECT_THAT(rows, HasSubstr("\n" + line.substr(7, 16) + ","));
  }
  EXPECT_THAT(outcome.out, HasSubstr(std::to_string(stored) + " points:"));
  return stored;
}

// How long the first points take depends on the build and on what else runs.
TEST(Sweep, InterruptKeepsWhatThereIs) {
  std::size_t stored = 0;
  for (int milliseconds = 300; stored == 0 && milliseconds < 20000; milliseconds *= 3)
    stored = stored_before_interrupt(std::chrono::milliseconds(milliseconds));
  EXPECT_GT(stored, 0U);
}

TEST(Sweep, ResumeTakesNoOutcomesOfOtherConfigsAndShowsNoneOfDroppedValues) {
  TempFolder folder;
  const std::string store = folder.path("s.db");
  std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [2, 4]}])");
  ASSERT_EQ(sweep(file, store, "").exit_code, 0);
  file = tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [4]}])");
  const Outcome fewer = sweep(file, store, folder.path("s.csv"), {"--resume"});
  EXPECT_EQ(fewer.exit_code, 0) << fewer.err;
  EXPECT_THAT(fewer.err, HasSubstr("ran 0 points, 1 were in"));
  EXPECT_THAT(fewer.out, HasSubstr("1 points: 1 ok"));
  EXPECT_EQ(lines_of(read_text(folder.path("s.csv"))).size(), 2u);
  file = tiny_sweep(folder, R"("axes": [{"path": "npu.mac_array.rows", "values": [4]}],
                               "set": ["npu.clock_mhz=250"])");
  const Outcome other = sweep(file, store, "", {"--resume"});
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_THAT(other.err, HasSubstr("holds outcomes of"));
}

TEST(Sweep, AMergeThatFailsLeavesNothing) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.clock_mhz", "from": 100, "to": 299,
                                      "count": 200, "integer": true}])");
  const std::string store = folder.path("s.db");
  ASSERT_EQ(sweep(file, store, "").exit_code, 0);
  const Outcome full = run_program({"sh", "-c",
                                    "ulimit -f 30; exec '" + npusim_binary() + "' merge '" + store +
                                        "' -o '" + folder.path("m.db") + "'"});
  EXPECT_EQ(full.exit_code, 3) << full.err;
  EXPECT_THAT(full.err, HasSubstr("m.db: cannot "));
  EXPECT_THAT(full.err, HasSubstr("room on the disk"));
  EXPECT_THAT(full.err, Not(HasSubstr("--resume")));
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"s.db", "tiny.json"}));
}

TEST(Sweep, AFullDiskIsAClearErrorAndLosesNothing) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.clock_mhz", "from": 100, "to": 499,
                                      "count": 400, "integer": true}])");
  const std::string store = folder.path("s.db");
  const std::string command = "ulimit -f 100; exec '" + npusim_binary() + "' sweep '" + file +
                              "' --store '" + store + "' -v";
  const Outcome full = run_program({"sh", "-c", command});
  EXPECT_EQ(full.exit_code, 3) << full.err.substr(0, 2000);
  EXPECT_THAT(full.err, HasSubstr("cannot write to the store"));
  EXPECT_THAT(full.err, HasSubstr("what was stored before is kept"));
  const Outcome rest = sweep(file, store, folder.path("s.csv"), {"--resume"});
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_THAT(rest.out, HasSubstr("400 points: 400 ok"));
  std::size_t stored = 0;
  for (const std::string& line : lines_of(full.err)) {
    if (line.rfind("stored ", 0) != 0) continue;
    ++stored;
    EXPECT_THAT(read_text(folder.path("s.csv")), HasSubstr(line.substr(7, 16)));
  }
  EXPECT_GT(stored, 0u);
  EXPECT_THAT(rest.err, HasSubstr("ran " + std::to_string(400 - stored) + " points"));
}

TEST(Sweep, SurvivesKillsAtRandomMoments) {
  kill_at_random(6, 1);
}

}  // namespace
}  // namespace npusim::cli_test
