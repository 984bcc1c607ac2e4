// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "precision/gemm.h"
#include "precision/kernels/dispatch.h"
#include "precision/kernels/packing.h"

namespace npusim::precision {
namespace {

using kernels::kRows;
constexpr std::int64_t kLanes = kernels::kDoubleLanes;
/// Terms of a panel that stay in the first-level cache.
constexpr std::int64_t kBlock = 128;
constexpr std::int64_t kWantedTasks = 8;

class ReferenceGemm {
 public:
  ReferenceGemm(std::int64_t k, const OperandRows& a, const OperandRows& b, const Bias& bias,
                const kernels::TileOutput& out)
      : k_(k), a_(a), b_(b), bias_(bias), out_(out), kernels_(kernels::chosen_kernels()) {}

  void run(const ParallelFor& parallel) const {
    const std::int64_t panels = (b_.rows() + kLanes - 1) / kLanes;
    const std::int64_t groups = (a_.rows() + kRows - 1) / kRows;
    const std::int64_t splits = std::max<std::int64_t>(
        1, std::min(groups, kWantedTasks / std::max<std::int64_t>(1, panels)));
    const std::int64_t share = (groups + splits - 1) / splits * kRows;
    parallel(panels * splits, [&](std::int64_t task) {
      const std::int64_t begin = task % splits * share;
      run_panel(task / splits, begin, std::min(a_.rows(), begin + share));
    });
  }

 private:
  /// Block-scaled operands are the values that they stand for.
  void read(const OperandRows& rows, std::int64_t row, double* values) const {
    rows.read(row, values);
    if (!rows.has_scales()) return;
    std::vector<double> scales(static_cast<std::size_t>(k_));
    rows.read_scales(row, scales.data());
    for (std::int64_t i = 0; i < k_; ++i) values[i] *= scales[static_cast<std::size_t>(i)];
  }

  void run_panel(std::int64_t index, std::int64_t begin, std::int64_t end) const {
    const std::int64_t column = index * kLanes;
    const std::int64_t count = std::min(kLanes, b_.rows() - column);
    kernels::AlignedArray<double> panel(k_ * kLanes);
    if (count < kLanes) panel.clear();
    std::vector<double> values(static_cast<std::size_t>(k_ * kRows));
    for (std::int64_t lane = 0; lane < count; ++lane) {
      read(b_, column + lane, values.data());
      for (std::int64_t i = 0; i < k_; ++i)
        panel.data()[i * kLanes + lane] = values[static_cast<std::size_t>(i)];
    }
    for (std::int64_t row = begin; row < end; row += kRows)
      run_rows(row, std::min<std::int64_t>(kRows, end - row), column, count, panel.data(),
               values.data());
  }

  void run_rows(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
                const double* panel, double* values) const {
    alignas(64) double sums[kRows * kLanes] = {};
    for (std::int64_t r = 0; r < rows; ++r) read(a_, row + r, values + r * k_);
    for (std::int64_t at = 0; at < k_; at += kBlock)
      kernels_.reference(values + at, static_cast<long>(k_), panel + at * kLanes,
                         static_cast<long>(std::min(kBlock, k_ - at)), sums);
    for (std::int64_t r = 0; r < rows && bias_.axis != Bias::Axis::none; ++r)
      for (std::int64_t l = 0; l < count; ++l)
        sums[r * kLanes + l] +=
            bias_.values[bias_.axis == Bias::Axis::by_row ? row + r : column + l];
    out_.write(row, rows, column, count, sums, kLanes);
  }

  std::int64_t k_;
  const OperandRows& a_;
  const OperandRows& b_;
  const Bias& bias_;
  kernels::TileOutput out_;
  kernels::KernelSet kernels_;
};

}  // namespace

void reference_gemm(std::int64_t k, const OperandRows& a, const OperandRows& b, const Bias& bias,
                    GemmOutput& out, const ParallelFor& parallel) {
  if (!kernels::lanes_over_a(a.rows(), b.rows(), kLanes))
    return ReferenceGemm(k, a, b, bias, {out, false}).run(parallel);
  Bias exchanged = bias;
  if (bias.axis == Bias::Axis::by_row) exchanged.axis = Bias::Axis::by_column;
  if (bias.axis == Bias::Axis::by_column) exchanged.axis = Bias::Axis::by_row;
  ReferenceGemm(k, b, a, exchanged, {out, true}).run(parallel);
}

}  // namespace npusim::precision
