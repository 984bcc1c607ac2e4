// SPDX-License-Identifier: Apache-2.0
// Attention as one op by online softmax: which blocks there are, what they cost in all, when the
// mapping takes it, and what it leaves in memory.
#include "npu_models/attention_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "graphs.h"
#include "npu_models/attention_steps.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/numeric_hash.h"
#include "random.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::load_shipped;
using testing::Random;
using testing::uniform_recipe;

constexpr std::int64_t kBf16 = 2;

workloads::AttentionShape random_shape(Random& random) {
  workloads::AttentionShape s;
  s.batch = random.in(1, 2);
  s.kv_heads = random.in(1, 3);
  s.heads = s.kv_heads * random.in(1, 3);
  s.rows = random.in(1, 9);
  s.past = random.in(0, 1) * random.in(1, 7);
  s.columns = s.past + random.in(1, 12);
  s.depth = random.in(1, 8);
  s.value_depth = random.in(1, 8);
  s.causal = random.flip();
  return s;
}

bool sees(const workloads::AttentionShape& s, std::int64_t stacked_row, std::int64_t column) {
  return !s.causal || column <= stacked_row % s.rows + s.past;
}

TEST(AttentionBlocks, LeaveOutWhatTheMaskHidesAndNothingElse) {
  Random random(3);
  for (int i = 0; i < 500; ++i) {
    workloads::AttentionBlocks blocks;
    blocks.shape = random_shape(random);
    blocks.queries = random.in(1, blocks.shape.group_rows());
    blocks.keys = random.in(1, blocks.shape.columns);
    std::int64_t scores = 0;
    for (std::int64_t q = 0; q < blocks.query_blocks(); ++q)
      for (std::int64_t j = 0; j < blocks.key_blocks(); ++j) {
        bool any = false, all = true;
        for (std::int64_t row = 0; row < blocks.queries_in(q); ++row)
          for (std::int64_t column = 0; column < blocks.keys_in(j); ++column) {
            const bool seen =
                sees(blocks.shape, q * blocks.queries + row, j * blocks.keys + column);
            any = any || seen;
            all = all && seen;
          }
        EXPECT_EQ(j < blocks.blocks_for(q), any) << i;
        EXPECT_EQ(j < blocks.open_blocks(q), all) << i;
        if (any) scores += blocks.queries_in(q) * blocks.keys_in(j);
      }
    EXPECT_EQ(blocks.macs(),
              blocks.shape.groups() * scores * (blocks.shape.depth + blocks.shape.value_depth));
  }
}

/// Queries, keys and values of one layer, packed.
struct Layer {
  std::int64_t batch = 2, heads = 4, kv_heads = 4, rows = 96, columns = 96, depth = 32;
  bool causal = false;
  bool cache = false;
};

workloads::Graph attention_graph(const Layer& layer) {
  GraphBuilder b;
  const auto q = b.input("q", {layer.batch, layer.rows, layer.heads * layer.depth});
  const auto k = b.input("k", {layer.batch, layer.columns, layer.kv_heads * layer.depth});
  const auto v = b.input("v", {layer.batch, layer.columns, layer.kv_heads * layer.depth});
  std::vector<workloads::TensorId> inputs = {q, k, v};
  if (layer.cache) {
    inputs.push_back(workloads::kNoTensor);
    for (const char* name : {"past_k", "past_v"})
      inputs.push_back(b.input(name, {layer.batch, layer.kv_heads, 40, layer.depth}));
  }
  return b.finish({b.node("Attention", "attn", inputs,
                          {{"q_num_heads", layer.heads},
                           {"kv_num_heads", layer.kv_heads},
                           {"is_causal", std::int64_t{layer.causal ? 1 : 0}}})});
}

NpuSpec fusing(const std::vector<std::string>& settings = {"mapping={\"fused_attention\": true}"},
               const char* name = "systolic128_bf16") {
  return load_shipped(name, settings);
}

