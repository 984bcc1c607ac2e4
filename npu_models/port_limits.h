// SPDX-License-Identifier: Apache-2.0
// How long the ports of on-chip memories take for a tile. The simulation and the estimate of the
// mapping ask the same functions. Knows no SystemC.
//
// Accumulator memory (mac_array.accumulator.ports = p; absent: never a limit). A port reads or
// writes in a cycle the sums that leave the array in a cycle, a read or a write at a time. With
// V such groups of sums in an array's share of a tile (organisations: cols * macs_per_pe sums of a
// weight- or input-stationary array, rows * cols * macs_per_pe of a cube, rows * macs_per_pe of
// dot_product), S passes over K, and r = 1 where a tile of K before left sums, else 0:
//
//   A = ceil(V * (2*S - 1 + r) / p): written by each pass, read by each but the first
//       (2*S + 1 + r with several partial sums an output: their combination reads all, writes one)
//   an array's share of a tile takes max(its closed form, A); the difference is accumulator_ports
//
// Sums that stay in elements or registers (output-stationary, simd, tensor_core) pass no such port:
// a file that states ports for them is refused. Draining reads the other half of the memory and
// never competes.
//
// Scratchpad (scratchpad.width_bytes; absent: never a limit). A port moves `width_bytes` a cycle
// in either direction:
//
//   interleaved  consecutive words lie in consecutive banks, so every stream meets all banks alike
//                and W = banks * ports * width_bytes a cycle are shared by all: what the DMA and
//                the vector unit move goes first, the arrays take what they leave
//   by_buffer    a buffer's banks are its own: the arrays, the DMA and the vector unit work on
//                different buffers and have W = banks / buffers * ports * width_bytes each
//
// A tile whose arrays move R bytes (sram_accesses.h: operands of every array, returning and leaving
// partial sums, results that no vector unit takes) and that runs from b ends at the first cycle
// e >= b + array cycles with
//
//   R + D(b, e) <= W * (e - b)
//
// D: what others move in those cycles, each transfer evenly over its time (by_buffer: 0). Cycles
// beyond the array's own are scratchpad_ports. A tile of the vector unit that moves V bytes takes
// at least ceil(V / W) cycles; a DMA channel is never wider than the ports (an error in the file).
// Not modelled: strides that meet one bank again and again, parameters that are read once an op.
#pragma once

#include <cstdint>

#include "npu_models/mapping.h"
#include "npu_models/organisation.h"

namespace npusim::npu {

/// One array's share of a tile: of each of its products, one behind the other.
struct ShareCycles {
  TileCycles array;                    ///< the organisation's closed form
  std::int64_t accumulator_ports = 0;  ///< beyond it
  std::int64_t total() const { return array.total() + accumulator_ports; }
};

/// `resumes`: a tile of K before left sums that this one adds to.
ShareCycles share_cycles(const MacArraySpec& array, const GemmMapping& gemm, const TileShape& share,
                         bool resumes);

/// W: bytes a cycle that the arrays can have.
std::int64_t scratchpad_bytes_per_cycle(const ScratchpadSpec& scratchpad);

/// Cycles until `own` bytes have passed beside `others`; 0 without ports.
std::int64_t scratchpad_port_cycles(const ScratchpadSpec& scratchpad, std::int64_t own,
                                    std::int64_t others);

/// Others share the ports of the arrays.
bool shares_ports(const ScratchpadSpec& scratchpad);

}  // namespace npusim::npu
