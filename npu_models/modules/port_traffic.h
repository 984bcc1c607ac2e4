// SPDX-License-Identifier: Apache-2.0
// What the DMA and the vector unit move through the scratchpad's ports while a tile of the arrays
// runs (port_limits.h): each transfer evenly over its time. Transfers that no tile can meet any
// more are dropped. Knows no SystemC.
#pragma once

#include <cstdint>
#include <vector>

namespace npusim::npu::model {

class PortTraffic {
 public:
  /// Bytes that move in [begin, end), in thousandths of a cycle; known at `now`, at most `begin`
  /// unless the mover learns of them when they have ended.
  void add(std::int64_t begin, std::int64_t end, std::int64_t bytes, std::int64_t now);

  void begin_tile(std::int64_t moment) { tile_begin_ = moment; }
  void end_tile() { tile_begin_ = -1; }
  /// Moved until `moment` since the tile began, each transfer rounded up to whole bytes.
  std::int64_t bytes_until(std::int64_t moment) const;

 private:
  struct Move {
    std::int64_t begin, end, bytes;
  };
  std::int64_t tile_begin_ = -1;  ///< -1: none runs
  std::vector<Move> moves_;
};

}  // namespace npusim::npu::model
