// SPDX-License-Identifier: Apache-2.0
// The shape arithmetic of convolution and pooling in one to three dimensions: ONNX pads, strides,
// dilations, auto_pad. An image of fewer dimensions has a height or depth of 1.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

struct ConvGeometry {
  int dimensions = 2;  ///< of the image: 1 (width), 2 (height, width), 3 (depth, height, width)
  std::int64_t images = 1, channels = 1;  ///< of the whole input
  std::int64_t in_depth = 1, in_height = 1, in_width = 1;
  std::int64_t out_depth = 1, out_height = 1, out_width = 1;
  std::int64_t out_channels = 1, groups = 1;
  std::int64_t kernel_depth = 1, kernel_height = 1, kernel_width = 1;
  std::int64_t stride_depth = 1, stride_height = 1, stride_width = 1;
  std::int64_t dilation_depth = 1, dilation_height = 1, dilation_width = 1;
  std::int64_t pad_front = 0, pad_top = 0, pad_left = 0, pad_back = 0, pad_bottom = 0,
               pad_right = 0;

  std::int64_t in_pixels() const { return in_depth * in_height * in_width; }
  std::int64_t out_pixels() const { return out_depth * out_height * out_width; }
  std::int64_t taps() const { return kernel_depth * kernel_height * kernel_width; }
  std::int64_t group_channels() const { return channels / groups; }
  std::int64_t group_outputs() const { return out_channels / groups; }
  Shape output_shape() const;  ///< (N, K, ...)
  /// Of images in up to two dimensions; more are charged as if windows shared nothing.
  std::optional<Window> window() const;
};

/// Attributes shared by Conv and its gradients (group, strides, pads, dilations, auto_pad,
/// kernel_shape).
std::vector<AttributeSpec> conv_attributes();
/// The same without group and kernel_shape: pooling adds its own.
std::vector<AttributeSpec> window_attributes();

/// Of x (N,C,...) and w (K,C/g,...), with one to three dimensions behind the channels. Throws
/// base::InputError naming the shapes that do not fit.
ConvGeometry conv_geometry(const NodeView& view, const Shape& x, const Shape& w);
/// Of x and the attribute kernel_shape; channels stay. ceil_mode as ONNX. Every window must have a
/// tap inside the image.
ConvGeometry pool_geometry(const NodeView& view, const Shape& x);

/// Where a window starts: the input position of its first tap, which may lie in the padding.
struct WindowStart {
  std::int64_t z, y, x;
  WindowStart(const ConvGeometry& g, std::int64_t position)
      : z(position / (g.out_height * g.out_width) * g.stride_depth - g.pad_front),
        y(position / g.out_width % g.out_height * g.stride_height - g.pad_top),
        x(position % g.out_width * g.stride_width - g.pad_left) {}
};

/// Reads the input pixels of a window: body(tap, input offset in the plane) for every tap that lies
/// inside the image, taps in row-major order. `position` is that of the output pixel.
template <class Body>
void for_taps(const ConvGeometry& g, std::int64_t position, const Body& body) {
  const WindowStart start(g, position);
  for (std::int64_t t = 0; t < g.kernel_depth; ++t) {
    const std::int64_t z = start.z + t * g.dilation_depth;
    if (z < 0 || z >= g.in_depth) continue;
    for (std::int64_t r = 0; r < g.kernel_height; ++r) {
      const std::int64_t y = start.y + r * g.dilation_height;
      if (y < 0 || y >= g.in_height) continue;
      const std::int64_t tap = (t * g.kernel_height + r) * g.kernel_width;
      const std::int64_t line = (z * g.in_height + y) * g.in_width;
      for (std::int64_t s = 0; s < g.kernel_width; ++s) {
        const std::int64_t x = start.x + s * g.dilation_width;
        if (x >= 0 && x < g.in_width) body(tap + s, line + x);
      }
    }
  }
}

/// Values `from` + j * step of a line of `extent` for j = 0 .. count - 1, those outside as +0.
template <class Real>
void read_pixels(const double* line, std::int64_t extent, std::int64_t from, std::int64_t step,
                 std::int64_t count, Real* to) {
  if (step != 1) {
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t x = from + j * step;
      to[j] = x >= 0 && x < extent ? static_cast<Real>(line[x]) : Real{0};
    }
    return;
  }
  const std::int64_t begin = std::clamp<std::int64_t>(-from, 0, count);
  const std::int64_t end = std::clamp<std::int64_t>(extent - from, begin, count);
  for (std::int64_t j = 0; j < begin; ++j) to[j] = Real{0};
  for (std::int64_t j = begin; j < end; ++j) to[j] = static_cast<Real>(line[from + j]);
  for (std::int64_t j = end; j < count; ++j) to[j] = Real{0};
}

/// Taps of a window on the image or its padding: fewer than all where ceil_mode lets a window stick
/// out.
inline std::int64_t padded_taps(const ConvGeometry& g, std::int64_t position) {
  const auto taps = [](std::int64_t room, std::int64_t kernel, std::int64_t dilation) {
    return std::min(kernel, (room - 1) / dilation + 1);
  };
  const WindowStart start(g, position);
  return taps(g.in_depth + g.pad_back - start.z, g.kernel_depth, g.dilation_depth) *
         taps(g.in_height + g.pad_bottom - start.y, g.kernel_height, g.dilation_height) *
         taps(g.in_width + g.pad_right - start.x, g.kernel_width, g.dilation_width);
}

}  // namespace npusim::workloads
