// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/host_link.h"

#include <algorithm>

namespace npusim::npu::model {

HostLink::HostLink(const sc_core::sc_module_name& name, const std::optional<HostSpec>& spec,
                   const DramSpec& dram, Ledger& ledger)
    : MemoryPort(name, dram.bandwidth_bytes_per_cycle),
      spec_(spec.value_or(HostSpec{})),
      ledger_(ledger) {
  SC_THREAD(run);
}

void HostLink::run() {
  for (;;) {
    const HostCommand command = queue.pop();
    for (const Need& need : command.producers) wait_until(need.moment());
    pass(command.op, false, command.read_address, command.read_bytes);
    if (command.elements > 0) {
      occupy(command.op, now_picos() + transfer_picos(command.elements, spec_.elements_per_cycle));
    }
    pass(command.op, true, command.write_address, command.write_bytes);
    OpRecord& record = ledger_.record(command.op);
    ++record.tiles;
    progress.complete(now_picos());
  }
}

void HostLink::pass(int op, bool write, std::uint64_t address, std::int64_t bytes) {
  if (bytes == 0) return;
  const Picos arrival = now_picos() + picos_of(spec_.latency_cycles) +
                        transfer_picos(bytes, spec_.link_bytes_per_cycle);
  const Transfer transfer = move(write, address, bytes);
  OpRecord& record = ledger_.record(op);
  (write ? record.write_bytes : record.read_bytes) += bytes;
  record.transfer_picos += transfer.end - transfer.start;
  ++record.transactions;
  occupy(op, std::max(transfer.end, arrival));
}

/// Until the first whole cycle at or after `end`.
void HostLink::occupy(int op, Picos end) {
  const Cycles begin_cycle = floor_cycle(now_picos());
  const Cycles end_cycle = ceil_cycle(end);
  ledger_.record(op).host_cycles += end_cycle - begin_cycle;
  ledger_.trace(Track::host, op, picos_of(begin_cycle), picos_of(end_cycle));
  if (end_cycle > begin_cycle) {
    ledger_.active(WaitCause::host, op, begin_cycle, end_cycle, begin_cycle);
  }
  wait_until(picos_of(end_cycle));
}

}  // namespace npusim::npu::model
