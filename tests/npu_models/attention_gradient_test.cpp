// SPDX-License-Identifier: Apache-2.0
// The backward pass of attention as one op: what its steps cost in all, when a training step has
// it, what the step then keeps in memory, and who says so.
#include "npu_models/attention_gradient.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "graphs.h"
#include "npu_models/attention_gradient_steps.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/numeric_hash.h"
#include "npu_models/training_graph.h"
#include "random.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::Random;
using testing::uniform_recipe;
using workloads::ElementType;
using workloads::TensorRole;

constexpr const char* kBoth =
    "mapping={\"fused_attention\": true, \"fused_attention_backward\": true}";

struct Layer {
  std::int64_t batch = 2, heads = 4, kv_heads = 4, length = 96, depth = 32;
  bool causal = false, trained_mask = false, cache = false, absent_inputs = false;
  std::string name = "attn";
  std::vector<std::string> frozen = {};
  std::int64_t micro_batches = 1, recompute_segments = 0;
};

/// Weights in front of attention, so that gradients of queries, keys and values are wanted, and
/// classes behind it.
workloads::Workload network(const Layer& layer) {
  workloads::Workload workload;
  workload.name = "layer";
  workloads::Graph& graph = workload.graph;
  const auto tensor = [&](const char* name, const workloads::Shape& shape, TensorRole role,
                          ElementType type = ElementType::floating) {
    workloads::TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = role;
    info.type = type;
    info.initializer = workloads::Initializer{};
    return graph.add_tensor(info);
  };
  const std::int64_t width = layer.heads * layer.depth, kv_width = layer.kv_heads * layer.depth;
  const auto x = tensor("x", {layer.batch, layer.length, width}, TensorRole::input);
  const auto labels =
      tensor("labels", {layer.batch * layer.length}, TensorRole::label, ElementType::int64);
  graph.inputs = {x, labels};
  std::vector<workloads::TensorId> inputs;
  for (const auto& [name, to] : {std::pair{"q", width}, {"k", kv_width}, {"v", kv_width}}) {
    const auto w = tensor((std::string("w_") + name).c_str(), {width, to}, TensorRole::weight);
    inputs.push_back(graph.add_node("MatMul", name, {x, w}, {}, {std::string(name) + ".out"})[0]);
  }
  if (layer.trained_mask)
    inputs.push_back(tensor("bias", {layer.length, layer.length}, TensorRole::weight));
  if (layer.cache) {
    inputs.push_back(workloads::kNoTensor);
    for (const char* name : {"past_k", "past_v"})
      inputs.push_back(
          tensor(name, {layer.batch, layer.kv_heads, 8, layer.depth}, TensorRole::state));
  }
  if (layer.absent_inputs) inputs.resize(6, workloads::kNoTensor);
  const auto y = graph.add_node("Attention", layer.name, inputs,
                                {{"q_num_heads", layer.heads},
                                 {"kv_num_heads", layer.kv_heads},
                                 {"is_causal", std::int64_t{layer.causal ? 1 : 0}}},
                                {"y"})[0];
  const auto shape = workloads::Shape{layer.batch * layer.length, width};
  const auto logits = graph.add_node("ReshapeTo", "rows", {y}, {{"shape", shape}}, {"logits"})[0];
  graph.outputs = {logits};
  workload.training = workloads::TrainingSpec{};
  workload.training->logits = "logits";
  workload.training->labels = "labels";
  workload.training->frozen = layer.frozen;
  workload.training->micro_batches = layer.micro_batches;
  workload.training->recompute_segments = layer.recompute_segments;
  return workload;
}

workloads::Recipe bf16() {
  return uniform_recipe(precision::bf16());
}

NpuSpec npu_with(const std::vector<std::string>& settings, const char* name = "systolic128_bf16") {
  return load_shipped(name, settings);
}

TrainingGraph step_on(const NpuSpec& npu, const Layer& layer = {},
                      const workloads::Recipe& recipe = bf16()) {
  return training_graph(npu, network(layer), recipe);
}

MappedGraph mapped_step(const NpuSpec& npu, const Layer& layer = {},
                        const workloads::Recipe& recipe = bf16()) {
  return map_graph(npu, step_on(npu, layer, recipe).graph, recipe);
}

