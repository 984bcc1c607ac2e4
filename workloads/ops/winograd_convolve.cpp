// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/winograd_convolve.h"

#include <array>
#include <functional>

namespace npusim::workloads {
namespace {

using Tile = std::array<double, kMostWinogradPoints>;
using Values = std::vector<double>;

/// Numbers held at once of transformed inputs and sums; a row of tiles at least.
constexpr std::int64_t kMostValues = std::int64_t{1} << 22;

constexpr std::size_t kTaps = kWinogradTaps * kWinogradTaps;

/// A 3x3 convolution of stride 1; channels and outputs are those of a group.
struct Layer {
  std::int64_t images, groups, channels, outputs;
  std::int64_t in_height, in_width, out_height, out_width;
  std::int64_t pad_top, pad_left;
  const double* x;
  double* y;
  const double* bias;
  /// The nine weights from an input channel to an output channel of a group.
  std::function<void(std::int64_t group, std::int64_t output, std::int64_t channel, double* taps)>
      taps;
};

std::size_t at(std::int64_t index) {
  return static_cast<std::size_t>(index);
}

class Convolution {
 public:
  Convolution(const WinogradEngine& engine, const Layer& layer,
              const precision::ParallelFor& parallel)
      : engine_(engine),
        l_(layer),
        parallel_(parallel),
        m_(engine.outputs()),
        side_(winograd_side(m_)),
        points_(side_ * side_),
        rows_((layer.out_height + m_ - 1) / m_),
        columns_((layer.out_width + m_ - 1) / m_) {}

  void run() const {
    const std::int64_t each = points_ * columns_ * (l_.channels + l_.outputs);
    const std::int64_t most = std::max<std::int64_t>(1, kMostValues / each);
    const std::int64_t all = l_.images * rows_;
    for (std::int64_t group = 0; group < l_.groups; ++group) {
      const Values weights = transformed_weights(group);
      for (std::int64_t row = 0; row < all; row += most)
        run_band(group, weights, {row, std::min(most, all - row)});
    }
  }

 private:
  /// Rows of tiles, counted through all images.
  struct Band {
    std::int64_t first, rows;
  };

  /// [point][output][channel]
  Values transformed_weights(std::int64_t group) const {
    Values to(at(points_ * l_.outputs * l_.channels));
    const WinogradTransforms transforms(m_, engine_.weight_arithmetic());
    parallel_(l_.outputs, [&](std::int64_t output) {
      Tile taps{}, points{};
      for (std::int64_t c = 0; c < l_.channels; ++c) {
        l_.taps(group, output, c, taps.data());
        for (std::size_t i = 0; i < kTaps; ++i) taps[i] = engine_.weight_arithmetic()(taps[i]);
        transforms.weights(taps.data(), points.data());
        for (std::int64_t p = 0; p < points_; ++p)
          to[at((p * l_.outputs + output) * l_.channels + c)] = engine_.operand()(points[at(p)]);
      }
    });
    return to;
  }

  void run_band(std::int64_t group, const Values& weights, Band band) const {
    const std::int64_t positions = band.rows * columns_;
    const Values inputs = transformed_inputs(group, band);
    Values sums(at(points_ * l_.outputs * positions));
    for (std::int64_t p = 0; p < points_; ++p) {
      const precision::MatrixRows a(weights.data() + p * l_.outputs * l_.channels, l_.outputs,
                                    l_.channels, l_.channels, 1);
      const precision::MatrixRows b(inputs.data() + p * positions * l_.channels, positions,
                                    l_.channels, l_.channels, 1);
      precision::MatrixOutput out(sums.data() + p * l_.outputs * positions, positions);
      engine_.multiply(l_.channels, a, b, {}, out);
    }
    write_outputs(group, sums, band);
  }

  /// [point][position][channel]
  Values transformed_inputs(std::int64_t group, Band band) const {
    const std::int64_t positions = band.rows * columns_;
    Values to(at(points_ * positions * l_.channels));
    const WinogradTransforms transforms(m_, engine_.arithmetic());
    parallel_(band.rows * l_.channels, [&](std::int64_t i) {
      const std::int64_t row = i / l_.channels, c = i % l_.channels;
      const std::int64_t image = (band.first + row) / rows_;
      const double* plane = l_.x + (image * l_.groups * l_.channels + group * l_.channels + c) *
                                       l_.in_height * l_.in_width;
      Tile tile{}, points{};
      for (std::int64_t column = 0; column < columns_; ++column) {
        read_tile(plane, (band.first + row) % rows_, column, tile);
        transforms.input(tile.data(), points.data());
        const std::int64_t position = row * columns_ + column;
        for (std::int64_t p = 0; p < points_; ++p)
          to[at((p * positions + position) * l_.channels + c)] = engine_.operand()(points[at(p)]);
      }
    });
    return to;
  }

