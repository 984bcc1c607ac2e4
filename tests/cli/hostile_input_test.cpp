// SPDX-License-Identifier: Apache-2.0
// Hostile files through the real binary: an error with its place, exit code 3, within a second of
// CPU time and 512 MB of address space.
#include <gmock/gmock.h>

#include <string>

#include "tests/cli/child.h"

// Sanitizers reserve address space of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NPUSIM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NPUSIM_SANITIZED 1
#endif
#endif

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMillion = 1'000'000;

class HostileInput : public testing::Test {
 protected:
  void SetUp() override {
#if defined(NPUSIM_SANITIZED)
    GTEST_SKIP() << "address space is limited";
#endif
  }
  /// The file named in the last argument is refused, by name.
  void expect_refused(const std::string& arguments, const std::string& says) {
    const Outcome outcome = run_program(
        {"bash", "-c", "ulimit -v 524288 -t 1; exec " + npusim_binary() + " " + arguments});
    EXPECT_EQ(outcome.exit_code, 3) << arguments << "\n" << outcome.err.substr(0, 500);
    EXPECT_THAT(outcome.err, HasSubstr(says));
    EXPECT_EQ(outcome.out, "");
  }
  void expect_workload_refused(const std::string& name, const std::string& bytes) {
    const std::string file = folder_.write(name, bytes);
    expect_refused("run --npu " + data("tiny_npu.json") + " --workload " + file, file);
  }
  void expect_array_refused(const std::string& name, const std::string& bytes) {
    const std::string file = folder_.write(name, bytes);
    expect_refused("run --npu " + data("tiny_npu.json") + " --workload " + data("tiny_mlp.json") +
                       (name.back() == 's' ? " --weights " : " --input x=") + file,
                   file);
  }

  TempFolder folder_;
};

/// The 8 bytes of a length, lowest first.
std::string length_bytes(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i) & 0xff);
  return bytes;
}

std::string npy(const std::string& header) {
  std::string padded = header + std::string(118 - header.size() - 1, ' ') + "\n";
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + padded;
}

TEST_F(HostileInput, AMillionBrackets) {
  expect_workload_refused("open.json", std::string(kMillion, '['));
  expect_workload_refused("closed.json", std::string(kMillion, '[') + std::string(kMillion, ']'));
  std::string objects;
  for (std::size_t i = 0; i < kMillion / 4; ++i) objects += "{\"\":";
  expect_workload_refused("objects.json", objects);
  const std::string header(kMillion, '[');
  expect_array_refused("w.safetensors", length_bytes(header.size()) + header);
}

TEST_F(HostileInput, OnnxFilesOfManyNestedOrLyingParts) {
  expect_workload_refused("nested.onnx", std::string(kMillion, '\x3a'));
  expect_workload_refused("long.onnx", std::string("\x3a\xff\xff\xff\xff\x07", 6));
  expect_workload_refused("empty.onnx", "");
}

TEST_F(HostileInput, ArraysThatClaimMoreThanTheyHold) {
  expect_array_refused(
      "x.npy",
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"));
  expect_array_refused("huge.npy",
                       npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999,), }"));
  expect_array_refused("w.safetensors", length_bytes(~std::uint64_t{0}) + "{}");
  const std::string lying =
      R"({"fc1.weight":{"dtype":"F32","shape":[8,12],"data_offsets":[0,4000000000000]}})";
  expect_array_refused("offsets.safetensors", length_bytes(lying.size()) + lying);
}

}  // namespace
}  // namespace npusim::cli_test
