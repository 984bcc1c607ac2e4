// SPDX-License-Identifier: Apache-2.0
#include "npu_models/scratchpad_room.h"

#include <algorithm>

#include "npu_models/ceil_div.h"

namespace npusim::npu {
namespace {

std::string too_much(const std::string& what, std::int64_t bytes, const std::string& where,
                     std::int64_t room) {
  if (bytes <= room) return {};
  return what + " of a tile take " + std::to_string(bytes) + " bytes, " + where + " has " +
         std::to_string(room) + " bytes";
}

}  // namespace

bool fits_scratchpad(const ScratchpadSpec& scratchpad, const TileBytes& tile) {
  const std::int64_t buffers = scratchpad.buffers;
  switch (scratchpad.sharing) {
    case ScratchpadSharing::operands:
      return tile.streamed + tile.stationary <= scratchpad.bytes / buffers;
    case ScratchpadSharing::unified:
      return tile.streamed + tile.stationary + tile.results <= scratchpad.bytes / buffers;
    case ScratchpadSharing::separate:
      return tile.streamed <= scratchpad.streamed_bytes / buffers &&
             tile.stationary <= scratchpad.stationary_bytes / buffers &&
             tile.results <= scratchpad.result_bytes / buffers;
  }
  return false;
}

std::string why_not_in_scratchpad(const ScratchpadSpec& scratchpad, const TileBytes& tile) {
  const std::int64_t buffers = scratchpad.buffers;
  const std::int64_t operands = tile.streamed + tile.stationary;
  switch (scratchpad.sharing) {
    case ScratchpadSharing::operands:
      return too_much("the operands", operands, "a scratchpad buffer", scratchpad.bytes / buffers);
    case ScratchpadSharing::unified:
      return too_much("the operands and results", operands + tile.results, "a scratchpad buffer",
                      scratchpad.bytes / buffers);
    case ScratchpadSharing::separate: {
      std::string reason = too_much("the streamed operands", tile.streamed, "a buffer for them",
                                    scratchpad.streamed_bytes / buffers);
      if (reason.empty())
        reason = too_much("the stationary operands", tile.stationary, "a buffer for them",
                          scratchpad.stationary_bytes / buffers);
      if (reason.empty())
        reason = too_much("the results", tile.results, "a buffer for them",
                          scratchpad.result_bytes / buffers);
      return reason;
    }
  }
  return {};
}

std::int64_t vector_tiles(const ScratchpadSpec& scratchpad, std::int64_t read,
                          std::int64_t written) {
  const auto tiles = [&](std::int64_t bytes, std::int64_t room) {
    return std::max<std::int64_t>(
        1, ceil_div(bytes, std::max<std::int64_t>(1, room / scratchpad.buffers)));
  };
  if (scratchpad.sharing != ScratchpadSharing::separate)
    return tiles(read + written, scratchpad.bytes);
  return std::max(tiles(read, scratchpad.streamed_bytes + scratchpad.stationary_bytes),
                  tiles(written, scratchpad.result_bytes));
}

}  // namespace npusim::npu
