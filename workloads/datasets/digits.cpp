// SPDX-License-Identifier: Apache-2.0
// Digits as a pen would draw them: each is a few strokes through control points (Catmull-Rom
// splines), which are displaced, sheared, turned, scaled and moved, then drawn with a pen of
// random width and pressure, with noise and a stray line. Written for this project; no picture is
// copied from anywhere. Samples are centred: (ink - 0.2) / 0.35. Any number of channels gets the
// same picture.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "workloads/datasets/sources.h"
#include "workloads/detmath.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

struct Point {
  double x, y;
};
using Stroke = std::vector<Point>;

/// Control points in a unit square, y downwards.
const std::array<std::vector<Stroke>, 10>& shapes() {
  static const std::array<std::vector<Stroke>, 10> kShapes = {{
      {{{.5, .1},
        {.78, .25},
        {.82, .5},
        {.75, .78},
        {.5, .9},
        {.25, .78},
        {.18, .5},
        {.24, .24},
        {.5, .1}}},
      {{{.34, .26}, {.56, .1}, {.55, .5}, {.54, .9}}},
      {{{.22, .3}, {.35, .13}, {.6, .1}, {.78, .28}, {.65, .52}, {.4, .72}, {.2, .9}},
       {{.2, .9}, {.5, .88}, {.82, .88}}},
      {{{.24, .18}, {.5, .1}, {.74, .22}, {.7, .4}, {.46, .48}},
       {{.46, .48}, {.74, .56}, {.8, .74}, {.6, .9}, {.24, .84}}},
      {{{.6, .1}, {.4, .36}, {.18, .62}},
       {{.18, .62}, {.5, .63}, {.85, .62}},
       {{.64, .34}, {.63, .62}, {.62, .9}}},
      {{{.76, .1}, {.52, .1}, {.3, .1}},
       {{.3, .1}, {.28, .28}, {.27, .45}},
       {{.27, .45}, {.55, .4}, {.78, .58}, {.72, .82}, {.48, .92}, {.22, .82}}},
      {{{.68, .1},
        {.42, .28},
        {.26, .56},
        {.3, .82},
        {.52, .9},
        {.74, .76},
        {.68, .56},
        {.46, .5},
        {.28, .66}}},
      {{{.2, .12}, {.5, .12}, {.8, .12}}, {{.8, .12}, {.58, .48}, {.42, .9}}},
      {{{.5, .48},
        {.28, .32},
        {.36, .12},
        {.62, .11},
        {.73, .3},
        {.5, .48},
        {.25, .66},
        {.32, .88},
        {.62, .9},
        {.77, .7},
        {.5, .48}}},
      {{{.72, .3},
        {.55, .48},
        {.32, .44},
        {.26, .24},
        {.48, .1},
        {.7, .2},
        {.72, .45},
        {.66, .7},
        {.5, .9}}},
  }};
  return kShapes;
}

/// Numbers of one sample, drawn in order.
class Draw {
 public:
  Draw(std::uint64_t seed, const std::string& name) : stream_(seed, name) {}
  double uniform(double low, double high) {
    return low + (high - low) * unit_interval(stream_.bits(next_++));
  }
  std::uint64_t bits() { return stream_.bits(next_++); }

 private:
  RandomStream stream_;
  std::uint64_t next_ = 0;
};

/// The plane as one sample sees it.
class Distortion {
 public:
  explicit Distortion(Draw& draw) {
    const SinCos turn = det_sincospi(draw.uniform(-0.1, 0.1));
    const double wide = draw.uniform(0.62, 1.0), high = draw.uniform(0.7, 1.0);
    const double shear = draw.uniform(-0.35, 0.35);
    a_ = wide * turn.cos;
    b_ = wide * (shear * turn.cos - turn.sin);
    c_ = high * turn.sin;
    d_ = high * (shear * turn.sin + turn.cos);
    x_ = 0.5 + draw.uniform(-0.14, 0.14);
    y_ = 0.5 + draw.uniform(-0.12, 0.12);
    for (double& wave : wave_) wave = draw.uniform(-0.05, 0.05);
    for (double& phase : phase_) phase = draw.uniform(0.0, 2.0);
  }
  Point operator()(Point p) const {
    const double u = p.x - 0.5 + wave_[0] * det_sincospi(1.6 * p.y + phase_[0]).sin;
    const double v = p.y - 0.5 + wave_[1] * det_sincospi(1.6 * p.x + phase_[1]).sin;
    return {x_ + a_ * u + b_ * v, y_ + c_ * u + d_ * v};
  }

 private:
  double a_, b_, c_, d_, x_, y_;
  double wave_[2], phase_[2];
};

/// Through every control point, four straight pieces between two of them.
std::vector<Point> spline(const Stroke& controls) {
  const auto clamped = [&](std::ptrdiff_t i) {
    const auto last = static_cast<std::ptrdiff_t>(controls.size()) - 1;
    return controls[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(i, 0, last))];
  };
  std::vector<Point> line = {controls.front()};
  for (std::ptrdiff_t i = 0; i + 1 < static_cast<std::ptrdiff_t>(controls.size()); ++i)
    for (int piece = 1; piece <= 4; ++piece) {
      const double t = 0.25 * piece;
      const Point a = clamped(i - 1), b = clamped(i), c = clamped(i + 1), d = clamped(i + 2);
      const auto mix = [t](double p, double q, double r, double s) {
        return 0.5 *
               (2.0 * q +
                t * (r - p + t * (2.0 * p - 5.0 * q + 4.0 * r - s + t * (3.0 * (q - r) + s - p))));
      };
      line.push_back({mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)});
    }
  return line;
}

