// SPDX-License-Identifier: Apache-2.0
// Where RoiAlign samples an image: bilinear, a grid of samples in each bin of a region (He et al.
// 2017). Samples more than a pixel outside weigh nothing. Positions and weights are in binary64.
#pragma once

#include <vector>

#include "workloads/tensor.h"

namespace npusim::workloads {

struct RoiSampling {
  std::int64_t height = 1, width = 1;
  std::int64_t bins_high = 1, bins_wide = 1;
  std::int64_t ratio = 0;  ///< samples of a bin along each axis; 0: one a pixel, rounded up
  double scale = 1.0;
  bool shifted = true;  ///< by half a pixel, and regions may be smaller than a pixel
};

struct RoiSample {
  std::int64_t offset[4];
  double weight[4];
};

/// The samples of each bin, row-major, of the region (x1, y1, x2, y2).
std::vector<std::vector<RoiSample>> roi_bins(const RoiSampling& sampling, const double* region);

/// The image a region lies in; base::InputError ("out-of-range") when there is none.
std::int64_t roi_image(const Tensor& batch_indices, std::int64_t roi, std::int64_t images);

}  // namespace npusim::workloads