MappedGraph mapped(const NpuSpec& npu, const Layer& layer, const MappedGraph* reference = nullptr) {
  return map_graph(npu, attention_graph(layer), uniform_recipe(precision::bf16()), reference);
}

TEST(FusedAttention, IsOneNativeOpWithoutAMatrixOfScores) {
  const Layer layer;
  const MappedGraph parts = mapped(load_shipped("systolic128_bf16"), layer);
  const NpuSpec npu = fusing();
  const MappedGraph fused = mapped(npu, layer);
  ASSERT_EQ(fused.ops.size(), 1U);
  EXPECT_GT(parts.ops.size(), 8U);
  const MappedOp& op = fused.ops.front();
  ASSERT_TRUE(op.attention.has_value());
  EXPECT_EQ(op.engine, Engine::matrix);
  EXPECT_EQ(op.macs, 2 * 4 * 96 * 96 * 64);
  const CoverageRow row =
      coverage_of(npu, attention_graph(layer), uniform_recipe(precision::bf16())).front();
  EXPECT_EQ(row.verdict.support, Support::native);
  EXPECT_TRUE(row.verdict.fused);
  const std::int64_t scores = 2 * 4 * 96 * 96 * kBf16;
  EXPECT_GE(parts.memory.most[MemoryKind::activations], 2 * scores);
  EXPECT_EQ(fused.memory.most[MemoryKind::activations], 4 * 2 * 96 * 128 * kBf16);
  EXPECT_NE(parts.hash(), fused.hash());
  EXPECT_NE(numeric_hash(parts), numeric_hash(fused));
}

TEST(FusedAttention, BlocksStandInTheHashAndKeysInTheBits) {
  const auto pinned = [](const std::string& blocks) {
    return mapped(
        fusing({"mapping={\"pins\": [{\"op\": \"attn\", \"attention\": " + blocks + "}]}"}),
        Layer{});
  };
  const MappedGraph first = pinned("{\"queries\": 32, \"keys\": 48}");
  const workloads::AttentionBlocks& blocks = first.ops.front().attention->blocks;
  EXPECT_EQ(blocks.queries, 32);
  EXPECT_EQ(blocks.keys, 48);
  EXPECT_EQ(first.ops.front().mapping_origin, MappingOrigin::file);
  EXPECT_EQ(describe_mapping(*first.ops.front().attention),
            "fused attention, blocks of 32 queries x 48 keys, split 1 x 1 x 1 x 1");
  EXPECT_EQ(first.ops.front().attention->context.plan.terms(), 48);
  EXPECT_NE(first.hash(), pinned("{\"queries\": 32, \"keys\": 32}").hash());
  EXPECT_NE(first.hash(), pinned("{\"queries\": 48, \"keys\": 48}").hash());
  EXPECT_EQ(pinned("{\"queries\": 32, \"keys\": 40}").ops.front().attention->last_context.terms(),
            16);
}

TEST(FusedAttention, PinsTurnItOnAndOffOpByOp) {
  const NpuSpec off =
      fusing({"mapping={\"fused_attention\": true, \"pins\": [{\"op\": \"at*\", \"attention\": "
              "{\"fused\": false}}]}"});
  EXPECT_EQ(mapped(off, Layer{}).hash(), mapped(load_shipped("systolic128_bf16"), Layer{}).hash());
  const NpuSpec on = fusing({"mapping={\"pins\": [{\"op\": \"attn\", \"attention\": {}}]}"});
  EXPECT_TRUE(mapped(on, Layer{}).ops.front().attention.has_value());
}