class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width)
      : height_(height), width_(width), ink_(static_cast<std::size_t>(height * width), 0.0) {}
  std::vector<double>& ink() { return ink_; }

  /// A straight piece of a line, in unit coordinates; `radius` of the pen likewise.
  void draw(Point from, Point to, double radius, double pressure) {
    const auto h = static_cast<double>(height_), w = static_cast<double>(width_);
    from = {from.x * w, from.y * h};
    to = {to.x * w, to.y * h};
    const double pen = radius * std::min(h, w);
    const double reach = pen + 1.0;
    const auto first = [&](double a, double b) {
      return std::max<std::int64_t>(0,
                                    static_cast<std::int64_t>(std::floor(std::min(a, b) - reach)));
    };
    const auto last = [&](double a, double b, std::int64_t size) {
      return std::min<std::int64_t>(size - 1,
                                    static_cast<std::int64_t>(std::ceil(std::max(a, b) + reach)));
    };
    for (std::int64_t y = first(from.y, to.y); y <= last(from.y, to.y, height_); ++y)
      for (std::int64_t x = first(from.x, to.x); x <= last(from.x, to.x, width_); ++x) {
        const Point p{static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5};
        const double squared = squared_distance(p, from, to);
        if (squared > reach * reach) continue;
        const double covered = std::clamp(pen + 0.5 - std::sqrt(squared), 0.0, 1.0);
        double& ink = ink_[static_cast<std::size_t>(y * width_ + x)];
        ink = std::max(ink, pressure * covered);
      }
  }

 private:
  static double squared_distance(Point p, Point a, Point b) {
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double length = dx * dx + dy * dy;
    const double along = (p.x - a.x) * dx + (p.y - a.y) * dy;
    const double t = along <= 0.0 ? 0.0 : along >= length ? 1.0 : along / length;
    const double ex = p.x - a.x - t * dx, ey = p.y - a.y - t * dy;
    return ex * ex + ey * ey;
  }

  std::int64_t height_, width_;
  std::vector<double> ink_;
};

class Digits final : public Dataset {
 public:
  explicit Digits(const DatasetRequest& request)
      : name_(std::string("digits.") + name_of(request.split)),
        seed_(request.seed),
        samples_(request.samples),
        channels_(request.sample.input[0]),
        height_(request.sample.input[1]),
        width_(request.sample.input[2]) {}
  std::int64_t size() const override { return samples_; }
  std::int64_t classes() const override { return 10; }
  void read(std::int64_t index, double* input, double* label) const override {
    Draw draw(seed_, name_ + "." + std::to_string(index));
    const std::size_t digit = draw.bits() % 10;
    *label = static_cast<double>(digit);
    Canvas canvas(height_, width_);
    write_digit(digit, draw, canvas);
    stray_line(draw, canvas);
    const std::vector<double>& ink = canvas.ink();
    for (std::size_t i = 0; i < ink.size(); ++i) {
      const double value = std::clamp(ink[i] + draw.uniform(-0.12, 0.12), 0.0, 1.0);
      for (std::int64_t c = 0; c < channels_; ++c)
        input[static_cast<std::size_t>(c) * ink.size() + i] = (value - 0.2) / 0.35;
    }
  }

 private:
  static void write_digit(std::size_t digit, Draw& draw, Canvas& canvas) {
    const Distortion distortion(draw);
    const double radius = draw.uniform(0.025, 0.06);
    const double pressure = draw.uniform(0.65, 1.0);
    for (Stroke stroke : shapes()[digit]) {
      for (Point& p : stroke)
        p = {p.x + draw.uniform(-0.045, 0.045), p.y + draw.uniform(-0.045, 0.045)};
      const std::vector<Point> line = spline(stroke);
      for (std::size_t i = 1; i < line.size(); ++i)
        canvas.draw(distortion(line[i - 1]), distortion(line[i]), radius, pressure);
    }
  }
  static void stray_line(Draw& draw, Canvas& canvas) {
    if (draw.uniform(0.0, 1.0) < 0.5) return;
    const Point from{draw.uniform(0.0, 1.0), draw.uniform(0.0, 1.0)};
    const Point to{from.x + draw.uniform(-0.25, 0.25), from.y + draw.uniform(-0.25, 0.25)};
    canvas.draw(from, to, 0.02, draw.uniform(0.3, 0.6));
  }

  std::string name_;
  std::uint64_t seed_;
  std::int64_t samples_, channels_, height_, width_;
};

}  // namespace

std::unique_ptr<Dataset> make_digits(const DatasetRequest& request) {
  const SampleShape& sample = request.sample;
  if (sample.input.size() != 3 || element_count(sample.label) != 1 || sample.classes < 10)
    wrong_sample("digits", "(C, H, W) pictures of 10 classes", sample);
  return std::make_unique<Digits>(request);
}

}  // namespace npusim::workloads
