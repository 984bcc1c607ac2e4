// SPDX-License-Identifier: Apache-2.0
#include "npu_models/npu_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "npu_models/input_units.h"
#include "support.h"

namespace npusim::npu {
namespace {

using testing::edited_copy;
using testing::load_shipped;
using testing::mistakes_of_npu;
using testing::shipped_npu;

using Edit = std::pair<std::string, std::string>;

struct BadFile {
  std::string name;  ///< of the test
  std::string npu;   ///< shipped file that is edited
  std::vector<Edit> edits;
  std::string pointer;  ///< of the one mistake
  std::string code;
};

void PrintTo(const BadFile& bad, std::ostream* out) {
  *out << bad.name;
}

class BadNpu : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadNpu, IsRefusedWithTheExactPlace) {
  const BadFile& bad = GetParam();
  const std::vector<base::Diagnostic> mistakes =
      mistakes_of_npu(edited_copy(shipped_npu(bad.npu), bad.edits));
  ASSERT_EQ(mistakes.size(), 1U) << (mistakes.size() > 1 ? base::to_string(mistakes[1])
                                                         : "no mistake");
  EXPECT_EQ(mistakes[0].pointer, bad.pointer);
  EXPECT_EQ(mistakes[0].code, bad.code) << base::to_string(mistakes[0]);
  EXPECT_GT(mistakes[0].line, 0);
  EXPECT_GT(mistakes[0].column, 0);
  EXPECT_FALSE(mistakes[0].message.empty());
  EXPECT_FALSE(mistakes[0].allowed.empty());
}

const char* const kSystolic = "systolic128_bf16";
const char* const kCube = "cube16_fp16";
const char* const kNvdla = "nvdla_fp16";

INSTANTIATE_TEST_SUITE_P(
    Files, BadNpu,
    ::testing::Values(
        BadFile{"UnknownKey",
                kSystolic,
                {{"\"rows\": 128", "\"rows\": 128, \"colums\": 3"}},
                "/mac_array/colums",
                "unknown-key"},
        BadFile{"UnitOfAnotherPair",
                kSystolic,
                {{"{\"format\": \"bf16\", \"macs_per_pe_per_cycle\": 1}",
                  "{\"format\": \"bf16\", \"format_b\": \"fp8_e4m3\", \"units\": [\"" +
                      testing::shipped_mac_unit("bf16_fp32_chain") + "\"]}"}},
                "/mac_array/inputs/0/units/0",
                "illegal-unit"},
        BadFile{"PairTwice",
                kSystolic,
                {{R"([{"format": "bf16", "macs_per_pe_per_cycle": 1}])",
                  R"([{"format": "bf16", "format_b": "fp8_e4m3"},)"
                  R"( {"format": "bf16", "format_b": "fp8_e4m3"}])"}},
                "/mac_array/inputs/1/format",
                "duplicate"},
        BadFile{"WrongType",
                kSystolic,
                {{"\"rows\": 128", "\"rows\": \"128\""}},
                "/mac_array/rows",
                "wrong-type"},
        BadFile{"FractionForInteger",
                kSystolic,
                {{"\"rows\": 128", "\"rows\": 3.7"}},
                "/mac_array/rows",
                "not-an-integer"},
        BadFile{"NegativeSize",
                kSystolic,
                {{"\"rows\": 128", "\"rows\": -1"}},
                "/mac_array/rows",
                "out-of-range"},
        BadFile{"ZeroSize",
                kSystolic,
                {{"\"rows\": 128", "\"rows\": 0"}},
                "/mac_array/rows",
                "out-of-range"},
        BadFile{
            "MissingKey", kSystolic, {{"\"rows\": 128,", ""}}, "/mac_array/rows", "missing-key"},
        BadFile{"MissingColumns",
                kSystolic,
                {{"\"cols\": 128,", ""}},
                "/mac_array/cols",
                "missing-key"},
        BadFile{"OrganisationTypo",
                kSystolic,
                {{"\"systolic\"", "\"sistolic\""}},
                "/mac_array/organisation",
                "unknown-value"},
        BadFile{"FormatTypo",
                kSystolic,
                {{"\"format\": \"fp32\",\n      \"rounding\"",
                  "\"format\": \"fp23\",\n      \"rounding\""}},
                "/mac_array/accumulator/format",
                "unknown-format"},
        BadFile{"RoundingTypo",
                kSystolic,
                {{"\"rounding\": \"rne\"", "\"rounding\": \"rn\""}},
                "/mac_array/accumulator/rounding",
                "unknown-value"},
        BadFile{"ZeroBandwidth",
                kSystolic,
                {{"\"bandwidth_gb_per_s\": 225", "\"bandwidth_gb_per_s\": 0"}},
                "/dram/bandwidth_gb_per_s",
                "out-of-range"},
        BadFile{"NoInputs",
                kSystolic,
                {{"[{\"format\": \"bf16\", \"macs_per_pe_per_cycle\": 1}]", "[]"}},
                "/mac_array/inputs",
                "empty"},
        BadFile{"InputTwice",
                kSystolic,
                {{"[{\"format\": \"bf16\",", "[{\"format\": \"bf16\"}, {\"format\": \"bf16\","}},
                "/mac_array/inputs/1/format",
                "duplicate"},
        BadFile{"LatencyMissing",
                kSystolic,
                {{"\"fp32\": 2, ", ""}},
                "/mac_array/accumulator/latency_cycles",
                "missing-latency"},
        BadFile{"DefaultOutsideChoices",
                kCube,
                {{"\"format\": \"fp32\",\n      \"rounding\"",
                  "\"format\": \"bf16\",\n      \"rounding\""}},
                "/mac_array/accumulator/format",
                "outside-choices"},
        BadFile{"BlockUnitInAChain",
                kSystolic,
                {{"\"product\": \"exact\"",
                  "\"product\": \"exact\", \"inner_stages\": [{\"terms\": 4, \"combine\": "
                  "\"tree\", \"format\": \"fp32\"}]"}},
                "/mac_array/inner_stages",
                "illegal-combination"},
        BadFile{"DeepSystolicElement",
                kSystolic,
                {{"\"product\": \"exact\"", "\"product\": \"exact\", \"depth\": 4"}},
                "/mac_array/depth",
                "illegal-combination"},
        BadFile{"StagesBesideDepth",
                kCube,
                {{"\"terms\": 16", "\"terms\": 8"}},
                "/mac_array/inner_stages",
                "illegal-combination"},
        BadFile{"SystolicOptionOnCube",
                kCube,
                {{"\"product\": \"exact\"", "\"product\": \"exact\", \"fold_overlap\": true"}},
                "/mac_array/fold_overlap",
                "illegal-combination"},
        BadFile{
            "SumsOfAnAlignedAccumulator",
            kCube,
            {{"\"product\": \"exact\"", "\"product\": \"exact\", \"partial_sums_per_output\": 2"},
             {"\"format\": \"fp32\",\n      \"rounding\"",
              "\"combine\": \"exact\", \"step\": 16, \"format\": \"fp32\",\n      "
              "\"rounding\""}},
            "/mac_array/partial_sums_per_output",
            "illegal-combination"},
        BadFile{"ColumnsOfDotProduct",
                kNvdla,
                {{"\"cols\": 1", "\"cols\": 2"}},
                "/mac_array/cols",
                "illegal-combination"},
        BadFile{"OrderOfAnotherDimension",
                kNvdla,
                {{"\"C/64\", \"R\"", "\"C/64\", \"Q\""}},
                "/mac_array/reduction_order/fprop/1",
                "bad-loop"},
        BadFile{"OrderWithoutADimension",
                kNvdla,
                {{"[\"N\", \"OH\", \"OW\"]", "[\"N\", \"OH\"]"}},
                "/mac_array/reduction_order/wgrad",
                "bad-loop"},
        BadFile{"OrderWithoutSingleTerms",
                kNvdla,
                {{"\"R\", \"S\", \"C\"", "\"R\", \"S\""}},
                "/mac_array/reduction_order/fprop",
                "bad-loop"},
        BadFile{"ArrayLargerThanScratchpad",
                kSystolic,
                {{"\"kib\": 8192", "\"kib\": 64"}},
                "/scratchpad/kib",
                "too-small"},
        BadFile{"AccumulatorMemoryTooSmall",
                kCube,
                {{"\"memory_kib\": 256", "\"memory_kib\": 1"}},
                "/mac_array/accumulator/memory_kib",
                "too-small"},
        BadFile{"UnknownOp",
                kSystolic,
                {{"\"@matrix\"", "\"Convv\""}},
                "/operators/groups/matrix/ops/0",
                "unknown-key"},
        BadFile{
            "HostWithoutHost",
            kSystolic,
            {{"\"default\": \"unsupported\"", "\"default\": \"host\""},
             {"\"host\": {\"link_gb_per_s\": 12, \"latency_us\": 10, \"giga_elements_per_s\": 10},",
              ""}},
            "/operators/default",
            "no-host"},
        BadFile{"NoSuchDecomposition",
                kSystolic,
                {{"\"SoftmaxCrossEntropyLoss\": {", "\"Relu\": {"}},
                "/operators/ops/Relu",
                "illegal-combination"},
        BadFile{"UnknownVectorFunction",
                kSystolic,
                {{"\"compare\": 1", "\"compere\": 1"}},
                "/vector_unit/cycles_per_element/compere",
                "unknown-key"},
        BadFile{"SourceThatIsNoText",
                kSystolic,
                {{"\"sources\": {", "\"sources\": {\"year\": 2018,"}},
                "/sources/year",
                "wrong-type"},
        BadFile{"EnergyOfUnknownFormat",
                kSystolic,
                {{"\"static_watts\": 10", "\"static_watts\": 10, \"add_pj\": {\"fp17\": 1}"}},
                "/energy/add_pj/fp17",
                "unknown-format"}),
    [](const ::testing::TestParamInfo<BadFile>& bad) { return bad.param.name; });

TEST(NpuFile, ReportsAllMistakesAtOnceInTheirPlaces) {
  const std::string path =
      edited_copy(shipped_npu(kSystolic), {{"\"rows\": 128", "\"rows\": -1"},
                                           {"\"cols\": 128", "\"cols\": 3.7"},
                                           {"\"lanes\": 512", "\"lane\": 512"},
                                           {"\"clock_mhz\": 940", "\"clock_mhz\": \"fast\""}});
  std::vector<std::string> pointers;
  for (const base::Diagnostic& mistake : mistakes_of_npu(path)) {
    pointers.push_back(mistake.pointer);
    EXPECT_EQ(mistake.file, path);
  }
  EXPECT_THAT(pointers,
              ::testing::UnorderedElementsAre("/mac_array/rows", "/mac_array/cols", "/clock_mhz",
                                              "/vector_unit/lanes", "/vector_unit/lane"));
}

TEST(NpuFile, KeysThatStandTwiceAreRefused) {
  const auto mistakes = mistakes_of_npu(
      edited_copy(shipped_npu(kSystolic), {{"\"rows\": 128", "\"rows\": 128, \"rows\": 64"}}));
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].code, "duplicate-key");
  EXPECT_EQ(mistakes[0].pointer, "/mac_array/rows");
  EXPECT_THAT(mistakes[0].message, ::testing::HasSubstr("rows"));
  EXPECT_GT(mistakes[0].line, 0);
}

