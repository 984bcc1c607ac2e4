// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/packing.h"

#include <cstring>
#include <limits>

#include "precision/kernels/lane_kernel.h"

namespace npusim::precision::kernels {

bool lanes_over_a(std::int64_t a_rows, std::int64_t b_rows, std::int64_t lanes) {
  const auto tiles = [lanes](std::int64_t rows, std::int64_t columns) {
    return static_cast<double>((rows + kRows - 1) / kRows * kRows) *
           static_cast<double>((columns + lanes - 1) / lanes * lanes);
  };
  // Results then leave in short runs: worth it only from about a tenth on.
  return tiles(b_rows, a_rows) < 0.9 * tiles(a_rows, b_rows);
}

void TileOutput::write(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count,
                       const double* values, std::int64_t stride) const {
  for (std::int64_t r = 0; r < rows && !exchanged; ++r)
    out.write(row + r, column, count, values + r * stride);
  for (std::int64_t l = 0; l < count && exchanged; ++l) {
    double run[kRows];
    for (std::int64_t r = 0; r < rows; ++r) run[r] = values[r * stride + l];
    out.write(column + l, row, rows, run);
  }
}

void ExponentRange::add(const double* values, std::int64_t count) {
  constexpr std::int64_t kInfinite = 0x7ff;
  constexpr std::int64_t kBias = 1023;
  std::int64_t least = kInfinite;
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    const std::int64_t exponent = (bits >> 52) & kInfinite;
    least = std::min(least, exponent == 0 ? kInfinite : exponent);
    most = std::max(most, exponent == kInfinite ? 0 : exponent);
  }
  if (most == 0) return;  // nothing but zeros, infinities and NaN
  low = std::min(low, static_cast<int>(least - kBias));
  high = std::max(high, static_cast<int>(most - kBias));
}

bool products_fit_float(const ExponentRange& a, const ExponentRange& b, int product_bits) {
  if (a.low > a.high || b.low > b.high) return true;
  return a.high + b.high + 2 <= 128 && a.low + b.low - product_bits >= -149;
}

OrderedRows::OrderedRows(const OperandRows& rows, const std::vector<std::int64_t>& order,
                         std::int64_t k)
    : rows_(rows),
      order_(order),
      k_(k),
      values_(static_cast<std::size_t>(kAtOnce * (k + 1)), 0.0) {}

void OrderedRows::read(std::int64_t row, double* to, ExponentRange& range) const {
  rows_.read(row, to);
  // Payloads of NaN would survive into the lanes' integer arithmetic.
  for (std::int64_t i = 0; i < k_; ++i)
    to[i] = to[i] == to[i] ? to[i] : std::numeric_limits<double>::quiet_NaN();
  range.add(to, k_);
}

template <class Real>
void OrderedRows::pack_row(std::int64_t row, Real* to, ExponentRange& range) {
  read(row, values_.data(), range);
  const auto terms = static_cast<std::int64_t>(order_.size());
  for (std::int64_t i = 0; i < terms; ++i) {
    const std::int64_t from = order_[static_cast<std::size_t>(i)];
    to[i] = static_cast<Real>(values_[static_cast<std::size_t>(from < 0 ? k_ : from)]);
  }
}

template <class Real>
void OrderedRows::pack_lanes(std::int64_t first, std::int64_t count, std::int64_t lanes, Real* to,
                             ExponentRange& range) {
  const std::int64_t stride = k_ + 1;
  for (std::int64_t l = 0; l < count; ++l) read(first + l, values_.data() + l * stride, range);
  const auto terms = static_cast<std::int64_t>(order_.size());
  for (std::int64_t i = 0; i < terms; ++i) {
    const std::int64_t from = order_[static_cast<std::size_t>(i)];
    const double* values = values_.data() + (from < 0 ? k_ : from);
    for (std::int64_t l = 0; l < count; ++l)
      to[i * lanes + l] = static_cast<Real>(values[l * stride]);
  }
}

template void OrderedRows::pack_row(std::int64_t, float*, ExponentRange&);
template void OrderedRows::pack_row(std::int64_t, double*, ExponentRange&);
template void OrderedRows::pack_lanes(std::int64_t, std::int64_t, std::int64_t, float*,
                                      ExponentRange&);
template void OrderedRows::pack_lanes(std::int64_t, std::int64_t, std::int64_t, double*,
                                      ExponentRange&);

}  // namespace npusim::precision::kernels
