// SPDX-License-Identifier: Apache-2.0
// DMA with a `dma` section, in closed form. Loads and stores have `channels` C channels each, one
// descriptor a channel at a time. Descriptors are taken in the order of the commands: one goes to
// the channel that has been free longest, as soon as what it needs has ended, its buffer is free
// and the descriptor before it (of that direction) has been requested. Then
//
//   set-up     descriptor_cycles until its request; one at a time
//   bus        whole bursts of burst_bytes from aligned addresses: n bursts take the DRAM as
//              dram_schedule.h says, from `start` on (at least one latency L after the request)
//   channel    moves width_bytes a cycle and has at most `outstanding` W bursts in flight; a burst
//              is asked for when the W-th before it has arrived, and the bus serves other channels
//              in between. With b = burst_bytes / min(width_bytes, bandwidth):
//                stream(n) = floor((n-1)/W) * max(W*b, L + b) + ((n-1) mod W + 1) * b
//              (n*b without a limit); the descriptor ends at max(end of the bus, start + stream(n))
//   free       on the first whole cycle after its end; descriptors complete in their order
//
// A steady run of equal descriptors of which the bus is not the limit ends one every
// max(descriptor_cycles, (descriptor_cycles + L + stream) / C), on whole cycles. Without a section
// a DMA has any number of descriptors in flight and is as wide as DRAM (modules/dma.h).
// Not modelled: scatter and gather lists in DRAM, interleaving of channels within a burst. A memory
// that waits inside its transport (instead of answering with a delay) serves one channel at a time.
#pragma once

#include <cstdint>

#include "npu_models/npu_spec.h"

namespace npusim::npu {

/// Aligned bursts that hold a range of addresses.
struct BurstRange {
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
  std::int64_t bursts = 0;
};
BurstRange bursts_of(std::int64_t burst_bytes, std::uint64_t address, std::int64_t bytes);

class DmaRate {
 public:
  DmaRate(const DmaSpec& dma, const DramSpec& dram);

  /// stream(n), in thousandths of a cycle.
  std::int64_t stream(std::int64_t bursts) const;
  /// Of one channel with bursts without end.
  double bytes_per_cycle() const;

 private:
  std::int64_t burst_bytes_, window_;
  double burst_;  ///< b, thousandths of a cycle
  double round_;  ///< of `window_` bursts
};

/// Bytes a cycle at which all channels of a direction move data at most.
double dma_bytes_per_cycle(const NpuSpec& npu);

}  // namespace npusim::npu
