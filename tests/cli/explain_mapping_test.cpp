// SPDX-License-Identifier: Apache-2.0
// run --explain-mapping: the table against the simulation of the same mapping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "child.h"

namespace npusim::cli_test {
namespace {

using ::testing::HasSubstr;

/// Words of the line that begins with `node`; the last one that does.
std::vector<std::string> row_of(const std::string& text, const std::string& node) {
  std::vector<std::string> words;
  for (const std::string& line : lines_of(text)) {
    if (line.rfind(node + " ", 0) != 0) continue;
    words.clear();
    std::istringstream in(line);
    for (std::string word; in >> word;) words.push_back(word);
  }
  return words;
}

TEST(ExplainMapping, ShowsTilesThatTheSimulationRan) {
  const std::string result = ::testing::TempDir() + "npusim_explained.json";
  const Outcome outcome = npusim({"run", "--npu", "systolic128_bf16", "--workload", "resnet50",
                                  "--no-numerics", "--explain-mapping", "--json", result});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("groups x m x n x k"));
  const base::JsonValue document = base::parse_json(read_text(result), result);
  int matrix_ops = 0;
  for (const base::JsonValue& op : at(document, "/runs/0/timing/by_op").items()) {
    if (op.find("engine")->string() != "matrix") continue;
    ++matrix_ops;
    const std::vector<std::string> row = row_of(outcome.out, op.find("node")->string());
    // node op g x m x n x k (7) m x n x k (5) order tiles ...
    ASSERT_GE(row.size(), 20U) << op.find("node")->string();
    EXPECT_EQ(row[15], std::to_string(op.find("tiles")->integer())) << row[0];
  }
  EXPECT_EQ(matrix_ops, 54);
  const std::vector<std::string> fc = row_of(outcome.out, "fc");
  ASSERT_GE(fc.size(), 20U);
  EXPECT_EQ(fc[8], "2048");
  EXPECT_EQ(fc[20], "memory") << "a vector times a matrix has no reuse";
}

TEST(ExplainMapping, NeedsStandardOutput) {
  EXPECT_EQ(npusim({"run", "--npu", "systolic128_bf16", "--workload", "mlp", "--no-numerics",
                    "--explain-mapping", "--json", "-"})
                .exit_code,
            2);
}

}  // namespace
}  // namespace npusim::cli_test
