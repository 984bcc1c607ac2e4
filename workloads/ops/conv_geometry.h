// SPDX-License-Identifier: Apache-2.0
// The shape arithmetic of 2-D convolution and pooling: ONNX pads, strides, dilations, auto_pad.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

struct ConvGeometry {
  std::int64_t images = 1, channels = 1;  ///< of the whole input
  std::int64_t in_height = 1, in_width = 1;
  std::int64_t out_height = 1, out_width = 1;
  std::int64_t out_channels = 1, groups = 1;
  std::int64_t kernel_height = 1, kernel_width = 1;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  std::int64_t in_pixels() const { return in_height * in_width; }
  std::int64_t out_pixels() const { return out_height * out_width; }
  std::int64_t taps() const { return kernel_height * kernel_width; }
  std::int64_t group_channels() const { return channels / groups; }
  std::int64_t group_outputs() const { return out_channels / groups; }
  Window window() const;
};

/// Attributes shared by Conv and its gradients (group, strides, pads, dilations, auto_pad,
/// kernel_shape).
std::vector<AttributeSpec> conv_attributes();
/// The same without group and kernel_shape: pooling adds its own.
std::vector<AttributeSpec> window_attributes();

/// Of x (N,C,H,W) and w (K,C/g,R,S). Throws base::InputError naming the shapes that do not fit.
ConvGeometry conv_geometry(const NodeView& view, const Shape& x, const Shape& w);
/// Of x and the attribute kernel_shape; channels stay. ceil_mode as ONNX. Every window must have a
/// tap inside the image.
ConvGeometry pool_geometry(const NodeView& view, const Shape& x);

/// Reads the input pixels of a window position: body(tap, input offset in the plane) for every tap
/// that lies inside the image, taps in row-major order.
template <class Body>
void for_taps(const ConvGeometry& g, std::int64_t out_y, std::int64_t out_x, const Body& body) {
  const std::int64_t top = out_y * g.stride_height - g.pad_top;
  const std::int64_t left = out_x * g.stride_width - g.pad_left;
  for (std::int64_t r = 0; r < g.kernel_height; ++r) {
    const std::int64_t y = top + r * g.dilation_height;
    if (y < 0 || y >= g.in_height) continue;
    for (std::int64_t s = 0; s < g.kernel_width; ++s) {
      const std::int64_t x = left + s * g.dilation_width;
      if (x >= 0 && x < g.in_width) body(r * g.kernel_width + s, y * g.in_width + x);
    }
  }
}

/// Taps of a window on the image or its padding: fewer than all where ceil_mode lets a window stick
/// out.
inline std::int64_t padded_taps(const ConvGeometry& g, std::int64_t out_y, std::int64_t out_x) {
  const auto taps = [](std::int64_t room, std::int64_t kernel, std::int64_t dilation) {
    return std::min(kernel, (room - 1) / dilation + 1);
  };
  return taps(g.in_height + g.pad_bottom - (out_y * g.stride_height - g.pad_top), g.kernel_height,
              g.dilation_height) *
         taps(g.in_width + g.pad_right - (out_x * g.stride_width - g.pad_left), g.kernel_width,
              g.dilation_width);
}

}  // namespace npusim::workloads
