// SPDX-License-Identifier: Apache-2.0
#include "workloads/weight_structure.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "workloads/distributions.h"

namespace npusim::workloads {
namespace {

double binary32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

}  // namespace

std::vector<std::int64_t> outlier_channels(std::int64_t channels, double fraction,
                                           std::uint64_t seed) {
  const auto count = std::min(
      channels, static_cast<std::int64_t>(std::ceil(fraction * static_cast<double>(channels))));
  const RandomStream stream(seed, "outlier channels");
  std::vector<std::int64_t> order(static_cast<std::size_t>(channels));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::uint64_t> rank;
  rank.reserve(order.size());
  for (const std::int64_t c : order) rank.push_back(stream.bits(static_cast<std::uint64_t>(c)));
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return rank[static_cast<std::size_t>(a)] < rank[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

WeightStructure::WeightStructure(const Initializer& initializer, const Shape& shape, double stddev,
                                 std::uint64_t seed, const std::string& stream) {
  if (shape.empty() || element_count(shape) == 0) return;
  filter_elements_ = element_count(shape) / shape.front();
  if (initializer.filter_mean != 0.0) {
    means_.resize(static_cast<std::size_t>(shape.front()));
    draw_normal(RandomStream(seed, stream + "/filter means"), 0.0, initializer.filter_mean * stddev,
                {0, shape.front()}, means_.data());
  }
  if (initializer.outlier_channels > 0.0) {
    scale_ = initializer.outlier_scale;
    outlier_.resize(static_cast<std::size_t>(shape.back()));
    for (const std::int64_t c : outlier_channels(shape.back(), initializer.outlier_channels, seed))
      outlier_[static_cast<std::size_t>(c)] = 1;
  }
}

double WeightStructure::shaped(double value, std::int64_t index) const {
  if (!means_.empty())
    value = binary32(value + means_[static_cast<std::size_t>(index / filter_elements_)]);
  if (!outlier_.empty() && outlier_[static_cast<std::size_t>(index) % outlier_.size()] != 0)
    value = binary32(value * scale_);
  return value;
}

}  // namespace npusim::workloads
