// SPDX-License-Identifier: Apache-2.0
#include "precision/gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "precision/kernels/dispatch.h"

namespace npusim::precision {
namespace {

using kernels::LaneProgram;

/// Rows of A that are packed at once: bounds memory, and B is read again for each such block.
constexpr std::int64_t kPackedBytes = std::int64_t{32} << 20;
/// Enough tasks for any sensible number of threads even where the output is narrow.
constexpr std::int64_t kWantedTasks = 8;

template <class Real>
struct LaneCount;
template <>
struct LaneCount<float> {
  static constexpr std::int64_t value = kernels::kFloatLanes;
};
template <>
struct LaneCount<double> {
  static constexpr std::int64_t value = kernels::kDoubleLanes;
};

void run_kernel(const kernels::KernelSet& set, const LaneProgram& program, const float* a,
                const float* panel, std::int64_t terms, const float* init, const float* after,
                float* out) {
  set.float_row(program, a, panel, static_cast<long>(terms), init, after, out);
}
void run_kernel(const kernels::KernelSet& set, const LaneProgram& program, const double* a,
                const double* panel, std::int64_t terms, const double* init, const double* after,
                double* out) {
  set.double_row(program, a, panel, static_cast<long>(terms), init, after, out);
}

/// Operands whose products stay exact in float: zero, or a magnitude in [2^-60, 2^60].
bool mid_range(double x) {
  const double magnitude = std::fabs(x);
  return magnitude == 0.0 || (magnitude >= 0x1p-60 && magnitude <= 0x1p60);
}

double canonical(double x) {
  return x == x ? x : std::numeric_limits<double>::quiet_NaN();
}

struct Problem {
  const MacUnit& unit;
  const ReductionPlan& plan;
  const OperandRows& a;
  const OperandRows& b;
  const Bias& bias;
  std::vector<std::int64_t> order;
  std::int64_t k;

  std::int64_t terms() const { return static_cast<std::int64_t>(order.size()); }
  double bias_at(std::int64_t row, std::int64_t column) const {
    return round_to(bias.values[bias.axis == Bias::Axis::by_row ? row : column],
                    unit.accumulator());
  }
};

/// Packs one row into plan order; false when a value leaves the middle range.
template <class Real>
bool pack_row(const Problem& problem, const OperandRows& rows, std::int64_t row,
              std::vector<double>& canonical_values, Real* to, std::int64_t stride) {
  rows.read(row, canonical_values.data());
  bool middle = true;
  for (std::int64_t i = 0; i < problem.terms(); ++i) {
    const std::int64_t from = problem.order[static_cast<std::size_t>(i)];
    const double value = from < 0 ? 0.0 : canonical_values[static_cast<std::size_t>(from)];
    middle = middle && mid_range(value);
    to[i * stride] = static_cast<Real>(value);
  }
  return middle;
}

/// The whole product with lanes of Real. Returns false (nothing written) never; rows or panels that
/// leave the middle range are computed by the fallback.
template <class Real>
class TiledGemm {
 public:
  static constexpr std::int64_t kLanes = LaneCount<Real>::value;

  TiledGemm(const Problem& problem, const LaneProgram& program, const LaneProgram* wide,
            GemmOutput& out, const ParallelFor& parallel)
      : problem_(problem),
        program_(program),
        wide_(wide),
        out_(out),
        parallel_(parallel),
        kernels_(kernels::chosen_kernels()) {}

  void run() {
    const std::int64_t rows = problem_.a.rows();
    const std::int64_t bytes =
        std::max<std::int64_t>(1, problem_.terms()) * static_cast<std::int64_t>(sizeof(Real));
    const std::int64_t block = std::max<std::int64_t>(1, kPackedBytes / bytes);
    for (std::int64_t first = 0; first < rows; first += block)
      run_rows(first, std::min(rows, first + block));
  }

 private:
  void run_rows(std::int64_t first, std::int64_t last) {
    pack_a(first, last);
    const std::int64_t panels = (problem_.b.rows() + kLanes - 1) / kLanes;
    const std::int64_t splits = std::max<std::int64_t>(
        1, std::min(last - first, kWantedTasks / std::max<std::int64_t>(1, panels)));
    const std::int64_t share = (last - first + splits - 1) / splits;
    parallel_(panels * splits, [&](std::int64_t task) {
      const std::int64_t begin = first + task % splits * share;
      run_panel(task / splits, first, begin, std::min(last, begin + share));
    });
  }