TEST(FusedAttention, IllegalPinsAreRefusedAtTheirPlace) {
  const auto mistake = [](const std::string& pin, const char* name = "systolic128_bf16") {
    try {
      mapped(fusing({"mapping={\"pins\": [{\"op\": \"attn\", " + pin + "}]}"}, name), Layer{});
    } catch (const base::InputError& error) {
      return error.diagnostics().front();
    }
    return base::Diagnostic{};
  };
  const base::Diagnostic split = mistake("\"attention\": {}, \"split\": {\"n\": 2}");
  EXPECT_EQ(split.pointer, "/mapping/pins/0");
  EXPECT_EQ(split.code, "illegal-mapping");
  EXPECT_THAT(split.message, HasSubstr("a split in 2 parts, and 1 arrays"));
  EXPECT_THAT(split.allowed, HasSubstr("fused attention, blocks of"));
  EXPECT_THAT(mistake("\"attention\": {\"fused\": false, \"keys\": 3}").message,
              HasSubstr("not fused"));
  // NVDLA has no exp: attention goes to the host, and no pin changes that.
  EXPECT_THAT(mistake("\"attention\": {}", "nvdla_fp16").message,
              HasSubstr("attn cannot be fused: "));
}

TEST(FusedAttention, WhatDoesNotFitStaysInParts) {
  NpuSpec npu = fusing();
  npu.vector_unit.cycles_per_element.erase("div");
  Layer layer;
  const auto verdict = [&](const NpuSpec& on, const workloads::Graph& graph) {
    return coverage_of(on, graph, uniform_recipe(precision::bf16())).front().verdict;
  };
  EXPECT_FALSE(verdict(npu, attention_graph(layer)).fused);
  npu = fusing();
  npu.mac_array.accumulator.memory_bytes = 8;
  const Verdict small = verdict(npu, attention_graph(layer));
  EXPECT_EQ(small.support, Support::decomposed);
  EXPECT_THAT(small.reason, HasSubstr("not fused: an array's scores and context take"));
}

TEST(FusedAttention, MasksAreReadOnceForAllThatShareThem) {
  AttentionMapping attention;
  attention.blocks.shape.batch = 4;
  attention.blocks.shape.heads = 6;
  attention.blocks.shape.kv_heads = 3;  // 12 groups of 2 heads
  attention.blocks.shape.rows = 64;
  AttentionBlock block;
  block.groups = 6;     // of 2 batch entries
  block.queries = 128;  // the rows of both heads
  block.keys = 32;
  const auto elements = [&](bool batch, bool head, bool row, bool column) {
    attention.mask = {2, false, batch, head, row, column};
    return mask_bytes(attention, block) / 2;
  };
  EXPECT_EQ(elements(false, false, false, true), 32);
  EXPECT_EQ(elements(false, false, true, true), 64 * 32);
  EXPECT_EQ(elements(false, true, false, true), 3 * 2 * 32);  // ALiBi: a row a head
  EXPECT_EQ(elements(false, true, true, true), 3 * 128 * 32);
  EXPECT_EQ(elements(true, false, true, true), 2 * 64 * 32);
  EXPECT_EQ(elements(true, true, true, true), 6 * 128 * 32);
  EXPECT_EQ(elements(true, true, true, false), 6 * 128);
}

TEST(FusedAttention, PinsOfProductsSayNothingOfIt) {
  const MappedGraph free = mapped(fusing(), Layer{});
  const MappedGraph pinned =
      mapped(fusing({"mapping={\"fused_attention\": true, \"pins\": [{\"op\": \"*\", \"split\": "
                     "{\"n\": 4}}]}"}),
             Layer{});
  ASSERT_TRUE(pinned.ops.front().attention);
  EXPECT_EQ(describe_mapping(*pinned.ops.front().attention),
            describe_mapping(*free.ops.front().attention));
  EXPECT_EQ(pinned.ops.front().mapping_origin, MappingOrigin::search);
}

