// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/packing.h"

#include <algorithm>
#include <limits>

#include "precision/kernels/dispatch.h"
#include "precision/rows_side_by_side.h"

namespace npusim::precision::kernels {
namespace {

void read_row(const OperandRows& rows, std::int64_t row, std::int64_t k, float* to) {
  rows.read_floats(row, k, to);
}

void read_row(const OperandRows& rows, std::int64_t row, std::int64_t /*k*/, double* to) {
  rows.read(row, to);
}

void write_row(GemmOutput& out, std::int64_t row, std::int64_t column, std::int64_t count,
               const float* values) {
  out.write_floats(row, column, count, values);
}

void write_row(GemmOutput& out, std::int64_t row, std::int64_t column, std::int64_t count,
               const double* values) {
  out.write(row, column, count, values);
}

void interleave(const KernelSet& set, const float* const* rows, long count, long terms, long lanes,
                float* to) {
  set.interleave_floats(rows, count, terms, lanes, to);
}

void interleave(const KernelSet& set, const double* const* rows, long count, long terms, long lanes,
                double* to) {
  set.interleave_doubles(rows, count, terms, lanes, to);
}

template <class Real>
void default_nans(Real* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = values[i] == values[i] ? values[i] : std::numeric_limits<Real>::quiet_NaN();
}

}  // namespace

bool lanes_over_a(std::int64_t a_rows, std::int64_t b_rows, std::int64_t lanes) {
  const auto tiles = [lanes](std::int64_t rows, std::int64_t columns) {
    constexpr std::int64_t kRowsAtOnce = 4;  // fewer leave arithmetic waiting for its own results
    return static_cast<double>((rows + kRowsAtOnce - 1) / kRowsAtOnce * kRowsAtOnce) *
           static_cast<double>((columns + lanes - 1) / lanes * lanes);
  };
  // Results then leave in short runs: worth it only from about a tenth on.
  return tiles(b_rows, a_rows) < 0.9 * tiles(a_rows, b_rows);
}

template <class Real>
void TileOutput::write(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
                       const Real* values, std::int64_t stride) const {
  for (std::int64_t r = 0; r < rows && !exchanged; ++r)
    write_row(out, row + r, column, count, values + r * stride);
  for (std::int64_t l = 0; l < count && exchanged; ++l) {
    Real run[kRows];
    for (std::int64_t r = 0; r < rows; ++r) run[r] = values[r * stride + l];
    write_row(out, column + l, row, rows, run);
  }
}

template void TileOutput::write(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                const float*, std::int64_t) const;
template void TileOutput::write(std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                                const double*, std::int64_t) const;

void ExponentRange::add(const FloatSurvey& survey) {
  special = special || survey.has_special != 0;
  if (survey.most_bits == 0) return;  // nothing but zeros, infinities and NaN
  constexpr int kBias = 127;
  constexpr int kSmallest = -149;
  const auto exponent = [](unsigned bits) {
    const int field = static_cast<int>(bits >> 23);
    return field == 0 ? kSmallest : field - kBias;
  };
  low = std::min(low, exponent(survey.least_bits));
  high = std::max(high, exponent(survey.most_bits));
}

bool products_fit_float(const ExponentRange& a, const ExponentRange& b, int product_bits) {
  if (a.low > a.high || b.low > b.high) return true;
  return a.high + b.high + 2 <= 128 && a.low + b.low - product_bits >= -149;
}

bool is_plain_order(const std::vector<std::int64_t>& order, std::int64_t k) {
  if (static_cast<std::int64_t>(order.size()) != k) return false;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

template <class Real>
OrderedRows<Real>::OrderedRows(const OperandRows& rows, const std::vector<std::int64_t>& order,
                               std::int64_t k, bool as_is)
    : rows_(rows),
      beside_rows_(dynamic_cast<const RowsSideBySide*>(&rows)),
      order_(order),
      k_(k),
      terms_(static_cast<std::int64_t>(order.size())),
      plain_(is_plain_order(order, k)),
      as_is_(as_is),
      kernels_(chosen_kernels()),
      canonical_(plain_ ? 0 : static_cast<std::size_t>(k + 1)),
      ordered_(static_cast<std::size_t>(terms_)) {}

template <class Real>
void OrderedRows<Real>::clean(Real* values, std::int64_t count, ExponentRange& range) const {
  if (as_is_) return;
  // Payloads of NaN would survive into the lanes' integer arithmetic.
  if constexpr (sizeof(Real) == sizeof(float)) {
    const FloatSurvey survey = kernels_.survey(values, static_cast<long>(count));
    range.add(survey);
    if (survey.has_nan == 0) return;
  }
  default_nans(values, count);
}

template <class Real>
RowsInMemory<const Real> OrderedRows<Real>::in_place() const {
  if constexpr (sizeof(Real) == sizeof(float))
    if (as_is_ && plain_) return rows_.floats();
  return {};
}

template <class Real>
void OrderedRows<Real>::pack_row(std::int64_t row, Real* to, ExponentRange& range) {
  if (plain_) {
    read_row(rows_, row, k_, to);
  } else {
    read_row(rows_, row, k_, canonical_.data());
    for (std::int64_t i = 0; i < terms_; ++i) {
      const std::int64_t from = order_[static_cast<std::size_t>(i)];
      to[i] = canonical_[static_cast<std::size_t>(from < 0 ? k_ : from)];
    }
  }
  clean(to, terms_, range);
}

template <class Real>
bool OrderedRows<Real>::pack_side_by_side(std::int64_t first, std::int64_t count,
                                          std::int64_t width, std::int64_t lanes, Real* panel,
                                          ExponentRange& range) {
  if constexpr (sizeof(Real) != sizeof(float)) {
    return false;
  } else {
    if (beside_rows_ == nullptr) return false;
    // In its place, or where it is cleaned and put in order.
    const bool direct = plain_ && (width == lanes || as_is_);
    const std::int64_t stride = direct ? lanes : width;
    beside_.resize(direct ? 0 : static_cast<std::size_t>((k_ + 1) * width));
    float* const to = direct ? panel : beside_.data();
    if (!beside_rows_->read_side_by_side(first, count, stride, to)) return false;
    for (std::int64_t i = 0; i < k_ && count < width; ++i)
      std::fill(to + i * stride + count, to + i * stride + width, 0.0F);
    clean(to, k_ * width, range);
    if (direct) return true;
    std::fill(to + k_ * width, to + (k_ + 1) * width, 0.0F);  // what the order pads with
    for (std::int64_t i = 0; i < terms_; ++i) {
      const std::int64_t from = order_[static_cast<std::size_t>(i)];
      std::copy_n(to + (from < 0 ? k_ : from) * width, width, panel + i * lanes);
    }
    return true;
  }
}

template <class Real>
void OrderedRows<Real>::pack_panel(std::int64_t first, std::int64_t count, std::int64_t width,
                                   std::int64_t lanes, Real* panel, ExponentRange& range) {
  const auto terms = static_cast<long>(terms_);
  if (const RowsInMemory<const Real> from = in_place(); from.data != nullptr) {
    std::vector<const Real*> rows(static_cast<std::size_t>(width), ordered_.data());
    for (std::int64_t l = 0; l < count; ++l)
      rows[static_cast<std::size_t>(l)] = from.data + (first + l) * from.row_stride;
    return interleave(kernels_, rows.data(), static_cast<long>(width), terms,
                      static_cast<long>(lanes), panel);
  }
  if (count > 0 && pack_side_by_side(first, count, width, lanes, panel, range)) return;
  ordered_.resize(static_cast<std::size_t>((kAtOnce + 1) * terms_));
  const Real* const zeros = ordered_.data();
  for (std::int64_t lane = 0; lane < width; lane += kAtOnce) {
    const Real* rows[kAtOnce];
    for (std::int64_t l = 0; l < kAtOnce; ++l) {
      Real* const ordered = ordered_.data() + (1 + l) * terms_;
      const bool exists = lane + l < count;
      rows[l] = exists ? ordered : zeros;
      if (exists) pack_row(first + lane + l, ordered, range);
    }
    interleave(kernels_, rows, kAtOnce, terms, static_cast<long>(lanes), panel + lane);
  }
}

template class OrderedRows<float>;
template class OrderedRows<double>;

}  // namespace npusim::precision::kernels
