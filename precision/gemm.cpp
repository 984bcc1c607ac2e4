// SPDX-License-Identifier: Apache-2.0
#include "precision/gemm.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "precision/kernels/dispatch.h"
#include "precision/kernels/packing.h"

namespace npusim::precision {
namespace {

using kernels::AlignedArray;
using kernels::ExponentRange;
using kernels::kRows;
using kernels::LaneFit;
using kernels::LaneProgram;
using kernels::OrderedRows;
using kernels::TileOutput;

/// Rows of A that are packed at once: bounds memory, and B is read again for each such block.
constexpr std::int64_t kPackedBytes = std::int64_t{32} << 20;
/// Enough tasks for any sensible number of threads even where the output is narrow.
constexpr std::int64_t kWantedTasks = 8;

template <class Real>
struct LaneTraits;
template <>
struct LaneTraits<float> {
  static constexpr std::int64_t kLanes = kernels::kFloatLanes;
  using Rows = kernels::FloatRows;
  static void run(const kernels::KernelSet& set, const LaneProgram& program, const Rows& rows) {
    set.float_rows(program, rows);
  }
};
template <>
struct LaneTraits<double> {
  static constexpr std::int64_t kLanes = kernels::kDoubleLanes;
  using Rows = kernels::DoubleRows;
  static void run(const kernels::KernelSet& set, const LaneProgram& program, const Rows& rows) {
    set.double_rows(program, rows);
  }
};

double canonical(double x) {
  return x == x ? x : std::numeric_limits<double>::quiet_NaN();
}

struct Problem {
  const MacUnit& unit;
  const ReductionPlan& plan;
  const OperandRows& a;
  const OperandRows& b;
  const Bias& bias;
  std::vector<std::int64_t> order;  ///< filled with padding to whole blocks of the unit

  std::int64_t k() const { return plan.terms(); }
  std::int64_t terms() const { return static_cast<std::int64_t>(order.size()); }
  double bias_at(std::int64_t row, std::int64_t column) const {
    return round_to(bias.values[bias.axis == Bias::Axis::by_row ? row : column],
                    bias_arithmetic(unit));
  }
};

/// The padding is what a group cut short by the end of K is filled with anyway.
std::vector<std::int64_t> whole_blocks(std::vector<std::int64_t> order, const MacUnit& unit) {
  const auto block = static_cast<std::size_t>(unit.block_terms());
  order.resize((order.size() + block - 1) / block * block, -1);
  return order;
}

/// The product in lanes of Real, with double lanes for rows and panels whose products are not all
/// exact in binary32.
template <class Real>
class TiledGemm {
 public:
  static constexpr std::int64_t kLanes = LaneTraits<Real>::kLanes;

  TiledGemm(const Problem& problem, const LaneFit& lanes, const std::optional<LaneFit>& wide,
            const TileOutput& out, const ParallelFor& parallel)
      : problem_(problem),
        lanes_(lanes),
        wide_(wide),
        out_(out),
        parallel_(parallel),
        kernels_(kernels::chosen_kernels()),
        product_bits_(problem.unit.a.fraction_bits + problem.unit.b.fraction_bits) {}

  void run() {
    const std::int64_t rows = problem_.a.rows();
    const std::int64_t bytes =
        std::max<std::int64_t>(1, problem_.terms()) * static_cast<std::int64_t>(sizeof(Real));
    const std::int64_t block = std::max<std::int64_t>(kRows, kPackedBytes / bytes / kRows * kRows);
    for (std::int64_t first = 0; first < rows; first += block)
      run_rows(first, std::min(rows, first + block));
  }

 private:
  /// A panel of B: in double lanes as well once a row needs it.
  struct Panel {
    std::int64_t column, count;
    AlignedArray<Real> values;
    ExponentRange range;
    AlignedArray<double> wide;
  };

  void run_rows(std::int64_t first, std::int64_t last) {
    pack_a(first, last);
    const std::int64_t panels = (problem_.b.rows() + kLanes - 1) / kLanes;
    const std::int64_t groups = (last - first + kRows - 1) / kRows;
    const std::int64_t splits = std::max<std::int64_t>(
        1, std::min(groups, kWantedTasks / std::max<std::int64_t>(1, panels)));
    const std::int64_t share = (groups + splits - 1) / splits * kRows;
    parallel_(panels * splits, [&](std::int64_t task) {
      const std::int64_t begin = first + task % splits * share;
      if (begin < last) run_panel(task / splits, first, begin, std::min(last, begin + share));
    });
  }

