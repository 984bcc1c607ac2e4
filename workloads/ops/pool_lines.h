// SPDX-License-Identifier: Apache-2.0
// Windows of average pooling by lines of the output: a tap meets neighbouring pixels in
// neighbouring windows.
#pragma once

#include "workloads/ops/conv_geometry.h"

namespace npusim::workloads {

/// The windows of a line in which tap `s` of the width lies inside the image: begin .. end - 1.
class TapReach {
 public:
  TapReach(const ConvGeometry& g, std::int64_t s)
      : from_(s * g.dilation_width - g.pad_left), stride_(g.stride_width) {
    begin = std::min(g.out_width, from_ < 0 ? (-from_ + stride_ - 1) / stride_ : 0);
    const std::int64_t room = g.in_width - from_;  // pixels from tap s of the first window on
    end = std::clamp<std::int64_t>((room + stride_ - 1) / stride_, begin, g.out_width);
  }
  /// Where the tap of window x lies in its line.
  std::int64_t pixel(std::int64_t x) const { return from_ + x * stride_; }
  std::int64_t begin, end;

 private:
  std::int64_t from_, stride_;
};

/// The lines of the input that windows of line `line` (depth * out_height + height) meet, in
/// row-major order: body(offset of the line in its plane).
template <class Body>
void for_tap_lines(const ConvGeometry& g, std::int64_t line, const Body& body) {
  const std::int64_t front = line / g.out_height * g.stride_depth - g.pad_front;
  const std::int64_t top = line % g.out_height * g.stride_height - g.pad_top;
  for (std::int64_t t = 0; t < g.kernel_depth; ++t) {
    const std::int64_t z = front + t * g.dilation_depth;
    if (z < 0 || z >= g.in_depth) continue;
    for (std::int64_t r = 0; r < g.kernel_height; ++r) {
      const std::int64_t y = top + r * g.dilation_height;
      if (y >= 0 && y < g.in_height) body((z * g.in_height + y) * g.in_width);
    }
  }
}

/// What the sum of each window is divided by: its taps on the image, or on the padding too.
inline std::vector<double> window_sizes(const ConvGeometry& g, bool with_padding) {
  std::vector<double> sizes(static_cast<std::size_t>(g.out_pixels()));
  for (std::int64_t i = 0; i < g.out_pixels(); ++i) {
    std::int64_t taps = 0;
    if (with_padding)
      taps = padded_taps(g, i);
    else
      for_taps(g, i, [&](std::int64_t, std::int64_t) { ++taps; });
    sizes[static_cast<std::size_t>(i)] = static_cast<double>(taps);
  }
  return sizes;
}

}  // namespace npusim::workloads
