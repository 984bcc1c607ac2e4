// SPDX-License-Identifier: Apache-2.0
// The published schemas and the strict reader agree on good files and on mistakes inside one
// section. Rules across sections (buffers that are too small, missing latencies, unknown ops) are
// the reader's.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "npu_models/cluster/cluster_spec.h"
#include "support.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using testing::edited_copy;
using testing::shipped_mac_unit;
using testing::shipped_npu;

nlohmann::json json_of(const std::string& path) {
  std::ifstream in(path);
  return nlohmann::json::parse(in);
}

class SchemaFile {
 public:
  explicit SchemaFile(const std::string& kind) {
    const nlohmann::json text =
        json_of(test::source_dir() + "/configs/schema/" + kind + ".schema.json");
    const valijson::adapters::NlohmannJsonAdapter adapter(text);
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(adapter, schema_);
  }

  bool accepts(const std::string& path) const {
    const nlohmann::json document = json_of(path);
    valijson::Validator validator;
    return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), nullptr);
  }

 private:
  valijson::Schema schema_;
};

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_dir() + "/configs/" + folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  return files;
}

TEST(Schema, ShippedFilesAreGoodForBoth) {
  const SchemaFile npu("npu"), unit("mac_unit");
  for (const std::string& file : files_in("npus")) {
    EXPECT_TRUE(npu.accepts(file)) << file;
    EXPECT_TRUE(testing::mistakes_of_npu(file).empty()) << file;
  }
  for (const std::string& file : files_in("mac_units")) {
    EXPECT_TRUE(unit.accepts(file)) << file;
    EXPECT_TRUE(testing::mistakes_of_unit(file).empty()) << file;
  }
}

TEST(Schema, NpuMistakesAreMistakesForBoth) {
  const SchemaFile schema("npu");
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"\"rows\": 128", "\"rows\": 128, \"colums\": 3"},
      {"\"rows\": 128", "\"rows\": \"128\""},
      {"\"rows\": 128", "\"rows\": 3.7"},
      {"\"rows\": 128", "\"rows\": 0"},
      {"\"rows\": 128", "\"rows\": 100000"},
      {"\"rows\": 128,", ""},
      {"\"cols\": 128,", ""},
      {"\"systolic\"", "\"sistolic\""},
      {"\"systolic\"", "\"cube\""},
      {"\"format\": \"bf16\",", "\"format\": \"bf17\","},
      {"\"rounding\": \"rne\"", "\"rounding\": \"up\""},
      {"\"product\": \"exact\"", "\"product\": \"exact\", \"depth\": 4"},
      {"\"bandwidth_gb_per_s\": 225", "\"bandwidth_gb_per_s\": 0"},
      {"\"latency_ns\": 500", "\"latency_ns\": -1"},
      {"\"compare\": 1", "\"compere\": 1"},
      {"\"default\": \"unsupported\"", "\"default\": \"native\""},
      {"\"sources\": {", "\"sources\": {\"year\": 2018,"},
      {"\"static_watts\": 10", "\"static_watts\": 10, \"add_pj\": {\"fp17\": 1}"},
      {"\"clock_mhz\": 940", "\"clock_mhz\": 0"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"area\": {\"mac_um2\": {\"bf16\": {\"fp32\": 0}}, "
       "\"sram_um2_per_kib\": 1}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"area\": {\"mac_um2\": {\"bf16\": {\"fp32\": 1}}}"},
      {"\"launch_cycles\": 200", "\"launch_cycles\": 1.5"},
      {"\"launch_cycles\": 200", "\"launch_cycles\": 200, \"mapping\": {\"fused_attention\": 1}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"fused_attention\": true, "
       "\"fused_attention_backward\": 1}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"pins\": [{\"op\": \"a\", \"attention\": "
       "{\"backward\": 1}}]}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"pins\": [{\"op\": \"a\", \"attention\": "
       "{\"rows\": 4}}]}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"pins\": [{\"op\": \"a\", \"attention\": "
       "{\"keys\": 0}}]}"},
      {"\"launch_cycles\": 200", "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {}}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {\"output_tiles\": []}}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {\"output_tiles\": [\"3x3\"]}}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {\"output_tiles\": [\"2x2\", "
       "\"2x2\"]}}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {\"output_tiles\": [\"2x2\"], "
       "\"weights\": \"online\"}}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"mapping\": {\"pins\": [{\"op\": \"a\", \"winograd\": 2}]}"},
      {"\"weight_stationary\"", "\"output_stationary\""},  // with options of stationary operands
      {"\"rows\": 128", "\"rows\": 128, \"drain\": \"shift\""},
      {"\"rows\": 128", "\"rows\": 128, \"outputs_per_pe\": 2"},
      {"\"rows\": 128", "\"rows\": 128, \"partial_sums_per_output\": 2"},
      {"\"rows\": 128", "\"rows\": 128, \"fragments_in_flight\": 2"},
      {"\"rows\": 128", "\"rows\": 128, \"fragment\": {\"m\": 128}"},
      {"\"rows\": 128", "\"rows\": 128, \"completion\": \"maybe\""},
      {"\"preload_hiding\": true", "\"preload_hiding\": false, \"swap\": \"wavefront\""},
      {"\"memory_kib\": 2048", "\"memory_kib\": 2048, \"ports\": 0"},
      {"\"kib\": 8192", "\"kib\": {\"streamed\": 4096, \"stationary\": 2048}"},
      {"\"kib\": 8192", "\"kib\": 8192, \"banks\": 4"},
      {"\"kib\": 8192", "\"kib\": 8192, \"width_bytes\": 512, \"banking\": \"random\""},
      {"\"kib\": 8192",
       "\"kib\": {\"streamed\": 4096, \"stationary\": 2048, \"results\": 2048}, \"unified\": true"},
      {"\"launch_cycles\": 200", "\"launch_cycles\": 200, \"dma\": {\"channels\": 2}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"dma\": {\"width_bytes\": 64, \"outstanding\": 0}"},
      {"\"launch_cycles\": 200",
       "\"launch_cycles\": 200, \"data_layout\": {\"im2col\": \"explicit\"}"},
  };
  for (const auto& edit : edits) {
    const std::string path = edited_copy(shipped_npu("systolic128_bf16"), {edit});
    EXPECT_FALSE(schema.accepts(path)) << edit.second;
    EXPECT_FALSE(testing::mistakes_of_npu(path).empty()) << edit.second;
  }
}