const MappedOp* op_of(const MappedGraph& mapped, const std::string& op) {
  for (const MappedOp& candidate : mapped.ops)
    if (mapped.graph.nodes[static_cast<std::size_t>(candidate.node)].op == op) return &candidate;
  return nullptr;
}

workloads::AttentionShape random_shape(Random& random) {
  workloads::AttentionShape s;
  s.batch = random.in(1, 2);
  s.kv_heads = random.in(1, 3);
  s.heads = s.kv_heads * random.in(1, 3);
  s.rows = random.in(1, 12);
  s.causal = random.flip();
  s.columns = s.causal ? random.in(1, s.rows) : random.in(1, 12);
  s.depth = random.in(1, 8);
  s.value_depth = random.in(1, 8);
  s.softcap = random.flip() ? 2.0 : 0.0;
  return s;
}

AttentionGradientMapping random_mapping(Random& random, NpuSpec& npu,
                                        const precision::Format& format = precision::bf16()) {
  npu.mac_array.rows = npu.mac_array.cols = 4;
  npu.mac_array.arrays = random.in(1, 4);
  AttentionGradientMapping gradient;
  gradient.blocks.shape = random_shape(random);
  const workloads::AttentionShape& s = gradient.blocks.shape;
  if (random.flip())
    gradient.mask = {2, random.flip(), random.flip(), random.flip(), random.flip(), random.flip()};
  workloads::Contraction c;
  c.dims = {{"K", s.depth}};
  for (GemmMapping* product :
       {&gradient.scores, &gradient.weights, &gradient.values, &gradient.keys, &gradient.queries})
    *product = untiled_gemm(npu, c, format, precision::fp32());
  const std::int64_t queries = random.in(1, s.group_rows()), keys = random.in(1, s.columns);
  const std::int64_t groups = random.in(1, std::min(s.groups(), npu.mac_array.arrays));
  const std::int64_t rows = random.in(1, std::min({queries, keys, npu.mac_array.arrays / groups}));
  cut_in_blocks(npu, queries, keys, {groups, rows, 1, 1}, gradient);
  return gradient;
}

TEST(AttentionGradient, StepsAreThePairsThatSeeEachOtherKeysOutermost) {
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = npu_with({});
    const AttentionGradientMapping gradient = random_mapping(random, npu);
    const workloads::AttentionBlocks& blocks = gradient.blocks;
    const workloads::AttentionShape& s = blocks.shape;
    GradientSteps steps(gradient);
    GradientStep step;
    std::int64_t macs = 0;
    for (std::int64_t g = 0; g < s.groups(); g += gradient.scores.split.groups)
      for (std::int64_t j = 0; j < blocks.key_blocks(); ++j)
        for (std::int64_t q = 0; q < blocks.query_blocks(); ++q) {
          bool any = false, all = true;
          for (std::int64_t row = q * blocks.queries;
               row < q * blocks.queries + blocks.queries_in(q); ++row)
            for (std::int64_t column = j * blocks.keys;
                 column < j * blocks.keys + blocks.keys_in(j); ++column) {
              const bool seen = !s.causal || column <= row % s.rows;
              any = any || seen;
              all = all && seen;
            }
          if (!any) continue;
          ASSERT_TRUE(steps.next(step));
          EXPECT_EQ(step.group0, g);
          EXPECT_EQ(step.key_block, j);
          EXPECT_EQ(step.query_block, q);
          EXPECT_EQ(step.block.masked, !all);
          EXPECT_EQ(step.block.queries, blocks.queries_in(q));
          EXPECT_EQ(step.block.keys, blocks.keys_in(j));
          macs += step.block.groups * step.block.queries * step.block.keys *
                  (3 * s.depth + 2 * s.value_depth);
        }
    EXPECT_FALSE(steps.next(step));
    EXPECT_EQ(gradient_macs(blocks), macs);
  }
}

