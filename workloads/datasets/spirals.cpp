// SPDX-License-Identifier: Apache-2.0
// Points of interleaved spirals in the plane, one a class, with noise: not separable by lines.
#include <cmath>

#include "workloads/datasets/sources.h"
#include "workloads/detmath.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

class Spirals final : public Dataset {
 public:
  explicit Spirals(const DatasetRequest& request)
      : stream_(request.seed, std::string("spirals.") + name_of(request.split)),
        samples_(request.samples),
        classes_(request.sample.classes) {}
  std::int64_t size() const override { return samples_; }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    const auto first = static_cast<std::uint64_t>(index) * 4;
    const auto arm =
        static_cast<double>(stream_.bits(first) % static_cast<std::uint64_t>(classes_));
    const double along = 0.05 + 0.95 * unit_interval(stream_.bits(first + 1));
    const SinCos at = det_sincospi(2.0 * arm / static_cast<double>(classes_) + 2.5 * along);
    const auto noise = [&](std::uint64_t i) {
      return 0.06 * (unit_interval(stream_.bits(first + i)) - 0.5);
    };
    input[0] = 2.0 * (along * at.cos + noise(2));
    input[1] = 2.0 * (along * at.sin + noise(3));
    *label = arm;
  }

 private:
  RandomStream stream_;
  std::int64_t samples_, classes_;
};

}  // namespace

std::unique_ptr<Dataset> make_spirals(const DatasetRequest& request) {
  const SampleShape& sample = request.sample;
  if (element_count(sample.input) != 2 || element_count(sample.label) != 1 || sample.classes < 2)
    wrong_sample("spirals", "points (2) with one label", sample);
  return std::make_unique<Spirals>(request);
}

}  // namespace npusim::workloads