  void read_tile(const double* plane, std::int64_t row, std::int64_t column, Tile& tile) const {
    const std::int64_t top = row * m_ - l_.pad_top, left = column * m_ - l_.pad_left;
    for (std::int64_t i = 0; i < side_; ++i)
      for (std::int64_t j = 0; j < side_; ++j) {
        const std::int64_t y = top + i, x = left + j;
        const bool inside = y >= 0 && y < l_.in_height && x >= 0 && x < l_.in_width;
        tile[at(i * side_ + j)] = inside ? engine_.arithmetic()(plane[y * l_.in_width + x]) : 0.0;
      }
  }

  void write_outputs(std::int64_t group, const Values& sums, Band band) const {
    const std::int64_t positions = band.rows * columns_;
    const WinogradTransforms transforms(m_, engine_.arithmetic());
    parallel_(band.rows * l_.outputs, [&](std::int64_t i) {
      const std::int64_t row = i / l_.outputs, output = i % l_.outputs;
      const std::int64_t image = (band.first + row) / rows_;
      const std::int64_t channel = group * l_.outputs + output;
      double* plane =
          l_.y + (image * l_.groups * l_.outputs + channel) * l_.out_height * l_.out_width;
      Tile points{}, tile{};
      for (std::int64_t column = 0; column < columns_; ++column) {
        const std::int64_t position = row * columns_ + column;
        for (std::int64_t p = 0; p < points_; ++p)
          points[at(p)] =
              engine_.arithmetic()(sums[at((p * l_.outputs + output) * positions + position)]);
        transforms.output(points.data(), tile.data());
        write_tile(tile, (band.first + row) % rows_, column, channel, plane);
      }
    });
  }

  void write_tile(const Tile& tile, std::int64_t row, std::int64_t column, std::int64_t channel,
                  double* plane) const {
    const precision::Rounder& round = engine_.arithmetic();
    const std::int64_t top = row * m_, left = column * m_;
    for (std::int64_t i = 0; i < m_ && top + i < l_.out_height; ++i)
      for (std::int64_t j = 0; j < m_ && left + j < l_.out_width; ++j) {
        const double value = tile[at(i * m_ + j)];
        plane[(top + i) * l_.out_width + left + j] =
            l_.bias == nullptr ? value : round(value + round(l_.bias[channel]));
      }
  }

  const WinogradEngine& engine_;
  const Layer& l_;
  const precision::ParallelFor& parallel_;
  std::int64_t m_, side_, points_;
  std::int64_t rows_, columns_;  ///< of tiles
};

const double* weights_of(const ConvGeometry& g, const Tensor& w, std::int64_t group,
                         std::int64_t output, std::int64_t channel) {
  return w.values.data() +
         ((group * g.group_outputs() + output) * g.group_channels() + channel) * g.taps();
}

}  // namespace

void convolve_by_winograd(const WinogradEngine& engine, const ConvGeometry& g, const Tensor& x,
                          const Tensor& w, const double* bias, Tensor& y,
                          const precision::ParallelFor& parallel) {
  const Layer layer{g.images,
                    g.groups,
                    g.group_channels(),
                    g.group_outputs(),
                    g.in_height,
                    g.in_width,
                    g.out_height,
                    g.out_width,
                    g.pad_top,
                    g.pad_left,
                    x.values.data(),
                    y.values.data(),
                    bias,
                    [&](std::int64_t group, std::int64_t output, std::int64_t c, double* taps) {
                      std::copy_n(weights_of(g, w, group, output, c), kTaps, taps);
                    }};
  Convolution(engine, layer, parallel).run();
}

void convolve_transposed_by_winograd(const WinogradEngine& engine, const ConvGeometry& g,
                                     const Tensor& y, const Tensor& w, Tensor& x,
                                     const precision::ParallelFor& parallel) {
  const Layer layer{g.images,
                    g.groups,
                    g.group_outputs(),
                    g.group_channels(),
                    g.out_height,
                    g.out_width,
                    g.in_height,
                    g.in_width,
                    2 - g.pad_top,
                    2 - g.pad_left,
                    y.values.data(),
                    x.values.data(),
                    nullptr,
                    [&](std::int64_t group, std::int64_t output, std::int64_t c, double* taps) {
                      std::reverse_copy(weights_of(g, w, group, c, output),
                                        weights_of(g, w, group, c, output) + kTaps, taps);
                    }};
  Convolution(engine, layer, parallel).run();
}

}  // namespace npusim::workloads
