// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/roi_samples.h"

#include <algorithm>
#include <cmath>

#include "workloads/ops/indexing.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

/// The two neighbours of a coordinate, and the share of the upper one; false when it is outside.
struct Neighbours {
  std::int64_t low = 0, high = 0;
  double share = 0.0;
  bool inside = false;
  Neighbours(double at, std::int64_t extent) {
    inside = at >= -1.0 && at <= static_cast<double>(extent);
    if (!inside) return;
    at = std::max(at, 0.0);
    low = std::min(static_cast<std::int64_t>(at), extent - 1);
    high = std::min(low + 1, extent - 1);
    share = low == extent - 1 ? 0.0 : at - static_cast<double>(low);
  }
};

RoiSample sample_at(const RoiSampling& s, double y, double x) {
  const Neighbours row(y, s.height);
  const Neighbours column(x, s.width);
  RoiSample sample{};
  if (!row.inside || !column.inside) return sample;
  int corner = 0;
  for (const bool down : {false, true})
    for (const bool right : {false, true}) {
      sample.offset[corner] =
          (down ? row.high : row.low) * s.width + (right ? column.high : column.low);
      sample.weight[corner++] =
          (down ? row.share : 1.0 - row.share) * (right ? column.share : 1.0 - column.share);
    }
  return sample;
}

/// Samples along one axis of a bin; the limit keeps a hostile region from filling the memory.
std::int64_t count_of(std::int64_t ratio, double bin) {
  if (ratio > 0) return ratio;
  const double needed = std::ceil(bin);
  if (!(needed <= 4096.0))
    throw base::InputError("a region of RoiAlign is too large", "out-of-range");
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(needed));
}

}  // namespace

std::vector<std::vector<RoiSample>> roi_bins(const RoiSampling& s, const double* region) {
  const double shift = s.shifted ? 0.5 : 0.0;
  const double left = region[0] * s.scale - shift;
  const double top = region[1] * s.scale - shift;
  double wide = region[2] * s.scale - shift - left;
  double high = region[3] * s.scale - shift - top;
  if (!s.shifted) {
    wide = std::max(wide, 1.0);
    high = std::max(high, 1.0);
  }
  const double bin_wide = wide / static_cast<double>(s.bins_wide);
  const double bin_high = high / static_cast<double>(s.bins_high);
  const std::int64_t across = count_of(s.ratio, bin_wide);
  const std::int64_t down = count_of(s.ratio, bin_high);
  std::vector<std::vector<RoiSample>> bins;
  for (std::int64_t i = 0; i < s.bins_high; ++i)
    for (std::int64_t j = 0; j < s.bins_wide; ++j) {
      bins.emplace_back();
      for (std::int64_t r = 0; r < down; ++r)
        for (std::int64_t c = 0; c < across; ++c) {
          const double in_bin_y = (static_cast<double>(r) + 0.5) / static_cast<double>(down);
          const double in_bin_x = (static_cast<double>(c) + 0.5) / static_cast<double>(across);
          bins.back().push_back(sample_at(s, top + (static_cast<double>(i) + in_bin_y) * bin_high,
                                          left + (static_cast<double>(j) + in_bin_x) * bin_wide));
        }
    }
  return bins;
}

std::int64_t roi_image(const Tensor& batch_indices, std::int64_t roi, std::int64_t images) {
  return checked_index(batch_indices.values[static_cast<std::size_t>(roi)], images);
}

}  // namespace npusim::workloads
