// SPDX-License-Identifier: Apache-2.0
// The host and its link, for ops the NPU cannot run. One op at a time: its inputs move from DRAM
// over the link, the host computes, the results move back. Each way takes
//   max( DRAM transfer, latency + bytes / link bandwidth )
// and the computation ceil(elements / throughput), whatever the function. The NPU's engines go on
// with ops that do not depend on it. Not modelled: other load of the host, its caches, its energy.
#pragma once

#include <cstdint>
#include <systemc>

#include "npu_models/modules/command_queue.h"
#include "npu_models/modules/ledger.h"
#include "npu_models/modules/memory_port.h"
#include "npu_models/modules/progress.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

struct HostCommand {
  int op = -1;
  std::uint64_t read_address = 0, write_address = 0;
  std::int64_t read_bytes = 0, write_bytes = 0;
  std::int64_t elements = 0;
  Needs producers;
};

class HostLink : public MemoryPort {
 public:
  CommandQueue<HostCommand> queue;
  Progress progress;

  SC_HAS_PROCESS(HostLink);
  /// `spec` may be empty: no command comes then.
  HostLink(const sc_core::sc_module_name& name, const std::optional<HostSpec>& spec,
           const DramSpec& dram, Ledger& ledger);

 private:
  void run();
  void pass(int op, bool write, std::uint64_t address, std::int64_t bytes);
  void occupy(int op, Picos end);

  HostSpec spec_;
  Ledger& ledger_;
};

}  // namespace npusim::npu::model
