// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/mac_array.h"

#include <algorithm>

#include "npu_models/port_limits.h"

namespace npusim::npu::model {
namespace {

void add(TileAccount& account, const ShareCycles& cycles, std::int64_t arrays) {
  account.busy += arrays * cycles.array.busy;
  account.preload += arrays * cycles.array.preload;
  account.fill_drain += arrays * cycles.array.fill_drain;
  account.dependency += arrays * cycles.array.dependency;
  account.accumulator_ports += arrays * cycles.accumulator_ports;
}

}  // namespace

MacArray::MacArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                   AccumulatorMemory& memory, Scratchpad& scratchpad, Ledger& ledger)
    : sc_core::sc_module(name),
      spec_(spec),
      memory_(memory),
      scratchpad_(scratchpad),
      ledger_(ledger) {
  SC_THREAD(run);
}

void MacArray::clock_elements(const std::optional<pe::WaveformOptions>& waveform) {
  elements_ = std::make_unique<pe::PeTiles>("elements", spec_, waveform);
}

void MacArray::run() {
  Picos free_at = 0;
  for (;;) {
    const ArrayCommand command = queue.pop();
    const Picos start = std::max({free_at, command.operands.moment(), command.weights.moment()});
    if (command.accumulator_bytes > 0) memory_.bytes.acquire(command.accumulator_bytes, start);
    wait_until(start);
    const Cost& cost = cost_of(command);
    const Cycles begin = floor_cycle(now_picos());
    ledger_.tile(command.op, begin, begin + cost.cycles, cost.account);
    if (elements_)
      elements_->begin({command.op, command.gemm, command.at, command.tile, cost.array_cycles});
    const Picos end = picos_of(wait_for_scratchpad(command, begin, begin + cost.cycles));
    OpRecord& record = ledger_.record(command.op);
    ++record.tiles;
    ledger_.step();
    ++record.transactions;
    ledger_.trace(Track::array, command.op, picos_of(begin), end);
    progress.complete(end);
    for (const Release& release : command.give) release.at(end);
    free_at = end;
  }
}

/// When the operands have passed the scratchpad's ports too. What others move through the same
/// ports is known only once it has been requested, so the answer is waited for.
Cycles MacArray::wait_for_scratchpad(const ArrayCommand& command, Cycles begin, Cycles end) {
  const ScratchpadSpec& spec = scratchpad_.spec;
  if (!spec.ports) return end;
  PortTraffic& traffic = scratchpad_.traffic;
  traffic.begin_tile(picos_of(begin));
  for (;;) {
    if (shares_ports(spec)) wait_until(picos_of(end));
    const Cycles passed = begin + scratchpad_port_cycles(spec, command.scratchpad_bytes,
                                                         traffic.bytes_until(picos_of(end)));
    if (passed <= end) break;
    ledger_.wait_for_ports(command.op, passed - end);
    end = passed;
  }
  traffic.end_tile();
  return end;
}

const MacArray::Cost& MacArray::cost_of(const ArrayCommand& command) {
  Cost& cost = last_costs_[command.product];
  if (cost.gemm == command.gemm && cost.tile == command.tile && cost.resumes == command.resumes)
    return cost;
  cost = {command.gemm, command.tile, command.resumes, {}, 0, 0};
  std::int64_t worked = 0;
  for (const ArrayShare& share : shares_of(command.gemm->split, command.tile)) {
    const ShareCycles cycles = share_cycles(spec_, *command.gemm, share.shape, command.resumes);
    add(cost.account, cycles, share.arrays);
    worked += share.arrays * cycles.total();
    cost.array_cycles = std::max(cost.array_cycles, cycles.array.total());
    cost.cycles = std::max(cost.cycles, cycles.total());
  }
  cost.account.idle = spec_.arrays * cost.cycles - worked;
  return cost;
}

}  // namespace npusim::npu::model