TEST(NpuFile, CyclicExtendsIsRefused) {
  const std::string path = edited_copy(shipped_npu(kSystolic), {});
  const std::string name = path.substr(path.rfind('/') + 1);
  std::ofstream(path) << R"({"schema_version": 1, "kind": "npu", "extends": ")" << name << R"("})";
  const auto mistakes = mistakes_of_npu(path);
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].code, "cyclic-extends");
}

TEST(NpuFile, ExtendedFileChangesWhatItNames) {
  const std::string path = edited_copy(shipped_npu(kSystolic), {});
  const std::string child = edited_copy(shipped_npu(kSystolic), {});
  std::ofstream(child) << R"({"schema_version": 1, "kind": "npu", "extends": ")" << path
                       << R"(", "name": "narrow", "mac_array": {"rows": 32},
                            "sources": {"/mac_array/rows": {"status": "assumed", "source": "a test"}}})";
  const NpuSpec npu = load_npu(child);
  EXPECT_EQ(npu.name, "narrow");
  EXPECT_EQ(npu.mac_array.rows, 32);
  EXPECT_EQ(npu.mac_array.cols, 128);
}

TEST(NpuFile, NamesTheNearestOp) {
  const auto mistakes =
      mistakes_of_npu(edited_copy(shipped_npu(kSystolic), {{"\"@matrix\"", "\"Convv\""}}));
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_THAT(mistakes[0].message, ::testing::HasSubstr("did you mean \"Conv\""));
}

