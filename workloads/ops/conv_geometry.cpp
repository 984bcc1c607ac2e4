// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/conv_geometry.h"

#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

/// Strides, dilations, pads and kernels beyond this are mistakes; below it no product overflows.
constexpr std::int64_t kMost = std::int64_t{1} << 20;

bool within(const Integers& values, std::int64_t least) {
  return std::all_of(values.begin(), values.end(),
                     [&](std::int64_t value) { return value >= least && value <= kMost; });
}

/// "two integers of at least 1" and the like, for messages.
std::string wanted(std::size_t count, std::int64_t least) {
  static const char* const kCounts[] = {"no", "one", "two", "three", "four", "five", "six"};
  return std::string(kCounts[count]) + (count == 1 ? " integer" : " integers") + " of at least " +
         std::to_string(least);
}

/// One value for each dimension of the image, lifted to three by ones in front; default 1.
Integers three_positive(const NodeView& view, const std::string& attribute, int dimensions) {
  const auto count = static_cast<std::size_t>(dimensions);
  Integers values = view.integers(attribute);
  if (values.empty()) return {1, 1, 1};
  if (values.size() != count || !within(values, 1))
    shape_error("attribute " + attribute + " must be " + wanted(count, 1) + ", not " +
                to_string(values));
  values.insert(values.begin(), 3 - count, 1);
  return values;
}

struct Axis {
  std::int64_t in, kernel, stride, dilation, pad_begin, pad_end;
};

/// Output extent of one axis; `same` paddings are resolved into pad_begin and pad_end.
std::int64_t resolve(Axis& axis, const std::string& auto_pad, bool ceil_mode, const char* what) {
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const std::int64_t out = (axis.in + axis.stride - 1) / axis.stride;
    const std::int64_t total = std::max<std::int64_t>(0, (out - 1) * axis.stride + reach - axis.in);
    axis.pad_begin = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    axis.pad_end = total - axis.pad_begin;
    return out;
  }
  if (auto_pad == "VALID") axis.pad_begin = axis.pad_end = 0;
  const std::int64_t span = axis.in + axis.pad_begin + axis.pad_end - reach;
  if (span < 0) {
    shape_error(std::string("the window of ") + std::to_string(reach) +
                " is larger than the padded " + what + " " +
                std::to_string(axis.in + axis.pad_begin + axis.pad_end));
  }
  std::int64_t out = (ceil_mode ? span + axis.stride - 1 : span) / axis.stride + 1;
  // ONNX: with ceil_mode, a window must not start in the end padding.
  if (ceil_mode && (out - 1) * axis.stride >= axis.in + axis.pad_begin) --out;
  return out;
}

void check_auto_pad(const std::string& auto_pad) {
  if (auto_pad != "NOTSET" && auto_pad != "VALID" && auto_pad != "SAME_UPPER" &&
      auto_pad != "SAME_LOWER")
    shape_error("attribute auto_pad \"" + auto_pad +
                "\" is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER");
}

/// Front, top, left, back, bottom, right.
Integers six_pads(const NodeView& view, int dimensions) {
  const auto count = static_cast<std::size_t>(dimensions);
  const Integers& given = view.integers("pads");
  Integers pads(6, 0);
  if (given.empty()) return pads;
  if (given.size() != 2 * count || !within(given, 0))
    shape_error("attribute pads must be " + wanted(2 * count, 0) +
                " (begin of each dimension, then ends), not " + to_string(given));
  std::copy_n(given.begin(), count, pads.begin() + static_cast<std::ptrdiff_t>(3 - count));
  std::copy_n(given.begin() + dimensions, count,
              pads.begin() + static_cast<std::ptrdiff_t>(6 - count));
  return pads;
}

void place_windows(const NodeView& view, ConvGeometry& g, bool ceil_mode) {
  const std::string& auto_pad = view.text("auto_pad");
  check_auto_pad(auto_pad);
  const Integers pads = six_pads(view, g.dimensions);
  const Integers strides = three_positive(view, "strides", g.dimensions);
  const Integers dilations = three_positive(view, "dilations", g.dimensions);
  Axis z{g.in_depth, g.kernel_depth, strides[0], dilations[0], pads[0], pads[3]};
  Axis y{g.in_height, g.kernel_height, strides[1], dilations[1], pads[1], pads[4]};
  Axis x{g.in_width, g.kernel_width, strides[2], dilations[2], pads[2], pads[5]};
  g.out_depth = resolve(z, auto_pad, ceil_mode, "depth");
  g.out_height = resolve(y, auto_pad, ceil_mode, "height");
  g.out_width = resolve(x, auto_pad, ceil_mode, "width");
  g.stride_depth = z.stride;
  g.stride_height = y.stride;
  g.stride_width = x.stride;
  g.dilation_depth = z.dilation;
  g.dilation_height = y.dilation;
  g.dilation_width = x.dilation;
  g.pad_front = z.pad_begin;
  g.pad_top = y.pad_begin;
  g.pad_left = x.pad_begin;
  g.pad_back = z.pad_end;
  g.pad_bottom = y.pad_end;
  g.pad_right = x.pad_end;
}

