// SPDX-License-Identifier: Apache-2.0
// Pictures of one object on a noisy ground, with its class and box: an upright rectangle, an
// ellipse, a triangle on its base or a cross, filled in one colour, its edges smoothed over 4 x 4
// points a pixel. The label is (class, centre x, centre y, width, height); positions are parts of
// the picture's width and height, y downwards. The box is the smallest around the ideal shape,
// which lies inside the picture. Every channel has a ground in [-0.6, 0.6], an object that differs
// from it by 0.8 to 1.4, and noise of its own in +-0.1. Objects are 0.35 to 0.75 of the picture
// wide and high.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "workloads/datasets/sources.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

constexpr std::int64_t kShapes = 4;
constexpr double kNoise = 0.1;

struct Object {
  std::int64_t shape;
  double x, y, width, height;  ///< of the box: centre and size

  /// Of a point in the box's own coordinates: -1 .. 1 from left to right, from top to bottom.
  bool covers(double u, double v) const {
    const double across = std::fabs(u), down = std::fabs(v);
    if (across > 1.0 || down > 1.0) return false;
    switch (shape) {
      case 0:
        return true;
      case 1:
        return u * u + v * v <= 1.0;
      case 2:
        return across <= 0.5 * (v + 1.0);
      default:
        return across <= 0.3 || down <= 0.3;
    }
  }
};

class Boxes final : public Dataset {
 public:
  Boxes(const DatasetRequest& request, const Shape& picture)
      : seed_(request.seed),
        name_(std::string("boxes.") + name_of(request.split)),
        samples_(request.samples),
        classes_(request.sample.classes),
        channels_(picture[0]),
        height_(picture[1]),
        width_(picture[2]) {}
  std::int64_t size() const override { return samples_; }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    const RandomStream stream(seed_, name_ + "." + std::to_string(index));
    std::uint64_t next = 0;
    const auto uniform = [&](double low, double high) {
      return low + (high - low) * unit_interval(stream.bits(next++));
    };
    Object object{};
    object.shape =
        static_cast<std::int64_t>(stream.bits(next++) % static_cast<std::uint64_t>(classes_));
    object.width = uniform(0.35, 0.75);
    object.height = uniform(0.35, 0.75);
    object.x = uniform(0.5 * object.width, 1.0 - 0.5 * object.width);
    object.y = uniform(0.5 * object.height, 1.0 - 0.5 * object.height);
    const std::vector<double> covered = coverage(object);
    for (std::int64_t channel = 0; channel < channels_; ++channel) {
      const double ground = uniform(-0.6, 0.6), contrast = uniform(0.8, 1.4);
      const double difference = uniform(-1.0, 1.0) < 0.0 ? -contrast : contrast;
      for (const double share : covered)
        *input++ = ground + share * difference + uniform(-kNoise, kNoise);
    }
    const double box[] = {static_cast<double>(object.shape), object.x, object.y, object.width,
                          object.height};
    std::copy(std::begin(box), std::end(box), label);
  }

 private:
  /// The part of each pixel that the object covers.
  std::vector<double> coverage(const Object& object) const {
    constexpr int kPoints = 4;
    std::vector<double> covered;
    covered.reserve(static_cast<std::size_t>(height_ * width_));
    const auto at = [](std::int64_t pixel, int point, std::int64_t size, double centre,
                       double extent) {
      const double place =
          (static_cast<double>(pixel) + (point + 0.5) / kPoints) / static_cast<double>(size);
      return 2.0 * (place - centre) / extent;
    };
    for (std::int64_t row = 0; row < height_; ++row)
      for (std::int64_t column = 0; column < width_; ++column) {
        int inside = 0;
        for (int i = 0; i < kPoints * kPoints; ++i)
          inside += object.covers(at(column, i % kPoints, width_, object.x, object.width),
                                  at(row, i / kPoints, height_, object.y, object.height))
                        ? 1
                        : 0;
        covered.push_back(static_cast<double>(inside) / (kPoints * kPoints));
      }
    return covered;
  }

  std::uint64_t seed_;
  std::string name_;
  std::int64_t samples_, classes_, channels_, height_, width_;
};

}  // namespace

std::unique_ptr<Dataset> make_boxes(const DatasetRequest& request) {
  const SampleShape& sample = request.sample;
  Shape picture = sample.input;
  if (picture.size() == 2) picture.insert(picture.begin(), 1);
  if (picture.size() != 3 || !sample.boxed || sample.classes < 1 || sample.classes > kShapes)
    wrong_sample("boxes",
                 "pictures (channels, height, width) of up to 4 classes, each with a box (loss "
                 "ClassAndBoxLoss)",
                 sample);
  return std::make_unique<Boxes>(request, picture);
}

}  // namespace npusim::workloads
