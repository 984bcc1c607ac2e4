// SPDX-License-Identifier: Apache-2.0
// quantize: stochastic rounding, every rule, block-scaled formats along any axis, and files larger
// than the memory it may use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/array_file.h"
#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::ArrayData;
using base::ElementKind;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class QuantizeStream : public testing::Test {
 protected:
  std::string put(std::vector<std::int64_t> shape, std::vector<double> values,
                  ElementKind kind = ElementKind::f64) {
    base::write_npy(folder_.path("x.npy"), {kind, std::move(shape), std::move(values)});
    return folder_.path("x.npy");
  }
  Outcome run(std::vector<std::string> options) {
    options.insert(options.begin(), {"quantize", "-i", folder_.path("x.npy"), "-o",
                                     folder_.path("y.npy"), "--format"});
    return npusim(options);
  }
  std::vector<double> values(const std::vector<std::string>& options) {
    last_ = run(options);
    EXPECT_EQ(last_.exit_code, 0) << last_.err;
    return base::read_npy(folder_.path("y.npy")).values;
  }
  /// A sparse file of zeros, `rows` x 64.
  void put_zeros(std::int64_t rows) {
    std::string header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", 64), }";
    header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');
    header += '\n';
    const std::string start = std::string("\x93NUMPY\x01\x00", 8) +
                              static_cast<char>(header.size() & 0xff) +
                              static_cast<char>(header.size() >> 8) + header;
    std::ofstream(folder_.path("x.npy"), std::ios::binary) << start;
    std::filesystem::resize_file(folder_.path("x.npy"),
                                 start.size() + static_cast<std::uintmax_t>(rows) * 64 * 4);
  }

  TempFolder folder_;
  Outcome last_;
};

TEST_F(QuantizeStream, StochasticRoundingIsUnbiasedAndKeyedBySeedAndIndex) {
  put({100, 100}, std::vector<double>(10000, 1.0 + 0.3 * 0x1p-7));
  const std::vector<std::string> options = {"bf16", "--rounding", "sr", "--random-bits", "16"};
  const std::vector<double> y = values(options);
  double up = 0.0;
  for (const double x : y) {
    ASSERT_TRUE(x == 1.0 || x == 1.0 + 0x1p-7);
    up += x > 1.0 ? 1.0 : 0.0;
  }
  EXPECT_NEAR(up / 10000.0, 0.3, 4 * std::sqrt(0.3 * 0.7 / 10000.0));
  EXPECT_EQ(values(options), y);
  std::vector<std::string> other = options;
  other.insert(other.end(), {"--seed", "1"});
  EXPECT_NE(values(other), y);
  put({2500}, std::vector<double>(2500, 1.0 + 0.3 * 0x1p-7));
  EXPECT_EQ(values(options), std::vector<double>(y.begin(), y.begin() + 2500));
}

// One random bit: an eighth of the last place never goes up, five eighths do half of the time.
TEST_F(QuantizeStream, FewRandomBitsAreBiasedAsInHardware) {
  put({4000}, std::vector<double>(4000, 1.0 + 0x1p-13));
  EXPECT_THAT(values({"fp16", "--rounding", "sr", "--random-bits", "1"}), Each(1.0));
  put({4000}, std::vector<double>(4000, 1.0 + 0x5p-13));
  double sum = 0.0;
  for (const double x : values({"fp16", "--rounding", "sr", "--random-bits", "1"}))
    sum += (x - 1.0) * 0x1p10;
  EXPECT_NEAR(sum / 4000.0, 0.5, 4 * 0.5 / std::sqrt(4000.0));
}

