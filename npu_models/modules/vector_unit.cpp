// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/vector_unit.h"

#include <algorithm>

#include "npu_models/port_limits.h"

namespace npusim::npu::model {

VectorUnit::VectorUnit(const sc_core::sc_module_name& name, Scratchpad& scratchpad, Ledger& ledger)
    : sc_core::sc_module(name), scratchpad_(scratchpad), ledger_(ledger) {
  SC_THREAD(run);
}

void VectorUnit::run() {
  Picos free_at = 0;
  for (;;) {
    const VectorCommand command = queue.pop();
    const Picos start = std::max({free_at, command.operands.moment(), command.sums.moment()});
    if (command.take != nullptr) command.take->acquire(1, start);
    wait_until(start);
    const Cycles begin = floor_cycle(now_picos());
    const Cycles cycles = std::max(
        command.cycles, scratchpad_port_cycles(scratchpad_.spec, command.scratchpad_bytes, 0));
    const Cycles end = begin + cycles;
    OpRecord& record = ledger_.record(command.op);
    record.vector_cycles += cycles;
    if (command.rearranging) record.rearranged_cycles += cycles;
    record.tiles += command.own_tile ? 1 : 0;
    ++record.transactions;
    if (end > begin) ledger_.active(WaitCause::vector, command.op, begin, end, begin);
    ledger_.trace(Track::vector, command.op, picos_of(begin), picos_of(end));
    if (shares_ports(scratchpad_.spec))
      scratchpad_.traffic.add(picos_of(begin), picos_of(end), command.scratchpad_bytes,
                              picos_of(begin));
    progress.complete(picos_of(end));
    for (const Release& release : command.give) release.at(picos_of(end));
    free_at = picos_of(end);
  }
}

}  // namespace npusim::npu::model