TEST(AttentionGradient, TotalsAreThoseOfTheStepsOneByOne) {
  Random random(7);
  int spilled = 0, stayed = 0;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = npu_with({});
    const AttentionGradientMapping gradient = random_mapping(random, npu);
    const workloads::AttentionShape& s = gradient.blocks.shape;
    GradientTotals walked;
    const auto work = [&](const std::vector<workloads::VectorWork>& parts) {
      walked.vector_cycles += model::VectorCost(npu.vector_unit, parts).cycles(0, 1, 1);
      for (const workloads::VectorWork& part : parts) walked.work[part.function] += part.elements;
    };
    std::set<std::pair<std::int64_t, std::int64_t>> dots_stored;  // by group and block of queries
    GradientSteps steps(gradient);
    for (GradientStep step; steps.next(step);) {
      const AttentionBlock& block = step.block;
      const std::int64_t rows = block.groups * block.queries, cells = rows * block.keys;
      ++walked.steps;
      const std::int64_t extents[5][3] = {{block.queries, block.keys, s.depth},
                                          {block.queries, block.keys, s.value_depth},
                                          {block.keys, s.value_depth, block.queries},
                                          {block.keys, s.depth, block.queries},
                                          {block.queries, s.depth, block.keys}};
      const auto products = gradient_products(gradient, block);
      for (std::size_t p = 0; p < 5; ++p) {
        EXPECT_EQ(products[p].tile.m, extents[p][0]);
        EXPECT_EQ(products[p].tile.n, extents[p][1]);
        EXPECT_GE(products[p].tile.k, extents[p][2]);
        walked.array_cycles += product_cycles(npu, *products[p].gemm, products[p].tile);
        if (p >= 2) work({{"add", block.groups * extents[p][0] * extents[p][1]}});
      }
      const bool capped = s.softcap != 0.0;
      const bool added = gradient.mask.element_bytes > 0 && !gradient.mask.boolean;
      std::vector<workloads::VectorWork> again = {
          {"mul", (capped ? 5 : 2) * cells},
          {"add", (2 + (capped ? 1 : 0) + (added ? 1 : 0) + (block.masked ? 1 : 0)) * cells},
          {"exp", (capped ? 2 : 1) * cells}};
      if (capped) again.push_back({"div", cells});
      if (gradient.mask.boolean) again.push_back({"compare", cells});
      work(again);
      walked.read_bytes += mask_bytes(gradient.mask, s, block);
      if (step.load_keys)
        walked.read_bytes += block.groups * block.keys * (s.depth + s.value_depth) * 2;
      const std::pair place{step.group0, step.query_block};
      if (step.load_queries) walked.read_bytes += rows * ((s.depth + s.value_depth) * 2 + 4);
      if (step.starts_queries) {
        work({{"mul", rows * s.value_depth}, {"add", rows * s.value_depth}});
        walked.read_bytes += rows * s.value_depth * 2;
        EXPECT_TRUE(step.load_queries);
      } else if (step.load_queries) {
        EXPECT_EQ(dots_stored.count(place), 1U) << "dots come back that never left";
        walked.read_bytes += rows * 4 + rows * s.depth * 4;
        walked.spilled_bytes += rows * s.depth * 4;
      }
      if (step.store_dots) {
        dots_stored.insert(place);
        walked.write_bytes += rows * 4;
      }
      if (step.ends_queries) {
        EXPECT_TRUE(step.last_of_queries);
        work({{"mul", rows * s.depth}});
        walked.write_bytes += rows * s.depth * 2;
      } else if (step.last_of_queries) {
        walked.write_bytes += rows * s.depth * 4;
        walked.spilled_bytes += rows * s.depth * 4;
        ++spilled;
      } else {
        ++stayed;
      }
      if (step.last_of_keys) {
        work({{"mul", block.groups * block.keys * s.depth}});
        walked.write_bytes += block.groups * block.keys * (s.depth + s.value_depth) * 2;
      }
    }
    const GradientTotals totals = gradient_totals(npu, gradient);
    EXPECT_EQ(totals.steps, walked.steps);
    EXPECT_EQ(totals.array_cycles, walked.array_cycles);
    EXPECT_EQ(totals.vector_cycles, walked.vector_cycles);
    EXPECT_EQ(totals.read_bytes, walked.read_bytes);
    EXPECT_EQ(totals.write_bytes, walked.write_bytes);
    EXPECT_EQ(totals.spilled_bytes, walked.spilled_bytes);
    EXPECT_EQ(totals.work, walked.work);
    EXPECT_EQ(gradient_workspace_bytes(gradient) > 0, walked.spilled_bytes > 0);
  }
  EXPECT_GT(spilled, 100);
  EXPECT_GT(stayed, 100);
}

