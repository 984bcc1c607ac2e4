// SPDX-License-Identifier: Apache-2.0
// Timing needs shapes only: networks larger than the memory that the run may use. Numerics holds no
// image matrix.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "child.h"

namespace npusim::cli_test {
namespace {

using ::testing::HasSubstr;

/// AddressSanitizer reserves terabytes of address space, which is what ulimit counts.
constexpr bool kAddressSpaceCanBeLimited =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    false;
#else
    true;
#endif

void expect_timed(const std::string& workload, int kib) {
  if (!kAddressSpaceCanBeLimited) GTEST_SKIP() << "sanitizers need more address space";
  const Outcome outcome =
      run_program({"sh", "-c",
                   "ulimit -v " + std::to_string(kib) + "; exec " + npusim_binary() +
                       " run --npu systolic128_bf16 --workload " + workload +
                       " --no-numerics --jobs 1 --csv - --set npu.dram.gib=4096 --set "
                       "npu.operators.default=host"});
  if (outcome.err.find("ulimit") != std::string::npos)
    GTEST_SKIP() << "this shell cannot limit memory";
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(",ok,"));
}

TEST(TimingMemory, Llama2In200MB) {
  expect_timed("llama2_7b_prefill", 200000 * 1000 / 1024);
  expect_timed("llama2_7b_decode", 200000 * 1000 / 1024);
}

TEST(TimingMemory, ATrainingStepOfLlama2In200MB) {
  expect_timed("llama2_7b_prefill:training", 200000 * 1000 / 1024);
}

// 16 channels, 11 x 11 taps, 96 x 96 pixels: 1,936 x 9,216 values, 143 MB as a whole matrix.
TEST(Im2colMemory, ImagesAreReadAPanelOfColumnsAtATime) {
  if (!kAddressSpaceCanBeLimited) GTEST_SKIP() << "sanitizers need more address space";
  TempFolder folder;
  const std::string workload = folder.write("wide.json", R"({
"schema_version": 1, "kind": "workload", "name": "wide_window",
"inputs": [{"name": "x", "shape": [1, 16, 96, 96], "initializer": {"kind": "normal"}},
{"name": "label", "shape": [1, 1, 96, 96], "role": "label", "initializer": {"kind": "normal"}}],
"initializers": [
{"name": "w", "shape": [1, 16, 11, 11], "initializer": {"kind": "kaiming_normal"}}],
"nodes": [
{"op": "Conv", "name": "conv", "inputs": ["x", "w"], "attributes": {"pads": [5, 5, 5, 5]}}],
"outputs": ["conv.out"],
"training": {"logits": "conv.out", "labels": "label", "loss": "MeanSquaredError"}})");
  for (const char* mode : {"inference", "training"}) {
    const Outcome outcome = run_program({"sh", "-c",
                                         "ulimit -v 120000; exec " + npusim_binary() +
                                             " run --npu cube16_fp16 --workload " + workload +
                                             " --mode " + mode + " --no-timing --jobs 1 --csv -"});
    if (outcome.err.find("ulimit") != std::string::npos)
      GTEST_SKIP() << "this shell cannot limit memory";
    EXPECT_EQ(outcome.exit_code, 0) << mode << ": " << outcome.err;
  }
}

}  // namespace
}  // namespace npusim::cli_test