TEST(FusedAttention, TotalsAreThoseOfTheStepsOneByOne) {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    NpuSpec npu = fusing();
    npu.mac_array.rows = npu.mac_array.cols = 4;
    npu.mac_array.arrays = random.in(1, 4);
    AttentionMapping attention;
    attention.blocks.shape = random_shape(random);
    attention.blocks.shape.softcap = random.flip() ? 2.0 : 0.0;
    const workloads::AttentionShape& s = attention.blocks.shape;
    if (random.flip())
      attention.mask = {
          2, random.flip(), random.flip(), random.flip(), random.flip(), random.flip()};
    workloads::Contraction c;
    c.dims = {{"K", s.depth}};
    attention.scores = attention.context =
        untiled_gemm(npu, c, precision::bf16(), precision::fp32());
    const std::int64_t queries = random.in(1, s.group_rows());
    const std::int64_t groups = random.in(1, std::min(s.groups(), npu.mac_array.arrays));
    const std::int64_t rows = random.in(1, std::min(queries, npu.mac_array.arrays / groups));
    cut_in_blocks(npu, queries, random.in(1, s.columns), {groups, rows, 1, 1}, attention);

    const AttentionTotals totals = attention_totals(npu, attention);
    AttentionTotals walked;
    std::int64_t macs = 0;
    AttentionSteps steps(attention);
    for (AttentionStep step; steps.next(step);) {
      ++walked.steps;
      const AttentionBlock& block = step.block;
      macs += block.groups * block.queries * block.keys * (s.depth + s.value_depth);
      walked.array_cycles += product_cycles(npu, attention.scores, scores_tile(attention, block)) +
                             product_cycles(npu, attention.context, context_tile(attention, block));
      for (const auto& work : {softening_work(attention, block), update_work(attention, block)}) {
        walked.vector_cycles += model::VectorCost(npu.vector_unit, work).cycles(0, 1, 1);
        for (const workloads::VectorWork& part : work) walked.work[part.function] += part.elements;
      }
      walked.read_bytes += mask_bytes(attention, block);
      if (step.first()) walked.read_bytes += query_bytes(attention, block);
      if (step.load_keys)
        walked.read_bytes += key_bytes(attention, block) + value_bytes(attention, block);
      if (block.last) walked.write_bytes += result_bytes(attention, block);
    }
    EXPECT_EQ(totals.steps, walked.steps) << i;
    EXPECT_EQ(totals.array_cycles, walked.array_cycles) << i;
    EXPECT_EQ(totals.vector_cycles, walked.vector_cycles) << i;
    EXPECT_EQ(totals.read_bytes, walked.read_bytes) << i;
    EXPECT_EQ(totals.write_bytes, walked.write_bytes) << i;
    EXPECT_EQ(totals.work, walked.work) << i;
    EXPECT_EQ(macs, attention.blocks.macs()) << i;
    EXPECT_EQ(totals.write_bytes, s.groups() * s.group_rows() * s.value_depth * 2) << i;
  }
}

TEST(FusedAttention, TrafficIsQueriesAndResultsOnceAndKeysOncePerBlockOfQueries) {
  Layer layer;
  layer.rows = layer.columns = 256;
  const auto bytes = [&](const std::string& blocks) {
    const NpuSpec npu =
        fusing({"mapping={\"pins\": [{\"op\": \"attn\", \"attention\": " + blocks + "}]}"});
    return attention_totals(npu, *mapped(npu, layer).ops.front().attention).total_bytes();
  };
  const std::int64_t tensor = 2 * 256 * 128 * kBf16;
  EXPECT_EQ(bytes("{\"queries\": 64, \"keys\": 64}"), 2 * tensor + 4 * 2 * tensor);
  EXPECT_EQ(bytes("{\"queries\": 128, \"keys\": 64}"), 2 * tensor + 2 * 2 * tensor);
  EXPECT_EQ(bytes("{\"queries\": 64, \"keys\": 256}"), 4 * tensor) << "keys stay on the chip";
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

/// The least estimate of all even blocks and all numbers of groups at a time.
std::int64_t brute_force(const NpuSpec& npu, AttentionMapping attention) {
  const workloads::AttentionShape s = attention.blocks.shape;
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t groups = 1; groups <= std::min(s.groups(), npu.mac_array.arrays); ++groups) {
    const std::int64_t rows = std::min(npu.mac_array.arrays / groups, (s.group_rows() + 3) / 4);
    for (const std::int64_t queries : even_sizes(s.group_rows(), rows))
      for (const std::int64_t keys : even_sizes(s.columns, 1)) {
        cut_in_blocks(npu, queries, keys, {groups, rows, 1, 1}, attention);
        if (why_not_in_blocks(npu, attention).empty())
          best = std::min(best, estimated_cycles(npu, attention));
      }
  }
  return best;
}

