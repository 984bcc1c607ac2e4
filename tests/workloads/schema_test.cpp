// SPDX-License-Identifier: Apache-2.0
// The JSON Schemas (for editors) and the strict readers accept and refuse the same files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/array_file.h"
#include "temp_file.h"
#include "tests/json_schema.h"
#include "tests/source_dir.h"
#include "workload_text.h"
#include "workloads/recipe.h"

namespace npusim::workloads {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Change;
using test::changed;
using test::JsonSchema;

const fs::path kSource = test::source_dir();

json read_json(const fs::path& path) {
  return json::parse(std::ifstream(path));
}

template <class Load>
bool reader_accepts(const json& document, const Load& load) {
  const testing::TempFolder folder;
  try {
    load(folder.write("file.json", document.dump()));
  } catch (const base::InputError&) {
    return false;
  }
  return true;
}

template <class Load>
void expect_agreement(const JsonSchema& schema, const json& start,
                      const std::vector<Change>& changes, const Load& load) {
  EXPECT_TRUE(schema.accepts(start));
  EXPECT_TRUE(reader_accepts(start, load));
  for (const Change& change : changes) {
    const json document = changed(start, change);
    const std::string shown =
        std::string(change.pointer) + " = " + (change.value == nullptr ? "absent" : change.value);
    EXPECT_EQ(schema.accepts(document), change.good) << "schema: " << shown;
    EXPECT_EQ(reader_accepts(document, load), change.good) << "reader: " << shown;
  }
}

TEST(Schema, RecipesAgreeWithTheReader) {
  const JsonSchema schema("recipe.schema.json");
  for (const auto& entry : fs::directory_iterator(kSource / "configs/recipes"))
    if (entry.path().extension() == ".json") {
      EXPECT_TRUE(schema.accepts(read_json(entry.path()))) << entry.path();
    }
  const std::vector<Change> changes = {
      {"/description", nullptr, true},
      {"/source", R"("a paper")", true},
      {"/accumulator", R"("fp16")", true},
      {"/accumulator", R"({"name": "fp16", "overflow": "saturate"})", true},
      {"/formats/weights", R"({"name": "fp16", "subnormals": "flush"})", true},
      {"/formats/weights", R"("e5m7")", true},
      {"/formats/master_weights", nullptr, true},
      {"/rounding", nullptr, true},
      {"/rounding", R"("odd")", true},
      {"/rounding", R"("sr")", false},  // needs random_bits
      {"/random_bits", "8", false},     // without sr
      {"/formats/loss", R"("e8m0")", false},
      {"/formats/loss", R"("fp8_e4m3fnuz")", true},
      {"/formats/loss", R"({"name": "bf16", "subnormals": "flush_tiny_before"})", true},
      {"/formats/loss", R"({"name": "fp8_e4m3", "overflow": "nan", "nan": "zero"})", true},
      {"/formats/loss", R"({"name": "fp16", "overflow": "always_infinity"})", true},
      {"/formats/loss", R"({"name": "fp16", "nan": "quiet"})", false},
      {"/name", nullptr, false},
      {"/internal", nullptr, false},
      {"/formats/loss", nullptr, false},
      {"/formats/loss", R"("fp33")", false},
      {"/formats/loss", R"("e9m3")", false},
      {"/formats/loss", "32", false},
      {"/formats/loss", R"({"subnormals": "flush"})", false},
      {"/formats/loss", R"({"name": "fp16", "overflow": "wrap"})", false},
      {"/formats/losses", R"("fp32")", false},
      {"/rounding", R"("nearest")", false},
      {"/kind", R"("workload")", false},
      {"/schema_version", "2", false},
      {"/unknown", "1", false},
      {"/formats/master_gradients", R"("fp32")", true},
      {"/operands", R"("bf16")", true},
      {"/operands", R"("bf17")", false},
      {"/stochastic", R"({"roles": ["weights"], "random_bits": 8})", true},
      {"/stochastic", R"({"roles": ["weights"]})", false},
      {"/stochastic", R"({"roles": ["wheels"], "random_bits": 8})", false},
      {"/rules", R"([{"last_layers": 2, "formats": {"activations": "fp32"}}])", true},
      {"/rules", R"([{"ops": ["Softmax"], "nodes": "h.*", "internal": "fp32"}])", true},
      {"/rules", R"([{"first_layers": -1}])", false},
      {"/autocast", R"({"format": "bf16", "low": ["Conv"], "fp32": ["Softmax"]})", true},
      {"/autocast", R"({"format": "fp16", "others": "grappler", "clear": ["Relu"]})", true},
      {"/autocast", R"({"format": "fp16", "clear": ["Relu"]})", false},  // grappler only
      {"/autocast", R"({"low": ["Conv"]})", false},
      {"/autocast", R"({"format": "fp16", "others": "guess"})", false},
      {"/operand_scaling", R"({"kind": "current", "forward": "fp8_e4m3", "gradients": "fp8_e5m2"})",
       true},
      {"/operand_scaling",
       R"({"kind": "delayed", "forward": "fp8_e4m3", "gradients": "fp8_e4m3", "amax_history": 16,
           "amax": "most_recent", "margin": 1})",
       true},
      {"/operand_scaling",
       R"({"kind": "delayed", "forward": "fp8_e4m3", "gradients": "fp8_e4m3", "amax_history": 0})",
       false},
      {"/operand_scaling",
       R"({"kind": "current", "forward": "fp8_e4m3", "gradients": "fp8_e5m2", "margin": 1})",
       false},
      {"/operand_scaling", R"({"kind": "current", "forward": "fp8_e4m3"})", false},
      {"/block_scaling",
       R"({"activations": "fp8_e4m3_block128", "weights": "fp8_e4m3_block128",
           "gradients": "fp8_e5m2_block128", "weight_rows": 128})",
       true},
      {"/block_scaling",
       R"({"activations": "mxfp8_e4m3", "weights": "mxfp4", "gradients": "mxfp8_e5m2"})", true},
      {"/block_scaling", R"({"activations": "mxfp8_e4m3", "weights": "mxfp8_e4m3"})", false},
      {"/block_scaling", R"({"activations": "mxint8", "weights": "mxint8", "gradients": "mxint8"})",
       false},
      {"/block_scaling", R"({"activations": "nvfp4", "weights": "nvfp4", "gradients": "nvfp4"})",
       false},
      {"/block_scaling",
       R"({"activations": "fp8_e4m3_tensor", "weights": "fp8_e4m3_tensor",
           "gradients": "fp8_e4m3_tensor"})",
       false},
      {"/block_scaling",
       R"({"activations": "mxfp6_e3m2", "weights": "mxfp6_e3m2", "gradients": "mxfp6_e3m2",
           "weight_rows": 0})",
       false},
      {"/rules", R"([{"layers": 1}])", false},
      {"/loss_scaling", R"({"kind": "constant", "scale": 128})", true},
      {"/loss_scaling", R"({"kind": "constant"})", false},
      {"/loss_scaling", R"({"kind": "constant", "scale": 0})", false},
      {"/loss_scaling", R"({"kind": "dynamic", "floor": 1, "cap": 65536, "hysteresis": 2})", true},
      {"/loss_scaling", R"({"kind": "dynamic", "growth": 1})", false},
      {"/loss_scaling", R"({"kind": "statistics", "interval": 10, "margin": 4})", true},
      {"/loss_scaling", R"({"kind": "statistics", "scale": 8})", false},
  };
  expect_agreement(schema, read_json(kSource / "configs/recipes/bf16_fp32_master.json"), changes,
                   [](const std::string& path) { load_recipe(path); });
}