/// True when each window of an axis has a tap inside the image.
bool all_meet_image(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                    std::int64_t dilation, std::int64_t pad) {
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t start = i * stride - pad;
    if (start >= 0) return (out - 1) * stride - pad < in;  // starts only grow
    const std::int64_t tap = (-start + dilation - 1) / dilation;
    if (tap >= kernel || start + tap * dilation >= in) return false;
  }
  return true;
}

ConvGeometry of_image(const Shape& x) {
  if (x.size() < 3 || x.size() > 5)
    throw base::InputError(
        "the image must have rank 3 to 5 (N, C and one to three dimensions), not shape " +
            to_string(x),
        "unsupported-rank");
  ConvGeometry g;
  g.dimensions = static_cast<int>(x.size()) - 2;
  g.images = x[0];
  g.channels = x[1];
  g.in_width = x.back();
  if (x.size() > 3) g.in_height = x[x.size() - 2];
  if (x.size() > 4) g.in_depth = x[2];
  return g;
}

void set_kernel(ConvGeometry& g, Integers kernel) {
  kernel.insert(kernel.begin(), 3 - kernel.size(), 1);
  g.kernel_depth = kernel[0];
  g.kernel_height = kernel[1];
  g.kernel_width = kernel[2];
}

}  // namespace

Shape ConvGeometry::output_shape() const {
  Shape shape = {images, out_channels, out_depth, out_height, out_width};
  shape.erase(shape.begin() + 2, shape.begin() + 5 - dimensions);
  return shape;
}

std::optional<Window> ConvGeometry::window() const {
  if (dimensions > 2) return std::nullopt;
  Window w;
  w.images = images;
  w.channels = group_channels();
  w.in_height = in_height;
  w.in_width = in_width;
  w.out_height = out_height;
  w.out_width = out_width;
  w.kernel_height = kernel_height;
  w.kernel_width = kernel_width;
  w.stride_height = stride_height;
  w.stride_width = stride_width;
  w.dilation_height = dilation_height;
  w.dilation_width = dilation_width;
  return w;
}

std::vector<AttributeSpec> window_attributes() {
  return {{"auto_pad", std::string("NOTSET"), false, "NOTSET, VALID, SAME_UPPER or SAME_LOWER"},
          {"dilations", Integers{}, false, "step between taps; default 1"},
          {"pads", Integers{}, false, "begin of each dimension, then ends; default 0"},
          {"strides", Integers{}, false, "step between windows; default 1"}};
}

std::vector<AttributeSpec> conv_attributes() {
  std::vector<AttributeSpec> attributes = window_attributes();
  attributes.push_back({"group", std::int64_t{1}, false, "groups of channels"});
  attributes.push_back(
      {"kernel_shape", Integers{}, false, "must equal the weight's; default: it does"});
  return attributes;
}

ConvGeometry conv_geometry(const NodeView& view, const Shape& x, const Shape& w) {
  ConvGeometry g = of_image(x);
  if (w.size() != x.size())
    shape_error("the weight must have rank " + std::to_string(x.size()) +
                " (K, C/group, kernel) as the image, not shape " + to_string(w));
  const Integers window(w.begin() + 2, w.end());
  if (!within(window, 1))
    shape_error("weight " + to_string(w) + " has no kernel of at least 1 in each dimension");
  g.groups = view.integer("group");
  g.out_channels = w[0];
  set_kernel(g, window);
  if (g.groups < 1 || g.channels % g.groups != 0 || g.out_channels % g.groups != 0)
    shape_error("group " + std::to_string(g.groups) + " must divide the channels of image " +
                to_string(x) + " and weight " + to_string(w));
  if (w[1] != g.group_channels())
    shape_error("weight " + to_string(w) + " takes " + std::to_string(w[1]) +
                " channels a group, the image " + to_string(x) + " has " +
                std::to_string(g.group_channels()));
  const Integers& kernel = view.integers("kernel_shape");
  if (!kernel.empty() && kernel != window)
    shape_error("attribute kernel_shape " + to_string(kernel) + " differs from weight " +
                to_string(w));
  place_windows(view, g, false);
  return g;
}

ConvGeometry pool_geometry(const NodeView& view, const Shape& x) {
  ConvGeometry g = of_image(x);
  const Integers& kernel = view.integers("kernel_shape");
  const auto count = static_cast<std::size_t>(g.dimensions);
  if (kernel.size() != count || !within(kernel, 1))
    shape_error("attribute kernel_shape must be " + wanted(count, 1) + ", not " +
                to_string(kernel));
  g.out_channels = g.channels;
  set_kernel(g, kernel);
  place_windows(view, g, view.integer("ceil_mode") != 0);
  if (!all_meet_image(g.in_depth, g.out_depth, g.kernel_depth, g.stride_depth, g.dilation_depth,
                      g.pad_front) ||
      !all_meet_image(g.in_height, g.out_height, g.kernel_height, g.stride_height,
                      g.dilation_height, g.pad_top) ||
      !all_meet_image(g.in_width, g.out_width, g.kernel_width, g.stride_width, g.dilation_width,
                      g.pad_left))
    shape_error("a window of " + to_string(kernel) + " lies in the padding of image " +
                to_string(x) + " altogether");
  return g;
}

}  // namespace npusim::workloads