TEST(AttentionGradient, AStepHasItOnlyWhereTheFileAsksForIt) {
  const MappedGraph parts = mapped_step(npu_with({}));
  EXPECT_EQ(op_of(parts, "AttentionGradient"), nullptr);
  // What the forward pass alone says changes no training step.
  EXPECT_EQ(mapped_step(npu_with({"mapping={\"fused_attention\": true}"})).hash(), parts.hash());

  const MappedGraph whole = mapped_step(npu_with({kBoth}));
  const MappedOp* const forward = op_of(whole, "AttentionWithStatistics");
  const MappedOp* const backward = op_of(whole, "AttentionGradient");
  ASSERT_NE(forward, nullptr);
  ASSERT_NE(backward, nullptr);
  EXPECT_EQ(forward->engine, Engine::matrix);
  EXPECT_EQ(backward->engine, Engine::matrix);
  EXPECT_EQ(forward->macs, 2 * 4 * 96 * 96 * 64);
  EXPECT_EQ(backward->macs, 2 * 4 * 96 * 96 * 5 * 32);
  EXPECT_EQ(op_of(whole, "Softmax"), nullptr);
  EXPECT_EQ(op_of(whole, "SoftmaxGradient"), nullptr);
  EXPECT_NE(whole.hash(), parts.hash());
  EXPECT_NE(numeric_hash(whole), numeric_hash(parts));
}

TEST(AttentionGradient, InputsThatAreNamedAndAbsentChangeNothing) {
  Layer layer;
  layer.absent_inputs = true;
  EXPECT_EQ(mapped_step(npu_with({kBoth}), layer).hash(), mapped_step(npu_with({kBoth})).hash());
}

TEST(AttentionGradient, AStepKeepsTheResultAndAStatisticARowOnly) {
  Layer layer;
  layer.length = 512;
  const MappedGraph parts = mapped_step(npu_with({}), layer);
  const MappedGraph whole = mapped_step(npu_with({kBoth}), layer);
  const std::int64_t rows = 2 * 4 * 512, scores = rows * 512 * 2;
  const std::int64_t tensor = rows * 32 * 2;  // x, q, k, v, y: as large
  EXPECT_GE(parts.memory.most[MemoryKind::activations], 2 * scores);
  EXPECT_LE(whole.memory.most[MemoryKind::activations], 7 * tensor + rows * 4);
  EXPECT_GE(whole.memory.most[MemoryKind::activations], 5 * tensor + rows * 4);
  EXPECT_LT(whole.memory.peak_bytes, parts.memory.peak_bytes - scores);
}

TEST(AttentionGradient, UnfinishedGradientsAreWorkspace) {
  const auto workspace = [&](const std::string& blocks) {
    return mapped_step(npu_with({"mapping={\"fused_attention\": true, "
                                 "\"fused_attention_backward\": true, \"pins\": [{\"op\": "
                                 "\"attn*\", \"attention\": " +
                                 blocks + "}]}"}))
        .memory.most[MemoryKind::workspace];
  };
  EXPECT_EQ(workspace("{\"queries\": 32, \"keys\": 32}"), 96 * 32 * 4 + 96 * 4);
  EXPECT_EQ(workspace("{\"queries\": 96, \"keys\": 32}"), 0);
  EXPECT_EQ(workspace("{\"queries\": 32, \"keys\": 96}"), 0);
}

TEST(AttentionGradient, UnfinishedGradientsAreInTheFormatOfTheNodesSteps) {
  const NpuSpec npu =
      npu_with({"mapping={\"fused_attention\": true, \"fused_attention_backward\": true, \"pins\": "
                "[{\"op\": \"attn*\", \"attention\": {\"queries\": 32, \"keys\": 32}}]}"});
  workloads::Recipe recipe = bf16();
  workloads::RecipeRule rule;
  rule.internal = precision::bf16();
  recipe.rules = {rule};
  for (const char* op : {"AttentionGradient", "AttentionWithStatistics"}) {
    recipe.rules.front().ops = {op};
    const bool backward = op == std::string("AttentionGradient");
    const MappedGraph mapped = mapped_step(npu, {}, recipe);
    EXPECT_EQ(op_of(mapped, "AttentionGradient")->attention_gradient->internal_bytes,
              backward ? 2 : 4);
    EXPECT_EQ(op_of(mapped, "AttentionWithStatistics")->attention->internal_bytes,
              backward ? 4 : 2);
    EXPECT_EQ(mapped.memory.most[MemoryKind::workspace], 96 * (32 + 1) * (backward ? 2 : 4));
  }
}

