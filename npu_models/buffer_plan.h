// SPDX-License-Identifier: Apache-2.0
// Where values that live for a while stand in memory, so that those whose lifetimes do not meet
// share it.
#pragma once

#include <cstdint>
#include <vector>

namespace npusim::npu {

/// Multiple of which offsets are, in bytes: a burst of DRAM.
inline constexpr std::int64_t kBufferAlignment = 64;

/// Occupies its bytes in every position from first to last, both included.
struct Buffer {
  std::int64_t bytes = 0;
  int first = 0, last = 0;
};

struct BufferPlan {
  std::vector<std::int64_t> offsets;  ///< one for each buffer, in bytes
  std::int64_t bytes = 0;             ///< behind the last of them
};

/// Largest first, each in the smallest gap that holds it among those that live when it does, or
/// else behind them ("greedy by size" of Pisarchyk and Lee, Efficient memory management for deep
/// neural net inference, 2020, arXiv 2001.03288). Not optimal, which is NP-hard; never less than
/// the most bytes that live at once. Time is the square of the number of buffers.
BufferPlan plan_buffers(const std::vector<Buffer>& buffers);

}  // namespace npusim::npu
