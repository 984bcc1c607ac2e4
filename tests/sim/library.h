// SPDX-License-Identifier: Apache-2.0
// The shipped NPUs and workloads as requests, and what must hold of every result.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "sim/catalog.h"
#include "sim/run.h"

namespace npusim::sim::testing {

inline std::vector<std::string> shipped(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/" + folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  return files;
}

inline RunRequest request(const std::string& npu, const std::string& workload, Mode mode,
                          const std::string& recipe = "") {
  RunRequest r;
  r.npu_file = find_file("npu", npu);
  r.workload_file = find_file("workload", workload);
  if (!recipe.empty()) r.recipe_file = find_file("recipe", recipe);
  r.mode = mode;
  return r;
}

inline RunOptions timing_only(const std::vector<std::string>& sets = {}) {
  RunOptions options;
  options.quiet = true;
  options.numerics = false;
  for (const std::string& text : sets) options.overrides.push_back(base::parse_override(text));
  return options;
}

/// A run says what it did, or why it did not: no failed simulation, no op without a cost, sums
/// exact.
inline void expect_sound(const RunResult& run) {
  const std::string name = run.npu + " " + run.workload + " " + run.mode;
  const Coverage& coverage = *run.coverage;
  std::int64_t counted = 0;
  for (const auto& level : coverage.counts) counted += level.second;
  EXPECT_EQ(counted, static_cast<std::int64_t>(coverage.ops.size())) << name;
  EXPECT_LE(coverage.macs_on_npu, coverage.macs) << name;
  if (run.status != Status::ok) {
    EXPECT_EQ(run.status, Status::unsupported) << name << ": " << run.error;
    EXPECT_NE(run.error, "") << name;
    EXPECT_NE(coverage.verdict.substr(0, 4), "runs") << name;
    EXPECT_FALSE(coverage.reasons.empty()) << name;
    return;
  }
  EXPECT_EQ(coverage.verdict.substr(0, 4), "runs") << name;
  if (!run.timing) return;
  const npu::TimingResult& timing = run.timing->run;
  EXPECT_GT(timing.cycles, 0) << name;
  std::int64_t accounted = timing.busy_cycles;
  for (const auto& stall : timing.stall_cycles) accounted += stall.second;
  EXPECT_EQ(accounted, timing.cycles * timing.arrays) << name;
  std::set<std::string> on_host;
  for (const npu::OpTiming& op : timing.ops) {
    if (op.engine == "view") continue;
    EXPECT_GT(op.end_cycle, op.start_cycle) << name << " " << op.node;
    if (op.engine == "host") on_host.insert(op.node);
  }
  // What coverage sends to the host runs there, and nothing else does.
  for (const npu::CoverageRow& row : coverage.ops) {
    if (row.verdict.support != npu::Support::host) continue;
    EXPECT_EQ(on_host.erase(row.node), 1U) << name << " " << row.node;
  }
  EXPECT_EQ(on_host.size(), 0U) << name;
  EXPECT_EQ(*coverage.time_on_npu<1.0, timing.stall_cycles.at("host")> 0) << name;
}

}  // namespace npusim::sim::testing