TEST(NpuFile, MissingFileIsAnInputError) {
  EXPECT_THROW(load_npu("no/such/file.json"), base::InputError);
}

TEST(NpuFile, AnotherKindIsRefused) {
  EXPECT_FALSE(mistakes_of_npu(testing::shipped_mac_unit("fp16_chain")).empty());
}

TEST(NpuFile, ReadsTheSystolicArray) {
  const NpuSpec npu = load_shipped(kSystolic);
  EXPECT_EQ(npu.name, kSystolic);
  EXPECT_EQ(npu.mac_array.rows, 128);
  EXPECT_EQ(npu.mac_array.partial_sums, PartialSums::accumulate_below);
  EXPECT_EQ(npu.peak_macs_per_cycle(precision::bf16()), 16384);
  EXPECT_EQ(npu.peak_macs_per_cycle(precision::fp16()), 0);
  EXPECT_EQ(npu.scratchpad.bytes, 8 << 20);
  EXPECT_DOUBLE_EQ(npu.dram.bandwidth_bytes_per_cycle, 225e9 / 940e6);
  EXPECT_EQ(npu.dram.latency_cycles, 470);
  EXPECT_EQ(npu.dram.capacity_bytes, std::int64_t{8} << 30);
  EXPECT_EQ(npu.mac_array.accumulator.latency(precision::fp32()), 2);
  EXPECT_TRUE(npu.resolved.is_object());
}