  void pack_a(std::int64_t first, std::int64_t last) {
    const std::int64_t terms = problem_.terms();
    const std::int64_t rows = last - first;
    packed_a_ = AlignedArray<Real>(rows * terms);
    a_ranges_.assign(static_cast<std::size_t>(rows), ExponentRange());
    constexpr std::int64_t kRowsATask = 16;
    parallel_((rows + kRowsATask - 1) / kRowsATask, [&](std::int64_t task) {
      OrderedRows source(problem_.a, problem_.order, problem_.k());
      const std::int64_t stop = std::min(rows, (task + 1) * kRowsATask);
      for (std::int64_t i = task * kRowsATask; i < stop; ++i)
        source.pack_row(first + i, packed_a_.data() + i * terms,
                        a_ranges_[static_cast<std::size_t>(i)]);
    });
  }

  Panel pack_panel(std::int64_t index) const {
    const std::int64_t column = index * kLanes;
    Panel panel{column, std::min(kLanes, problem_.b.rows() - column),
                AlignedArray<Real>(problem_.terms() * kLanes), ExponentRange(),
                AlignedArray<double>()};
    OrderedRows source(problem_.b, problem_.order, problem_.k());
    for (std::int64_t lane = 0; lane < panel.count; lane += OrderedRows::kAtOnce)
      source.pack_lanes(column + lane, std::min(OrderedRows::kAtOnce, panel.count - lane), kLanes,
                        panel.values.data() + lane, panel.range);
    return panel;
  }

  void run_panel(std::int64_t index, std::int64_t first, std::int64_t begin,
                 std::int64_t end) const {
    Panel panel = pack_panel(index);
    for (std::int64_t row = begin; row < end; row += kRows) {
      const std::int64_t rows = std::min<std::int64_t>(kRows, end - row);
      const Real* a = packed_a_.data() + (row - first) * problem_.terms();
      ExponentRange range;
      for (std::int64_t r = 0; r < rows; ++r)
        range.add(a_ranges_[static_cast<std::size_t>(row - first + r)]);
      if (lanes_.needs_range && !products_fit_float(range, panel.range, product_bits_))
        run_wide(a, panel, row, rows);
      else
        run_tile<Real>(lanes_.program, a, panel.values.data(), row, rows, panel.column,
                       panel.count);
    }
  }

  template <class Lane>
  void run_tile(const LaneProgram& program, const Lane* a, const Lane* panel, std::int64_t row,
                std::int64_t rows, std::int64_t column, std::int64_t count) const {
    constexpr std::int64_t kWidth = LaneTraits<Lane>::kLanes;
    alignas(64) Lane sums[kRows * kWidth];
    alignas(64) Lane bias[kRows * kWidth] = {};
    typename LaneTraits<Lane>::Rows tile{};
    tile.a = a;
    tile.a_stride = tile.terms = static_cast<long>(problem_.terms());
    tile.rows = static_cast<long>(rows);
    tile.panel = panel;
    tile.out = sums;
    if (problem_.bias.axis != Bias::Axis::none) {
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t l = 0; l < count; ++l)
          bias[r * kWidth + l] = static_cast<Lane>(problem_.bias_at(row + r, column + l));
      (problem_.plan.bias == BiasEntry::preload ? tile.init : tile.after) = bias;
    }
    LaneTraits<Lane>::run(kernels_, program, tile);
    double results[kRows * kWidth];
    for (std::int64_t i = 0; i < rows * kWidth; ++i)
      results[i] = canonical(static_cast<double>(sums[i]));
    out_.write(row, rows, column, count, results, kWidth);
  }

  void run_wide(const Real* a, Panel& panel, std::int64_t row, std::int64_t rows) const {
    constexpr std::int64_t kWide = LaneTraits<double>::kLanes;
    static_assert(kLanes % kWide == 0, "double panels divide the panel");
    const std::int64_t terms = problem_.terms();
    const std::int64_t parts = (panel.count + kWide - 1) / kWide;
    if (panel.wide.empty()) {
      panel.wide = AlignedArray<double>(parts * terms * kWide);
      for (std::int64_t part = 0; part < parts; ++part)
        for (std::int64_t i = 0; i < terms; ++i)
          for (std::int64_t l = 0; l < kWide; ++l)
            panel.wide.data()[(part * terms + i) * kWide + l] =
                static_cast<double>(panel.values.data()[i * kLanes + part * kWide + l]);
    }
    const std::vector<double> wide_a(a, a + rows * terms);
    for (std::int64_t part = 0; part < parts; ++part)
      run_tile<double>(wide_->program, wide_a.data(), panel.wide.data() + part * terms * kWide, row,
                       rows, panel.column + part * kWide,
                       std::min(kWide, panel.count - part * kWide));
  }

