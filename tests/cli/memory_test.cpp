// SPDX-License-Identifier: Apache-2.0
// Timing needs shapes only: networks larger than the memory that the run may use.
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

}  // namespace
}  // namespace npusim::cli_test