TEST_F(QuantizeStream, EveryOverflowAndSubnormalRule) {
  put({4}, {1e9, -1e9, 0x1.ffep-15, 0x1.8p-15});
  EXPECT_THAT(values({"fp16", "--overflow", "always_infinity", "--rounding", "rtz"}),
              ElementsAre(kInfinity, -kInfinity, 0x1.ff8p-15, 0x1.8p-15));
  EXPECT_TRUE(std::isnan(values({"fp16", "--overflow", "nan"})[0]));
  EXPECT_EQ(values({"fp8_e4m3", "--overflow", "saturate"})[1], -448.0);
  EXPECT_THAT(values({"fp16", "--subnormals", "flush"}),
              ElementsAre(kInfinity, -kInfinity, 0x1p-14, 0.0));
  // Both round to 2^-14; the first to 0x1.ffcp-15 if exponents had no lower end.
  put({2}, {0x1.ffdp-15, 0x1.fffp-15});
  EXPECT_THAT(values({"fp16", "--subnormals", "flush"}), ElementsAre(0x1p-14, 0x1p-14));
  EXPECT_THAT(values({"fp16", "--subnormals", "flush_tiny_after"}), ElementsAre(0.0, 0x1p-14));
  EXPECT_THAT(values({"fp16", "--subnormals", "flush_tiny_before"}), ElementsAre(0.0, 0.0));
  EXPECT_THAT(values({"fp32", "--daz", "fp16"}), ElementsAre(0.0, 0.0));
  EXPECT_THAT(last_.err, HasSubstr("2 of 2 elements changed"));
}

TEST_F(QuantizeStream, OptionsThatDoNotGoTogetherAreUsageErrors) {
  put({4}, {1, 2, 3, 4});
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"fp16", "--rounding", "sr"},
        {"fp16", "--random-bits", "4"},
        {"fp8_e4m3", "--overflow", "infinity"},
        {"int8", "--overflow", "nan"},
        {"int8", "--subnormals", "flush"},
        {"fp16", "--axis", "0"},
        {"fp16", "--scale-rounding", "ceil"},
        {"mxfp4", "--overflow", "saturate"},
        {"fp16", "--daz", "int8"}}) {
    const Outcome outcome = run(options);
    EXPECT_EQ(outcome.exit_code, 2) << options[0] << ' ' << options[1] << outcome.err;
    EXPECT_FALSE(exists(folder_.path("y.npy")));
  }
  EXPECT_EQ(run({"mxfp4", "--axis", "1"}).exit_code, 3);
  EXPECT_EQ(run({"mxfp5"}).exit_code, 3);
}

// OCP MX 1.0 by hand: amax 7 and E2M1: scale 1 (floor) or 2 (ceil).
TEST_F(QuantizeStream, BlocksAndTheirScales) {
  std::vector<double> row(64, static_cast<double>(0.2F));
  row[0] = 7.0;
  put({64}, row, ElementKind::f32);
  std::vector<double> y = values({"mxfp4"});
  EXPECT_EQ(y[0], 6.0);
  EXPECT_EQ(y[1], 0.0);
  EXPECT_EQ(y[63], 0.1875);  // 0.2 = 1.6 * 2^-3; the second block's scale is 2^-5: 6.4 -> 6
  EXPECT_THAT(last_.err, HasSubstr("mxfp4 rne, scale floor"));
  EXPECT_THAT(last_.err, HasSubstr("saturated 33"));
  EXPECT_EQ(base::read_npy(folder_.path("y.npy")).kind, ElementKind::f32);
  y = values({"mxfp4", "--scale-rounding", "ceil"});
  EXPECT_EQ(y[0], 8.0);
  EXPECT_EQ(y[63], 0.1875);
  EXPECT_EQ(values({"int8_channel"})[0], 127.0 * static_cast<double>(7.0F / 127.0F));
  EXPECT_EQ(base::read_npy(folder_.path("y.npy")).kind, ElementKind::f64);
}

TEST_F(QuantizeStream, AxisSaysWhereBlocksRun) {
  const int rows = 70;
  const int columns = 45;
  std::vector<double> x, transposed(static_cast<std::size_t>(rows * columns));
  for (int i = 0; i < rows * columns; ++i)
    x.push_back(std::ldexp(1.0 + (i * 37 % 101) / 128.0, i * 13 % 9) * (i % 3 == 0 ? -1.0 : 1.0));
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c)
      transposed[static_cast<std::size_t>(c * rows + r)] =
          x[static_cast<std::size_t>(r * columns + c)];
  for (const char* format : {"mxfp8_e5m2", "nvfp4", "int8_channel", "int4_tensor", "bfp16m5"}) {
    put({columns, rows}, transposed);
    const std::vector<double> want = values({format});
    put({rows, columns}, x);
    const std::vector<double> got = values({format, "--axis", "0"});
    EXPECT_EQ(values({format, "--axis", "-2"}), got);
    put({1, rows, columns}, x);
    EXPECT_EQ(values({format, "--axis", "1"}), got);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c)
        ASSERT_EQ(got[static_cast<std::size_t>(r * columns + c)],
                  want[static_cast<std::size_t>(c * rows + r)])
            << format;
  }
}

