// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/product_layout.h"

#include "workloads/ops/broadcast.h"
#include "workloads/ops/conv_geometry.h"
#include "workloads/ops/matmul_shape.h"

namespace npusim::workloads {
namespace {

using precision::Bias;

/// Element (row, k) of a matrix of `rows` rows, or of its transpose.
std::function<std::int64_t(std::int64_t, std::int64_t, std::int64_t)> matrix(std::int64_t rows,
                                                                             std::int64_t k_extent,
                                                                             bool k_first) {
  return [=](std::int64_t, std::int64_t row, std::int64_t k) {
    return k_first ? k * rows + row : row * k_extent + k;
  };
}

std::optional<ProductLayout> gemm(const NodeView& view) {
  const bool scaled = view.number("alpha") != 1.0 || view.number("beta") != 1.0;
  const Shape& a = view.input(0).shape;
  const Shape& b = view.input(1).shape;
  const bool a_transposed = view.integer("transA") != 0;
  const bool b_transposed = view.integer("transB") != 0;
  ProductLayout layout;
  layout.k = a[a_transposed ? 0 : 1];
  layout.a = {0, a[a_transposed ? 1 : 0], {}};
  layout.b = {1, b[b_transposed ? 0 : 1], {}};
  layout.a.element = matrix(layout.a.rows, layout.k, a_transposed);
  layout.b.element = matrix(layout.b.rows, layout.k, !b_transposed);
  if (!view.has_input(2)) return scaled ? std::nullopt : std::optional(layout);
  const Shape& c = view.input(2).shape;
  if (scaled || (c != Shape{layout.b.rows} && c != Shape{1, layout.b.rows})) return std::nullopt;
  layout.bias_input = 2;
  layout.bias_axis = Bias::Axis::by_column;
  return layout;
}

std::optional<ProductLayout> matmul(const NodeView& view) {
  const MatMulShape s = matmul_shape(view.input(0).shape, view.input(1).shape,
                                     view.integer("transA") != 0, view.integer("transB") != 0);
  const auto a = matrix(s.m, s.k, s.trans_a);
  const auto b = matrix(s.n, s.k, !s.trans_b);
  ProductLayout layout;
  layout.products = element_count(s.batch);
  layout.k = s.k;
  layout.a = {0, s.m,
              [s, a, from = BroadcastIndex(s.batch_a, s.batch)](std::int64_t product,
                                                                std::int64_t row, std::int64_t k) {
                return from(product) * s.m * s.k + a(product, row, k);
              }};
  layout.b = {1, s.n,
              [s, b, from = BroadcastIndex(s.batch_b, s.batch)](std::int64_t product,
                                                                std::int64_t row, std::int64_t k) {
                return from(product) * s.k * s.n + b(product, row, k);
              }};
  return layout;
}

/// Offset in an image's plane of tap `tap` of the window at `pixel`; -1 in the padding.
std::int64_t pixel_of(const ConvGeometry& g, std::int64_t pixel, std::int64_t tap) {
  const WindowStart start(g, pixel);
  const std::int64_t z = start.z + tap / (g.kernel_height * g.kernel_width) * g.dilation_depth;
  const std::int64_t y = start.y + tap / g.kernel_width % g.kernel_height * g.dilation_height;
  const std::int64_t x = start.x + tap % g.kernel_width * g.dilation_width;
  const bool inside =
      z >= 0 && z < g.in_depth && y >= 0 && y < g.in_height && x >= 0 && x < g.in_width;
  return inside ? (z * g.in_height + y) * g.in_width + x : -1;
}

std::optional<ProductLayout> conv(const NodeView& view) {
  const ConvGeometry g = conv_geometry(view, view.input(0).shape, view.input(1).shape);
  ProductLayout layout;
  layout.products = g.groups;
  layout.k = g.group_channels() * g.taps();
  layout.a = {1, g.group_outputs(),
              [g, terms = layout.k](std::int64_t group, std::int64_t row, std::int64_t k) {
                return (group * g.group_outputs() + row) * terms + k;
              }};
  layout.b = {0, g.images * g.out_pixels(),
              [g](std::int64_t group, std::int64_t row, std::int64_t k) {
                const std::int64_t offset = pixel_of(g, row % g.out_pixels(), k % g.taps());
                const std::int64_t channel = group * g.group_channels() + k / g.taps();
                const std::int64_t image = row / g.out_pixels();
                return offset < 0 ? std::int64_t{-1}
                                  : (image * g.channels + channel) * g.in_pixels() + offset;
              }};
  if (view.has_input(2)) {
    layout.bias_input = 2;
    layout.bias_axis = Bias::Axis::by_row;
  }
  return layout;
}

}  // namespace

std::optional<ProductLayout> product_layout(const NodeView& view) {
  if (view.node().op == "Gemm") return gemm(view);
  if (view.node().op == "MatMul") return matmul(view);
  if (view.node().op == "Conv") return conv(view);
  return std::nullopt;
}

}  // namespace npusim::workloads
