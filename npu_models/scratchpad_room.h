// SPDX-License-Identifier: Apache-2.0
// What of a tile must fit the scratchpad at once. Each of its `buffers` holds one tile:
//   operands  streamed + stationary bytes in kib / buffers; results and returning partial sums have
//             staging buffers outside of it
//   unified   streamed + stationary + results (or partial sums that leave, if larger)
//   separate  each in its own part / buffers; a tile of a vector op reads from the two operands'
//             parts and writes to the results'
// Extra operands of fused epilogues always have staging buffers of their own.
#pragma once

#include <cstdint>
#include <string>

#include "npu_models/npu_spec.h"

namespace npusim::npu {

struct TileBytes {
  std::int64_t streamed = 0, stationary = 0, results = 0;
};

bool fits_scratchpad(const ScratchpadSpec& scratchpad, const TileBytes& tile);
/// What does not fit; empty: all does.
std::string why_not_in_scratchpad(const ScratchpadSpec& scratchpad, const TileBytes& tile);

/// Even tiles in which a vector op that reads and writes so many bytes fits.
std::int64_t vector_tiles(const ScratchpadSpec& scratchpad, std::int64_t read,
                          std::int64_t written);

}  // namespace npusim::npu
