// SPDX-License-Identifier: Apache-2.0
// What a MAC unit can be, as NPU and MAC-unit files say it: operand slices and their cycles,
// aligned accumulators, and what no array can be.
#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "npu_models/energy.h"
#include "npu_models/mapping.h"
#include "npu_models/npu_file.h"
#include "npu_models/tiling.h"
#include "precision/unit_text.h"
#include "support.h"
#include "tests/source_dir.h"

namespace npusim::npu {
namespace {

using testing::edited_copy;
using testing::load_shipped;
using testing::mistakes_of_npu;
using testing::mistakes_of_unit;
using testing::shipped_mac_unit;
using testing::shipped_npu;

GemmMapping mapped(const NpuSpec& npu, const precision::Format& input, std::int64_t k) {
  workloads::Contraction product;
  product.role = workloads::GemmRole::matmul;
  product.m = 256;
  product.n = 128;
  product.dims = {{"K", k}};
  return map_gemm(npu, product, input, npu.mac_array.accumulator.arithmetic.format, 4);
}

/// systolic128_bf16 that also takes FP32 as three BF16 slices, with the given passes.
NpuSpec with_slices(const std::string& order) {
  const std::string slices = R"([{"format": "bf16"}, {"format": "bf16"}, {"format": "bf16"}])";
  return load_shipped("systolic128_bf16",
                      {R"(mac_array.inputs=[{"format": "bf16"}, {"format": "fp32", "passes": )"
                       R"({"slices_a": )" +
                       slices + R"(, "slices_b": )" + slices + R"(, "order": )" + order + "}}]"});
}

TEST(Passes, EachGoesThroughTheArrayOnce) {
  const NpuSpec npu = with_slices("[[0, 0], [0, 1], [1, 0]]");
  GemmMapping whole = mapped(npu, precision::bf16(), 128);
  GemmMapping sliced = mapped(npu, precision::fp32(), 128);
  for (GemmMapping* gemm : {&whole, &sliced}) {
    gemm->tile_m = 256;
    gemm->tile_n = gemm->tile_k = 128;
  }
  // Three folds of the same stream instead of one: the closed form of systolic.cpp.
  const std::int64_t one_fold = array_cycles(npu, whole);
  EXPECT_EQ(array_cycles(npu, sliced), one_fold + 2 * 256);
  EXPECT_DOUBLE_EQ(npu.peak_macs_per_cycle(precision::fp32()),
                   npu.peak_macs_per_cycle(precision::bf16()) / 3);
  EXPECT_DOUBLE_EQ(mac_pj(npu.energy, sliced.unit), 3 * mac_pj(npu.energy, whole.unit));
}

TEST(Passes, ReachTheBits) {
  const NpuSpec three = with_slices("[[0, 0], [0, 1], [1, 0]]");
  const NpuSpec one = with_slices("[[0, 0]]");
  const double x = 1.0 + 0x1p-9;  // a BF16 slice of 1 and one of 2^-9
  const auto product = [x](const NpuSpec& npu) {
    const precision::MacUnit unit = unit_of(npu, precision::fp32(), precision::fp32());
    return precision::mac_chain(unit, &x, &x, 1, 0.0);
  };
  EXPECT_EQ(product(one), 1.0);
  EXPECT_EQ(product(three), 1.0 + 0x1p-8);
}

TEST(AlignedAccumulator, IsAnArraysWhenItsStepDividesTheDepth) {
  const std::vector<std::string> aligned = {
      "mac_array.inner_stages=[]", "mac_array.accumulator.combine=aligned",
      "mac_array.accumulator.step=8", R"(mac_array.accumulator.alignment={"fraction_bits": 24})",
      "mac_array.accumulator.rounding=rtz"};
  const NpuSpec npu = load_shipped("cube16_fp16", aligned);
  const precision::MacUnit unit = unit_of(npu, precision::fp16(), precision::fp32());
  EXPECT_EQ(precision::describe(unit), "fp16*fp16 exact | aligned by 8 F24 truncate -> fp32 rtz");
  std::vector<std::string> odd = aligned;
  odd[2] = "mac_array.accumulator.step=6";
  EXPECT_THROW(load_shipped("cube16_fp16", odd), base::InputError);
}

TEST(AlignedAccumulator, InAScalarSystolicChainIsAMistake) {
  try {
    load_shipped("systolic128_bf16",
                 {"mac_array.accumulator.combine=aligned", "mac_array.accumulator.step=4",
                  R"(mac_array.accumulator.alignment={"fraction_bits": 24})"});
    FAIL() << "accepted";
  } catch (const base::InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("no block to align"));
  }
}

TEST(UnitFile, MistakesOfStagesAreFoundTogether) {
  const std::string path =
      edited_copy(shipped_mac_unit("nvidia_a100_fp16_fp32"),
                  {{"\"fraction_bits\": 24", "\"fraction_bits\": 60"}, {"\"rtz\"", "\"sr\""}});
  const std::vector<base::Diagnostic> mistakes = mistakes_of_unit(path);
  ASSERT_EQ(mistakes.size(), 2u);
  EXPECT_EQ(mistakes[0].pointer, "/accumulator/alignment/fraction_bits");
  EXPECT_EQ(mistakes[1].pointer, "/accumulator/random_bits");
}

TEST(UnitFile, ScaleFormatsAreNoOperands) {
  const std::string path =
      edited_copy(shipped_mac_unit("fp16_chain"), {{"\"a\": \"fp16\"", "\"a\": \"e8m0\""}});
  ASSERT_EQ(mistakes_of_unit(path).size(), 1u);
  EXPECT_EQ(mistakes_of_unit(path)[0].pointer, "/a");
}

TEST(ShippedUnits, AreValidAndTheirNamesAreFileStems) {
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_dir() + "/configs/mac_units")) {
    const precision::MacUnit unit = load_mac_unit(entry.path());
    EXPECT_EQ(unit.name, entry.path().stem()) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 90u);
}

}  // namespace
}  // namespace npusim::npu
