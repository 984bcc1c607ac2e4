// SPDX-License-Identifier: Apache-2.0
// Memory for packed operands. The allocator gives pages of this size back to the system at once,
// and fetching them anew takes as long as a fast product; so the packed operands of a
// product stay here between products, up to 64 MB of them.
#pragma once

#include <cstddef>

namespace npusim::precision::kernels {

/// At least `bytes` on a 64-byte boundary, not initialised. From any thread.
void* take_scratch(std::size_t bytes);
void give_back_scratch(void* memory, std::size_t bytes) noexcept;

}  // namespace npusim::precision::kernels
