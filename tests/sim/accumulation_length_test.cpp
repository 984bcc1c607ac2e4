// SPDX-License-Identifier: Apache-2.0
// How long a weight gradient's sum may be in a narrow accumulator: FP16 chains against FP64, with
// gradients of mean zero and of mean a tenth of their deviation, and activations as ReLU gives
// them.
#include <gtest/gtest.h>

#include <cmath>

#include "npu_models/npu_file.h"
#include "precision/gemm.h"
#include "precision/rounding.h"
#include "tests/source_dir.h"
#include "workloads/random.h"

namespace npusim::sim {
namespace {

constexpr std::int64_t kRows = 8;

std::vector<double> draws(const char* name, std::int64_t n, double mean, bool rectified) {
  const workloads::RandomStream stream(1, name);
  std::vector<double> values(static_cast<std::size_t>(kRows * n));
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const workloads::RandomStream::Pair bits = stream.block(i / 2);
    workloads::normal_values(&bits, 1, values.data() + i);
  }
  for (double& value : values) {
    value = rectified ? std::fmax(value, 0.0) : value + mean;
    value = precision::round_to(value, precision::fp16(), precision::Rounding::rne);
  }
  return values;
}

/// Relative Frobenius error of an 8 x 8 weight gradient summed over n samples.
double error_of(const char* unit_name, std::int64_t n, double mean) {
  const precision::MacUnit unit = npu::load_mac_unit(std::string(test::source_dir()) +
                                                     "/configs/mac_units/" + unit_name + ".json");
  const std::vector<double> dy = draws("dy", n, mean, false), x = draws("x", n, 0.0, true);
  precision::ReductionPlan plan;
  plan.dims = {{"N", n}};
  std::vector<double> result(kRows * kRows);
  precision::MatrixOutput out(result.data(), kRows);
  precision::emulated_gemm(unit, plan, precision::MatrixRows(dy.data(), kRows, n, n, 1),
                           precision::MatrixRows(x.data(), kRows, n, n, 1), {}, out,
                           precision::serial());
  double error = 0.0, size = 0.0;
  for (std::int64_t i = 0; i < kRows; ++i)
    for (std::int64_t j = 0; j < kRows; ++j) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < n; ++k)
        sum += dy[static_cast<std::size_t>(i * n + k)] * x[static_cast<std::size_t>(j * n + k)];
      error += std::pow(result[static_cast<std::size_t>(i * kRows + j)] - sum, 2);
      size += sum * sum;
    }
  return std::sqrt(error / size);
}

/// The smallest power of two with an error of more than a tenth; 0: none up to 2^18.
std::int64_t breaks_at(const char* unit, double mean) {
  for (std::int64_t n = 64; n <= std::int64_t{1} << 18; n *= 2)
    if (!(error_of(unit, n, mean) <= 0.1)) return n;
  return 0;
}

TEST(AccumulationLength, Fp16BreaksLongWeightGradientsAndFp32DoesNot) {
  const std::int64_t zero_mean = breaks_at("fp16_chain", 0.0);
  const std::int64_t with_mean = breaks_at("fp16_chain", 0.1);
  RecordProperty("breaks_at_zero_mean", std::to_string(zero_mean));
  RecordProperty("breaks_at_tenth_mean", std::to_string(with_mean));
  // Where sums drift they reach magnitudes at which most terms are below half a unit.
  EXPECT_GT(with_mean, 4096);
  EXPECT_NE(with_mean, 0);
  EXPECT_TRUE(zero_mean == 0 || zero_mean >= with_mean) << zero_mean << " " << with_mean;
  for (const double mean : {0.0, 0.1})
    for (const std::int64_t n : {4096, 65536, 262144})
      EXPECT_LT(error_of("fp16_fp32_chain", n, mean), 1e-4) << n;
}

}  // namespace
}  // namespace npusim::sim
