// SPDX-License-Identifier: Apache-2.0
// A whole product through the lanes of chains, trees, aligned blocks and stochastic chains:
// operands packed once, tiles of a few rows by a panel of columns.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "precision/kernels/dispatch.h"
#include "precision/kernels/gemm_problem.h"
#include "precision/kernels/packing.h"

namespace npusim::precision::kernels {

/// Of each operand at once: bounds memory; A is packed again for each such block of B.
constexpr std::int64_t kPackedBytes = std::int64_t{32} << 20;
/// Panels that share a second-level cache with a few rows.
constexpr std::int64_t kCachedBytes = std::int64_t{512} << 10;
/// Rows of A that stay in a second-level cache while panels come and go.
constexpr std::int64_t kFewRowsBytes = kCachedBytes / 2;
/// Enough tasks for any sensible number of threads even where the output is narrow.
constexpr std::int64_t kWantedTasks = 16;

template <class Real>
struct LaneTraits;
template <>
struct LaneTraits<float> {
  static constexpr std::int64_t kLanes = kFloatLanes;
  using Rows = FloatRows;
  static bool run(const KernelSet& set, const LaneProgram& program, const Rows& rows) {
    return set.float_rows(program, rows);
  }
};
template <>
struct LaneTraits<double> {
  static constexpr std::int64_t kLanes = kDoubleLanes;
  using Rows = DoubleRows;
  static bool run(const KernelSet& set, const LaneProgram& program, const Rows& rows) {
    set.double_rows(program, rows);
    return true;
  }
};

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
        kernels_(chosen_kernels()),
        product_bits_(problem.unit.a.fraction_bits + problem.unit.b.fraction_bits) {}

  void run() {
    const std::int64_t rows = problem_.a.rows();
    const std::int64_t columns = problem_.b.rows();
    if (is_few_rows_by_many(rows, columns)) return run_few_rows(rows, columns);
    const std::int64_t row_block = packed_at_once(kRows);
    const std::int64_t column_block = packed_at_once(kLanes);
    for (std::int64_t column = 0; column < columns; column += column_block) {
      pack_b(column, std::min(columns, column + column_block));
      for (std::int64_t row = 0; row < rows; row += row_block)
        run_block(row, std::min(rows, row + row_block));
    }
  }

 private:
  /// A panel of B: in double lanes as well once a row needs it.
  struct Panel {
    Panel(std::int64_t first, std::int64_t columns) : column(first), count(columns) {}
    std::int64_t column, count;
    AlignedArray<Real> values;
    AlignedArray<Real> powers;  ///< aligned blocks only
    ExponentRange range;
    std::once_flag widened;
    AlignedArray<double> wide;
  };

  std::int64_t packed_at_once(std::int64_t multiple) const {
    return std::max<std::int64_t>(1, kPackedBytes / row_bytes() / multiple) * multiple;
  }
  std::int64_t row_bytes() const {
    return std::max<std::int64_t>(1, problem_.terms()) * static_cast<std::int64_t>(sizeof(Real));
  }

  bool is_few_rows_by_many(std::int64_t rows, std::int64_t columns) const {
    return rows * row_bytes() <= kFewRowsBytes && columns > kWantedTasks * kLanes &&
           kLanes * row_bytes() <= kPackedBytes / kWantedTasks;
  }
  /// A convolution: each panel of its windows is used where it was packed, and only there.
  void run_few_rows(std::int64_t rows, std::int64_t columns) {
    pack_a(0, rows);
    parallel_((columns + kLanes - 1) / kLanes, [&](std::int64_t task) {
      Panel panel(task * kLanes, std::min(kLanes, columns - task * kLanes));
      panel.values = AlignedArray<Real>(problem_.terms() * kLanes);
      pack_lanes(panel, 0, kLanes, panel.range);
      find_powers(panel);
      run_panel(panel, 0, 0, rows);
    });
  }
  void run_panel(Panel& panel, std::int64_t first, std::int64_t begin, std::int64_t end) const {
    if (stays_in_place()) return run_rows(panel, first, begin, end - begin);
    for (std::int64_t row = begin; row < end; row += kRows)
      run_rows(panel, first, row, std::min<std::int64_t>(kRows, end - row));
  }