TEST(AttentionGradient, PinsTurnItOnAndOffAndSetItsBlocks) {
  const NpuSpec off =
      npu_with({"mapping={\"fused_attention\": true, \"fused_attention_backward\": "
                "true, \"pins\": [{\"op\": \"at*\", \"attention\": {\"backward\": "
                "false}}]}"});
  EXPECT_EQ(mapped_step(off).hash(), mapped_step(npu_with({})).hash());
  const auto pinned = [](const std::string& blocks) {
    return mapped_step(
        npu_with({"mapping={\"pins\": [{\"op\": \"attn.gradient\", \"attention\": " + blocks +
                  "}, {\"op\": \"attn\", \"attention\": {\"backward\": true}}]}"}));
  };
  const MappedGraph first = pinned("{\"queries\": 32, \"keys\": 40}");
  const MappedOp* const op = op_of(first, "AttentionGradient");
  ASSERT_NE(op, nullptr);
  EXPECT_EQ(
      describe_mapping(*op->attention_gradient),
      "backward pass of fused attention, blocks of 32 queries x 40 keys, split 1 x 1 x 1 x 1");
  EXPECT_EQ(op->mapping_origin, MappingOrigin::file);
  EXPECT_EQ(op->attention_gradient->queries.plan.terms(), 40);
  EXPECT_EQ(op->attention_gradient->last_keys.terms(), 16);
  EXPECT_EQ(op->attention_gradient->values.plan.terms(), 32);
  // Blocks of queries are terms of two products, so both extents are in the bits.
  EXPECT_NE(numeric_hash(first), numeric_hash(pinned("{\"queries\": 48, \"keys\": 40}")));
  EXPECT_NE(numeric_hash(first), numeric_hash(pinned("{\"queries\": 32, \"keys\": 48}")));
  EXPECT_NE(first.hash(), pinned("{\"queries\": 32, \"keys\": 48}").hash());
}

TEST(AttentionGradient, PinsOfTheGradientTurnItOffToo) {
  for (const char* pin : {"{\"fused\": false}", "{\"backward\": false}"}) {
    const NpuSpec npu = npu_with({std::string("mapping={\"fused_attention\": true, "
                                              "\"fused_attention_backward\": true, \"pins\": "
                                              "[{\"op\": \"attn.gradient\", \"attention\": ") +
                                  pin + "}]}"});
    EXPECT_EQ(mapped_step(npu).hash(), mapped_step(npu_with({})).hash()) << pin;
    EXPECT_TRUE(step_on(npu).in_parts.empty()) << pin;
  }
}

TEST(AttentionGradient, CopiesTakeThePinsOfTheOriginal) {
  const NpuSpec npu =
      npu_with({"mapping={\"fused_attention\": true, \"fused_attention_backward\": true, \"pins\": "
                "[{\"op\": \"attn\", \"attention\": {\"queries\": 32, \"keys\": 48}}, "
                "{\"op\": \"attn.gradient\", \"attention\": {\"queries\": 16, \"keys\": 24}}]}"});
  Layer layer;
  layer.micro_batches = 2;
  layer.recompute_segments = 5;
  const MappedGraph mapped = mapped_step(npu, layer);
  std::set<std::string> forward, backward;
  for (const MappedOp& op : mapped.ops) {
    const std::string& name = mapped.graph.nodes[static_cast<std::size_t>(op.node)].name;
    if (op.attention) {
      forward.insert(name);
      EXPECT_THAT(describe_mapping(*op.attention), HasSubstr("blocks of 32 queries x 48 keys"));
    }
    if (op.attention_gradient) {
      backward.insert(name);
      EXPECT_THAT(describe_mapping(*op.attention_gradient), HasSubstr("16 queries x 24 keys"));
    }
  }
  using Names = std::set<std::string>;
  EXPECT_EQ(forward, (Names{"attn", "attn.again", "attn.batch1", "attn.batch1.again"}));
  EXPECT_EQ(backward, (Names{"attn.gradient", "attn.batch1.gradient"}));
}

