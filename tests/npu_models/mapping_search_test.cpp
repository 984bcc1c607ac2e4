// SPDX-License-Identifier: Apache-2.0
// The exhaustive search against every mapping there is, and mappings that a file fixes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "graphs.h"
#include "npu_models/mapping_cost.h"
#include "npu_models/tiling.h"
#include "random.h"
#include "support.h"

namespace npusim::npu {
namespace {

using ::testing::HasSubstr;
using testing::load_shipped;
using testing::Random;

/// A shipped design shrunk until a product of a dozen a side has choices.
NpuSpec shrunk(const char* name, Random& random) {
  NpuSpec npu = load_shipped(name);
  MacArraySpec& array = npu.mac_array;
  array.rows = 4;
  array.cols = array.organisation == "dot_product" ? 1 : 4;
  array.depth = array.organisation == "systolic" ? 1 : 4;
  for (precision::Stage& stage : array.inner_stages) stage.terms = 4;
  array.order = {};
  array.arrays = random.in(1, 4);
  array.accumulator.memory_bytes = random.in(128, 1024);
  npu.scratchpad = {random.in(300, 2000), 2};
  npu.dram.bandwidth_bytes_per_cycle = static_cast<double>(random.in(1, 32)) / 2.0;
  npu.dram.latency_cycles = random.in(0, 20);
  npu.vector_unit.lanes = random.in(1, 8);
  return npu;
}

/// The least estimate over all splits, both orders and all sizes of tiles: whole granules of the
/// arrays that share them, or the whole extent.
std::int64_t brute_force(const NpuSpec& npu, GemmMapping gemm) {
  const MappingCost cost(npu, 2, 2, gemm);
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  const std::int64_t arrays = npu.mac_array.arrays;
  const workloads::Contraction& c = gemm.contraction;
  const auto try_tile = [&] {
    for (const LoopOrder order : {LoopOrder::output_resident, LoopOrder::weight_resident}) {
      gemm.loop_order = order;
      gemm.spills = order == LoopOrder::weight_resident;
      if (!cost.why_not(gemm).empty()) continue;
      best = std::min(best, cost.estimate(gemm, array_cycles(npu, gemm)));
    }
  };
  ArraySplit& s = gemm.split;
  for (s.groups = 1; s.groups <= arrays; ++s.groups)
    for (s.m = 1; s.groups * s.m <= arrays; ++s.m)
      for (s.n = 1; s.groups * s.m * s.n <= arrays; ++s.n)
        for (s.k = 1; s.parts() <= arrays; ++s.k)
          for (gemm.tile_m = 1; gemm.tile_m <= c.m; ++gemm.tile_m)
            for (gemm.tile_n = 1; gemm.tile_n <= c.n; ++gemm.tile_n)
              for (gemm.tile_k = 1; gemm.tile_k < gemm.ordered_k + 4; ++gemm.tile_k) {
                const TileShape& granule = cost.granule();
                const bool whole_m = gemm.tile_m % (granule.m * s.m) == 0 || gemm.tile_m == c.m;
                const bool whole_n = gemm.tile_n % (granule.n * s.n) == 0 || gemm.tile_n == c.n;
                const bool whole_k = gemm.tile_k % granule.k == 0 || gemm.tile_k == gemm.ordered_k;
                if (whole_m && whole_n && whole_k) try_tile();
              }
  return best;
}

TEST(MappingSearch, TheExhaustiveOneFindsWhatBruteForceFinds) {
  Random random(11);
  int better_than_quick = 0;
  for (const char* name : {"systolic128_bf16", "cube16_fp16", "nvdla_fp16"}) {
    for (int i = 0; i < 12; ++i) {
      SCOPED_TRACE(std::string(name) + ", case " + std::to_string(i));
      NpuSpec npu = shrunk(name, random);
      workloads::Contraction c;
      c.groups = random.in(1, 3);
      c.m = random.in(1, 10);
      c.n = random.in(1, 10);
      c.dims = {{"K", random.in(1, 24)}};
      const auto estimate = [&](MappingSearch search, GemmMapping& gemm) {
        npu.mapping.search = search;
        gemm = map_gemm(npu, c, npu.mac_array.inputs[0].format,
                        npu.mac_array.accumulator.arithmetic.format, 2);
        return MappingCost(npu, 2, 2, gemm).estimate(gemm, array_cycles(npu, gemm));
      };
      GemmMapping gemm;
      const std::int64_t quick = estimate(MappingSearch::quick, gemm);
      const std::int64_t exhaustive = estimate(MappingSearch::exhaustive, gemm);
      EXPECT_EQ(MappingCost(npu, 2, 2, gemm).why_not(gemm), "");
      EXPECT_EQ(exhaustive, brute_force(npu, gemm)) << describe_mapping(gemm);
      EXPECT_LE(exhaustive, quick);
      better_than_quick += exhaustive < quick ? 1 : 0;
    }
  }
  EXPECT_GT(better_than_quick, 0);
}

workloads::Graph two_products() {
  testing::GraphBuilder b;
  const auto x = b.input("x", {1, 8, 6, 6});
  return b.finish({b.conv("conv2", b.conv("conv1", x, 16, 3), 16, 3)});
}

MappedGraph mapped(const NpuSpec& npu, const MappedGraph* reference = nullptr) {
  return map_graph(npu, two_products(), testing::uniform_recipe(precision::bf16()), reference);
}

NpuSpec pinned(const std::string& pins) {
  return load_shipped("systolic128_bf16", {"mapping={\"pins\": " + pins + "}"});
}

TEST(MappingPins, AreUsedAsTheyStand) {
  const NpuSpec npu = pinned(
      "[{\"op\": \"conv1\", \"tile\": {\"m\": 5, \"n\": 3, \"k\": 72}}, "
      "{\"op\": \"c*2\", \"tile\": {\"m\": 7, \"n\": 900, \"k\": 128}, "
      "\"loop_order\": \"weight_resident\"}]");
  const MappedGraph graph = mapped(npu);
  const GemmMapping& first = *graph.ops.at(0).gemm;
  EXPECT_EQ(describe_mapping(first), "tile 5 x 3 x 72, output_resident, split 1 x 1 x 1 x 1");
  EXPECT_EQ(graph.ops.at(0).mapping_origin, MappingOrigin::file);
  const GemmMapping& second = *graph.ops.at(1).gemm;
  EXPECT_EQ(describe_mapping(second), "tile 7 x 16 x 128, weight_resident, split 1 x 1 x 1 x 1");
  EXPECT_TRUE(second.spills);
  EXPECT_EQ(second.plan.chunks.back().join, precision::Chunk::Join::carry);
  EXPECT_NE(graph.hash(), mapped(load_shipped("systolic128_bf16")).hash());
}

TEST(MappingPins, WhatTheyLeaveOpenIsSearched) {
  const GemmMapping gemm =
      *mapped(pinned("[{\"op\": \"*\", \"tile\": {\"m\": 10}}]")).ops.at(1).gemm;
  EXPECT_EQ(gemm.tile_m, 10);
  EXPECT_EQ(gemm.tile_n, 16);
  EXPECT_EQ(gemm.tile_k, 144);
}

TEST(MappingPins, SplitsOverArraysArePinnedToo) {
  const NpuSpec npu =
      load_shipped("google_tpu_v4",
                   {"mapping={\"pins\": [{\"op\": \"conv*\", \"split\": {\"m\": 2, \"n\": 2}}]}"});
  for (const MappedOp& op : mapped(npu).ops) EXPECT_EQ(op.gemm->split, (ArraySplit{1, 2, 2, 1}));
}

TEST(MappingPins, IllegalOnesAreRefusedAtTheirPlaceWithWhatFits) {
  const auto mistake = [](const std::string& pins) {
    try {
      mapped(pinned(pins));
    } catch (const base::InputError& error) {
      return error.diagnostics().front();
    }
    return base::Diagnostic{};
  };
  const base::Diagnostic parts = mistake("[{\"op\": \"conv2\", \"split\": {\"n\": 2}}]");
  EXPECT_EQ(parts.pointer, "/mapping/pins/0");
  EXPECT_EQ(parts.code, "illegal-mapping");
  EXPECT_THAT(parts.message, HasSubstr("conv2 cannot be mapped so: a split in 2 parts, and 1"));
  EXPECT_THAT(parts.allowed, HasSubstr("tile 36 x 16 x 144, output_resident"));
  EXPECT_THAT(mistake("[{\"op\": \"conv2\", \"tile\": {\"k\": 100}}]").message,
              HasSubstr("no multiple of 128"));
}

TEST(MappingPins, MistakesInTheFileAreFoundWhenItIsRead) {
  const auto messages = [](const std::string& mapping) {
    std::string text;
    try {
      load_shipped("systolic128_bf16", {"mapping=" + mapping});
    } catch (const base::InputError& error) {
      for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
    }
    return text;
  };
  EXPECT_THAT(messages("{\"search\": \"thorough\"}"), HasSubstr("quick, exhaustive"));
  EXPECT_THAT(messages("{\"pins\": [{\"tile\": {\"m\": 0}}]}"),
              HasSubstr("/mapping/pins/0/tile/m"));
  EXPECT_THAT(messages("{\"pins\": [{\"op\": \"\"}]}"), HasSubstr("a pin names ops"));
  EXPECT_THAT(messages("{\"pins\": [{\"op\": \"a\", \"tiles\": {}}]}"), HasSubstr("tiles"));
}

// The accumulator alone differs: with the mapping of the other design nothing but its bits does.
TEST(MappingPins, AnotherGraphsMappingIsTakenWhereItCanBe) {
  const MappedGraph wide = mapped(load_shipped("systolic128_bf16"));
  const NpuSpec narrow = load_shipped(
      "systolic128_bf16", {"mac_array.accumulator.format=fp16",
                           "mac_array.accumulator.memory_kib=1024", "scratchpad.kib=4096"});
  const MappedGraph same = mapped(narrow, &wide);
  for (std::size_t i = 0; i < same.ops.size(); ++i) {
    EXPECT_EQ(describe_mapping(*same.ops[i].gemm), describe_mapping(*wide.ops[i].gemm));
    EXPECT_EQ(same.ops[i].mapping_origin, MappingOrigin::reference);
    EXPECT_EQ(same.ops[i].not_pinned, "");
  }
  NpuSpec small = load_shipped("systolic128_bf16");
  small.mac_array.accumulator.memory_bytes = 2 * 128 * 4;  // one pass and no more
  const MappedGraph other = mapped(small, &wide);
  EXPECT_EQ(other.ops.at(1).mapping_origin, MappingOrigin::search);
  EXPECT_THAT(other.ops.at(1).not_pinned, HasSubstr("half of accumulator memory has 512 bytes"));
}

}  // namespace
}  // namespace npusim::npu
