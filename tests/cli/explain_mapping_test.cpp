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
    // node op g x m x n x k (7) m x n x k (5) g x m x n x k (7) order tiles ...
    ASSERT_GE(row.size(), 27U) << op.find("node")->string();
    EXPECT_EQ(row[22], std::to_string(op.find("tiles")->integer())) << row[0];
  }
  EXPECT_EQ(matrix_ops, 54);
  const std::vector<std::string> fc = row_of(outcome.out, "fc");
  ASSERT_GE(fc.size(), 27U);
  EXPECT_EQ(fc[8], "2048");
  EXPECT_EQ(fc[27], "memory") << "a vector times a matrix has no reuse";
}

TEST(ExplainMapping, ShowsPartsOverArraysAndWhoChose) {
  const Outcome outcome =
      npusim({"run", "--npu", "google_tpu_v4", "--workload", "mlp", "--no-numerics",
              "--explain-mapping", "--set", "workload.parameters.batch=1", "--set",
              "npu.mapping={\"pins\": [{\"op\": \"fc1*\", \"split\": {\"n\": 2}}]}"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("split g x m x n x k"));
  EXPECT_THAT(outcome.out, HasSubstr("1 x 1 x 2 x 1"));
  EXPECT_EQ(row_of(outcome.out, "fc1.gemm").back(), "file");
  EXPECT_EQ(row_of(outcome.out, "fc2.gemm").back(), "search");
}

TEST(ExplainMapping, FusedAttentionIsOneRow) {
  const std::string result = ::testing::TempDir() + "npusim_fused.json";
  const Outcome outcome = npusim({"run", "--npu", "systolic128_bf16", "--workload", "bert_base",
                                  "--no-numerics", "--explain-mapping", "--set",
                                  "npu.mapping={\"fused_attention\": true, \"pins\": [{\"op\": "
                                  "\"*.11.*\", \"attention\": {\"queries\": 64, \"keys\": 32}}]}",
                                  "--json", result});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const base::JsonValue document = base::parse_json(read_text(result), result);
  int attentions = 0;
  for (const base::JsonValue& op : at(document, "/runs/0/timing/by_op").items()) {
    if (op.find("op")->string() != "Attention") continue;
    ++attentions;
    const std::vector<std::string> row = row_of(outcome.out, op.find("node")->string());
    ASSERT_GE(row.size(), 27U) << op.find("node")->string();
    EXPECT_EQ(row[21], "online_softmax");
    EXPECT_EQ(row[22], std::to_string(op.find("tiles")->integer()));
    const bool pinned = row[0].find(".11.") != std::string::npos;
    EXPECT_EQ(row.back(), pinned ? "file" : "search");
    if (pinned) {
      EXPECT_EQ(row[9], "64");
      EXPECT_EQ(row[11], "32");
    }
  }
  EXPECT_EQ(attentions, 12);
  for (const base::JsonValue& op : at(document, "/runs/0/coverage/ops").items())
    if (op.find("op")->string() == "Attention") {
      EXPECT_EQ(op.find("support")->string(), "native");
    }
}

TEST(ExplainMapping, BackwardAttentionIsOneRowOrSaysWhyNot) {
  const std::string result = ::testing::TempDir() + "npusim_fused_backward.json";
  const std::string mapping =
      "npu.mapping={\"fused_attention\": true, \"fused_attention_backward\": true, \"pins\": "
      "[{\"op\": \"*.3.*.gradient\", \"attention\": {\"queries\": 16, \"keys\": 32}}]}";
  const std::vector<std::string> command = {"run",
                                            "--npu",
                                            "systolic128_bf16",
                                            "--workload",
                                            "small_gpt:training",
                                            "--no-numerics",
                                            "--explain-mapping",
                                            "--json",
                                            result,
                                            "--set",
                                            mapping};
  const Outcome outcome = npusim(command);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  base::JsonValue document = base::parse_json(read_text(result), result);
  int forward = 0, backward = 0, pinned = 0;
  for (const base::JsonValue& op : at(document, "/runs/0/timing/by_op").items()) {
    const std::string& name = op.find("op")->string();
    forward += name == "AttentionWithStatistics" ? 1 : 0;
    if (name != "AttentionGradient") continue;
    ++backward;
    const std::vector<std::string> row = row_of(outcome.out, op.find("node")->string());
    ASSERT_GE(row.size(), 27U) << op.find("node")->string();
    EXPECT_EQ(row[21], "scores_again");
    EXPECT_EQ(row[22], std::to_string(op.find("tiles")->integer()));
    if (row.back() != "file") continue;
    ++pinned;
    EXPECT_EQ(row[9], "16");
    EXPECT_EQ(row[11], "32");
  }
  EXPECT_EQ(forward, 4);
  EXPECT_EQ(backward, 4);
  EXPECT_EQ(pinned, 1);
  EXPECT_EQ(at(document, "/runs/0").find("attention_in_parts"), nullptr);

  std::vector<std::string> ruled = command;
  ruled.insert(ruled.end(), {"--recipe", "bf16_last_layer_fp32"});
  const Outcome parts = npusim(ruled);
  ASSERT_EQ(parts.exit_code, 0) << parts.err;
  EXPECT_THAT(parts.out, HasSubstr("stays in parts, its backward pass too: the recipe gives "));
  document = base::parse_json(read_text(result), result);
  EXPECT_EQ(at(document, "/runs/0/attention_in_parts").items().size(), 4U);
}

TEST(ExplainMapping, ShowsConvolutionsByWinogradAndWhyOthersAreDirect) {
  const std::string result = ::testing::TempDir() + "npusim_winograd.json";
  const Outcome outcome = npusim(
      {"run", "--npu", "nvdla_fp16", "--workload", "resnet50", "--no-numerics", "--explain-mapping",
       "--set",
       "npu.mapping={\"winograd\": {\"output_tiles\": [\"2x2\"], \"transforms\": "
       "\"array_edge\"}, \"pins\": [{\"op\": \"layer1.0.conv2*\", \"winograd\": \"direct\"}]}",
       "--json", result});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("search; not Winograd: strides above 1"));
  EXPECT_THAT(outcome.out, HasSubstr("search; not Winograd: a kernel of 1x1, not 3x3"));
  const base::JsonValue document = base::parse_json(read_text(result), result);
  int transformed = 0, pinned = 0;
  for (const base::JsonValue& op : at(document, "/runs/0/timing/by_op").items()) {
    const std::vector<std::string> row = row_of(outcome.out, op.find("node")->string());
    if (!row.empty() && row.back() == "file") {
      ++pinned;
      EXPECT_EQ(op.find("algorithm"), nullptr);
    }
    if (op.find("algorithm") == nullptr) continue;
    ++transformed;
    EXPECT_EQ(op.find("algorithm")->string(), "winograd 2x2");
    EXPECT_LT(op.find("macs")->integer(), op.find("convolution_macs")->integer());
    ASSERT_GE(row.size(), 28U);
    EXPECT_EQ(row[21], "winograd_2x2,");
    EXPECT_EQ(row[23], std::to_string(op.find("tiles")->integer()));
  }
  EXPECT_EQ(pinned, 1);
  EXPECT_GT(transformed, 4);
  int named = 0;
  for (const base::JsonValue& op : at(document, "/runs/0/mappings").items())
    named += op.find("mapping")->string().rfind("winograd 2x2, tile ", 0) == 0 ? 1 : 0;
  EXPECT_EQ(named, transformed);
}