TEST(NpuFile, CubeAndDotProductPeaks) {
  EXPECT_EQ(load_shipped(kCube).peak_macs_per_cycle(precision::fp16()), 4096);
  EXPECT_EQ(load_shipped(kNvdla).peak_macs_per_cycle(precision::fp16()), 1024);
}

TEST(NpuFile, AnInputMayBeAPairOfFormatsInOneOrderOfSides) {
  const NpuSpec npu = load_shipped("nvidia_h100");
  const precision::Format e4m3 = precision::format_from_name("fp8_e4m3");
  const precision::Format e5m2 = precision::format_from_name("fp8_e5m2");
  const double rate = npu.peak_macs_per_cycle(e4m3);
  EXPECT_EQ(rate, 2 * npu.peak_macs_per_cycle(precision::bf16()));
  for (const OperandFormats& operands :
       {OperandFormats(e5m2), OperandFormats(e4m3, e5m2), OperandFormats(e5m2, e4m3)}) {
    EXPECT_EQ(peak_macs_per_cycle(npu, operands), rate) << operands.name();
    const precision::MacUnit unit = unit_of(npu, operands, precision::format_from_name("e8m13"));
    EXPECT_EQ(unit.a.name, operands.streamed.name);
    EXPECT_EQ(unit.b.name, operands.stationary.name);
  }
  EXPECT_EQ(peak_macs_per_cycle(npu, {e4m3, precision::bf16()}), 0);
  // One order alone says nothing of the other; arithmetic of the array's own works too.
  const NpuSpec one =
      load_shipped(kSystolic, {R"(mac_array.inputs=[{"format": "fp8_e4m3", "format_b": "bf16"}])"});
  EXPECT_EQ(peak_macs_per_cycle(one, {e4m3, precision::bf16()}), 16384);
  EXPECT_EQ(peak_macs_per_cycle(one, {precision::bf16(), e4m3}), 0);
  EXPECT_EQ(unit_of(one, OperandFormats(e4m3, precision::bf16()), precision::fp32()).b.name,
            "bf16");
}

/// Scales that belong to blocks of K are part of what an input takes.
TEST(NpuFile, BlockScaledOperandsAreAnInputOfTheirOwn) {
  const NpuSpec npu = load_shipped("nvidia_h100");
  OperandFormats blocks = precision::format_from_name("fp8_e4m3");
  const precision::Format fp32 = precision::fp32();
  const std::string plain = unit_of(npu, blocks, precision::format_from_name("e8m13")).name;
  blocks.scale_block = 128;
  blocks.scale = fp32;
  EXPECT_NE(unit_of(npu, blocks, fp32).name, plain);
  EXPECT_EQ(unit_of(npu, blocks, fp32).scales->block, 128);
  blocks.scale_block = 64;
  EXPECT_EQ(peak_macs_per_cycle(npu, blocks), 0);
}