  const Problem& problem_;
  const LaneFit& lanes_;
  const std::optional<LaneFit>& wide_;
  TileOutput out_;
  const ParallelFor& parallel_;
  kernels::KernelSet kernels_;
  int product_bits_;
  AlignedArray<Real> packed_a_;
  std::vector<ExponentRange> a_ranges_;
};

/// One row of an operand with its scales.
class ScaledRow {
 public:
  ScaledRow(const OperandRows& rows, std::int64_t k)
      : rows_(rows),
        values_(static_cast<std::size_t>(k)),
        scales_(rows.has_scales() ? static_cast<std::size_t>(k) : 0) {}
  void read(std::int64_t row) {
    rows_.read(row, values_.data());
    if (rows_.has_scales()) rows_.read_scales(row, scales_.data());
  }
  const double* values() const { return values_.data(); }
  const double* scales() const { return scales_.empty() ? nullptr : scales_.data(); }

 private:
  const OperandRows& rows_;
  std::vector<double> values_, scales_;
};

/// Units beyond the kernels' limits: the scalar code itself.
void scalar_gemm(const Problem& problem, GemmOutput& out, const ParallelFor& parallel,
                 RandomKey key) {
  parallel(problem.a.rows(), [&](std::int64_t row) {
    ScaledRow a(problem.a, problem.k());
    ScaledRow b(problem.b, problem.k());
    a.read(row);
    const std::int64_t columns = problem.b.rows();
    for (std::int64_t column = 0; column < columns; ++column) {
      b.read(column);
      const bool has_bias = problem.bias.axis != Bias::Axis::none;
      const double bias = has_bias ? problem.bias_at(row, column) : 0.0;
      const Operands operands{a.values(), b.values(), problem.k(), a.scales(), b.scales()};
      const double value =
          planned_dot(problem.unit, problem.plan, operands, has_bias ? &bias : nullptr,
                      derived_key(key, static_cast<std::uint64_t>(row * columns + column)));
      out.write(row, column, 1, &value);
    }
  });
}

Bias::Axis other_axis(Bias::Axis axis) {
  if (axis == Bias::Axis::by_row) return Bias::Axis::by_column;
  return axis == Bias::Axis::by_column ? Bias::Axis::by_row : axis;
}

template <class Real>
void tiled_gemm(const Problem& problem, const LaneFit& lanes, const std::optional<LaneFit>& wide,
                GemmOutput& out, const ParallelFor& parallel) {
  if (!kernels::lanes_over_a(problem.a.rows(), problem.b.rows(), LaneTraits<Real>::kLanes))
    return TiledGemm<Real>(problem, lanes, wide, {out, false}, parallel).run();
  MacUnit unit = problem.unit;
  std::swap(unit.a, unit.b);
  const Bias bias{other_axis(problem.bias.axis), problem.bias.values};
  const Problem exchanged{unit, problem.plan, problem.b, problem.a, bias, problem.order};
  TiledGemm<Real>(exchanged, lanes, wide, {out, true}, parallel).run();
}

}  // namespace

ParallelFor serial() {
  return [](std::int64_t count, const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
  };
}

void emulated_gemm(const MacUnit& unit, const ReductionPlan& plan, const OperandRows& a,
                   const OperandRows& b, const Bias& bias, GemmOutput& out,
                   const ParallelFor& parallel, RandomKey key) {
  validate(unit);
  validate(plan, unit);
  const Problem problem{unit, plan, a, b, bias, whole_blocks(expand_order(plan), unit)};
  const kernels::KernelSet set = kernels::chosen_kernels();
  const auto narrow = kernels::fit_float(unit, plan, set);
  const auto wide = kernels::fit_double(unit, plan, set);
  if (narrow && (!narrow->needs_range || wide))
    return tiled_gemm<float>(problem, *narrow, wide, out, parallel);
  if (wide) return tiled_gemm<double>(problem, *wide, std::nullopt, out, parallel);
  scalar_gemm(problem, out, parallel, key);
}

const char* simd_path() {
  return kernels::chosen_name();
}

}  // namespace npusim::precision
