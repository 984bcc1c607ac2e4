// SPDX-License-Identifier: Apache-2.0
// Unified and separate scratchpads: what the mapping may keep, how vector ops are cut, mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "npu_models/gemm_traffic.h"
#include "npu_models/scratchpad_room.h"
#include "support.h"

namespace npusim::npu {
namespace {

using ::testing::HasSubstr;
using testing::load_shipped;

workloads::Contraction product(std::int64_t m, std::int64_t n, std::int64_t k) {
  workloads::Contraction c;
  c.m = m;
  c.n = n;
  c.dims = {{"K", k}};
  return c;
}

TileBytes bytes_of(const GemmMapping& gemm) {
  const std::int64_t m = std::min(gemm.tile_m, gemm.contraction.m);
  const std::int64_t n = std::min(gemm.tile_n, gemm.contraction.n);
  return {tile_m_side_bytes(gemm, 1, 0, m, 0, 2), tile_n_side_bytes(gemm, 1, n, 0, 2),
          m * n * (gemm.spills ? gemm.accumulator_bytes : 2)};
}

RC_GTEST_PROP(ScratchpadRoom, ChosenTilesFitEachPartOfTheirOwn, ()) {
  const std::int64_t streamed = *rc::gen::inRange<std::int64_t>(64, 1024);
  const std::int64_t stationary = *rc::gen::inRange<std::int64_t>(64, 1024);
  const std::int64_t results = *rc::gen::inRange<std::int64_t>(2, 256);
  static const NpuSpec shipped = load_shipped("systolic128_bf16");
  NpuSpec npu = shipped;
  npu.scratchpad.sharing = ScratchpadSharing::separate;
  npu.scratchpad.streamed_bytes = streamed * 1024;
  npu.scratchpad.stationary_bytes = stationary * 1024;
  npu.scratchpad.result_bytes = results * 1024;
  const GemmMapping gemm = map_gemm(
      npu,
      product(*rc::gen::inRange<std::int64_t>(1, 3000), *rc::gen::inRange<std::int64_t>(1, 3000),
              *rc::gen::inRange<std::int64_t>(1, 3000)),
      precision::bf16(), precision::fp32(), 2);
  const TileBytes tile = bytes_of(gemm);
  RC_ASSERT(2 * tile.streamed <= streamed * 1024);
  RC_ASSERT(2 * tile.stationary <= stationary * 1024);
  RC_ASSERT(2 * tile.results <= results * 1024);
}

TEST(ScratchpadRoom, ResultsOfAUnifiedOneTakeRoomFromOperands) {
  NpuSpec npu = load_shipped("systolic128_bf16", {"scratchpad.kib=512"});
  const workloads::Contraction c = product(2048, 2048, 256);
  const GemmMapping apart = map_gemm(npu, c, precision::bf16(), precision::fp32(), 2);
  npu.scratchpad.sharing = ScratchpadSharing::unified;
  const GemmMapping together = map_gemm(npu, c, precision::bf16(), precision::fp32(), 2);
  const auto all = [](const GemmMapping& gemm) {
    const TileBytes tile = bytes_of(gemm);
    return tile.streamed + tile.stationary + tile.results;
  };
  EXPECT_GT(all(apart), 256 * 1024);
  EXPECT_LE(all(together), 256 * 1024);
}

TEST(ScratchpadRoom, APinThatDoesNotFitSaysWhichPart) {
  NpuSpec npu = load_shipped("systolic128_bf16");
  MappingPin pin;
  pin.tile_m = 1024;
  pin.tile_n = 256;
  pin.tile_k = 128;
  const workloads::Contraction c = product(2048, 2048, 128);
  const auto reason = [&] {
    try {
      map_gemm(npu, c, precision::bf16(), precision::fp32(), 2, &pin);
    } catch (const IllegalPin& illegal) {
      return std::string(illegal.what());
    }
    return std::string();
  };
  EXPECT_EQ(reason(), "");
  npu.scratchpad.sharing = ScratchpadSharing::separate;
  npu.scratchpad.streamed_bytes = npu.scratchpad.stationary_bytes = 1 << 20;
  npu.scratchpad.result_bytes = 1 << 19;
  EXPECT_EQ(reason(),
            "the results of a tile take 524288 bytes, a buffer for them has 262144 bytes");
  npu.scratchpad.streamed_bytes = 1 << 18;
  EXPECT_THAT(reason(), HasSubstr("the streamed operands of a tile take 262144 bytes"));
}

TEST(ScratchpadRoom, VectorOpsReadFromTheOperandsPartsAndWriteToTheResults) {
  ScratchpadSpec scratchpad;
  scratchpad.bytes = 4096;
  scratchpad.buffers = 2;
  EXPECT_EQ(vector_tiles(scratchpad, 4096, 2048), 3);
  scratchpad.sharing = ScratchpadSharing::separate;
  scratchpad.streamed_bytes = scratchpad.stationary_bytes = 1024;
  scratchpad.result_bytes = 2048;
  EXPECT_EQ(vector_tiles(scratchpad, 4096, 2048), 4);
  EXPECT_EQ(vector_tiles(scratchpad, 1024, 8192), 8);
  EXPECT_EQ(vector_tiles(scratchpad, 0, 1), 1);
}

std::string mistakes_of(const std::string& kib, const std::string& more = "") {
  std::string text;
  std::vector<std::string> settings = {"scratchpad.kib=" + kib};
  if (!more.empty()) settings.push_back(more);
  try {
    load_shipped("systolic128_bf16", settings);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& at : error.diagnostics()) text += base::to_string(at) + "\n";
  }
  return text;
}

TEST(ScratchpadRoom, MistakesSayWhereAndWhatWouldFit) {
  EXPECT_EQ(mistakes_of(R"({"streamed": 256, "stationary": 256, "results": 64})"), "");
  EXPECT_THAT(mistakes_of(R"({"streamed": 256, "stationary": 32, "results": 64})"),
              AllOf(HasSubstr("/scratchpad/kib/stationary"), HasSubstr("at least 64 KiB")));
  EXPECT_THAT(mistakes_of(R"({"streamed": 256, "stationary": 256})"), HasSubstr("results"));
  EXPECT_THAT(mistakes_of(R"({"streamed": 256, "stationary": 256, "results": 64})",
                          "scratchpad.unified=true"),
              HasSubstr("/scratchpad/unified"));
  EXPECT_EQ(mistakes_of("2048", "scratchpad.unified=true"), "");
}

}  // namespace
}  // namespace npusim::npu