TEST(NpuFile, EveryShippedFileTakesAnFp16Accumulator) {
  for (const char* name : {kSystolic, kCube, kNvdla}) {
    const NpuSpec npu = load_shipped(name, {"mac_array.accumulator.format=fp16"});
    EXPECT_EQ(npu.mac_array.accumulator.arithmetic.format.name, "fp16") << name;
    EXPECT_LT(npu.mac_array.accumulator.latency(precision::fp16()),
              npu.mac_array.accumulator.latency(precision::fp32()))
        << name;
    const precision::MacUnit unit = unit_of(npu, npu.mac_array.inputs[0].format, precision::fp16());
    for (const precision::Stage& stage : unit.stages)
      EXPECT_EQ(stage.arithmetic.format.name, "fp16") << name;
  }
}

TEST(NpuFile, ConfiguredLoopsReplaceTheOrganisationsOrder) {
  const NpuSpec npu = load_shipped(kNvdla, {"mac_array.reduction_order.fprop=[\"R\",\"S\",\"C\"]",
                                            "mac_array.reduction_order.tail=pack"});
  const std::vector<NamedKLoop>& loops = npu.mac_array.order.by_role.at("fprop");
  ASSERT_EQ(loops.size(), 3U);
  EXPECT_EQ(loops[0].dim, "R");
  EXPECT_EQ(loops[2].dim, "C");
  EXPECT_EQ(npu.mac_array.order.tail, precision::Tail::pack);
}

TEST(NpuFile, UnitOfFillsStagesThatFollowTheAccumulator) {
  const NpuSpec npu = load_shipped(kCube);
  const precision::MacUnit unit = unit_of(npu, precision::fp16(), precision::fp16());
  ASSERT_EQ(unit.stages.size(), 2U);
  EXPECT_EQ(unit.stages[0].terms, 16);
  EXPECT_EQ(unit.stages[0].combine, precision::Combine::tree);
  EXPECT_EQ(unit.stages[0].arithmetic.format.name, "fp16");
  EXPECT_EQ(unit.block_terms(), 16);
  EXPECT_THROW(unit_of(npu, precision::bf16(), precision::fp16()), std::invalid_argument);
}

TEST(MacUnitFile, ReadsTheTextbookUnits) {
  const precision::MacUnit chain = load_mac_unit(testing::shipped_mac_unit("fp16_chain_unfused"));
  EXPECT_EQ(chain.a.name, "fp16");
  ASSERT_TRUE(chain.product.has_value());
  EXPECT_EQ(chain.product->format.name, "fp16");
  EXPECT_EQ(chain.stages.size(), 1U);
  const precision::MacUnit tree = load_mac_unit(testing::shipped_mac_unit("fp16_fp32_tree64"));
  EXPECT_EQ(tree.block_terms(), 64);
  EXPECT_FALSE(tree.product.has_value());
  for (const char* name : {"fp32_chain", "fp16_chain", "bf16_chain", "fp16_fp32_chain",
                           "bf16_fp32_chain", "fp16_fp32_tree16", "fp16_fp16_tree16"})
    EXPECT_EQ(load_mac_unit(testing::shipped_mac_unit(name)).name, name);
}

TEST(MacUnitFile, RefusesMistakesWithTheirPlaces) {
  const std::string path = edited_copy(testing::shipped_mac_unit("fp16_fp32_tree16"),
                                       {{"\"terms\": 16", "\"terms\": 1"},
                                        {"\"b\": \"fp16\"", "\"b\": \"half\""},
                                        {"\"product\": \"exact\"", "\"product\": \"exactly\""}});
  std::vector<std::string> pointers;
  for (const base::Diagnostic& mistake : testing::mistakes_of_unit(path))
    pointers.push_back(mistake.pointer);
  EXPECT_THAT(pointers, ::testing::UnorderedElementsAre("/inner_stages/0/terms", "/b", "/product"));
}

}  // namespace
}  // namespace npusim::npu
