// SPDX-License-Identifier: Apache-2.0
// One DMA engine (the NPU has one for loads and one for stores): an in-order queue of descriptors.
// A descriptor is one operand (or result) of one tile. It completes, and gives back what it holds,
// on the first whole cycle after its last byte, never before the one before it.
//
// Without a `dma` section any number of descriptors is in flight: one is requested when its needs
// have ended, its buffer is free and the one before is at most one DRAM latency (and row opening)
// from its end, so that latency hides behind transfers; bursts and alignment cost nothing. With
// one, channels, widths, bursts and set-up count as dma_rate.h says.
#pragma once

#include <cstdint>
#include <optional>
#include <systemc>
#include <vector>

#include "npu_models/dma_rate.h"
#include "npu_models/modules/command_queue.h"
#include "npu_models/modules/ledger.h"
#include "npu_models/modules/memory_port.h"
#include "npu_models/modules/progress.h"
#include "npu_models/modules/scratchpad.h"
#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

struct DmaCommand {
  int op = -1;
  std::uint64_t address = 0;
  std::int64_t bytes = 0;            ///< 0: only the synchronisation
  std::int64_t run_bytes = 0;        ///< pieces that do not follow each other in DRAM; 0: all do
  bool spill = false;                ///< partial sums
  bool rearranging = false;          ///< for another form of an operand
  const Needs* producers = nullptr;  ///< ops that write what is read; outlives the command
  Need after;
  TokenPool* take[2] = {nullptr, nullptr};  ///< one buffer slot of each before the request
  Release give[2];                          ///< at the end
};

class Dma : public MemoryPort {
 public:
  CommandQueue<DmaCommand> queue;
  Progress progress;

  SC_HAS_PROCESS(Dma);
  Dma(const sc_core::sc_module_name& name, bool write, const NpuSpec& npu, Scratchpad& scratchpad,
      Ledger& ledger);

 private:
  void run();
  void run_channels();
  void wait_for_needs(const DmaCommand& command, Picos earliest);
  Picos execute(const DmaCommand& command);
  Picos execute_on_channel(const DmaCommand& command);
  Picos account(const DmaCommand& command, const Transfer& transfer, Picos end);

  bool write_;
  Picos lead_;  ///< how long before the end of a transfer the next may be requested
  Scratchpad& scratchpad_;
  Ledger& ledger_;
  std::optional<DmaSpec> spec_;
  std::optional<DmaRate> rate_;
  std::vector<Picos> channels_;  ///< when each is free
};

}  // namespace npusim::npu::model
