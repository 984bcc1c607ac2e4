// SPDX-License-Identifier: Apache-2.0
// Every shipped workload on every shipped NPU, inference and training: it runs or says why not.
// Mapped all; simulated where the graph is small enough for a night.
#include <algorithm>

#include "tests/sim/library.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

using testing::shipped;

std::vector<RunRequest> requests_of(const std::string& workload, Mode mode) {
  std::vector<RunRequest> requests;
  for (const std::string& npu : shipped("configs/npus")) {
    RunRequest r;
    r.npu_file = npu;
    r.workload_file = workload;
    r.mode = mode;
    requests.push_back(std::move(r));
  }
  return requests;
}

TEST(LibraryMatrix, EveryWorkloadOnEveryNpuRunsOrSaysWhyNot) {
  constexpr std::int64_t kMostMacs = 5'000'000'000;
  for (const std::string& file : shipped("workloads")) {
    const workloads::Workload workload = workloads::load_workload(file);
    for (const Mode mode : {Mode::inference, Mode::training}) {
      if (mode == Mode::training && !workload.training) continue;
      const bool simulated = workload.graph.mac_count() <= kMostMacs;
      const RunOptions options = testing::timing_only();
      const Result result = simulated ? run_all(requests_of(file, mode), options)
                                      : coverage_all(requests_of(file, mode), options);
      for (const RunResult& run : result.runs) testing::expect_sound(run);
    }
  }
}

}  // namespace
}  // namespace npusim::sim