  void pack_a(std::int64_t first, std::int64_t last) {
    const std::int64_t terms = problem_.terms();
    packed_a_.resize(static_cast<std::size_t>((last - first) * terms));
    a_middle_.assign(static_cast<std::size_t>(last - first), 1);
    constexpr std::int64_t kRowsATask = 16;
    parallel_((last - first + kRowsATask - 1) / kRowsATask, [&](std::int64_t task) {
      std::vector<double> values(static_cast<std::size_t>(problem_.k));
      const std::int64_t stop = std::min(last - first, (task + 1) * kRowsATask);
      for (std::int64_t i = task * kRowsATask; i < stop; ++i)
        a_middle_[static_cast<std::size_t>(i)] =
            pack_row(problem_, problem_.a, first + i, values, packed_a_.data() + i * terms, 1);
    });
  }

  void run_panel(std::int64_t panel, std::int64_t first, std::int64_t begin,
                 std::int64_t end) const {
    const std::int64_t terms = problem_.terms();
    const std::int64_t column = panel * kLanes;
    const std::int64_t count = std::min(kLanes, problem_.b.rows() - column);
    std::vector<Real> packed(static_cast<std::size_t>(terms * kLanes), Real(0));
    std::vector<double> values(static_cast<std::size_t>(problem_.k));
    bool middle = true;
    for (std::int64_t lane = 0; lane < count; ++lane)
      middle =
          pack_row(problem_, problem_.b, column + lane, values, packed.data() + lane, kLanes) &&
          middle;
    double results[kLanes];
    for (std::int64_t row = begin; row < end; ++row) {
      const Real* a = packed_a_.data() + (row - first) * terms;
      const bool safe =
          wide_ == nullptr || (middle && a_middle_[static_cast<std::size_t>(row - first)]);
      if (safe)
        run_row(program_, a, packed.data(), row, column, count, results);
      else
        run_wide(a, packed, row, column, count, results);
      out_.write(row, column, count, results);
    }
  }

  template <class Lane>
  void run_row(const LaneProgram& program, const Lane* a, const Lane* panel, std::int64_t row,
               std::int64_t column, std::int64_t count, double* results) const {
    constexpr std::int64_t kWidth = LaneCount<Lane>::value;
    alignas(64) Lane sums[kWidth];
    alignas(64) Lane bias[kWidth] = {};
    const Lane* init = nullptr;
    const Lane* after = nullptr;
    if (problem_.bias.axis != Bias::Axis::none) {
      for (std::int64_t l = 0; l < count; ++l)
        bias[l] = static_cast<Lane>(problem_.bias_at(row, column + l));
      (problem_.plan.bias == BiasEntry::preload ? init : after) = bias;
    }
    run_kernel(kernels_, program, a, panel, problem_.terms(), init, after, sums);
    for (std::int64_t l = 0; l < count; ++l) results[l] = canonical(static_cast<double>(sums[l]));
  }

  /// The same row in double lanes: products of far apart operands leave float's range.
  void run_wide(const Real* a, const std::vector<Real>& panel, std::int64_t row,
                std::int64_t column, std::int64_t count, double* results) const {
    constexpr std::int64_t kWide = LaneCount<double>::value;
    const std::int64_t terms = problem_.terms();
    const std::vector<double> wide_a(a, a + terms);
    std::vector<double> wide_panel(static_cast<std::size_t>(terms * kWide));
    for (std::int64_t part = 0; part < count; part += kWide) {
      const std::int64_t lanes = std::min(kWide, count - part);
      for (std::int64_t k = 0; k < terms; ++k)
        for (std::int64_t l = 0; l < lanes; ++l)
          wide_panel[static_cast<std::size_t>(k * kWide + l)] =
              static_cast<double>(panel[static_cast<std::size_t>(k * kLanes + part + l)]);
      run_row(*wide_, wide_a.data(), wide_panel.data(), row, column + part, lanes, results + part);
    }
  }