  /// Tasks are some rows by some panels that stay in the second-level cache together.
  void run_block(std::int64_t first, std::int64_t last) {
    pack_a(first, last);
    const auto panels = static_cast<std::int64_t>(panels_.size());
    const std::int64_t together =
        std::min(panels, std::max<std::int64_t>(1, kCachedBytes / (row_bytes() * kLanes)));
    const std::int64_t panel_groups = (panels + together - 1) / together;
    const std::int64_t row_groups = (last - first + kRows - 1) / kRows;
    const std::int64_t splits =
        std::min(row_groups, (kWantedTasks + panel_groups - 1) / panel_groups);
    parallel_(panel_groups * splits, [&](std::int64_t task) {
      const std::int64_t split = task % splits;
      const std::int64_t panel = task / splits * together;
      const std::int64_t begin = first + split * row_groups / splits * kRows;
      const std::int64_t end = std::min(last, first + (split + 1) * row_groups / splits * kRows);
      const std::int64_t stop = std::min(panels, panel + together);
      if (stays_in_place()) {
        for (std::int64_t p = panel; p < stop; ++p)
          run_panel(*panels_[static_cast<std::size_t>(p)], first, begin, end);
        return;
      }
      for (std::int64_t row = begin; row < end; row += kRows)
        for (std::int64_t p = panel; p < stop; ++p)
          run_rows(*panels_[static_cast<std::size_t>(p)], first, row,
                   std::min<std::int64_t>(kRows, end - row));
    });
  }

  /// Nothing has to be laid out anew for a few rows at a time.
  bool stays_in_place() const {
    if constexpr (sizeof(Real) == sizeof(float))
      return lanes_.native && !problem_.has_bias() && !out_.exchanged &&
             problem_.b.rows() % kLanes == 0 && out_.out.floats().data != nullptr;
    return false;
  }

  /// Rows that lie in memory as the kernels read them are left there.
  bool a_in_place(std::int64_t first) {
    if constexpr (sizeof(Real) == sizeof(float)) {
      const RowsInMemory<const float> rows = problem_.a.floats();
      if (lanes_.native && rows.data != nullptr && is_plain_order(problem_.order, problem_.k())) {
        a_ = rows.data + first * rows.row_stride;
        a_stride_ = rows.row_stride;
        return true;
      }
    }
    return false;
  }

  void pack_a(std::int64_t first, std::int64_t last) {
    const std::int64_t rows = last - first;
    a_ranges_.assign(static_cast<std::size_t>(rows), ExponentRange());
    if (a_in_place(first)) return;
    const std::int64_t terms = problem_.terms();
    packed_a_ = AlignedArray<Real>(rows * terms);
    a_ = packed_a_.data();
    a_stride_ = terms;
    constexpr std::int64_t kRowsATask = 16;
    parallel_((rows + kRowsATask - 1) / kRowsATask, [&](std::int64_t task) {
      OrderedRows<Real> source(problem_.a, problem_.order, problem_.k(), lanes_.native);
      const std::int64_t stop = std::min(rows, (task + 1) * kRowsATask);
      for (std::int64_t i = task * kRowsATask; i < stop; ++i)
        source.pack_row(first + i, packed_a_.data() + i * terms,
                        a_ranges_[static_cast<std::size_t>(i)]);
    });
    a_powers_ = powers_of(packed_a_.data(), rows * terms, lanes_.program.alignment.least_power_a);
  }

