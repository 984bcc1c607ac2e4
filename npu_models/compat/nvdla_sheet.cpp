// SPDX-License-Identifier: Apache-2.0
#include "npu_models/compat/nvdla_sheet.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "npu_models/organisations/organisations.h"

namespace npusim::npu::compat {
namespace {

constexpr double kKib = 1024.0;
constexpr std::int64_t kKernelGroup = 32;
/// The sheet's own figure for the image layer, which no rule of the others gives.
constexpr double kLeastImageKib = 14.0;

std::int64_t whole(std::int64_t value, std::int64_t unit) {
  return ceil_div(value, unit) * unit;
}

bool is_image(const NvdlaLayer& layer) {
  return layer.channels < 16;
}

/// Terms of one kernel as they are multiplied: a strided kernel over its channels side by side.
double terms(const NvdlaLayer& l) {
  if (!is_image(l)) return static_cast<double>(l.channels * l.stride * l.stride * l.taps * l.taps);
  const std::int64_t taps = ceil_div(l.taps, l.stride);
  return static_cast<double>(whole(l.channels * l.stride * l.stride, 16) * taps * taps);
}

struct Sizes {
  double input, least_input, weights, least_weights, output;
};

Sizes sizes_of(const NvdlaLayer& l) {
  Sizes s{};
  const std::int64_t line = whole(l.channels, 4) * l.size;
  s.input = static_cast<double>(line * l.size) / kKib;
  s.least_input =
      is_image(l) ? kLeastImageKib : static_cast<double>(line * l.taps * l.stride) / kKib;
  const double stored = l.taps == 3 ? 16.0 / 9.0 : 1.0;
  s.weights =
      terms(l) * stored * static_cast<double>(l.kernels) / kKib / static_cast<double>(l.batch);
  s.least_weights = terms(l) * static_cast<double>(kKernelGroup) / kKib;
  s.output = static_cast<double>(l.kernels * l.output_size * l.output_size) / kKib *
             (l.elementwise ? 2.0 : 1.0);
  return s;
}

/// One side once, the other again for each buffer of it.
double traffic(double once, double again, double buffer, double least_again) {
  if (buffer <= least_again) return std::numeric_limits<double>::infinity();
  return once + again * std::ceil(once / (buffer - least_again));
}

}  // namespace

NvdlaEstimate nvdla_estimate(const NvdlaSize& size, const NvdlaLayer& l) {
  const Sizes s = sizes_of(l);
  const auto buffer = static_cast<double>(size.buffer_kib);
  const double moved = std::min(traffic(s.weights, s.input, buffer, s.least_input),
                                traffic(s.input, s.weights, buffer, s.least_weights)) +
                       s.output;
  const std::int64_t positions = ceil_div(l.size, l.stride) * ceil_div(l.size, l.stride);
  const double taps =
      static_cast<double>(l.taps * l.taps) / static_cast<double>(l.stride * l.stride);
  NvdlaEstimate estimate;
  estimate.mac_cycles = static_cast<double>(whole(l.channels * l.stride * l.stride, 16) *
                                            positions * whole(l.kernels, 16)) *
                        taps / static_cast<double>(size.macs);
  estimate.dram_cycles = moved * kKib / size.dram_gb_per_s;
  return estimate;
}

std::vector<NvdlaLayer> nvdla_resnet50() {
  std::vector<NvdlaLayer> layers = {{3, 224, 64, 7, 2, 56, false, 1}};
  struct Stage {
    std::int64_t size, width;
    int blocks;
  };
  std::int64_t channels = 64;
  for (const Stage& stage :
       {Stage{56, 64, 3}, Stage{28, 128, 4}, Stage{14, 256, 6}, Stage{7, 512, 3}}) {
    for (int block = 0; block < stage.blocks; ++block) {
      const std::int64_t stride = block == 0 && stage.size < 56 ? 2 : 1;
      const std::int64_t size = stage.size * stride, wide = 4 * stage.width;
      if (block == 0) layers.push_back({channels, size, wide, 1, stride, stage.size, false, 1});
      // The sheet reads 256 channels in the first block too, where the network has 64.
      const std::int64_t in = std::max<std::int64_t>(channels, 256);
      layers.push_back({in, size, stage.width, 1, stride, stage.size, false, 1});
      layers.push_back({stage.width, stage.size, stage.width, 3, 1, stage.size, false, 1});
      const bool last = stage.size == 7 && block == stage.blocks - 1;  // average pooling follows
      layers.push_back({stage.width, stage.size, wide, 1, 1, last ? 1 : stage.size, true, 1});
      channels = wide;
    }
  }
  layers.push_back({2048, 1, 1000, 1, 1, 1, false, 16});
  return layers;
}

}  // namespace npusim::npu::compat
