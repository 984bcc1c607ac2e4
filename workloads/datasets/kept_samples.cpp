// SPDX-License-Identifier: Apache-2.0
#include "workloads/datasets/kept_samples.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace npusim::workloads {
namespace {

class KeptSamples final : public Dataset {
 public:
  KeptSamples(std::unique_ptr<Dataset> drawn, std::int64_t inputs, std::int64_t labels)
      : drawn_(std::move(drawn)), inputs_(inputs), labels_(labels), samples_(count()) {}
  std::int64_t size() const override { return drawn_->size(); }
  std::int64_t classes() const override { return drawn_->classes(); }
  void read(std::int64_t index, double* input, double* label) const override {
    Sample& sample = samples_[static_cast<std::size_t>(index)];
    std::call_once(sample.once, [&] {
      sample.values.resize(static_cast<std::size_t>(inputs_ + labels_));
      drawn_->read(index, sample.values.data(), sample.values.data() + inputs_);
    });
    const double* values = sample.values.data();
    std::copy(values, values + inputs_, input);
    std::copy(values + inputs_, values + inputs_ + labels_, label);
  }

 private:
  struct Sample {
    std::once_flag once;
    std::vector<double> values;
  };
  std::size_t count() const { return static_cast<std::size_t>(drawn_->size()); }

  std::unique_ptr<Dataset> drawn_;
  std::int64_t inputs_, labels_;
  mutable std::vector<Sample> samples_;
};

}  // namespace

std::unique_ptr<Dataset> kept_samples(std::unique_ptr<Dataset> drawn, const SampleShape& sample,
                                      std::int64_t most_bytes) {
  const std::int64_t inputs = element_count(sample.input);
  const std::int64_t labels = element_count(sample.label);
  const auto bytes = static_cast<std::int64_t>(sizeof(double)) * (inputs + labels);
  if (drawn->size() > most_bytes / std::max<std::int64_t>(1, bytes)) return drawn;
  return std::make_unique<KeptSamples>(std::move(drawn), inputs, labels);
}

}  // namespace npusim::workloads
