// SPDX-License-Identifier: Apache-2.0
// Against sets of the pixels and elements that a tile's products really read.
#include "npu_models/tile_bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <tuple>

namespace npusim::npu {
namespace {

workloads::Window random_window() {
  workloads::Window w;
  w.images = *rc::gen::inRange<std::int64_t>(1, 3);
  w.channels = *rc::gen::inRange<std::int64_t>(1, 6);
  w.kernel_height = *rc::gen::inRange<std::int64_t>(1, 4);
  w.kernel_width = *rc::gen::inRange<std::int64_t>(1, 4);
  w.stride_height = *rc::gen::inRange<std::int64_t>(1, 4);
  w.stride_width = *rc::gen::inRange<std::int64_t>(1, 4);
  w.dilation_height = *rc::gen::inRange<std::int64_t>(1, 3);
  w.dilation_width = *rc::gen::inRange<std::int64_t>(1, 3);
  w.out_height = *rc::gen::inRange<std::int64_t>(1, 7);
  w.out_width = *rc::gen::inRange<std::int64_t>(1, 7);
  // No padding: every window lies inside, and a few lines are left over.
  const auto lines = [](std::int64_t out, std::int64_t stride, std::int64_t kernel,
                        std::int64_t dilation) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1 + *rc::gen::inRange<std::int64_t>(0, 2);
  };
  w.in_height = lines(w.out_height, w.stride_height, w.kernel_height, w.dilation_height);
  w.in_width = lines(w.out_width, w.stride_width, w.kernel_width, w.dilation_width);
  return w;
}

GemmMapping mapping_of(const workloads::Window& w, std::vector<precision::KLoop> order) {
  GemmMapping gemm;
  gemm.contraction.m = w.images * w.out_height * w.out_width;
  gemm.contraction.n = 4;
  gemm.contraction.dims = {{"C", w.channels}, {"R", w.kernel_height}, {"S", w.kernel_width}};
  gemm.contraction.window = w;
  gemm.plan.dims = gemm.contraction.dims;
  gemm.plan.order = std::move(order);
  gemm.ordered_k = precision::ordered_terms(gemm.plan);
  return gemm;
}

using Element = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t>;

/// Distinct elements (image, channel, y, x) that the tile reads, term by term.
std::set<Element> elements_read(const GemmMapping& gemm, std::int64_t m0, std::int64_t m_count,
                                std::int64_t k0, std::int64_t k_count) {
  const workloads::Window& w = *gemm.contraction.window;
  const std::vector<std::int64_t> order = precision::expand_order(gemm.plan);
  std::set<Element> elements;
  for (std::int64_t m = m0; m < m0 + m_count; ++m) {
    const std::int64_t image = m / (w.out_height * w.out_width);
    const std::int64_t oh = m / w.out_width % w.out_height;
    const std::int64_t ow = m % w.out_width;
    for (std::int64_t i = k0; i < k0 + k_count; ++i) {
      const std::int64_t k = order[static_cast<std::size_t>(i)];
      if (k < 0) continue;
      const std::int64_t c = k / (w.kernel_height * w.kernel_width);
      const std::int64_t r = k / w.kernel_width % w.kernel_height;
      const std::int64_t s = k % w.kernel_width;
      elements.emplace(image, c, oh * w.stride_height + r * w.dilation_height,
                       ow * w.stride_width + s * w.dilation_width);
    }
  }
  return elements;
}

std::vector<precision::KLoop> random_order(const workloads::Window& w) {
  const auto block = *rc::gen::inRange<std::int64_t>(2, w.channels + 3);
  const std::vector<std::vector<precision::KLoop>> orders = {
      {}, {{0, block}, {1, 1}, {2, 1}, {0, 1}}, {{1, 1}, {2, 1}, {0, 1}}};
  return *rc::gen::elementOf(orders);
}

RC_GTEST_PROP(TileBytes, StreamedSideCoversWhatTheTileReads, ()) {
  const workloads::Window w = random_window();
  const GemmMapping gemm = mapping_of(w, random_order(w));
  const auto m0 = *rc::gen::inRange<std::int64_t>(0, gemm.contraction.m);
  const auto m_count = *rc::gen::inRange<std::int64_t>(1, gemm.contraction.m - m0 + 1);
  const auto k0 = *rc::gen::inRange<std::int64_t>(0, gemm.ordered_k);
  const auto k_count = *rc::gen::inRange<std::int64_t>(1, gemm.ordered_k - k0 + 1);
  const auto read = static_cast<std::int64_t>(elements_read(gemm, m0, m_count, k0, k_count).size());
  const std::int64_t bytes = m_side_bytes(gemm, m0, m_count, k0, k_count, 2);
  RC_ASSERT(bytes >= 2 * read);
  RC_ASSERT(bytes <= 2 * m_count * k_count);
}

RC_GTEST_PROP(TileBytes, WholeRowsAndChannelsAreExact, ()) {
  workloads::Window w = random_window();
  // Lines that no window touches would make `in_width` a wider bound than what is read.
  w.dilation_height = w.dilation_width = 1;
  w.in_height = (w.out_height - 1) * w.stride_height + w.kernel_height;
  w.in_width = (w.out_width - 1) * w.stride_width + w.kernel_width;
  const GemmMapping gemm = mapping_of(w, {});
  const auto row = *rc::gen::inRange<std::int64_t>(0, w.out_height);
  const auto rows = *rc::gen::inRange<std::int64_t>(1, w.out_height - row + 1);
  const auto c = *rc::gen::inRange<std::int64_t>(0, w.channels);
  const auto channels = *rc::gen::inRange<std::int64_t>(1, w.channels - c + 1);
  const std::int64_t taps = w.kernel_height * w.kernel_width;
  const auto read = static_cast<std::int64_t>(
      elements_read(gemm, row * w.out_width, rows * w.out_width, c * taps, channels * taps).size());
  RC_ASSERT(m_side_bytes(gemm, row * w.out_width, rows * w.out_width, c * taps, channels * taps,
                         1) == read);
}

RC_GTEST_PROP(TileBytes, RealTermsAddUpAndLeavePaddingOut, ()) {
  const workloads::Window w = random_window();
  const GemmMapping gemm = mapping_of(w, {{0, 4}, {1, 1}, {2, 1}, {0, 1}});
  const auto cut = *rc::gen::inRange<std::int64_t>(0, gemm.ordered_k + 1);
  RC_ASSERT(real_terms(gemm, 0, cut) + real_terms(gemm, cut, gemm.ordered_k - cut) ==
            gemm.contraction.k());
  RC_ASSERT(n_side_bytes(gemm, 3, 0, gemm.ordered_k, 2) == 3 * 2 * gemm.contraction.k());
}

TEST(TileBytes, ThreeByThreeWindowSharesItsRows) {
  workloads::Window w;
  w.channels = 64;
  w.in_height = w.in_width = 58;
  w.out_height = w.out_width = 56;
  w.kernel_height = w.kernel_width = 3;
  const GemmMapping gemm = mapping_of(w, {});
  EXPECT_EQ(window_pixels(w, 0, 56), 3 * 58);
  EXPECT_EQ(window_pixels(w, 0, 56 * 56), 58 * 58);
  EXPECT_EQ(window_pixels(w, 0, 1), 9);
  EXPECT_EQ(m_side_bytes(gemm, 0, 112, 0, 576, 2), 4 * 58 * 64 * 2);
}

}  // namespace
}  // namespace npusim::npu