TEST(AttentionGradient, WhatCannotBeWholeStaysInPartsAndSaysWhy) {
  const NpuSpec npu = npu_with({kBoth});
  const auto reason = [&](const NpuSpec& on, const Layer& layer, const workloads::Recipe& recipe) {
    const TrainingGraph step = step_on(on, layer, recipe);
    EXPECT_EQ(step.in_parts.size(), 1U);
    for (const workloads::Node& node : step.graph.nodes) EXPECT_NE(node.op, "AttentionGradient");
    return step.in_parts.empty() ? "" : step.in_parts.front().reason;
  };
  Layer trained_mask, cache;
  trained_mask.trained_mask = true;
  cache.cache = true;
  EXPECT_EQ(reason(npu, trained_mask, bf16()), "its mask is trained");
  EXPECT_EQ(reason(npu, cache, bf16()), "the op reads a cache");
  workloads::Recipe ruled = bf16();
  workloads::RecipeRule rule;
  rule.ops = {"Softmax"};
  rule.formats[TensorRole::activation] = precision::fp32();
  ruled.rules = {rule};
  EXPECT_EQ(reason(npu, {}, ruled), "the recipe has a rule for its Softmax");
  ruled.rules.front().ops = {"LayerNormalization"};
  EXPECT_TRUE(step_on(npu, {}, ruled).in_parts.empty());
  Layer of_device;  // a rule that names a part is for that part on every device
  of_device.name = "attn.device1";
  ruled.rules.front().ops = {};
  ruled.rules.front().nodes = "attn.softmax";
  EXPECT_EQ(reason(npu, of_device, ruled), "the recipe has a rule for its Softmax");
  Layer frozen;
  frozen.frozen = {"w_k", "w_v"};
  EXPECT_EQ(reason(npu, frozen, bf16()),
            "nothing that is trained needs the gradients of its keys, values");
  trained_mask.frozen = {"bias"};
  EXPECT_TRUE(step_on(npu, trained_mask).in_parts.empty()) << "a mask that is not trained";
  workloads::Recipe gradients = bf16();
  gradients.activation_gradients = precision::fp32();
  EXPECT_THAT(reason(npu, {}, gradients), HasSubstr("bf16"));
  NpuSpec small = npu;
  small.mac_array.accumulator.memory_bytes = 1600;  // room for the forward pass alone
  EXPECT_THAT(reason(small, {}, bf16()),
              HasSubstr("backward pass: an array's scores and gradients"));
  NpuSpec no_log = npu;
  no_log.vector_unit.cycles_per_element.erase("log");
  const TrainingGraph without = step_on(no_log);
  ASSERT_EQ(without.in_parts.size(), 1U);
  EXPECT_EQ(without.in_parts.front().reason, "forward pass: the vector unit has no log");
}

TEST(AttentionGradient, MistakesOfTheFileHaveTheirPlace) {
  const auto mistake = [](const std::string& mapping, const Layer& layer = {}) {
    try {
      mapped_step(npu_with({"mapping=" + mapping}), layer);
    } catch (const base::InputError& error) {
      return error.diagnostics().front();
    }
    return base::Diagnostic{};
  };
  EXPECT_EQ(mistake("{\"fused_attention_backward\": true}").pointer,
            "/mapping/fused_attention_backward");
  EXPECT_THAT(mistake("{\"pins\": [{\"op\": \"attn\", \"attention\": {\"fused\": false, "
                      "\"backward\": true}}]}")
                  .message,
              HasSubstr("of an attention that is not fused"));
  Layer cache;
  cache.cache = true;
  const base::Diagnostic illegal =
      mistake("{\"pins\": [{\"op\": \"attn\", \"attention\": {\"backward\": true}}]}", cache);
  EXPECT_EQ(illegal.pointer, "/mapping/pins/0");
  EXPECT_EQ(illegal.code, "illegal-mapping");
  EXPECT_EQ(illegal.message, "attn cannot be fused with its backward pass: the op reads a cache");
  EXPECT_THAT(mistake("{\"pins\": [{\"op\": \"attn.gradient\", \"attention\": {}, \"split\": "
                      "{\"n\": 2}}, {\"op\": \"attn\", \"attention\": {\"backward\": true}}]}")
                  .message,
              HasSubstr("attn.gradient cannot be mapped so: a split in 2 parts, and 1 arrays"));
}

