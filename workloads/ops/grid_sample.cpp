// SPDX-License-Identifier: Apache-2.0
// GridSample of images (N, C, H, W) at positions (N, OH, OW, 2): x, y from -1 to 1 across the
// image. Positions are computed in binary64; weights, products and sums are rounded once each.
#include <cmath>

#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

enum class Padding { zeros, border, reflection };

/// One axis of the image.
struct Axis {
  std::int64_t extent;
  bool corners;  ///< -1 and 1 are the centres of the corner pixels, not their outer edges
  Padding padding;

  double position(double grid) const {
    const auto n = static_cast<double>(extent);
    return corners ? (grid + 1.0) / 2.0 * (n - 1.0) : ((grid + 1.0) * n - 1.0) / 2.0;
  }
  /// Where a sample at x is taken from; outside 0..extent-1 it is 0.
  double padded(double x) const {
    const auto last = static_cast<double>(extent - 1);
    if (padding == Padding::border) return std::min(std::max(x, 0.0), last);
    if (padding == Padding::reflection) {
      const double low = corners ? 0.0 : -0.5;
      const double high = corners ? last : last + 0.5;
      return std::min(std::max(reflected(x, low, high), 0.0), last);
    }
    return x;
  }

 private:
  static double reflected(double x, double low, double high) {
    const double range = high - low;
    if (!(range > 0.0)) return low;
    const double distance = std::fmod(std::fabs(x - low), 2.0 * range);
    return distance <= range ? low + distance : high - (distance - range);
  }
};

/// Taps of a cubic with a = -0.75 (Keys 1981) around position 0 <= t < 1, at -1, 0, 1, 2.
void cubic_weights(double t, double* weights) {
  constexpr double a = -0.75;
  const auto near = [&](double d) { return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0; };
  const auto far = [&](double d) { return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a; };
  weights[0] = far(t + 1.0);
  weights[1] = near(t);
  weights[2] = near(1.0 - t);
  weights[3] = far(2.0 - t);
}

class GridSample final : public SimpleOp {
 public:
  GridSample()
      : SimpleOp({"GridSample",
                  "x (N,C,H,W) sampled at positions (N,OH,OW,2)",
                  OpClass::vector,
                  2,
                  2,
                  {{"align_corners", std::int64_t{0}, false, "1: -1 and 1 are pixel centres"},
                   {"mode", std::string("bilinear"), false, "bilinear, nearest or bicubic"},
                   {"padding_mode", std::string("zeros"), false, "zeros, border or reflection"}}}) {
  }
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_rank(view, 0, 4, "the image");
    require_rank(view, 1, 4, "the grid");
    const Shape& x = view.input(0).shape;
    const Shape& grid = view.input(1).shape;
    if (grid[0] != x[0] || grid[3] != 2 || x[2] < 1 || x[3] < 1)
      shape_error("grid " + to_string(grid) + " does not fit image " + to_string(x));
    taps_of(view);
    padding_of(view);
    return {{{x[0], x[1], grid[1], grid[2]}, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t taps = taps_of(view) * taps_of(view) * elements_of(view.output());
    return {{"mul", taps}, {"add", taps}};
  }
  void forward(Evaluation& e) const override {
    const Tensor& x = *e.inputs[0];
    const Tensor& grid = *e.inputs[1];
    Tensor& y = e.outputs[0];
    const bool corners = e.view.integer("align_corners") != 0;
    const Axis rows{x.shape[2], corners, padding_of(e.view)};
    const Axis columns{x.shape[3], corners, padding_of(e.view)};
    const std::int64_t pixels = y.shape[2] * y.shape[3];
    e.parallel(x.shape[0] * pixels, [&](std::int64_t i) {
      const Taps down = taps_at(rows, grid.values[static_cast<std::size_t>(2 * i + 1)], e.view);
      const Taps right = taps_at(columns, grid.values[static_cast<std::size_t>(2 * i)], e.view);
      for (std::int64_t c = 0; c < x.shape[1]; ++c) {
        const std::int64_t plane = i / pixels * x.shape[1] + c;
        const double* image = x.values.data() + plane * x.shape[2] * x.shape[3];
        double sum = 0.0;
        for (int r = 0; r < down.count; ++r)
          for (int s = 0; s < right.count; ++s)
            if (down.at[r] >= 0 && right.at[s] >= 0)
              sum = e.internal(sum + e.internal(e.internal(down.weight[r] * right.weight[s]) *
                                                image[down.at[r] * x.shape[3] + right.at[s]]));
        y.values[static_cast<std::size_t>(plane * pixels + i % pixels)] = sum;
      }
    });
  }

 private:
  struct Taps {
    int count = 1;
    std::int64_t at[4] = {-1, -1, -1, -1};  ///< -1: zero
    double weight[4] = {1.0, 1.0, 1.0, 1.0};
  };

  static int taps_of(const NodeView& view) {
    const std::string& mode = view.text("mode");
    if (mode == "nearest") return 1;
    if (mode == "bilinear") return 2;
    if (mode == "bicubic") return 4;
    throw base::InputError("mode \"" + mode + "\" is none of bilinear, nearest, bicubic",
                           "unsupported-attribute");
  }
  static Padding padding_of(const NodeView& view) {
    const std::string& mode = view.text("padding_mode");
    if (mode == "zeros") return Padding::zeros;
    if (mode == "border") return Padding::border;
    if (mode == "reflection") return Padding::reflection;
    throw base::InputError("padding_mode \"" + mode + "\" is none of zeros, border, reflection",
                           "unsupported-attribute");
  }
  static std::int64_t inside(const Axis& axis, double x) {
    return x >= 0.0 && x <= static_cast<double>(axis.extent - 1) ? static_cast<std::int64_t>(x)
                                                                 : -1;
  }
  static Taps taps_at(const Axis& axis, double grid, const NodeView& view) {
    Taps taps;
    taps.count = taps_of(view);
    const double position = axis.position(grid);
    if (taps.count == 1) {
      taps.at[0] = inside(axis, axis.padded(std::nearbyint(position)));
      return taps;
    }
    const double x = taps.count == 2 ? axis.padded(position) : position;
    const double first = std::floor(x);
    if (taps.count == 2) {
      taps.weight[0] = first + 1.0 - x;
      taps.weight[1] = x - first;
      for (int i = 0; i < 2; ++i) taps.at[i] = inside(axis, first + i);
      return taps;
    }
    cubic_weights(x - first, taps.weight);
    for (int i = 0; i < 4; ++i) taps.at[i] = inside(axis, axis.padded(first + i - 1));
    return taps;
  }
};

}  // namespace

void register_grid_sample(OpRegistry& registry) {
  registry.add(std::make_unique<GridSample>());
}

}  // namespace npusim::workloads