TEST(Schema, StochasticRecipesAgreeWithTheReader) {
  const JsonSchema schema("recipe.schema.json");
  json start = read_json(kSource / "configs/recipes/bf16_fp32_master.json");
  start["rounding"] = "sr";
  start["random_bits"] = 13;
  expect_agreement(schema, start,
                   {{"/random_bits", "1", true},
                    {"/random_bits", "0", false},
                    {"/random_bits", "33", false},
                    {"/random_bits", nullptr, false},
                    {"/rounding", R"("rne")", false},
                    {"/rounding", nullptr, false}},
                   [](const std::string& path) { load_recipe(path); });
}

const char* const kWorkload = R"({
  "schema_version": 1, "kind": "workload", "name": "t", "description": "d", "source": "s",
  "parameters": {"batch": 4, "wide": 2},
  "inputs": [
    {"name": "x", "shape": ["batch", "wide*3"], "initializer": {"kind": "normal", "stddev": 2}},
    {"name": "l", "shape": ["batch"], "type": "int64", "role": "label",
     "initializer": {"kind": "uniform_int", "high": 1}}],
  "initializers": [{"name": "w", "shape": [2, 6], "initializer": {"kind": "kaiming_normal"}}],
  "blocks": {"b": {"parameters": {"n": 1}, "inputs": ["i"],
    "nodes": [{"op": "Relu", "name": "r", "inputs": ["i"], "outputs": ["o"]}], "outputs": ["o"]}},
  "nodes": [
    {"op": "Gemm", "name": "fc", "inputs": ["x", "w", ""], "attributes": {"transB": 1}},
    {"block": "b", "name": "s", "repeat": 2, "inputs": ["fc.out"], "outputs": ["y"]}],
  "outputs": ["y"],
  "training": {"logits": "y", "labels": "l", "optimizer": {"kind": "sgd", "learning_rate": 0.1}}
})";