TEST(FusedAttention, TheExhaustiveSearchFindsWhatBruteForceFinds) {
  Random random(13);
  int better_than_quick = 0, mapped_cases = 0;
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    NpuSpec npu = load_shipped("cube16_fp16");
    npu.mac_array.rows = npu.mac_array.cols = npu.mac_array.depth = 4;
    npu.mac_array.inner_stages.front().terms = 4;
    npu.mac_array.order = {};
    npu.mac_array.arrays = random.in(1, 4);
    npu.mac_array.accumulator.memory_bytes = random.in(400, 2000);
    npu.scratchpad = {random.in(1000, 8000), random.in(1, 3)};
    npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(1, 32));
    npu.dram.latency_cycles = random.in(0, 20);
    npu.vector_unit.lanes = random.in(1, 16);
    AttentionMapping attention;
    attention.blocks.shape = random_shape(random);
    attention.blocks.shape.rows = random.in(1, 20);
    attention.blocks.shape.columns += 8;
    workloads::Contraction c;
    c.dims = {{"K", attention.blocks.shape.depth}};
    attention.scores = attention.context =
        untiled_gemm(npu, c, precision::fp16(), precision::fp32());
    if (!choose_blocks(npu, {}, attention).empty()) {
      EXPECT_EQ(brute_force(npu, attention), std::numeric_limits<std::int64_t>::max());
      continue;
    }
    ++mapped_cases;
    EXPECT_EQ(why_not_in_blocks(npu, attention), "");
    const std::int64_t quick = estimated_cycles(npu, attention);
    npu.mapping.search = MappingSearch::exhaustive;
    ASSERT_EQ(choose_blocks(npu, {}, attention), "");
    const std::int64_t exhaustive = estimated_cycles(npu, attention);
    EXPECT_LE(exhaustive, quick);
    better_than_quick += exhaustive < quick ? 1 : 0;
    EXPECT_EQ(exhaustive, brute_force(npu, attention));
  }
  EXPECT_GT(better_than_quick, 0);
  EXPECT_GT(mapped_cases, 40);
}

TEST(FusedAttention, ReferencesAreFollowed) {
  const NpuSpec fuses = fusing();
  const MappedGraph one = mapped(fuses, Layer{});
  const MappedGraph parts = mapped(load_shipped("systolic128_bf16"), Layer{});
  EXPECT_EQ(mapped(fuses, Layer{}, &parts).hash(), parts.hash());
  NpuSpec other = fusing();
  other.dram.bandwidth_bytes_per_cycle *= 100;
  const MappedGraph same = mapped(other, Layer{}, &one);
  EXPECT_EQ(same.hash(), one.hash());
  EXPECT_EQ(same.ops.front().mapping_origin, MappingOrigin::reference);
}

TEST(FusedAttention, ACacheThatTheOpReadsIsReadInBlocks) {
  Layer layer;
  layer.cache = true;
  layer.rows = layer.columns = 1;
  layer.heads = 8;
  layer.kv_heads = 2;
  layer.causal = true;
  const NpuSpec npu = fusing();
  const AttentionMapping attention = *mapped(npu, layer).ops.front().attention;
  EXPECT_EQ(attention.blocks.shape.group_rows(), 4) << "heads that share keys are one product";
  EXPECT_EQ(attention_totals(npu, attention).read_bytes, 2 * (8 * 32 + 2 * 41 * 2 * 32) * kBf16);
}

}  // namespace
}  // namespace npusim::npu