TEST(AttentionGradient, TheOperatorTableSaysNothingOfTheWholeOps) {
  for (const char* op : {"AttentionGradient", "AttentionWithStatistics"}) {
    npu_with({std::string("operators.ops.") + op + "={\"support\": \"native\"}"});
    try {
      npu_with({std::string("operators.ops.") + op + "={\"support\": \"unsupported\"}"});
      ADD_FAILURE() << op;
    } catch (const base::InputError& error) {
      EXPECT_THAT(error.diagnostics().front().message, HasSubstr("is native without limits")) << op;
      EXPECT_EQ(error.diagnostics().front().pointer, std::string("/operators/ops/") + op);
    }
  }
}

TEST(AttentionGradient, AReferenceSaysWhereItIsWhole) {
  const NpuSpec npu = npu_with({kBoth});
  const MappedGraph reference = mapped_step(npu_with(
      {"mapping={\"fused_attention\": true, \"fused_attention_backward\": true, "
       "\"pins\": [{\"op\": \"attn*\", \"attention\": {\"queries\": 32, \"keys\": 48}}]}"}));
  const MappedGraph like = map_graph(
      npu, training_graph(npu, network({}), bf16(), &reference).graph, bf16(), &reference);
  EXPECT_EQ(like.hash(), reference.hash());
  EXPECT_EQ(op_of(like, "AttentionGradient")->mapping_origin, MappingOrigin::reference);
  const MappedGraph parts = mapped_step(npu_with({}));
  const TrainingGraph step = training_graph(npu, network({}), bf16(), &parts);
  EXPECT_EQ(op_of(map_graph(npu, step.graph, bf16(), &parts), "AttentionGradient"), nullptr);
  ASSERT_EQ(step.in_parts.size(), 1U);
  EXPECT_EQ(step.in_parts.front().reason, "the reference has it in parts");
}

/// Even parts in whole granules of 4 times `parts`.
std::set<std::int64_t> even_sizes(std::int64_t extent, std::int64_t parts) {
  std::set<std::int64_t> sizes;
  for (std::int64_t count = 1; count <= extent; ++count) {
    std::int64_t size = 0;
    while (size * count < extent) size += 4 * parts;
    sizes.insert(std::min(size, extent));
  }
  return sizes;
}

TEST(AttentionGradient, TheExhaustiveSearchFindsWhatBruteForceFinds) {
  Random random(13);
  int mapped = 0;
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = load_shipped("cube16_fp16");
    npu.mac_array.depth = 4;
    npu.mac_array.inner_stages.front().terms = 4;
    npu.mac_array.order = {};
    AttentionGradientMapping gradient = random_mapping(random, npu, precision::fp16());
    npu.mac_array.accumulator.memory_bytes = random.in(400, 3000);
    npu.scratchpad = {random.in(1000, 12000), random.in(1, 3)};
    npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(1, 32));
    npu.mapping.search = MappingSearch::exhaustive;
    const workloads::AttentionShape s = gradient.blocks.shape;
    std::int64_t best = std::numeric_limits<std::int64_t>::max();
    AttentionGradientMapping tried = gradient;
    for (std::int64_t groups = 1; groups <= std::min(s.groups(), npu.mac_array.arrays); ++groups) {
      const std::int64_t rows =
          std::min(npu.mac_array.arrays / groups, (std::min(s.group_rows(), s.columns) + 3) / 4);
      for (const std::int64_t queries : even_sizes(s.group_rows(), rows))
        for (const std::int64_t keys : even_sizes(s.columns, 1)) {
          cut_in_blocks(npu, queries, keys, {groups, rows, 1, 1}, tried);
          if (why_not_in_blocks(npu, tried).empty())
            best = std::min(best, estimated_cycles(npu, tried));
        }
    }
    const std::string why = choose_blocks(npu, {}, gradient);
    if (best == std::numeric_limits<std::int64_t>::max()) {
      EXPECT_NE(why, "");
      continue;
    }
    ASSERT_EQ(why, "");
    EXPECT_EQ(estimated_cycles(npu, gradient), best);
    ++mapped;
  }
  EXPECT_GT(mapped, 30);
}

}  // namespace
}  // namespace npusim::npu
