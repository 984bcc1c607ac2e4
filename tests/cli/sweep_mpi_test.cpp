// SPDX-License-Identifier: Apache-2.0
// Sweeps over MPI ranks, several of them on this machine.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/cli/sweep_files.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;

/// As root Open MPI wants to be asked twice; its own leaks are not this project's.
const std::vector<std::string> kEnvironment = {
    "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "ASAN_OPTIONS=detect_leaks=0"};

std::vector<std::string> over_ranks(int ranks, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"mpirun", "--oversubscribe", "-n", std::to_string(ranks)};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

Outcome run_over_ranks(int ranks, const std::vector<std::string>& command) {
  return Child(over_ranks(ranks, command), "/", kEnvironment).wait();
}

TEST(SweepMpi, ResultsAreTheSameForAnyNumberOfRanks) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, kGridOf48);
  const Outcome alone =
      Child(sweep_command(file, folder.path("0.db"), folder.path("0.csv"))).wait();
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  for (const int ranks : {1, 3}) {
    const std::string name = std::to_string(ranks);
    const Outcome outcome = run_over_ranks(
        ranks, sweep_command(file, folder.path(name + ".db"), folder.path(name + ".csv"), {"-v"}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, alone.out);
    EXPECT_EQ(read_text(folder.path(name + ".csv")), read_text(folder.path("0.csv")));
  }
}

TEST(SweepMpi, AMistakeEndsAllRanks) {
  TempFolder folder;
  const std::string file =
      tiny_sweep(folder, R"("axes": [{"path": "npu.nothing", "values": [1]}])");
  const Outcome outcome = run_over_ranks(3, sweep_command(file, folder.path("s.db"), ""));
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("npu.nothing"));
}

TEST(SweepMpi, ADeadRankLosesOnlyPointsInFlight) {
  TempFolder folder;
  const std::string members = R"("axes": [{"path": "workload.parameters.batch",
                                           "from": 3000, "to": 3099, "count": 100, "integer": true}])";
  const std::string file = tiny_sweep(folder, members), store = folder.path("s.db");
  const std::vector<std::string> command =
      sweep_command(file, store, folder.path("s.csv"), {"--resume", "-v"});
  Child job(over_ranks(3, command), "/", kEnvironment);
  std::string reported;
  pid_t rank = 0;
  // A rank that has workers of its own is at work.
  for (int i = 0; i < 20000 && rank == 0; ++i) {
    std::ifstream ranks("/proc/" + std::to_string(job.pid()) + "/task/" +
                        std::to_string(job.pid()) + "/children");
    for (pid_t each, worker; ranks >> each && rank == 0;) {
      std::ifstream workers("/proc/" + std::to_string(each) + "/task/" + std::to_string(each) +
                            "/children");
      if (workers >> worker) rank = each;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_GT(rank, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  kill(rank, SIGKILL);
  const Outcome killed = job.wait();
  EXPECT_NE(killed.exit_code, 0);
  const Outcome rest = run_over_ranks(2, command);
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  const Outcome whole =
      Child(sweep_command(file, folder.path("w.db"), folder.path("w.csv"))).wait();
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(read_text(folder.path("s.csv")), read_text(folder.path("w.csv")));
  for (const std::string& line : lines_of(killed.err))
    if (line.rfind("stored ", 0) == 0 && line.size() > 25) {
      EXPECT_FALSE(contains(rest.err, line)) << "ran again: " << line;
    }
}

TEST(SweepMpi, AnInterruptEndsAllRanksWithPointsInFlight) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, R"("axes": [{"path": "workload.parameters.batch",
                                      "from": 20000, "to": 29999, "count": 10000, "integer": true}])");
  Child job(over_ranks(3, sweep_command(file, folder.path("s.db"), "", {"-v"})), "/", kEnvironment);
  pid_t first = 0;  // rank 0 once it has workers
  for (int i = 0; i < 20000 && first == 0; ++i) {
    std::ifstream ranks("/proc/" + std::to_string(job.pid()) + "/task/" +
                        std::to_string(job.pid()) + "/children");
    for (pid_t each, worker; ranks >> each && first == 0;) {
      const std::string process = "/proc/" + std::to_string(each);
      std::ifstream workers(process + "/task/" + std::to_string(each) + "/children");
      if ((workers >> worker) &&
          contains(read_text(process + "/environ"), "OMPI_COMM_WORLD_RANK=0"))
        first = each;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_GT(first, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  kill(first, SIGINT);
  const Outcome outcome = job.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(" points:"));
  EXPECT_FALSE(contains(outcome.err, "MPI_ABORT")) << outcome.err;
}

TEST(SweepMpi, CostsTheOrdinaryProgramNothing) {
  EXPECT_FALSE(contains(run_program({"ldd", npusim_binary()}).out, "libmpi"));
}

TEST(SweepMpi, ABuildWithoutMpiSaysSo) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, kGridOf48);
  const std::string binary = folder.path("npusim");
  std::filesystem::copy_file(npusim_binary(), binary);
  std::vector<std::string> command = sweep_command(file, folder.path("s.db"), "");
  command.front() = binary;
  const Outcome outcome = Child(command, "/", {"OMPI_COMM_WORLD_SIZE=2"}).wait();
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--shard needs no MPI"));
}

}  // namespace
}  // namespace npusim::cli_test
