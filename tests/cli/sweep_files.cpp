// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/sweep_files.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <random>
#include <set>
#include <thread>

namespace npusim::cli_test {

const char* const kGridOf48 = R"("axes": [
  {"path": ["npu.mac_array.rows", "npu.mac_array.cols"], "values": [2, 4, 8, 4096]},
  {"path": "npu.dram.bandwidth_gb_per_s", "from": 1, "to": 8, "count": 4, "scale": "log"},
  {"path": "workload.parameters.batch", "values": [1, 2, 4]}])";

std::string tiny_sweep(const TempFolder& folder, const std::string& members) {
  return folder.write("tiny.json",
                      R"({"schema_version": 1, "kind": "sweep", "name": "tiny", "npu": ")" +
                          data("tiny_npu.json") + R"(", "workload": ")" + data("tiny_mlp.json") +
                          R"(", "recipe": ")" + data("tiny_recipe.json") + "\", " + members + "}");
}

std::vector<std::string> sweep_command(const std::string& file, const std::string& store,
                                       const std::string& csv,
                                       const std::vector<std::string>& more) {
  std::vector<std::string> command = {npusim_binary(), "sweep", file, "--store", store};
  if (!csv.empty()) command.insert(command.end(), {"--csv", csv});
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

namespace {

/// Hashes of whole lines "stored HASH STATUS" whose status another try does not change.
std::set<std::string> reported_stored(const std::string& text) {
  std::set<std::string> hashes;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    if (line.rfind("stored ", 0) == 0 && !contains(line, "crashed"))
      hashes.insert(line.substr(7, 16));
  }
  return hashes;
}

std::vector<pid_t> workers_of(pid_t parent) {
  std::vector<pid_t> workers;
  std::ifstream children("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                         "/children");
  for (pid_t worker; children >> worker;) workers.push_back(worker);
  return workers;
}

}  // namespace

void kill_at_random(int trials, std::uint64_t seed) {
  TempFolder folder;
  const std::string file = tiny_sweep(folder, kGridOf48);
  const Outcome whole =
      Child(sweep_command(file, folder.path("whole.db"), folder.path("whole.csv"))).wait();
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  std::mt19937_64 random(seed);
  std::set<std::string> stored;
  int round = 0;
  for (int trial = 0; trial < trials; ++trial) {
    const std::string store = folder.path("killed" + std::to_string(round) + ".db");
    Child child(
        sweep_command(file, store, folder.path("out.csv"), {"--resume", "-v", "--jobs", "2"}));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 120'000));
    const auto victim = random() % 3;
    const std::vector<pid_t> workers = workers_of(child.pid());
    if (victim != 0 && !workers.empty()) kill(workers[random() % workers.size()], SIGKILL);
    if (victim != 1) kill(child.pid(), SIGKILL);
    const Outcome outcome = child.wait();
    for (const std::string& hash : reported_stored(outcome.err)) stored.insert(hash);
    // Merging into a store of its own reads the store without running anything.
    const std::string copy = folder.path("copy.db"), csv = folder.path("copy.csv");
    const Outcome read = npusim({"merge", store, "-o", copy, "--csv", csv, "--quiet"});
    if (stored.empty() && read.exit_code == 3) continue;  // died before there was a store
    ASSERT_TRUE(read.exit_code == 0 || read.exit_code == 4) << "trial " << trial << read.err;
    const std::string rows = read_text(csv);
    for (const std::string& hash : stored)
      ASSERT_TRUE(contains(rows, hash)) << "trial " << trial << " lost " << hash;
    run_program({"rm", "-f", copy, csv});
    const bool complete = outcome.exit_code == 0;
    if (!complete && trial + 1 < trials) continue;
    const Outcome last =
        Child(sweep_command(file, store, folder.path("out.csv"), {"--resume"})).wait();
    ASSERT_EQ(last.exit_code, 0) << last.err;
    ASSERT_EQ(read_text(folder.path("out.csv")), read_text(folder.path("whole.csv")))
        << "trial " << trial;
    ++round;  // a new store
    stored.clear();
  }
}

}  // namespace npusim::cli_test
