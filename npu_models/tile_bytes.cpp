// SPDX-License-Identifier: Apache-2.0
#include "npu_models/tile_bytes.h"

#include <algorithm>

namespace npusim::npu {
namespace {

/// Input lines (rows, or columns) that `count` consecutive outputs touch; at most `extent` exist.
std::int64_t lines_touched(std::int64_t count, std::int64_t kernel, std::int64_t stride,
                           std::int64_t dilation, std::int64_t extent) {
  const std::int64_t reach = (kernel - 1) * dilation + 1;
  const std::int64_t apart = count * kernel;  // no line shared
  const std::int64_t span = (count - 1) * stride + reach;
  return std::min({apart, span, extent});
}

std::int64_t pixels_of_rows(const workloads::Window& w, std::int64_t rows, std::int64_t columns) {
  return lines_touched(rows, w.kernel_height, w.stride_height, w.dilation_height, w.in_height) *
         lines_touched(columns, w.kernel_width, w.stride_width, w.dilation_width, w.in_width);
}

/// Positions [p0, p0 + count) of one image.
std::int64_t pixels_in_image(const workloads::Window& w, std::int64_t p0, std::int64_t count) {
  const std::int64_t first_row = p0 / w.out_width;
  const std::int64_t last_row = (p0 + count - 1) / w.out_width;
  const std::int64_t columns = first_row == last_row ? count : w.out_width;
  return pixels_of_rows(w, last_row - first_row + 1, columns);
}

/// Terms of K after which the order has visited `block` channels in all their taps; 0: taps lie
/// outside the channels, so that every long enough range visits all channels.
std::int64_t channel_block(const precision::ReductionPlan& plan) {
  if (plan.order.empty()) return 1;
  const precision::KLoop& outermost = plan.order.front();
  return outermost.dim == 0 ? outermost.block : 0;
}

/// The window describes this contraction's streamed side (a weight gradient's sides are no
/// windows).
bool is_image(const GemmMapping& gemm) {
  const workloads::Contraction& c = gemm.contraction;
  if (!c.window) return false;
  const workloads::Window& w = *c.window;
  // K of a point of a convolution by Winograd has no taps.
  const std::int64_t taps = gemm.winograd ? 1 : w.kernel_height * w.kernel_width;
  return w.images * w.out_height * w.out_width == c.m && w.channels * taps == c.k();
}

/// Channels that ordered terms [k0, k0 + k_count) read (an upper bound where a range wraps).
std::int64_t channels_touched(const GemmMapping& gemm, std::int64_t channels, std::int64_t k0,
                              std::int64_t k_count) {
  const std::int64_t block = channel_block(gemm.plan);
  if (block == 0) return std::min(channels, k_count);
  const bool padded = gemm.plan.tail == precision::Tail::pad;
  const std::int64_t taps = gemm.contraction.k() / channels;
  const std::int64_t terms = (padded ? block : std::min(block, channels)) * taps;
  const std::int64_t first = k0 / terms;
  const std::int64_t last = (k0 + k_count - 1) / terms;
  if (first == last) return std::min({block, k_count, channels});
  const std::int64_t head = std::min(block, (first + 1) * terms - k0);
  const std::int64_t tail = std::min(block, k0 + k_count - last * terms);
  return std::min(channels, head + (last - first - 1) * block + tail);
}

}  // namespace

std::int64_t real_terms(const GemmMapping& gemm, std::int64_t k0, std::int64_t k_count) {
  const std::int64_t k = gemm.contraction.k();
  __extension__ using Wide = __int128;  // terms * k may pass 2^63
  const auto before = [&](std::int64_t terms) {
    return static_cast<std::int64_t>(static_cast<Wide>(terms) * k / gemm.ordered_k);
  };
  return before(k0 + k_count) - before(k0);
}

std::int64_t window_pixels(const workloads::Window& window, std::int64_t m0, std::int64_t m_count) {
  const std::int64_t per_image = window.out_height * window.out_width;
  const std::int64_t taps = window.kernel_height * window.kernel_width;
  std::int64_t pixels = 0;
  std::int64_t left = m_count;
  std::int64_t begin = m0 % per_image;
  while (left > 0) {
    if (begin == 0 && left >= per_image) {  // whole images, all alike
      pixels += left / per_image * pixels_of_rows(window, window.out_height, window.out_width);
      left %= per_image;
      continue;
    }
    const std::int64_t count = std::min(left, per_image - begin);
    pixels += std::min(pixels_in_image(window, begin, count), count * taps);
    left -= count;
    begin = 0;
  }
  return pixels;
}

std::int64_t m_side_bytes(const GemmMapping& gemm, std::int64_t m0, std::int64_t m_count,
                          std::int64_t k0, std::int64_t k_count, std::int64_t element_bytes) {
  const std::int64_t dense = gemm.products() * m_count * real_terms(gemm, k0, k_count);
  if (!is_image(gemm)) return dense * element_bytes;
  const workloads::Window& window = *gemm.contraction.window;
  const std::int64_t channels = channels_touched(gemm, window.channels, k0, k_count);
  return std::min(dense, window_pixels(window, m0, m_count) * channels) * element_bytes;
}

std::int64_t n_side_bytes(const GemmMapping& gemm, std::int64_t n_count, std::int64_t k0,
                          std::int64_t k_count, std::int64_t element_bytes) {
  const std::int64_t each = gemm.winograd ? gemm.winograd->stored_weights() : 1;
  return each * n_count * real_terms(gemm, k0, k_count) * element_bytes;
}

}  // namespace npusim::npu
