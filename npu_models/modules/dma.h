// SPDX-License-Identifier: Apache-2.0
// One DMA engine (the NPU has one for loads and one for stores): an in-order queue of descriptors,
// any number of them in flight. A descriptor is requested when its needs have ended, its buffer is
// free and the one before is at most one DRAM latency (and row opening) from its end, so that
// latency hides behind transfers. It completes, and gives back what it holds, on the first whole
// cycle after its last byte. A descriptor is one operand (or result) of one tile; bursts, strides
// and alignment are not modelled.
#pragma once

#include <cstdint>
#include <systemc>

#include "npu_models/modules/command_queue.h"
#include "npu_models/modules/ledger.h"
#include "npu_models/modules/memory_port.h"
#include "npu_models/modules/progress.h"
#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

struct DmaCommand {
  int op = -1;
  std::uint64_t address = 0;
  std::int64_t bytes = 0;            ///< 0: only the synchronisation
  bool spill = false;                ///< partial sums
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
  Dma(const sc_core::sc_module_name& name, bool write, const DramSpec& dram, Ledger& ledger);

 private:
  void run();
  Picos execute(const DmaCommand& command);

  bool write_;
  Picos lead_;  ///< how long before the end of a transfer the next may be requested
  Ledger& ledger_;
};

}  // namespace npusim::npu::model
