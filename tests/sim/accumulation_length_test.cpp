// SPDX-License-Identifier: Apache-2.0
// How long a weight gradient's sum may be in a narrow accumulator: FP16 chains against FP64, with
// gradients of mean zero and of mean a tenth of their deviation, and activations as ReLU gives
// them.
#include <gtest/gtest.h>

#include <cmath>

#include "npu_models/npu_file.h"
#include "precision/gemm.h"
#include "precision/rounding.h"
#include "sim/training/step_executor.h"
#include "tests/source_dir.h"
#include "workloads/random.h"
#include "workloads/training/transform.h"

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

precision::MacUnit shipped(const char* name) {
  return npu::load_mac_unit(std::string(test::source_dir()) + "/configs/mac_units/" + name +
                            ".json");
}

/// y = x w with w = 0 and the loss mean((y - t)^2): its gradient by y is -2 t / count, so that the
/// labels say what the gradient is. Everything but the weight gradient is FP64.
class LinearLayer {
 public:
  LinearLayer(std::int64_t batch, std::int64_t in, std::int64_t out) : batch_(batch), out_(out) {
    workloads::Workload layer;
    const auto tensor = [&](const char* name, workloads::Shape shape, workloads::TensorRole role) {
      workloads::TensorInfo info;
      info.name = name;
      info.shape = std::move(shape);
      info.role = role;
      info.initializer = workloads::Initializer{};
      return layer.graph.add_tensor(std::move(info));
    };
    const auto x = tensor("x", {batch, in}, workloads::TensorRole::input);
    const auto t = tensor("t", {batch, out}, workloads::TensorRole::label);
    const auto w = tensor("w", {in, out}, workloads::TensorRole::weight);
    layer.graph.inputs = {x, t};
    layer.graph.outputs = layer.graph.add_node("Gemm", "fc", {x, w}, {}, {"y"});
    layer.training.emplace();
    layer.training->logits = "y";
    layer.training->labels = "t";
    layer.training->loss = "MeanSquaredError";
    layer.training->optimizer.learning_rate = 1.0;
    step_.graph = workloads::make_training_step(layer, false);
    step_.storage.assign(step_.graph.tensors.size(), {precision::fp64(), precision::Rounding::rne});
    step_.on_chip.assign(step_.graph.tensors.size(), false);
  }

  /// The weight gradient through a unit: w.next is -1 times it.
  std::vector<double> gradient(const precision::MacUnit& unit, const std::vector<double>& x,
                               const std::vector<double>& dy) {
    step_.ops.clear();
    for (std::size_t n = 0; n < step_.graph.nodes.size(); ++n) {
      if (step_.graph.nodes[n].name != "fc.db") continue;
      npu::MappedOp op;
      op.node = static_cast<int>(n);
      op.engine = npu::Engine::matrix;
      op.gemm.emplace();
      op.gemm->unit = unit;
      op.gemm->plan.dims = {{"N", batch_}};
      step_.ops.push_back(std::move(op));
    }
    EXPECT_EQ(step_.ops.size(), 1U);
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(step_, precision::fp64(), 0, serial);
    std::vector<double> labels = dy;
    for (double& label : labels) label *= -0.5 * static_cast<double>(batch_ * out_);
    executor.load(step_.graph.find(workloads::kLossScale), {1.0});
    executor.load(step_.graph.find("x"), x);
    executor.load(step_.graph.find("t"), labels);
    executor.run(0, {}, {});
    std::vector<double> gradient = executor.value(step_.graph.find("w.next")).values;
    for (double& value : gradient) value = -value;
    return gradient;
  }

 private:
  std::int64_t batch_, out_;
  npu::MappedGraph step_;
};

std::vector<double> rounded_draws(const char* name, std::int64_t count, double low, double high,
                                  const char* format) {
  const workloads::RandomStream stream(2, name);
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = precision::round_to(low + (high - low) * workloads::unit_interval(stream.bits(i)),
                                    precision::format_from_name(format), precision::Rounding::rne);
  return values;
}

/// T2 in a training step: terms of mean and deviation 1, summed in (1,6,9).
TEST(AccumulationLength, ChunksOf64RepairWeightGradientsUpTo65536Samples) {
  const precision::MacUnit chunks = shipped("wang_fp8_chunk64");
  precision::MacUnit chain = chunks;
  chain.stages.erase(chain.stages.begin());
  const auto ratio = [&](const precision::MacUnit& unit, std::int64_t n) {
    const double half = std::sqrt(3.0);
    const std::vector<double> x = rounded_draws("x", n, 1.0 - half, 1.0 + half, "fp8_e5m2");
    double exact = 0.0;
    for (const double value : x) exact += value;
    const std::vector<double> ones(x.size(), 1.0);
    return LinearLayer(n, 1, 1).gradient(unit, x, ones)[0] / exact;
  };
  EXPECT_NEAR(ratio(chain, 16384), 0.25, 0.01);  // sticks at 4096
  for (const std::int64_t n : {4096, 16384, 65536}) EXPECT_NEAR(ratio(chunks, n), 1.0, 0.01) << n;
  EXPECT_LT(ratio(chunks, 262144), 0.55);
}

/// T8 in a training step: E4M3 operands up to 448, 4096 samples, 64 x 64 weights.
TEST(AccumulationLength, PromotionRecoversWeightGradientsOfTheNarrowFp8Accumulator) {
  const std::int64_t n = 4096, side = 64;
  const std::vector<double> x = rounded_draws("x8", n * side, 0.0, 448.0, "fp8_e4m3");
  const std::vector<double> dy = rounded_draws("dy8", n * side, 0.0, 448.0, "fp8_e4m3");
  std::vector<double> exact(static_cast<std::size_t>(side * side), 0.0);
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t i = 0; i < side; ++i)
      for (std::int64_t j = 0; j < side; ++j)
        exact[static_cast<std::size_t>(i * side + j)] +=
            x[static_cast<std::size_t>(k * side + i)] * dy[static_cast<std::size_t>(k * side + j)];
  LinearLayer layer(n, side, side);
  const auto error = [&](const char* unit) {
    const std::vector<double> got = layer.gradient(shipped(unit), x, dy);
    double worst = 0.0;
    for (std::size_t i = 0; i < exact.size(); ++i)
      worst = std::fmax(worst, std::fabs(got[i] - exact[i]) / exact[i]);
    return worst;
  };
  const double narrow = error("nvidia_h100_e4m3_fp32");
  const double promoted = error("deepseek_h800_fp8_e4m3_fp32");
  EXPECT_NEAR(narrow, 0.079, 0.012);  // the literature's 7.9 %
  EXPECT_LT(promoted, 1e-3);          // 6.6e-4
  EXPECT_GT(narrow, 100.0 * promoted);
}

}  // namespace
}  // namespace npusim::sim
