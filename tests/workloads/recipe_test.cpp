// SPDX-License-Identifier: Apache-2.0
#include "workloads/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "temp_file.h"
#include "tests/source_dir.h"
#include "workload_text.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path kRecipes = fs::path(test::source_dir()) / "configs" / "recipes";

Recipe shipped(const std::string& name) {
  return load_recipe((kRecipes / (name + ".json")).string());
}

Recipe recipe_of(const std::string& json) {
  const testing::TempFolder folder;
  return load_recipe(folder.write("r.json", json));
}

std::vector<std::string> mistakes_of(const std::string& json) {
  std::vector<std::string> result;
  try {
    recipe_of(json);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& item : error.diagnostics())
      result.push_back(item.pointer + ": " + item.code);
  }
  return result;
}

TEST(Recipe, EveryShippedOneLoadsUnderItsFileName) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(kRecipes)) {
    if (entry.path().extension() != ".json") continue;
    const Recipe recipe = load_recipe(entry.path().string());
    EXPECT_EQ(recipe.name, entry.path().stem());
    EXPECT_FALSE(recipe.description.empty()) << recipe.name;
    ++count;
  }
  EXPECT_GE(count, 8);
}

TEST(Recipe, ScenarioOneKeepsFp32WhereItIsNeeded) {
  const Recipe recipe = shipped("bf16_fp32_master");
  EXPECT_EQ(recipe.weights, precision::bf16());
  EXPECT_EQ(recipe.activations, precision::bf16());
  EXPECT_EQ(recipe.activation_gradients, precision::bf16());
  ASSERT_TRUE(recipe.master_weights);
  EXPECT_EQ(*recipe.master_weights, precision::fp32());
  EXPECT_EQ(recipe.internal, precision::fp32());
  EXPECT_EQ(recipe.rounding, precision::Rounding::rne);
  EXPECT_FALSE(recipe.accumulator);  // the NPU's own
}

TEST(Recipe, ScenarioTwoForcesFp32Accumulation) {
  const Recipe recipe = shipped("bf16_fp32_accumulate");
  ASSERT_TRUE(recipe.accumulator);
  EXPECT_EQ(*recipe.accumulator, precision::fp32());
}

TEST(Recipe, FormatsMayChangeTheirSmallAndLargeValues) {
  const Recipe recipe = recipe_of(R"({"schema_version": 1, "kind": "recipe", "name": "r",
"formats": {"weights": {"name": "fp16", "subnormals": "flush", "overflow": "saturate"},
  "activations": "e5m7", "activation_gradients": "fp16", "weight_gradients": "fp32",
  "optimizer_state": "fp32", "statistics": "fp32", "loss": "fp32"},
"internal": "fp32", "rounding": "rtz"})");
  EXPECT_EQ(recipe.weights.subnormals, precision::Subnormals::flush);
  EXPECT_EQ(recipe.weights.overflow, precision::Overflow::saturate);
  EXPECT_EQ(recipe.weights.exponent_bits, 5);
  EXPECT_EQ(recipe.activations.fraction_bits, 7);
  EXPECT_EQ(recipe.rounding, precision::Rounding::rtz);
  EXPECT_FALSE(recipe.master_weights);
}