bool reads_cluster(const std::string& path) {
  try {
    load_cluster(path);
  } catch (const base::InputError&) {
    return false;
  }
  return true;
}

TEST(Schema, ClustersAgreeWithTheReader) {
  const SchemaFile schema("cluster");
  for (const std::string& file : files_in("clusters")) {
    EXPECT_TRUE(schema.accepts(file)) << file;
    EXPECT_TRUE(reads_cluster(file)) << file;
  }
  const std::string ring = test::source_dir() + "/configs/clusters/ring4.json";
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"\"devices\": 4", "\"devices\": 1"},
      {"\"devices\": 4", "\"devices\": 4, \"hosts\": 1"},
      {"\"devices\": 4,", ""},
      {"\"data\"", "\"model\""},
      {"\"ring\"", "\"star\""},
      {"\"link_gb_per_s\": 25", "\"link_gb_per_s\": 0"},
      {"\"latency_us\": 2", "\"latency_us\": -1"},
      {", \"latency_us\": 2", ""},
      {"\"bucket_mib\": 25", "\"bucket_mib\": 0"},
      {"\"overlap_backward\": true", "\"overlap_backward\": 1"},
      {"\"reduction_format\": \"fp32\"", "\"reduction_format\": {\"format\": \"fp32\"}"},
  };
  for (const auto& edit : edits) {
    const std::string path = edited_copy(ring, {edit});
    EXPECT_FALSE(schema.accepts(path)) << edit.second;
    EXPECT_FALSE(reads_cluster(path)) << edit.second;
  }
}

TEST(Schema, OptionsOfTheArraysAreGoodForBoth) {
  const SchemaFile schema("npu");
  const std::string stationary =
      "\"partial_sums\": \"accumulate_below\",\n    \"fold_overlap\": true,\n    "
      "\"preload_hiding\": true";
  const std::string dataflow = "\"dataflow\": \"weight_stationary\",";
  const std::string systolic = "\"organisation\": \"systolic\",\n    " + dataflow;
  using Edits = std::vector<std::pair<std::string, std::string>>;
  const std::vector<Edits> all = {
      {{"\"launch_cycles\": 200",
        "\"launch_cycles\": 200, \"area\": {\"mac_um2\": {\"bf16\": {\"fp32\": 1}}, "
        "\"sram_um2_per_kib\": 1}"},
       {"\"sources\": {",
        "\"sources\": {\"/area\": {\"status\": \"assumed\", \"source\": \"made up\"},"}},
      {{"\"launch_cycles\": 200",
        "\"launch_cycles\": 200, \"mapping\": {\"fused_attention\": true, "
        "\"fused_attention_backward\": true, \"pins\": [{\"op\": \"a\", \"attention\": "
        "{\"fused\": true, \"backward\": false, \"queries\": 4, \"keys\": 8}}]}"}},
      {{"\"launch_cycles\": 200",
        "\"launch_cycles\": 200, \"mapping\": {\"winograd\": {\"output_tiles\": [\"2x2\", "
        "\"4x4\"], \"transforms\": \"array_edge\", \"weights\": \"on_the_fly\", \"arithmetic\": "
        "\"bf16\"}, \"pins\": [{\"op\": \"a\", \"winograd\": \"direct\"}]}"}},
      {{"\"kib\": 8192",
        "\"kib\": {\"streamed\": 4096, \"stationary\": 2048, \"results\": 2048}, "
        "\"unified\": false, \"width_bytes\": 512, \"banks\": 2, \"banking\": \"by_buffer\""},
       {"\"memory_kib\": 2048", "\"memory_kib\": 2048, \"ports\": 1"}},
      {{"\"launch_cycles\": 200",
        "\"launch_cycles\": 200, \"dma\": {\"width_bytes\": 64, \"channels\": 4, "
        "\"burst_bytes\": 256, \"descriptor_cycles\": 20, \"outstanding\": 16}, "
        "\"data_layout\": {\"im2col\": \"through_dram\", \"transpose\": \"dma\", "
        "\"zero_insertion\": \"skip\"}"},
       {"\"sources\": {",
        "\"sources\": {\"/dma\": {\"status\": \"assumed\", \"source\": \"made up\"},"}},
      {{dataflow,
        "\"dataflow\": \"input_stationary\", \"preload_skew\": false, \"swap\": "
        "\"all_at_once\", \"completion\": \"written\","}},
      {{dataflow,
        "\"dataflow\": \"output_stationary\", \"outputs_per_pe\": 2, "
        "\"partial_sums_per_output\": 2,"},
       {stationary, "\"drain\": \"direct\", \"fold_overlap\": false"}},
      {{systolic, "\"organisation\": \"simd\", \"depth\": 1, \"partial_sums_per_output\": 2,"},
       {stationary, "\"outputs_per_pe\": 4"}},
      {{systolic, "\"organisation\": \"tensor_core\", \"depth\": 1,"},
       {stationary, "\"fragment\": {\"m\": 256, \"k\": 16}, \"fragments_in_flight\": 4"}},
  };
  for (const Edits& edits : all) {
    const std::string path = edited_copy(shipped_npu("systolic128_bf16"), edits);
    EXPECT_TRUE(schema.accepts(path)) << edits.front().second;
    EXPECT_TRUE(testing::mistakes_of_npu(path).empty()) << edits.front().second;
  }
}

