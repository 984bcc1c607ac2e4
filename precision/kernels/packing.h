// SPDX-License-Identifier: Apache-2.0
// Operand rows in plan order, as the kernels read them: rows of A one after the other, rows of B
// (the columns of the product) interleaved to panels of lanes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "precision/gemm.h"

namespace npusim::precision::kernels {

/// Values on 64-byte boundaries.
template <class Real>
class AlignedArray {
 public:
  explicit AlignedArray(std::int64_t size = 0)
      : lines_(static_cast<std::size_t>((size + kPerLine - 1) / kPerLine)) {}
  Real* data() { return lines_.empty() ? nullptr : lines_.front().values; }
  const Real* data() const { return lines_.empty() ? nullptr : lines_.front().values; }
  bool empty() const { return lines_.empty(); }

 private:
  static constexpr std::int64_t kPerLine = 64 / static_cast<std::int64_t>(sizeof(Real));
  struct alignas(64) Line {
    Real values[kPerLine] = {};
  };
  std::vector<Line> lines_;
};

/// Lanes run over the rows of one operand: over A's when that leaves clearly fewer of them idle,
/// since a*b is b*a.
bool lanes_over_a(std::int64_t a_rows, std::int64_t b_rows, std::int64_t lanes);

/// Where a tile of rows by lanes goes in the product; exchanged when lanes run over A's rows.
struct TileOutput {
  GemmOutput& out;
  bool exchanged;

  /// values[r * stride + l] is the result of row `row` + r and lane `column` + l.
  void write(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
             const double* values, std::int64_t stride) const;
};

/// Exponents of the non-zero finite values of some operand rows.
struct ExponentRange {
  int low = 2000;
  int high = -2000;

  void add(const double* values, std::int64_t count);
  void add(const ExponentRange& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
  }
};

/// Whether every product of values in these ranges is exact in binary32: at most 24 significand
/// bits (the caller's business), nothing above or below its range. `product_bits` is the sum of
/// both significands' fraction bits.
bool products_fit_float(const ExponentRange& a, const ExponentRange& b, int product_bits);

/// Reads rows in canonical order and hands out values in plan order. One a thread.
class OrderedRows {
 public:
  /// `order` as expand_order, filled with -1 to whole blocks of the unit. Both outlive this.
  OrderedRows(const OperandRows& rows, const std::vector<std::int64_t>& order, std::int64_t k);

  /// to[i] = i-th term of the row.
  template <class Real>
  void pack_row(std::int64_t row, Real* to, ExponentRange& range);
  /// to[i * lanes + l] = i-th term of row `first` + l, for l below count; count is at most kAtOnce.
  template <class Real>
  void pack_lanes(std::int64_t first, std::int64_t count, std::int64_t lanes, Real* to,
                  ExponentRange& range);

  static constexpr std::int64_t kAtOnce = 8;

 private:
  void read(std::int64_t row, double* to, ExponentRange& range) const;

  const OperandRows& rows_;
  const std::vector<std::int64_t>& order_;
  std::int64_t k_;
  std::vector<double> values_;  ///< kAtOnce rows of k values and a zero for padding
};

}  // namespace npusim::precision::kernels