TEST(ExplainMapping, ShowsWhatPortsAdd) {
  const Outcome outcome =
      npusim({"run", "--npu", "systolic128_bf16", "--workload", "mlp", "--no-numerics",
              "--explain-mapping", "--set", "npu.mac_array.accumulator.ports=1", "--set",
              "workload.parameters.batch=4096"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("accumulator ports"));
  // node op g x m x n x k (7) m x n x k (5) g x m x n x k (7) order tiles cycles ports ports
  const std::vector<std::string> row = row_of(outcome.out, "fc1.gemm");
  ASSERT_GE(row.size(), 29U);
  EXPECT_GT(std::stoll(row[24]), 0) << "784 terms pass 128 rows in seven passes";
  EXPECT_GT(std::stoll(row[23]), std::stoll(row[24]));
  EXPECT_EQ(row[25], "0");
}

TEST(PinMapping, ACompareRunsEveryDesignAsMappedForOne) {
  const std::string result = ::testing::TempDir() + "npusim_pinned.json";
  const Outcome outcome =
      npusim({"compare", "--npu", "systolic_128x128_fp32", "systolic_128x128_bf16", "cube16_fp16",
              "--workload", "mlp", "--recipe", "bf16", "fp16", "--no-numerics", "--pin-mapping",
              "systolic_128x128_fp32", "--json", result});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("3 products mapped as on systolic_128x128_fp32, 0 not"));
  const base::JsonValue document = base::parse_json(read_text(result), result);
  EXPECT_EQ(at(document, "/comparison/runs/0/pinned_mapping").kind(), base::JsonValue::Kind::null);
  EXPECT_EQ(at(document, "/comparison/runs/2/pinned_mapping/ops").integer(), 3);
  EXPECT_EQ(at(document, "/comparison/runs/2/pinned_mapping/reference").string(),
            "systolic_128x128_fp32");
  EXPECT_EQ(npusim({"compare", "--npu", "cube16_fp16", "--workload", "mlp", "--pin-mapping", "x"})
                .exit_code,
            2);
}

TEST(ExplainMapping, NeedsStandardOutput) {
  EXPECT_EQ(npusim({"run", "--npu", "systolic128_bf16", "--workload", "mlp", "--no-numerics",
                    "--explain-mapping", "--json", "-"})
                .exit_code,
            2);
}

}  // namespace
}  // namespace npusim::cli_test
