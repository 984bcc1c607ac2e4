// SPDX-License-Identifier: Apache-2.0
// Operand rows in plan order, as the kernels read them: rows of A one after the other, rows of B
// (the columns of the product) interleaved to panels of lanes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "precision/gemm.h"
#include "precision/kernels/lane_kernel.h"
#include "precision/kernels/scratch.h"

namespace npusim::precision {
class RowsSideBySide;
}

namespace npusim::precision::kernels {

/// Values on 64-byte boundaries, not initialised.
template <class Real>
class AlignedArray {
 public:
  explicit AlignedArray(std::int64_t size = 0) : size_(static_cast<std::size_t>(size)) {
    if (size > 0) values_ = static_cast<Real*>(take_scratch(size_ * sizeof(Real)));
  }
  AlignedArray(AlignedArray&& other) noexcept { swap(other); }
  AlignedArray& operator=(AlignedArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~AlignedArray() {
    if (size_ != 0) give_back_scratch(values_, size_ * sizeof(Real));
  }
  Real* data() { return values_; }
  const Real* data() const { return values_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    if (size_ != 0) std::memset(values_, 0, size_ * sizeof(Real));
  }

 private:
  void swap(AlignedArray& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(size_, other.size_);
  }
  Real* values_ = nullptr;
  std::size_t size_ = 0;
};

/// Lanes run over the rows of one operand: over A's when that leaves clearly fewer of them idle,
/// since a*b is b*a.
bool lanes_over_a(std::int64_t a_rows, std::int64_t b_rows, std::int64_t lanes);

/// Where a tile of rows by lanes goes in the product; exchanged when lanes run over A's rows.
struct TileOutput {
  GemmOutput& out;
  bool exchanged;

  /// values[r * stride + l] is the result of row `row` + r and lane `column` + l.
  template <class Real>
  void write(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
             const Real* values, std::int64_t stride) const;
};

/// Exponents of the non-zero finite values of some operand rows; that of the smallest subnormal
/// number for all subnormal ones.
struct ExponentRange {
  int low = 2000;
  int high = -2000;
  bool special = false;  ///< there is an infinity or NaN

  void add(const FloatSurvey& survey);
  void add(const ExponentRange& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    special = special || other.special;
  }
};

/// Whether every product of values in these ranges is exact in binary32: at most 24 significand
/// bits (the caller's business), nothing above or below its range. `product_bits` is the sum of
/// both significands' fraction bits.
bool products_fit_float(const ExponentRange& a, const ExponentRange& b, int product_bits);

/// Reads rows in canonical order and hands them out in plan order, every NaN the default one. One a
/// thread.
template <class Real>
class OrderedRows {
 public:
  /// `order` as expand_order, filled with -1 to whole blocks of the unit; it outlives this, as rows
  /// does. `as_is`: any NaN will do, and ranges are not asked for.
  OrderedRows(const OperandRows& rows, const std::vector<std::int64_t>& order, std::int64_t k,
              bool as_is = false);

  /// to[i] = i-th term of the row.
  void pack_row(std::int64_t row, Real* to, ExponentRange& range);
  /// panel[i * lanes + l] = i-th term of row `first` + l, +0 for l from `count` on, for l < width:
  /// a multiple of kInterleavedRows, at most `lanes`.
  void pack_panel(std::int64_t first, std::int64_t count, std::int64_t width, std::int64_t lanes,
                  Real* panel, ExponentRange& range);

 private:
  static constexpr std::int64_t kAtOnce = kInterleavedRows;
  void clean(Real* values, std::int64_t count, ExponentRange& range) const;
  /// False: the operand's rows are not side by side in memory.
  bool pack_side_by_side(std::int64_t first, std::int64_t count, std::int64_t width,
                         std::int64_t lanes, Real* panel, ExponentRange& range);
  /// Rows that need nothing done to them.
  RowsInMemory<const Real> in_place() const;

  const OperandRows& rows_;
  const RowsSideBySide* beside_rows_;  ///< the same, or nullptr
  const std::vector<std::int64_t>& order_;
  std::int64_t k_, terms_;
  bool plain_;  ///< the order is the canonical one
  bool as_is_;
  KernelSet kernels_;
  std::vector<Real> canonical_;  ///< one row of k values and a zero for padding
  std::vector<Real> ordered_;    ///< a row of zeros, and kAtOnce rows of terms once needed
  std::vector<Real> beside_;     ///< canonical terms of rows side by side, once needed
};

/// Whether expand_order's result is 0, 1, ..., k - 1.
bool is_plain_order(const std::vector<std::int64_t>& order, std::int64_t k);

}  // namespace npusim::precision::kernels
