// SPDX-License-Identifier: Apache-2.0
#include "tools/block_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tools/interrupt.h"

namespace npusim::tools {
namespace {

using precision::BlockFormat;

constexpr std::int64_t kPiece = std::int64_t{1} << 18;  // elements in memory

/// The file as outer x K x inner.
struct Extents {
  std::int64_t outer = 1, terms = 1, inner = 1;
};

Extents extents_of(const std::vector<std::int64_t>& shape, int axis) {
  Extents e;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto at = static_cast<int>(i);
    (at < axis ? e.outer : (at == axis ? e.terms : e.inner)) *= shape[i];
  }
  return e;
}

/// Blocks of K times neighbouring columns of `inner`, which it works through in pieces.
class Worker {
 public:
  Worker(const BlockStream& stream, base::NpyReader& reader)
      : stream_(stream), reader_(reader), e_(extents_of(reader.shape(), stream.axis)) {}

  std::int64_t run() {
    const BlockFormat& format = stream_.format;
    if (reader_.elements() == 0) return 0;
    if (format.tensor_scale) tensor_ = tensor_scale_of(format, tensor_amax());
    const std::int64_t width = std::min(e_.inner, kPiece / 16);
    const std::int64_t block =
        format.block == BlockFormat::kWholeRow ? e_.terms : std::min(format.block, e_.terms);
    for (std::int64_t outer = 0; outer < e_.outer; ++outer)
      for (std::int64_t column = 0; column < e_.inner; column += width)
        for (std::int64_t k = 0; k < e_.terms; k += block)
          quantize({outer, column, std::min(width, e_.inner - column), k,
                    std::min(block, e_.terms - k)});
    return saturated_;
  }

 private:
  struct Tile {
    std::int64_t outer, column, width, first, terms;
  };

  double tensor_amax() {
    double amax = 0.0;
    for (std::int64_t at = 0; at < reader_.elements(); at += kPiece) {
      stop_if_interrupted();
      const std::int64_t count = std::min(kPiece, reader_.elements() - at);
      load(at, count, 0);
      for (std::int64_t i = 0; i < count; ++i) {
        const double x = prepared(input_[static_cast<std::size_t>(i)]);
        amax = std::max(amax, precision::finite_amax(&x, 1));
      }
    }
    return amax;
  }

  /// Elements at, at + 1, ... to place `to` of the input.
  void load(std::int64_t at, std::int64_t count, std::int64_t to) {
    const auto needed = static_cast<std::size_t>(to + count);
    if (input_.size() < needed) input_.resize(needed);
    reader_.read(at, count, input_.data() + to);
  }

  double prepared(double x) const { return stream_.prepare ? stream_.prepare(x) : x; }

  std::int64_t place(const Tile& tile, std::int64_t k) const {
    return (tile.outer * e_.terms + k) * e_.inner + tile.column;
  }

  void load_rows(const Tile& tile, std::int64_t k, std::int64_t rows) {
    if (tile.width == e_.inner) {
      load(place(tile, k), rows * tile.width, 0);
    } else {
      for (std::int64_t i = 0; i < rows; ++i) load(place(tile, k + i), tile.width, i * tile.width);
    }
  }

  void quantize(const Tile& tile) {
    stop_if_interrupted();
    const std::int64_t rows = std::min(tile.terms, std::max<std::int64_t>(1, kPiece / tile.width));
    std::vector<double> amax(static_cast<std::size_t>(tile.width), 0.0);
    if (stream_.format.scale) {
      for (std::int64_t k = 0; k < tile.terms; k += rows) {
        const std::int64_t now = std::min(rows, tile.terms - k);
        load_rows(tile, tile.first + k, now);
        see(now, amax);
      }
    }
    std::vector<double> scales;
    for (const double x : amax)
      scales.push_back(precision::block_scale_of(stream_.format, x, tensor_));
    const bool loaded = stream_.format.scale && rows == tile.terms;
    for (std::int64_t k = 0; k < tile.terms; k += rows) {
      const std::int64_t now = std::min(rows, tile.terms - k);
      if (!loaded) load_rows(tile, tile.first + k, now);
      emit(tile, tile.first + k, now, scales);
    }
  }

  /// NaN once a column has shown a NaN or an infinity.
  void see(std::int64_t rows, std::vector<double>& amax) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::size_t c = 0; c < amax.size(); ++c) {
        const double x = std::fabs(prepared(input_[static_cast<std::size_t>(i) * amax.size() + c]));
        if (!std::isfinite(x)) {
          amax[c] = std::numeric_limits<double>::quiet_NaN();
        } else if (x > amax[c]) {
          amax[c] = x;
        }
      }
  }

  void emit(const Tile& tile, std::int64_t k, std::int64_t rows,
            const std::vector<double>& scales) {
    output_.resize(static_cast<std::size_t>(rows * tile.width));
    const double largest = stream_.format.element.max_finite();
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t c = 0; c < tile.width; ++c) {
        const auto at = static_cast<std::size_t>(i * tile.width + c);
        const double scale = scales[static_cast<std::size_t>(c)];
        const auto index = static_cast<std::uint64_t>(place(tile, k + i) + c);
        const double element = precision::quantize_element(stream_.format, prepared(input_[at]),
                                                           scale, tensor_, stream_.rounding, index);
        const double factor = scale * tensor_;
        if (std::fabs(element) == largest && std::fabs(input_[at]) > largest * factor) ++saturated_;
        output_[at] = element * factor;
      }
    if (tile.width == e_.inner) {
      stream_.done(place(tile, k), output_.data(), input_.data(), rows * tile.width);
    } else {
      for (std::int64_t i = 0; i < rows; ++i)
        stream_.done(place(tile, k + i), output_.data() + i * tile.width,
                     input_.data() + i * tile.width, tile.width);
    }
  }

  const BlockStream& stream_;
  base::NpyReader& reader_;
  Extents e_;
  double tensor_ = 1.0;
  std::int64_t saturated_ = 0;
  std::vector<double> input_, output_;
};

}  // namespace

std::int64_t BlockStream::run(base::NpyReader& reader) const {
  return Worker(*this, reader).run();
}

}  // namespace npusim::tools