// A row larger than the pieces the command works in, and columns wider than those.
TEST_F(QuantizeStream, LongRowsAndWideColumnsAreWorkedThroughInPieces) {
  const std::int64_t count = 600000;
  std::vector<double> x;
  for (std::int64_t i = 0; i < count; ++i) x.push_back(static_cast<double>(i % 1000) / 8.0);
  x[555555] = 127.0 * 4.0;
  put({count}, x);
  const std::vector<double> row = values({"int8_channel"});
  for (std::int64_t i = 0; i < count; ++i)
    ASSERT_EQ(row[static_cast<std::size_t>(i)],
              4.0 * std::nearbyint(x[static_cast<std::size_t>(i)] / 4.0));
  put({2, count / 2}, x);
  const std::vector<double> wide = values({"int8_block2", "--axis", "0"});
  for (std::int64_t c = 0; c < count / 2; c += 777) {
    const double a = x[static_cast<std::size_t>(c)];
    const double b = x[static_cast<std::size_t>(c + count / 2)];
    const double scale = static_cast<double>(static_cast<float>(std::max(a, b)) / 127.0F);
    if (scale == 0.0) continue;
    ASSERT_EQ(wide[static_cast<std::size_t>(c)], scale * std::nearbyint(a / scale)) << c;
  }
}

/// AddressSanitizer reserves terabytes of address space, which is what ulimit counts.
constexpr bool kAddressSpaceCanBeLimited =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    false;
#else
    true;
#endif

TEST_F(QuantizeStream, FilesLargerThanTheMemoryItMayUse) {
  if (!kAddressSpaceCanBeLimited) GTEST_SKIP() << "sanitizers need more address space";
  put_zeros(std::int64_t{1} << 19);  // 128 MiB
  std::fstream file(folder_.path("x.npy"), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-4, std::ios::end);
  const float last = 3.3F;
  file.write(reinterpret_cast<const char*>(&last), sizeof last);
  file.close();
  for (const char* options : {"--format fp16", "--format mxfp8_e4m3 --axis 0", "--format nvfp4"}) {
    const Outcome outcome = run_program({"sh", "-c",
                                         "ulimit -v 110000; exec " + npusim_binary() +
                                             " quantize -i x.npy -o /dev/null " + options},
                                        folder_.path());
    if (contains(outcome.err, "ulimit")) GTEST_SKIP() << "this shell cannot limit memory";
    EXPECT_EQ(outcome.exit_code, 0) << options << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("1 of 33554432 elements changed")) << options;
  }
}

TEST_F(QuantizeStream, DotTakesFilesLargerThanTheMemoryItMayUse) {
  if (!kAddressSpaceCanBeLimited) GTEST_SKIP() << "sanitizers need more address space";
  put_zeros(std::int64_t{1} << 19);  // 128 MiB
  const Outcome outcome =
      run_program({"sh", "-c",
                   "ulimit -v 120000; exec " + npusim_binary() +
                       " dot --jobs 1 --unit fp16_chain --a x.npy --b x.npy -o y.npy"},
                  folder_.path());
  if (contains(outcome.err, "ulimit")) GTEST_SKIP() << "this shell cannot limit memory";
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(base::read_npy(folder_.path("y.npy")).shape,
            std::vector<std::int64_t>{std::int64_t{1} << 19});
}

TEST_F(QuantizeStream, AnInterruptLeavesNoFile) {
  put_zeros(std::int64_t{1} << 22);
  Child child({npusim_binary(), "quantize", "--format", "nvfp4", "-i", folder_.path("x.npy"), "-o",
               folder_.path("y.npy")});
  for (int i = 0; i < 2000 && folder_.names().size() < 2; ++i) usleep(5000);
  EXPECT_EQ(folder_.names().size(), 2u);
  kill(child.pid(), SIGINT);
  EXPECT_EQ(child.wait().exit_code, 130);
  EXPECT_THAT(folder_.names(), ElementsAre("x.npy"));
}

}  // namespace
}  // namespace npusim::cli_test
