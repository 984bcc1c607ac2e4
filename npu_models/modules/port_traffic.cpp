// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/port_traffic.h"

#include <algorithm>

namespace npusim::npu::model {
namespace {

/// Transfers kept before the ones that are over are looked for.
constexpr std::size_t kKept = 64;

}  // namespace

void PortTraffic::add(std::int64_t begin, std::int64_t end, std::int64_t bytes, std::int64_t now) {
  if (bytes == 0 || end <= begin) return;
  moves_.push_back({begin, end, bytes});
  if (moves_.size() < kKept) return;
  const std::int64_t since = tile_begin_ >= 0 ? tile_begin_ : now;
  moves_.erase(std::remove_if(moves_.begin(), moves_.end(),
                              [since](const Move& move) { return move.end <= since; }),
               moves_.end());
}

std::int64_t PortTraffic::bytes_until(std::int64_t moment) const {
  __extension__ using Wide = __int128;  // bytes times a span may pass 2^63
  std::int64_t sum = 0;
  for (const Move& move : moves_) {
    const std::int64_t span = std::min(move.end, moment) - std::max(move.begin, tile_begin_);
    if (span <= 0) continue;
    const Wide whole = move.end - move.begin;
    sum += static_cast<std::int64_t>((static_cast<Wide>(move.bytes) * span + whole - 1) / whole);
  }
  return sum;
}

}  // namespace npusim::npu::model
