// SPDX-License-Identifier: Apache-2.0
// DRAM bytes of one tile's operands. The streamed side of a convolution is an image: neighbouring
// positions share pixels, so a tile needs its distinct pixels (the rows and columns its windows
// touch, zero padding left out) and not m*k elements. Padding terms of K are made on the chip and
// never loaded. Not modelled: alignment of rows to bursts.
#pragma once

#include <cstdint>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// Mathematical K terms among the ordered terms [k0, k0 + k_count): additive over consecutive
/// ranges, k() in all.
std::int64_t real_terms(const GemmMapping& gemm, std::int64_t k0, std::int64_t k_count);

/// Streamed side of one group's tile: positions [m0, m0 + m_count), ordered terms [k0, k0 +
/// k_count).
std::int64_t m_side_bytes(const GemmMapping& gemm, std::int64_t m0, std::int64_t m_count,
                          std::int64_t k0, std::int64_t k_count, std::int64_t element_bytes);

/// Stationary side: n_count channels of the same terms.
std::int64_t n_side_bytes(const GemmMapping& gemm, std::int64_t n_count, std::int64_t k0,
                          std::int64_t k_count, std::int64_t element_bytes);

/// Distinct pixels of one channel that the windows of positions [m0, m0 + m_count) touch. Exact for
/// whole output rows and for runs inside one row; a run over several rows counts the whole width of
/// each.
std::int64_t window_pixels(const workloads::Window& window, std::int64_t m0, std::int64_t m_count);

}  // namespace npusim::npu
