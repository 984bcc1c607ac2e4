// SPDX-License-Identifier: Apache-2.0
#include "npu_models/dma_rate.h"

#include <algorithm>
#include <cmath>

#include "npu_models/ceil_div.h"

namespace npusim::npu {
namespace {

constexpr double kPicosPerCycle = 1000.0;

}  // namespace

BurstRange bursts_of(std::int64_t burst_bytes, std::uint64_t address, std::int64_t bytes) {
  const auto burst = static_cast<std::uint64_t>(burst_bytes);
  const std::uint64_t first = address / burst;
  const std::uint64_t last = (address + static_cast<std::uint64_t>(bytes) - 1) / burst;
  const auto bursts = static_cast<std::int64_t>(last - first + 1);
  return {first * burst, bursts * burst_bytes, bursts};
}

DmaRate::DmaRate(const DmaSpec& dma, const DramSpec& dram)
    : burst_bytes_(dma.burst_bytes), window_(dma.outstanding) {
  const double rate =
      std::min(static_cast<double>(dma.width_bytes), dram.bandwidth_bytes_per_cycle);
  burst_ = static_cast<double>(dma.burst_bytes) * kPicosPerCycle / rate;
  round_ = std::max(static_cast<double>(window_) * burst_,
                    static_cast<double>(dram.latency_cycles) * kPicosPerCycle + burst_);
}

std::int64_t DmaRate::stream(std::int64_t bursts) const {
  if (window_ == 0) return std::llround(static_cast<double>(bursts) * burst_);
  const std::int64_t before = bursts - 1;
  return std::llround(static_cast<double>(before / window_) * round_ +
                      static_cast<double>(before % window_ + 1) * burst_);
}

double DmaRate::bytes_per_cycle() const {
  const double bytes = static_cast<double>(burst_bytes_) * kPicosPerCycle;
  return window_ == 0 ? bytes / burst_ : bytes * static_cast<double>(window_) / round_;
}

double dma_bytes_per_cycle(const NpuSpec& npu) {
  const double dram = npu.dram.bandwidth_bytes_per_cycle;
  if (!npu.dma) return dram;
  return std::min(
      dram, static_cast<double>(npu.dma->channels) * DmaRate(*npu.dma, npu.dram).bytes_per_cycle());
}

}  // namespace npusim::npu