TEST(Schema, WorkloadsAgreeWithTheReader) {
  const JsonSchema schema("workload.schema.json");
  for (const auto& entry : fs::directory_iterator(kSource / "workloads"))
    if (entry.path().extension() == ".json") {
      EXPECT_TRUE(schema.accepts(read_json(entry.path()))) << entry.path();
    }
  const testing::TempFolder folder;
  base::write_npy(folder.path("x.npy"), {base::ElementKind::f32, {4, 6}, std::vector<double>(24)});
  const std::string from_file = R"({"kind": "file", "path": ")" + folder.path("x.npy") + "\"}";
  const std::vector<Change> changes = {
      {"/description", nullptr, true},
      {"/training", nullptr, true},
      {"/training/optimizer", nullptr, true},
      {"/inputs/0/initializer", nullptr, true},
      {"/inputs/0/initializer", R"({"kind": "uniform"})", true},
      {"/inputs/0/initializer", from_file.c_str(), true},
      {"/initializers/0/initializer", R"({"kind": "ones"})", true},
      {"/initializers/0/initializer", R"({"kind": "constant", "value": 0.5})", true},
      {"/initializers/0/initializer", R"({"kind": "xavier_uniform"})", true},
      {"/initializers/0/initializer",
       R"({"kind": "kaiming_normal", "mean": 0.1, "filter_mean": 0.3, "outlier_channels": 0.01})",
       true},
      {"/initializers/0/initializer",
       R"({"kind": "normal", "outlier_channels": 0.01, "outlier_scale": 8})", true},
      {"/initializers/0/initializer", R"({"kind": "normal", "outlier_scale": "2*wide"})", true},
      {"/initializers/0/initializer", R"({"kind": "normal", "outlier_scale": "2^3"})", false},
      {"/initializers/0/initializer", R"({"kind": "normal", "outlier_scale": -1})", false},
      {"/initializers/0/initializer", R"({"kind": "xavier_normal", "filter_mean": 0.3})", true},
      {"/initializers/0/initializer", R"({"kind": "xavier_uniform", "filter_mean": 0.3})", false},
      {"/initializers/0/initializer", R"({"kind": "normal", "outlier_channels": 1.5})", false},
      {"/nodes/1/repeat", R"("wide+1")", true},
      {"/name", nullptr, false},
      {"/name", R"("")", false},
      {"/inputs/0/shape", nullptr, false},
      {"/inputs/0/shape/1", "0", false},
      {"/inputs/0/shape/1", "-6", false},
      {"/inputs/0/shape/1", "6.5", false},
      {"/inputs/0/shape/1", R"("wide^3")", false},
      {"/inputs/0/type", R"("int33")", false},
      {"/initializers/0/initializer", R"({"kind": "values"})", false},
      {"/initializers/0/initializer", R"({"kind": "values", "values": ["a^b"]})", false},
      {"/inputs/1/type", R"("int8")", false},
      {"/inputs/0/role", R"("weight")", false},
      {"/initializers/0/initializer", nullptr, false},
      {"/initializers/0/initializer", R"({"kind": "kaiming"})", false},
      {"/initializers/0/initializer", R"({"kind": "constant"})", false},
      {"/initializers/0/initializer", R"({"kind": "normal", "stddev": -1})", false},
      {"/initializers/0/initializer", R"({"kind": "normal", "low": 0})", false},
      {"/initializers/0/role", R"("activation")", false},
      {"/nodes/0/op", nullptr, false},
      {"/nodes/0/block", R"("b")", false},
      {"/nodes/0/name", nullptr, false},
      {"/nodes/0/repeat", "2", false},
      {"/nodes/1/repeat", "0", false},
      {"/nodes/1/attributes", "{}", false},
      {"/blocks/b/outputs", nullptr, false},
      {"/outputs", "[]", false},
      {"/training/logits", nullptr, false},
      {"/training/optimizer/kind", R"("adam")", true},
      {"/training/optimizer/kind", R"("eve")", false},
      {"/training/clip", R"({"norm": 1.0})", true},
      {"/training/clip", R"({"norm": 0})", false},
      {"/training/schedule", R"({"kind": "cosine", "period": 100, "warmup_steps": 5})", true},
      {"/training/schedule", R"({"kind": "sudden"})", false},
      {"/training/optimizer/learning_rate", "-1", false},
      {"/training/momentum", "0.9", false},
      {"/unknown", "1", false},
  };
  expect_agreement(schema, json::parse(kWorkload), changes,
                   [](const std::string& path) { load_workload(path); });
}

}  // namespace
}  // namespace npusim::workloads