  /// What aligned blocks need beside the values.
  AlignedArray<Real> powers_of(const Real* values, std::int64_t count, float least) const {
    AlignedArray<Real> powers;
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (!is_aligned()) return powers;
      powers = AlignedArray<Real>(count);
      kernels_.powers(values, static_cast<long>(count), least, powers.data());
    }
    return powers;
  }
  bool is_aligned() const { return lanes_.program.alignment.step != 0; }

  void pack_b(std::int64_t first, std::int64_t last) {
    panels_.clear();
    for (std::int64_t column = first; column < last; column += kLanes)
      panels_.push_back(std::make_unique<Panel>(column, std::min(kLanes, last - column)));
    // A few long panels are shared: the weight gradient of a first layer has one.
    const auto panels = static_cast<std::int64_t>(panels_.size());
    const std::int64_t width = panels < kWantedTasks / 2 ? std::int64_t{kInterleavedRows} : kLanes;
    const std::int64_t parts = kLanes / width;
    std::vector<ExponentRange> ranges(static_cast<std::size_t>(panels * parts));
    for (const auto& panel : panels_) panel->values = AlignedArray<Real>(problem_.terms() * kLanes);
    parallel_(panels * parts, [&](std::int64_t task) {
      Panel& panel = *panels_[static_cast<std::size_t>(task / parts)];
      const std::int64_t lane = task % parts * width;
      if (lane < used_lanes(panel))
        pack_lanes(panel, lane, width, ranges[static_cast<std::size_t>(task)]);
    });
    for (std::size_t i = 0; i < ranges.size(); ++i)
      panels_[i / static_cast<std::size_t>(parts)]->range.add(ranges[i]);
    if (is_aligned())
      parallel_(panels,
                [&](std::int64_t p) { find_powers(*panels_[static_cast<std::size_t>(p)]); });
  }
  /// What kernels read of a panel.
  std::int64_t used_lanes(const Panel& panel) const {
    if (!is_aligned() && lanes_.program.chain == 0) return kLanes;
    return (panel.count + kLanesAtOnce - 1) / kLanesAtOnce * kLanesAtOnce;
  }
  void pack_lanes(Panel& panel, std::int64_t lane, std::int64_t width, ExponentRange& range) const {
    OrderedRows<Real> source(problem_.b, problem_.order, problem_.k(), lanes_.native);
    source.pack_panel(panel.column + lane, std::clamp<std::int64_t>(panel.count - lane, 0, width),
                      width, kLanes, panel.values.data() + lane, range);
  }
  /// Of the lanes in use: in one piece where that is all of them.
  void find_powers(Panel& panel) const {
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (!is_aligned()) return;
      const std::int64_t used = used_lanes(panel);
      const std::int64_t pieces = used == kLanes ? 1 : problem_.terms();
      const std::int64_t length = used == kLanes ? problem_.terms() * kLanes : used;
      panel.powers = AlignedArray<Real>(problem_.terms() * kLanes);
      for (std::int64_t i = 0; i < pieces; ++i)
        kernels_.powers(panel.values.data() + i * kLanes, static_cast<long>(length),
                        lanes_.program.alignment.least_power_b, panel.powers.data() + i * kLanes);
    }
  }

  void run_rows(Panel& panel, std::int64_t first, std::int64_t row, std::int64_t rows) const {
    const Real* a = a_ + (row - first) * a_stride_;
    bool in_range = true;
    if (lanes_.needs_range || is_aligned()) {
      ExponentRange of_a;
      for (std::int64_t r = 0; r < rows; ++r)
        of_a.add(a_ranges_[static_cast<std::size_t>(row - first + r)]);
      in_range = !lanes_.needs_range || products_fit_float(of_a, panel.range, product_bits_);
      if (is_aligned())
        in_range = in_range && !of_a.special && !panel.range.special &&
                   (!lanes_.needs_range || of_a.low + panel.range.low >= kLowestExponent);
    }
    if (!in_range && wide_) return run_wide(a, panel, row, rows);
    const Tile<Real> tile{a,
                          is_aligned() ? a_powers_.data() + (row - first) * a_stride_ : nullptr,
                          a_stride_,
                          panel.values.data(),
                          panel.powers.data(),
                          row,
                          rows,
                          panel.column,
                          panel.count};
    if (!in_range || !run_tile(lanes_.program, tile)) run_scalar(row, rows, panel);
  }

  /// Whole tiles of floats go straight to where the caller has them.
  template <class Lane>
  RowsInMemory<Lane> result_in_place(std::int64_t row, std::int64_t column,
                                     std::int64_t count) const {
    if constexpr (sizeof(Lane) == sizeof(float)) {
      RowsInMemory<float> out = out_.exchanged ? RowsInMemory<float>{} : out_.out.floats();
      if (out.data != nullptr && count == kLanes) {
        out.data += row * out.row_stride + column;
        return out;
      }
    }
    return {};
  }

  template <class Lane>
  struct Tile {
    const Lane* a;
    const Lane* a_powers;
    std::int64_t a_stride;
    const Lane* panel;
    const Lane* panel_powers;
    std::int64_t row, rows, column, count;
  };

  /// False: lanes do not have the range for it.
  template <class Lane>
  bool run_tile(const LaneProgram& program, const Tile<Lane>& of) const {
    constexpr std::int64_t kWidth = LaneTraits<Lane>::kLanes;
    alignas(64) Lane results[kRows * kWidth];
    alignas(64) Lane bias[kRows * kWidth];
    typename LaneTraits<Lane>::Rows tile{};
    tile.a = of.a;
    if constexpr (sizeof(Lane) == sizeof(float)) {
      tile.a_powers = of.a_powers;
      tile.panel_powers = of.panel_powers;
    }
    tile.a_stride = static_cast<long>(of.a_stride);
    tile.terms = static_cast<long>(problem_.terms());
    tile.rows = static_cast<long>(of.rows);
    tile.panel = of.panel;
    tile.lanes = static_cast<long>(of.count);
    const RowsInMemory<Lane> target = result_in_place<Lane>(of.row, of.column, of.count);
    tile.out = target.data == nullptr ? results : target.data;
    tile.out_stride = static_cast<long>(target.data == nullptr ? kWidth : target.row_stride);
    if (problem_.bias.axis != Bias::Axis::none) {
      for (std::int64_t r = 0; r < of.rows; ++r)
        for (std::int64_t l = 0; l < kWidth; ++l)
          bias[r * kWidth + l] =
              l < of.count ? static_cast<Lane>(problem_.bias_at(of.row + r, of.column + l)) : 0;
      (problem_.plan.bias == BiasEntry::preload ? tile.init : tile.after) = bias;
    }
    OutputKeys keys;
    if constexpr (sizeof(Lane) == sizeof(float)) {
      if (program.stochastic != 0) {
        make_keys(of.row, of.rows, of.column, of.count, keys);
        tile.key_low = keys.low;
        tile.key_high = keys.high;
      }
    }
    if (!LaneTraits<Lane>::run(kernels_, program, tile)) return false;
    if (target.data == nullptr) out_.write(of.row, of.rows, of.column, of.count, results, kWidth);
    return true;
  }

  struct OutputKeys {
    unsigned low[kRows * kFloatLanes];
    unsigned high[kRows * kFloatLanes];
  };
  RandomKey output_key(std::int64_t row, std::int64_t column) const {
    return problem_.output_key(row, column, out_.exchanged);
  }
  void make_keys(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
                 OutputKeys& keys) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t l = 0; l < kFloatLanes; ++l) {
        const RandomKey key = l < count ? output_key(row + r, column + l) : RandomKey{};
        keys.low[r * kFloatLanes + l] = key.low;
        keys.high[r * kFloatLanes + l] = key.high;
      }
    }
  }

  /// What no lanes have the range for.
  void run_scalar(std::int64_t row, std::int64_t rows, const Panel& panel) const {
    std::vector<double> a(static_cast<std::size_t>(problem_.k()));
    std::vector<double> b(a.size());
    std::vector<double> results(static_cast<std::size_t>(rows * panel.count));
    for (std::int64_t l = 0; l < panel.count; ++l) {
      problem_.b.read(panel.column + l, b.data());
      for (std::int64_t r = 0; r < rows; ++r) {
        problem_.a.read(row + r, a.data());
        const bool has_bias = problem_.bias.axis != Bias::Axis::none;
        const double bias = has_bias ? problem_.bias_at(row + r, panel.column + l) : 0.0;
        const Operands operands{a.data(), b.data(), problem_.k(), nullptr, nullptr};
        results[static_cast<std::size_t>(r * panel.count + l)] =
            planned_dot(problem_.unit, problem_.plan, operands, has_bias ? &bias : nullptr,
                        output_key(row + r, panel.column + l));
      }
    }
    out_.write(row, rows, panel.column, panel.count, results.data(), panel.count);
  }

  void run_wide(const Real* a, Panel& panel, std::int64_t row, std::int64_t rows) const {
    constexpr std::int64_t kWide = LaneTraits<double>::kLanes;
    static_assert(kLanes % kWide == 0, "double panels divide the panel");
    const std::int64_t terms = problem_.terms();
    const std::int64_t parts = (panel.count + kWide - 1) / kWide;
    std::call_once(panel.widened, [&] {
      panel.wide = AlignedArray<double>(parts * terms * kWide);
      for (std::int64_t part = 0; part < parts; ++part)
        for (std::int64_t i = 0; i < terms; ++i)
          for (std::int64_t l = 0; l < kWide; ++l)
            panel.wide.data()[(part * terms + i) * kWide + l] =
                static_cast<double>(panel.values.data()[i * kLanes + part * kWide + l]);
    });
    std::vector<double> wide_a;
    for (std::int64_t r = 0; r < rows; ++r)
      wide_a.insert(wide_a.end(), a + r * a_stride_, a + r * a_stride_ + terms);
    for (std::int64_t part = 0; part < parts; ++part)
      run_tile(wide_->program,
               Tile<double>{wide_a.data(), nullptr, terms, panel.wide.data() + part * terms * kWide,
                            nullptr, row, rows, panel.column + part * kWide,
                            std::min(kWide, panel.count - part * kWide)});
  }

  const Problem& problem_;
  const LaneFit& lanes_;
  const std::optional<LaneFit>& wide_;
  TileOutput out_;
  const ParallelFor& parallel_;
  KernelSet kernels_;
  int product_bits_;
  std::vector<std::unique_ptr<Panel>> panels_;
  AlignedArray<Real> packed_a_;
  AlignedArray<Real> a_powers_;
  const Real* a_ = nullptr;  ///< row `first` of the block of rows
  std::int64_t a_stride_ = 0;
  std::vector<ExponentRange> a_ranges_;
};

}  // namespace npusim::precision::kernels
