// SPDX-License-Identifier: Apache-2.0
// validate, list, describe, formats.
#include <gmock/gmock.h>

#include "tests/cli/child.h"
#include "tests/source_dir.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Validate, SaysOkForEachGoodFile) {
  const Outcome outcome =
      npusim({"validate", data("tiny_npu.json"), data("tiny_cube.json"), data("tiny_mlp.json"),
              data("tiny_recipe.json"), data("tiny_unit.json")});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(lines_of(outcome.out).size(), 5u);
  EXPECT_THAT(outcome.out, StartsWith("OK " + data("tiny_npu.json") + "\n"));
}

TEST(Validate, EveryShippedFileIsValid) {
  const std::string root = test::source_dir();
  const Outcome outcome =
      npusim({"validate", root + "/configs/npus/*.json", root + "/configs/mac_units/*.json",
              root + "/configs/recipes/*.json", root + "/configs/scenarios/*.json",
              root + "/workloads/*.json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GE(lines_of(outcome.out).size(), 10u);
}

TEST(Validate, ReportsEveryMistakeOfEveryFileAsTextAndJson) {
  TempFolder folder;
  std::string text = read_text(data("tiny_npu.json"));
  text.replace(text.find("\"rows\": 4"), 9, "\"rows\": 3.7");
  text.replace(text.find("\"default_recipe\": \"fp16\""), 24, "\"default_recipe\": 16");
  const std::string npu = folder.write("npu.json", text);
  const std::string other =
      folder.write("other.json", "{\"schema_version\": 1, \"kind\": \"spaceship\"}");
  const Outcome outcome =
      npusim({"validate", data("tiny_mlp.json"), npu, other, "/no/such.json", "--json", "-"});
  EXPECT_EQ(outcome.exit_code, 3);
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  EXPECT_FALSE(at(document, "/valid").boolean());
  const auto& errors = at(document, "/errors").items();
  ASSERT_EQ(errors.size(), 4u) << outcome.out;
  std::vector<std::string> keys;
  for (const auto& member : errors[0].members()) keys.push_back(member.first);
  EXPECT_EQ(keys, (std::vector<std::string>{"file", "line", "column", "pointer", "code", "message",
                                            "allowed"}));
  EXPECT_THAT(outcome.err, HasSubstr("/mac_array/rows"));
  EXPECT_THAT(outcome.err, HasSubstr(other + ":1:31: /kind: "));
  EXPECT_THAT(outcome.err, HasSubstr("/no/such.json"));
  for (const JsonValue& error : errors) EXPECT_NE(at(error, "/code").string(), "");
}

TEST(Validate, AnUnknownDefaultRecipeIsLocated) {
  TempFolder folder;
  std::string text = read_text(data("tiny_npu.json"));
  text.replace(text.find("\"fp16\","), 7, "\"fp61\",");
  const std::string file = folder.write("npu.json", text);
  const Outcome outcome = npusim({"validate", file});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, StartsWith(file + ":8:21: /default_recipe: "));
}

TEST(List, NamesTheShippedFiles) {
  const Outcome outcome = npusim({"list", "npu", "--json", "-"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  std::vector<std::string> names;
  for (const JsonValue& entry : document.items()) {
    names.push_back(at(entry, "/name").string());
    EXPECT_EQ(at(entry, "/kind").string(), "npu");
    EXPECT_TRUE(exists(at(entry, "/file").string()));
    EXPECT_NE(at(entry, "/description").string(), "");
  }
  EXPECT_THAT(names, testing::IsSupersetOf({"cube16_fp16", "nvdla_fp16", "systolic128_bf16"}));
}

TEST(List, NamesWhatIsBuiltIn) {
  const auto names_of = [](const std::string& kind) {
    std::vector<std::string> names;
    const JsonValue document =
        base::parse_json(npusim({"list", kind, "--json", "-"}).out, "stdout");
    for (const JsonValue& entry : document.items()) {
      names.push_back(at(entry, "/name").string());
      EXPECT_EQ(at(entry, "/file").string(), "");
      EXPECT_NE(at(entry, "/description").string(), "") << names.back();
    }
    return names;
  };
  EXPECT_THAT(
      names_of("organisation"),
      testing::UnorderedElementsAre("systolic", "cube", "dot_product", "tensor_core", "simd"));
  EXPECT_THAT(names_of("format"), testing::IsSupersetOf({"fp64", "fp32", "fp16", "bf16"}));
  EXPECT_THAT(names_of("rounding"),
              testing::UnorderedElementsAre("rne", "rna", "rtz", "ru", "rd", "odd", "sr"));
  EXPECT_THAT(names_of("op"), testing::IsSupersetOf({"Conv", "Gemm", "MatMul", "Relu", "MaxPool"}));
}

TEST(List, WithoutAKindListsAll) {
  const Outcome outcome = npusim({"list"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* name :
       {"systolic128_bf16", "resnet50", "fp16_chain", "BatchNormalization", "rtz"})
    EXPECT_THAT(outcome.out, HasSubstr(name));
}

TEST(List, TakesThePluralToo) {
  EXPECT_EQ(npusim({"list", "ops"}).out, npusim({"list", "op"}).out);
}

TEST(List, AnUnknownKindIsRefused) {
  const Outcome outcome = npusim({"list", "npuu"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"npu\"?"));
}

void expect_description(const std::vector<std::string>& arguments,
                        const std::vector<std::string>& parts) {
  std::vector<std::string> command = {"describe"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Outcome outcome = npusim(command);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const std::string& part : parts) EXPECT_THAT(outcome.out, HasSubstr(part));
}

TEST(Describe, Npu) {
  expect_description(
      {data("tiny_npu.json")},
      {"NPU tiny_npu", "500 MHz", "4 rows x 4 cols", "fp32 (2 cycles), fp16 (1 cycle)",
       "K is cut every 4 terms", "made up for tests", "0.016"});  // 2*16*500e6 = 0.016 TOPS
  expect_description({"systolic128_bf16"},
                     {"128 rows x 128 cols", "940 MHz", "16,384", "Operators", "Conv"});
}

TEST(Describe, MacUnit) {
  expect_description({data("tiny_unit.json")},
                     {"fp16 x fp16", "tree of 2 in fp16 rne", "chain in fp16 rne"});
}

TEST(Describe, Workload) {
  expect_description({data("tiny_mlp.json")}, {"batch = 4", "131 parameters", "480 (forward)",
                                               "[4, 3]", "logits", "learning rate 0.1"});
  expect_description({"resnet50"}, {"25,557,032 parameters", "4,089,184,256"});
}

// 16 MiB by four devices at 25 GB/s: 6 steps of 4 MiB and 2 us.
TEST(Describe, ClusterWithTheTimeOfItsCollectives) {
  expect_description({"ring4_bf16"}, {"cluster ring4_bf16", "data", "ring",
                                      "25 GB/s in each direction", "bf16", "25 MiB", "1018.6"});
}

TEST(Describe, RecipeOpOrganisationFormatRounding) {
  expect_description({data("tiny_recipe.json")}, {"recipe tiny_recipe", "master weights", "none"});
  expect_description({"Conv"}, {"matrix", "strides", "dilations", "group"});
  expect_description({"SoftmaxCrossEntropyLoss"}, {"decomposes into", "LogSoftmax"});
  expect_description({"systolic"}, {"organisation systolic"});
  expect_description({"e4m3"}, {"8 bits: 1 sign, 4 exponent (bias 7), 3 fraction"});
  expect_description({"fp16", "--kind", "format"}, {"65504", "-14 .. 15"});
  expect_description({"rtz"}, {"toward zero"});
}

TEST(Describe, AmbiguousAndUnknownNames) {
  const Outcome both = npusim({"describe", "fp16"});
  EXPECT_EQ(both.exit_code, 3);
  EXPECT_THAT(both.err, HasSubstr("recipe, format; choose with --kind"));
  const Outcome none = npusim({"describe", "systolic128_bf61"});
  EXPECT_EQ(none.exit_code, 3);
  EXPECT_THAT(none.err, HasSubstr("systolic128_bf16"));
}

// The comparison of the documents: IEEE 754 binary16 against bfloat16.
TEST(Formats, PropertiesAreThePublishedOnes) {
  const JsonValue document =
      base::parse_json(npusim({"formats", "fp16", "bf16", "fp32", "--json", "-"}).out, "-");
  const JsonValue& fp16 = at(document, "/0");
  EXPECT_EQ(at(fp16, "/bits").integer(), 16);
  EXPECT_EQ(at(fp16, "/exponent_bits").integer(), 5);
  EXPECT_EQ(at(fp16, "/bias").integer(), 15);
  EXPECT_EQ(at(fp16, "/max_finite").number(), 65504.0);
  EXPECT_EQ(at(fp16, "/min_normal").number(), 0x1p-14);
  EXPECT_EQ(at(fp16, "/min_subnormal").number(), 0x1p-24);
  EXPECT_EQ(at(fp16, "/epsilon").number(), 0x1p-10);
  EXPECT_EQ(at(fp16, "/digits10").integer(), 3);
  EXPECT_EQ(at(fp16, "/max_digits10").integer(), 5);
  const JsonValue& bf16 = at(document, "/1");
  EXPECT_EQ(at(bf16, "/bias").integer(), 127);
  EXPECT_EQ(at(bf16, "/max_finite").number(), 0x1.FEp127);
  EXPECT_EQ(at(bf16, "/min_normal").number(), 0x1p-126);
  EXPECT_EQ(at(bf16, "/min_subnormal").number(), 0x1p-133);
  EXPECT_EQ(at(bf16, "/digits10").integer(), 2);
  EXPECT_EQ(at(bf16, "/max_digits10").integer(), 4);
  EXPECT_EQ(at(document, "/2/max_finite").number(), 0x1.fffffep127);
}

// Cells without a meaning are empty, in the table and in JSON.
TEST(Formats, EveryFormatIsThereWithoutCellsThatMeanNothing) {
  const JsonValue all = base::parse_json(npusim({"formats", "--json", "-"}).out, "-");
  std::vector<std::string> names;
  for (const JsonValue& item : all.items()) names.push_back(at(item, "/name").string());
  for (const char* name : {"fp64", "tf32", "fp8_e4m3fnuz", "fp4_e2m1", "e8m0", "int4", "mxfp8_e4m3",
                           "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4"})
    EXPECT_THAT(names, testing::Contains(name));
  const JsonValue some = base::parse_json(
      npusim({"formats", "int8", "mxfp4", "bfp16m8", "int8_channel", "--json", "-"}).out, "-");
  EXPECT_EQ(at(some, "/0/bias").kind(), JsonValue::Kind::null);
  EXPECT_EQ(at(some, "/0/max_finite").number(), 127.0);
  EXPECT_EQ(at(some, "/1/bits").number(), 4.25);
  EXPECT_EQ(at(some, "/1/block").string(), "32");
  EXPECT_EQ(at(some, "/1/scale").string(), "e8m0");
  EXPECT_EQ(at(some, "/2/block").string(), "16");
  EXPECT_EQ(at(some, "/3/block").string(), "row");
  const Outcome csv = npusim({"formats", "int4", "--csv", "-"});
  EXPECT_THAT(csv.out, HasSubstr("int4,4,-,-,-,-,7,-,-,1,0,-,0.90,16.9,3,none,-,-,-"));
  EXPECT_EQ(npusim({"formats", "mxfp5"}).exit_code, 3);
  EXPECT_THAT(npusim({"describe", "nvfp4", "--kind", "format"}).out, HasSubstr("fp8_e4m3"));
}

TEST(Formats, TableMarkdownAndUnknownNames) {
  const Outcome table = npusim({"formats"});
  EXPECT_EQ(table.exit_code, 0);
  for (const char* cell : {"fp64", "bf16", "65504", "6.103516e-05", "3.389531e+38"})
    EXPECT_THAT(table.out, HasSubstr(cell));
  EXPECT_THAT(npusim({"formats", "e5m2", "--markdown", "-"}).out, HasSubstr("| e5m2"));
  const Outcome unknown = npusim({"formats", "fp61"});
  EXPECT_EQ(unknown.exit_code, 3);
  EXPECT_THAT(unknown.err, HasSubstr("fp61"));
}

}  // namespace
}  // namespace npusim::cli_test
