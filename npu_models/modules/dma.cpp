// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/dma.h"

#include <algorithm>

namespace npusim::npu::model {

Dma::Dma(const sc_core::sc_module_name& name, bool write, const DramSpec& dram, Ledger& ledger)
    : MemoryPort(name, dram.bandwidth_bytes_per_cycle),
      write_(write),
      lead_(picos_of(dram.latency_cycles) + (dram.timing ? dram.timing->row_miss : 0)),
      ledger_(ledger) {
  SC_THREAD(run);
}

void Dma::run() {
  Picos last_end = 0;
  for (;;) {
    const DmaCommand command = queue.pop();
    Picos start = std::max<Picos>({last_end - lead_, command.after.moment(), 0});
    start = picos_of(floor_cycle(start));
    if (command.producers != nullptr) {
      for (const Need& need : *command.producers) start = std::max(start, need.moment());
    }
    for (TokenPool* pool : command.take) {
      if (pool != nullptr) pool->acquire(1, start);
    }
    wait_until(start);
    const Picos end = std::max(last_end, execute(command));
    const Picos completed = picos_of(ceil_cycle(end));
    last_end = end;
    progress.complete(completed);
    for (const Release& release : command.give) release.at(completed);
  }
}

Picos Dma::execute(const DmaCommand& command) {
  if (command.bytes == 0) return now_picos();
  const Transfer transfer = move(write_, command.address, command.bytes);
  OpRecord& record = ledger_.record(command.op);
  (write_ ? record.write_bytes : record.read_bytes) += command.bytes;
  record.scratchpad_bytes += command.bytes;
  if (command.spill) record.spill_bytes += command.bytes;
  record.transfer_picos += transfer.end - transfer.start;
  ++record.transactions;
  const WaitCause cause =
      command.spill ? WaitCause::spill : (write_ ? WaitCause::store : WaitCause::load);
  ledger_.active(cause, command.op, floor_cycle(transfer.start), ceil_cycle(transfer.end),
                 floor_cycle(now_picos()));
  ledger_.trace(write_ ? Track::store : Track::load, command.op, transfer.start, transfer.end,
                command.bytes);
  return transfer.end;
}

}  // namespace npusim::npu::model