TEST(Schema, ApproximationsAreGoodOrMistakesForBoth) {
  const SchemaFile schema("npu");
  const std::pair<const char*, bool> sections[] = {
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "values": [1], "below": "exact"}})",
       true},
      {R"({"tanh": {"kind": "piecewise_linear", "reduction": "symmetry", "breakpoints": {"from": 0,
           "to": 4, "segments": 8}, "above": "extrapolate", "coefficient_format": "fp16"}})",
       true},
      {R"({"log": {"kind": "piecewise_polynomial", "reduction": "exponent", "breakpoints": [1, 2],
           "coefficients": [[0, 1, -0.5]], "origin": "segment"}})",
       true},
      {R"({})", true},
      {R"({"cos": {"kind": "table", "breakpoints": [0, 1]}})", false},
      {R"({"exp": {"kind": "spline", "breakpoints": [0, 1]}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": [0]}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": {"from": 0, "to": 1}}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": {"from": 0, "to": 1, "segments": 0}}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "above": "extrapolate"}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "coefficients": [[1]]}})", false},
      {R"({"exp": {"kind": "piecewise_linear", "breakpoints": [0, 1], "origin": "zero"}})", false},
      {R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1]}})", false},
      {R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1], "coefficients": [[1]],
           "values": [1]}})",
       false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "reduction": "symmetry"}})", false},
      {R"({"erf": {"kind": "table", "breakpoints": [0, 1], "reduction": "exponent"}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "reduction": "exponent",
           "above": "clamp"}})",
       false},
      {R"({"erf": {"kind": "table", "breakpoints": [0, 1], "reduction": "symmetry",
           "below": "clamp"}})",
       false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "coefficient_format": "fp17"}})", false},
      {R"({"exp": {"breakpoints": [0, 1]}})", false},
      {R"({"exp": {"kind": "table", "breakpoints": [0, 1], "steps": 3}})", false},
  };
  for (const auto& [section, good] : sections) {
    const std::string path =
        edited_copy(shipped_npu("systolic128_bf16"),
                    {{"\"vector_unit\": {",
                      std::string("\"vector_unit\": {\"approximations\": ") + section + ","}});
    EXPECT_EQ(schema.accepts(path), good) << section;
    EXPECT_EQ(testing::mistakes_of_npu(path).empty(), good) << section;
  }
}

TEST(Schema, UnitMistakesAreMistakesForBoth) {
  const SchemaFile schema("mac_unit");
  const std::vector<std::pair<std::string, std::string>> edits = {
      {"\"terms\": 16", "\"terms\": 1"},
      {"\"combine\": \"tree\"", "\"combine\": \"ring\""},
      {"\"a\": \"fp16\"", "\"a\": \"half\""},
      {"\"product\": \"exact\"", "\"product\": \"rounded\""},
      {"\"subnormals\": \"keep\"", "\"subnormals\": true"},
      {"\"b\": \"fp16\",", ""},
  };
  for (const auto& edit : edits) {
    const std::string path = edited_copy(shipped_mac_unit("fp16_fp32_tree16"), {edit});
    EXPECT_FALSE(schema.accepts(path)) << edit.second;
    EXPECT_FALSE(testing::mistakes_of_unit(path).empty()) << edit.second;
  }
}

}  // namespace
}  // namespace npusim::npu
