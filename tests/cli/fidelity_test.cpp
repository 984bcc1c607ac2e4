// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;
using testing::Not;

std::string timing_at(const std::string& npu, const std::string& fidelity,
                      const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "run",    "--npu",         npu,      "--workload", data("tiny_mlp.json"), "--fidelity",
      fidelity, "--no-numerics", "--json", "-"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = npusim(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  EXPECT_EQ(at(document, "/runs/0/status").string(), "ok");
  return base::dump_json(at(document, "/runs/0/timing"));
}

TEST(Fidelity, ClockedElementsGiveTheTimesOfTheTileModel) {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"--mode", "training"},
      {"--set", "npu.mac_array.arrays=3"},
      {"--set", "npu.mac_array.arrays=6", "--set",
       "npu.mapping={\"pins\": [{\"op\": \"fc*\", \"split\": {\"m\": 3, \"k\": 2}}]}"},
      {"--set", "npu.mac_array.partial_sums=reinject_above"},
      {"--set", "npu.mac_array.dataflow=input_stationary", "--set",
       "npu.mac_array.completion=written"},
      {"--set", "npu.mac_array.dataflow=output_stationary", "--set",
       "npu.mac_array.partial_sums=null", "--set", "npu.mac_array.partial_sums_per_output=2"}};
  for (const std::vector<std::string>& variant : variants)
    EXPECT_EQ(timing_at(data("tiny_npu.json"), "pe", variant),
              timing_at(data("tiny_npu.json"), "tile", variant))
        << testing::PrintToString(variant);
  EXPECT_EQ(timing_at(data("tiny_cube.json"), "pe"), timing_at(data("tiny_cube.json"), "tile"));
}

TEST(Fidelity, LargeArraysAndArraysWithoutElementsAreRefused) {
  const Outcome large =
      npusim({"run", "--npu", "systolic128_bf16", "--workload", "mlp", "--fidelity", "pe"});
  EXPECT_EQ(large.exit_code, 3);
  EXPECT_THAT(large.err, HasSubstr("16384 elements; at most 4096"));
  const Outcome work =
      npusim({"run", "--npu", "nvdla_fp16", "--workload", "resnet50", "--fidelity", "pe"});
  EXPECT_EQ(work.exit_code, 3);
  EXPECT_THAT(work.err, HasSubstr("element-cycles"));
  const Outcome simd = npusim(
      {"run", "--npu", data("tiny_npu.json"), "--workload", data("tiny_mlp.json"), "--fidelity",
       "pe", "--set", "npu.mac_array.organisation=simd", "--set", "npu.mac_array.depth=1", "--set",
       "npu.mac_array.dataflow=null", "--set", "npu.mac_array.partial_sums=null"});
  EXPECT_EQ(simd.exit_code, 3);
  EXPECT_THAT(simd.err, HasSubstr("no model of its elements"));
}

std::string waveform(const std::string& window) {
  const std::string path = ::testing::TempDir() + "npusim_fidelity.vcd";
  std::filesystem::remove(path);
  timing_at(data("tiny_npu.json"), "pe", {"--vcd", path, "--vcd-cycles", window});
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Fidelity, WaveformsShowTheElementsWithinTheWindow) {
  const std::string shown = waveform("0:4000");
  EXPECT_THAT(shown, HasSubstr("$var real"));
  EXPECT_THAT(shown, HasSubstr("array_0"));
  EXPECT_THAT(shown, HasSubstr("pe_3_3"));
  const std::string later = waveform("100000:100001");
  EXPECT_THAT(later, HasSubstr("pe_3_3"));
  EXPECT_GT(shown.size(), later.size() + 4000);
}

TEST(Fidelity, OptionsThatDoNotGoTogetherAreUsageErrors) {
  const auto code = [](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"run", "--npu", data("tiny_npu.json"), "--workload",
                                          data("tiny_mlp.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return npusim(arguments).exit_code;
  };
  EXPECT_EQ(code({"--vcd", "x.vcd"}), 2);
  EXPECT_EQ(code({"--fidelity", "pe", "--vcd", "x.txt"}), 2);
  EXPECT_EQ(code({"--fidelity", "pe", "--vcd-cycles", "0:5"}), 2);
  EXPECT_EQ(code({"--fidelity", "pe", "--vcd", "x.vcd", "--vcd-cycles", "5:5"}), 2);
  EXPECT_EQ(code({"--fidelity", "gate"}), 2);
}

TEST(ValidateTiming, PrintsPublishedBesideSimulated) {
  const Outcome outcome = npusim({"validate-timing", "-v"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  for (const char* text : {"TPU v4 products, scored", "silicon", "vendor's estimator",
                           "SystemC tile model", "4096^3, TFLOP/s", "1024x1024x1024", "holds"})
    EXPECT_THAT(outcome.out, HasSubstr(text));
  EXPECT_THAT(outcome.out, Not(HasSubstr("BROKEN")));
  const Outcome json = npusim({"validate-timing", "--json", "-"});
  const JsonValue document = base::parse_json(json.out, "stdout");
  EXPECT_EQ(at(document, "/sets").items().size(), 7U);
  EXPECT_TRUE(at(document, "/sets/1/limits/0/holds").boolean());
}

TEST(ValidateTiming, MistakesAreNamed) {
  EXPECT_EQ(npusim({"validate-timing", "--npu", "nvdla_fp16"}).exit_code, 2);
  const Outcome missing = npusim({"validate-timing", "--reference", "/no/such.csv"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_THAT(missing.err, HasSubstr("/no/such.csv"));
}

}  // namespace
}  // namespace npusim::cli_test
