// SPDX-License-Identifier: Apache-2.0
// Recorded results of real matrix units against `npusim dot` with the shipped unit files: every bit
// of every row. The records are those of north-numerical-computing/MATLAB-tensor-core (commit
// b12b5a7, BSD-2-Clause, Khattak & Mikaitis) as .npy files; they are not part of the project.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/array_file.h"
#include "tests/cli/child.h"
#include "tests/source_dir.h"

namespace npusim::cli_test {
namespace {

struct Set {
  const char* chip;
  const char* in;
  const char* out;
  bool has_c = true;  ///< H100 FP8 to fp32 was recorded with wgmma and c = 0
};

constexpr Set kSets[] = {
    {"v100", "fp16", "fp32"},        {"v100", "fp16", "fp16"}, {"a100", "fp16", "fp32"},
    {"a100", "fp16", "fp16"},        {"a100", "bf16", "fp32"}, {"a100", "tf32", "fp32"},
    {"ada", "fp16", "fp32"},         {"ada", "fp16", "fp16"},  {"ada", "bf16", "fp32"},
    {"ada", "tf32", "fp32"},         {"ada", "e4m3", "fp32"},  {"ada", "e4m3", "fp16"},
    {"ada", "e5m2", "fp32"},         {"ada", "e5m2", "fp16"},  {"h100", "fp16", "fp32"},
    {"h100", "fp16", "fp16"},        {"h100", "bf16", "fp32"}, {"h100", "tf32", "fp32"},
    {"h100", "e4m3", "fp32", false}, {"h100", "e4m3", "fp16"}, {"h100", "e5m2", "fp32", false},
    {"h100", "e5m2", "fp16"},
};

/// Rows that differ in a bit; -1 when npusim failed.
int different_rows(const Set& set, const std::string& prefix) {
  const TempFolder out;
  std::vector<std::string> command = {
      "dot",
      "--unit",
      std::string("nvidia_") + set.chip + "_" + set.in + "_" + set.out,
      "--a",
      prefix + "a.npy",
      "--b",
      prefix + "b.npy",
      "-o",
      out.path("d.npy"),
      "--round-inputs"};
  if (set.has_c) command.insert(command.end(), {"--c", prefix + "c.npy"});
  const Outcome outcome = npusim(command);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  if (outcome.exit_code != 0) return -1;
  const std::vector<double> got = base::read_npy(out.path("d.npy")).values;
  const std::vector<double> want = base::read_npy(prefix + "d_" + set.out + ".npy").values;
  EXPECT_EQ(got.size(), 5000u);
  if (got.size() != want.size()) return -1;
  int different = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    different += std::memcmp(&got[i], &want[i], sizeof(double)) == 0 ? 0 : 1;
  return different;
}

TEST(GpuTraces, EveryRecordedResultIsReproduced) {
  const std::string folder = test::source_dir() + "/../shared/reference/gpu_traces/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no recorded results in " << folder;
  for (const Set& set : kSets)
    EXPECT_EQ(different_rows(set, folder + set.chip + "_" + set.in + "_"), 0)
        << set.chip << " " << set.in << " to " << set.out;
}

}  // namespace
}  // namespace npusim::cli_test
