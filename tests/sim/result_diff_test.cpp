// SPDX-License-Identifier: Apache-2.0
#include "sim/result_diff.h"

#include <gtest/gtest.h>

namespace npusim::sim {
namespace {

/// A run of two ops with these plans and errors.
base::JsonValue run(const std::string& hash, const std::string& plan, double error) {
  const std::string text = R"({"npu": "n", "workload": "w", "mode": "inference", "recipe": "r",
    "numerics": {"output_bits_hash": ")" +
                           hash + R"(", "by_op": [
      {"node": "first", "plan": "K", "local": {"rel_fro": 0.5}},
      {"node": "second", "plan": ")" +
                           plan + R"(", "local": {"rel_fro": )" + std::to_string(error) + "}}]}}";
  return base::parse_json(text, "test");
}

TEST(ResultDiff, BitsMoveThroughMappingOrArithmetic) {
  std::string op;
  const base::JsonValue base_run = run("a", "K/4", 0.25);
  EXPECT_EQ(bits_moved(base_run, run("a", "K/8", 0.25), &op), BitsMoved::no);
  EXPECT_EQ(op, "");
  EXPECT_EQ(bits_moved(base_run, run("b", "K/8", 0.5), &op), BitsMoved::mapping);
  EXPECT_EQ(op, "second");
  EXPECT_EQ(bits_moved(base_run, run("b", "K/4", 0.5), &op), BitsMoved::arithmetic);
  EXPECT_EQ(bits_moved(base_run, base::parse_json(R"({"numerics": null})", "test"), &op),
            BitsMoved::unknown);
}

base::JsonValue document(const std::string& runs) {
  return base::parse_json(R"({"schema_version": 1, "runs": [)" + runs + "]}", "test");
}

TEST(ResultDiff, EqualRunsAreMatchedInTheirOrder) {
  const std::string slow = R"({"npu": "n", "timing": {"cycles": 20}})";
  const std::string fast = R"({"npu": "n", "timing": {"cycles": 10}})";
  const ResultDifference same =
      difference_of(document(slow + "," + fast), document(slow + "," + fast));
  EXPECT_TRUE(same.empty());
  const ResultDifference found =
      difference_of(document(slow + "," + fast), document(slow + "," + slow));
  ASSERT_EQ(found.runs.size(), 2u);
  EXPECT_TRUE(found.runs[0].changes.empty());
  ASSERT_EQ(found.runs[1].changes.size(), 1u);
  EXPECT_EQ(found.runs[1].changes[0].pointer, "/timing/cycles");
  EXPECT_DOUBLE_EQ(found.runs[1].changes[0].ratio.value(), 2.0);
}

}  // namespace
}  // namespace npusim::sim