TEST(Recipe, StochasticStoresNeedRoomForTheirRandomBits) {
  const auto text = [](const char* formats, const char* rest) {
    return std::string(R"({"schema_version": 1, "kind": "recipe", "name": "r", "formats": {)") +
           formats + R"(, "activations": "bf16", "activation_gradients": "fp16",
"weight_gradients": "fp32", "optimizer_state": "fp32", "statistics": "fp32", "loss": "fp32"},
"internal": "fp32", )" +
           rest + "}";
  };
  const Recipe recipe =
      recipe_of(text(R"("weights": "bf16")", R"("rounding": "sr", "random_bits": 28)"));
  EXPECT_EQ(recipe.rounding, precision::Rounding::sr);
  EXPECT_EQ(recipe.random_bits, 28);
  EXPECT_THAT(mistakes_of(text(R"("weights": "bf16")", R"("rounding": "sr", "random_bits": 29)")),
              ElementsAre("/random_bits: out-of-range"));
  EXPECT_THAT(mistakes_of(text(R"("weights": "bf16")", R"("rounding": "sr")")),
              ElementsAre("/random_bits: missing-key"));
  EXPECT_THAT(mistakes_of(text(R"("weights": "bf16")", R"("rounding": "rne", "random_bits": 3)")),
              ElementsAre("/random_bits: illegal-combination"));
  EXPECT_THAT(mistakes_of(text(R"("weights": "e8m0")", R"("rounding": "odd")")),
              ElementsAre("/formats/weights: scale-format"));
  EXPECT_THAT(mistakes_of(text(R"("weights": {"name": "fp8_e4m3", "overflow": "infinity"})",
                               R"("rounding": "odd")")),
              ElementsAre("/formats/weights: illegal-combination"));
}

TEST(Recipe, AllMistakesAtOnce) {
  EXPECT_THAT(
      mistakes_of(R"({"schema_version": 1, "kind": "recipe", "name": "r",
"formats": {"weights": "fp61", "activations": 16, "activation_gradient": "fp16",
  "weight_gradients": {"name": "fp16", "subnormals": "keeep"},
  "optimizer_state": {}, "statistics": "fp32", "loss": "fp32"},
"accumulator": "fp23", "rounding": "nearest"})"),
      ::testing::UnorderedElementsAre(
          "/formats/weights: unknown-format", "/formats/activations: wrong-type",
          "/formats/activation_gradients: missing-key",
          "/formats/weight_gradients/subnormals: unknown-value",
          "/formats/optimizer_state/name: missing-key", "/formats/activation_gradient: unknown-key",
          "/accumulator: unknown-format", "/internal: missing-key", "/rounding: unknown-value"));
}

TEST(Recipe, OverridesApply) {
  const Recipe recipe =
      load_recipe((kRecipes / "bf16.json").string(),
                  {base::parse_override("recipe.formats.activations=fp16").override,
                   base::parse_override("recipe.accumulator=fp16").override});
  EXPECT_EQ(recipe.activations, precision::fp16());
  EXPECT_EQ(*recipe.accumulator, precision::fp16());
}

TEST(StorageFormats, FollowTheRoles) {
  const Workload workload = testing::read_text(R"({
"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [4, 3]},
           {"name": "labels", "shape": [4], "type": "int64", "role": "label"}],
"initializers": [{"name": "w", "shape": [2, 3], "initializer": {"kind": "zeros"}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "attributes": {"transB": 1}}],
"outputs": ["fc.out"], "training": {"logits": "fc.out", "labels": "labels"}})");
  const Graph graph = make_training_step(workload, true);
  Recipe recipe = shipped("bf16_fp32_master");
  recipe.weight_gradients = precision::fp16();
  const std::vector<precision::Arithmetic> formats = storage_formats(graph, recipe);
  const auto format = [&](const std::string& name) {
    return formats.at(static_cast<std::size_t>(graph.find(name))).format;
  };
  EXPECT_EQ(format("x"), precision::bf16());
  EXPECT_EQ(format("labels"), precision::fp64());
  EXPECT_EQ(format("w"), precision::bf16());
  EXPECT_EQ(format("w.master"), precision::fp32());
  EXPECT_EQ(format("w.master.next"), precision::fp32());
  EXPECT_EQ(format("fc.out"), precision::bf16());
  EXPECT_EQ(format("loss"), precision::fp32());
  for (const Node& node : graph.nodes)
    if (node.phase == Phase::update) {
      EXPECT_EQ(format(graph.tensor(node.inputs[1]).name), precision::fp16());
    }
}

}  // namespace
}  // namespace npusim::workloads
