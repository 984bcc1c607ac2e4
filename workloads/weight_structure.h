// SPDX-License-Identifier: Apache-2.0
// What trained weights have and independent zero-mean draws lack, so that synthetic ones do not
// hide the error of accumulators (errors of zero-mean sums cancel):
//   filter means: filter f (index of the first dimension) is shifted by a mean of its own,
//     filter_mean * stddev * n_f with n_f standard normal;
//   outlier channels: a few channels (index of the last dimension) are outlier_scale times larger,
//     the same ones in every tensor of that width, as the outlier features of transformers persist
//     through the layers (Dettmers et al. 2022, arXiv:2208.07339, section 4).
// Every value is rounded to binary32 after each of the two.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/initializer.h"

namespace npusim::workloads {

class WeightStructure {
 public:
  /// `stddev` of the draws that it shapes; `stream` names the tensor's random numbers.
  WeightStructure(const Initializer& initializer, const Shape& shape, double stddev,
                  std::uint64_t seed, const std::string& stream);
  bool empty() const { return means_.empty() && outlier_.empty(); }
  double shaped(double value, std::int64_t index) const;

 private:
  std::int64_t filter_elements_ = 1;
  std::vector<double> means_;  ///< one a filter; empty: none
  std::vector<char> outlier_;  ///< one a channel; empty: none
  double scale_ = 1.0;
};

/// The outlier channels of a width: the share `fraction` of them, rounded up, whose random numbers
/// are lowest. In ascending order.
std::vector<std::int64_t> outlier_channels(std::int64_t channels, double fraction,
                                           std::uint64_t seed);

}  // namespace npusim::workloads
