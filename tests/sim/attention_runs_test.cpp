// SPDX-License-Identifier: Apache-2.0
// Two designs, of which one trains attention in parts and the other fused: what --pin-mapping makes
// of the other is said of the step that runs; what `npusim memory` finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/catalog.h"
#include "sim/explain_mapping.h"
#include "sim/memory.h"
#include "sim/run.h"
#include "tests/base/temporary_folder.h"

namespace npusim::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The same hardware twice, once with attention fused in both passes.
class AttentionRuns : public ::testing::Test {
 protected:
  AttentionRuns() {
    for (const char* set : {"batch=2", "sequence=16", "hidden=32", "heads=4", "layers=1"})
      options_.overrides.push_back(base::parse_override("workload.parameters." + std::string(set)));
    options_.quiet = true;
    options_.jobs = 1;
    options_.numerics = false;
    for (const char* name : {"parts", "fused"}) {
      RunRequest request;
      request.npu_file =
          folder_.write(std::string(name) + ".json",
                        R"({"schema_version": 1, "kind": "npu", "extends": ")" +
                            find_file("npu", "systolic128_bf16") + R"(", "name": ")" + name +
                            R"(", "mapping": )" +
                            (name == std::string("fused")
                                 ? R"({"fused_attention": true, "fused_attention_backward": true}})"
                                 : "{}}"));
      request.workload_file = find_file("workload", "small_gpt");
      request.mode = Mode::training;
      requests_.push_back(request);
    }
  }

  static int gradients(const RunResult& run) {
    int count = 0;
    for (const npu::CoverageRow& row : run.coverage->ops)
      count += row.op == "AttentionGradient" ? 1 : 0;
    return count;
  }

  test::TemporaryFolder folder_;
  std::vector<RunRequest> requests_;
  RunOptions options_;
};

TEST_F(AttentionRuns, TableCoverageAndReasonAreOfTheStepThatRuns) {
  EXPECT_EQ(gradients(run_all(requests_, options_).runs.at(1)), 1);
  EXPECT_THAT(explain_mappings(requests_, options_).at(1), HasSubstr("AttentionGradient"));
  options_.pin_mapping = "parts";
  const Result pinned = run_all(requests_, options_);
  EXPECT_EQ(gradients(pinned.runs[1]), 0);
  EXPECT_EQ(pinned.runs[1].mapping_hash, pinned.runs[0].mapping_hash);
  ASSERT_EQ(pinned.runs[1].attention_in_parts.size(), 1U);
  EXPECT_EQ(pinned.runs[1].attention_in_parts[0].reason, "the reference has it in parts");
  EXPECT_TRUE(pinned.runs[0].attention_in_parts.empty());
  const std::string table = explain_mappings(requests_, options_).at(1);
  EXPECT_THAT(table, Not(HasSubstr("AttentionGradient")));
  EXPECT_THAT(table, HasSubstr("the reference has it in parts"));
}

TEST_F(AttentionRuns, OneDeviceToCompareWithIsMappedSoToo) {
  options_.cluster_file = find_file("cluster", "tensor4");
  const auto efficiency = [&](std::size_t run) {
    return run_all(requests_, options_).runs.at(run).cluster.value().scaling_efficiency;
  };
  EXPECT_NE(efficiency(0), efficiency(1));
  options_.pin_mapping = "parts";
  EXPECT_EQ(efficiency(0), efficiency(1));
}

TEST_F(AttentionRuns, ValuesOfAllDevicesAreOfTheStepThatRuns) {
  options_.cluster_file = find_file("cluster", "tensor4");
  options_.numerics = true;
  const auto hash = [&](std::size_t run) {
    return run_all(requests_, options_).runs.at(run).numerics.value().output_bits_hash;
  };
  EXPECT_NE(hash(0), hash(1));
  options_.pin_mapping = "parts";
  EXPECT_EQ(hash(0), hash(1));
}

TEST_F(AttentionRuns, AStepWithoutTheMatrixOfScoresTakesLargerBatches) {
  for (const char* set : {"npu.dram.gib=0.00390625", "workload.parameters.sequence=64"})
    options_.overrides.push_back(base::parse_override(set));
  MemoryOptions memory;
  memory.largest = {"batch"};
  const Result result = memory_all(requests_, options_, memory);
  ASSERT_EQ(result.runs.size(), 2U);
  const auto activations = [&](std::size_t run) {
    return result.runs[run].memory.value().footprint.most[npu::MemoryKind::activations];
  };
  EXPECT_LT(activations(1), activations(0));
  ASSERT_EQ(result.runs[1].memory->limits.size(), 1U);
  EXPECT_GT(result.runs[1].memory->limits[0].largest, result.runs[0].memory->limits[0].largest);
}

}  // namespace
}  // namespace npusim::sim
