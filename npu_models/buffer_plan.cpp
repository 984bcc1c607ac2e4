// SPDX-License-Identifier: Apache-2.0
#include "npu_models/buffer_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "npu_models/ceil_div.h"

namespace npusim::npu {
namespace {

struct Placed {
  std::int64_t begin, end;
  int first, last;
};

/// `placed` is sorted by where buffers begin.
std::int64_t best_offset(const std::vector<Placed>& placed, const Buffer& buffer,
                         std::int64_t bytes) {
  std::int64_t free_from = 0, best = -1;
  std::int64_t smallest = std::numeric_limits<std::int64_t>::max();
  for (const Placed& other : placed) {
    if (other.last < buffer.first || other.first > buffer.last) continue;
    const std::int64_t gap = other.begin - free_from;
    if (gap >= bytes && gap < smallest) {
      smallest = gap;
      best = free_from;
    }
    free_from = std::max(free_from, other.end);
  }
  return best >= 0 ? best : free_from;
}

}  // namespace

BufferPlan plan_buffers(const std::vector<Buffer>& buffers) {
  BufferPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });
  std::vector<Placed> placed;
  placed.reserve(buffers.size());
  for (const std::size_t i : order) {
    const Buffer& buffer = buffers[i];
    if (buffer.bytes <= 0) continue;
    const std::int64_t bytes = ceil_div(buffer.bytes, kBufferAlignment) * kBufferAlignment;
    const std::int64_t offset = best_offset(placed, buffer, bytes);
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    const auto behind =
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [](std::int64_t at, const Placed& other) { return at < other.begin; });
    placed.insert(behind, {offset, offset + bytes, buffer.first, buffer.last});
  }
  return plan;
}

}  // namespace npusim::npu