  const Problem& problem_;
  const LaneProgram& program_;
  const LaneProgram*
      wide_;  ///< for rows that leave the middle range; nullptr: lanes are double already
  GemmOutput& out_;
  const ParallelFor& parallel_;
  kernels::KernelSet kernels_;
  std::vector<Real> packed_a_;
  std::vector<char> a_middle_;
};

/// Units beyond the kernels' limits: the scalar code itself.
void scalar_gemm(const Problem& problem, GemmOutput& out, const ParallelFor& parallel) {
  parallel(problem.a.rows(), [&](std::int64_t row) {
    std::vector<double> a(static_cast<std::size_t>(problem.k));
    std::vector<double> b(static_cast<std::size_t>(problem.k));
    problem.a.read(row, a.data());
    for (std::int64_t column = 0; column < problem.b.rows(); ++column) {
      problem.b.read(column, b.data());
      double bias = 0.0;
      const bool has_bias = problem.bias.axis != Bias::Axis::none;
      if (has_bias) bias = problem.bias_at(row, column);
      const double value =
          planned_dot(problem.unit, problem.plan, a.data(), b.data(), has_bias ? &bias : nullptr);
      out.write(row, column, 1, &value);
    }
  });
}

}  // namespace

ParallelFor serial() {
  return [](std::int64_t count, const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  };
}

void emulated_gemm(const MacUnit& unit, const ReductionPlan& plan, const OperandRows& a,
                   const OperandRows& b, const Bias& bias, GemmOutput& out,
                   const ParallelFor& parallel) {
  validate(unit);
  validate(plan, unit);
  const Problem problem{unit, plan, a, b, bias, expand_order(plan), plan.terms()};
  const auto wide = kernels::lane_program(unit, plan, false);
  if (!wide) return scalar_gemm(problem, out, parallel);
  if (!kernels::fits_float(unit, plan))
    return TiledGemm<double>(problem, *wide, nullptr, out, parallel).run();
  const auto narrow = kernels::lane_program(unit, plan, true);
  TiledGemm<float>(problem, *narrow, &*wide, out, parallel).run();
}

void reference_gemm(std::int64_t k, const OperandRows& a, const OperandRows& b, const Bias& bias,
                    GemmOutput& out, const ParallelFor& parallel) {
  constexpr std::int64_t kLanes = kernels::kDoubleLanes;
  constexpr std::int64_t kRows = 4;
  constexpr std::int64_t kBlock = 256;  // terms of a panel that stay in the first-level cache
  const kernels::KernelSet kernels = kernels::chosen_kernels();
  const std::int64_t panels = (b.rows() + kLanes - 1) / kLanes;
  const std::int64_t splits = std::max<std::int64_t>(
      1,
      std::min((a.rows() + kRows - 1) / kRows, kWantedTasks / std::max<std::int64_t>(1, panels)));
  const std::int64_t share = ((a.rows() + splits - 1) / splits + kRows - 1) / kRows * kRows;
  parallel(panels * splits, [&](std::int64_t task) {
    const std::int64_t column = task / splits * kLanes;
    const std::int64_t count = std::min(kLanes, b.rows() - column);
    std::vector<double> panel(static_cast<std::size_t>(k * kLanes), 0.0);
    std::vector<double> values(static_cast<std::size_t>(k * kRows));
    for (std::int64_t lane = 0; lane < count; ++lane) {
      b.read(column + lane, values.data());
      for (std::int64_t i = 0; i < k; ++i)
        panel[static_cast<std::size_t>(i * kLanes + lane)] = values[static_cast<std::size_t>(i)];
    }
    const std::int64_t begin = task % splits * share;
    const std::int64_t end = std::min(a.rows(), begin + share);
    for (std::int64_t row = begin; row < end; row += kRows) {
      const std::int64_t rows = std::min(kRows, end - row);
      alignas(64) double sums[kRows][kLanes] = {};
      double* out_rows[kRows];
      for (std::int64_t r = 0; r < kRows; ++r) {
        a.read(row + std::min(r, rows - 1), values.data() + r * k);
        out_rows[r] = sums[r];
      }
      for (std::int64_t at = 0; at < k; at += kBlock) {
        const double* a_rows[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) a_rows[r] = values.data() + r * k + at;
        kernels.reference(a_rows, panel.data() + at * kLanes,
                          static_cast<long>(std::min(kBlock, k - at)), out_rows);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t l = 0; l < count && bias.axis != Bias::Axis::none; ++l)
          sums[r][l] += bias.values[bias.axis == Bias::Axis::by_row ? row + r : column + l];
        out.write(row + r, column, count, sums[r]);
      }
    }
  });
}

const char* simd_path() {
  return kernels::chosen_name();
}

}  // namespace npusim::precision
