// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/mac_array.h"

#include <algorithm>

#include "base/error.h"

namespace npusim::npu::model {
namespace {

const Organisation& organisation_of(const MacArraySpec& spec) {
  const Organisation* found = find_organisation(spec.organisation);
  NPUSIM_CHECK(found != nullptr, "unknown organisation " + spec.organisation);
  return *found;
}

void add(TileAccount& account, const TileCycles& cycles, std::int64_t arrays) {
  account.busy += arrays * cycles.busy;
  account.preload += arrays * cycles.preload;
  account.fill_drain += arrays * cycles.fill_drain;
  account.dependency += arrays * cycles.dependency;
}

}  // namespace

MacArray::MacArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                   AccumulatorMemory& memory, Ledger& ledger)
    : sc_core::sc_module(name),
      spec_(spec),
      organisation_(organisation_of(spec)),
      memory_(memory),
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
    const Picos start = std::max(free_at, command.operands.moment());
    if (command.accumulator_bytes > 0) memory_.bytes.acquire(command.accumulator_bytes, start);
    wait_until(start);
    const Cost& cost = cost_of(command);
    const Cycles begin = floor_cycle(now_picos());
    const Picos end = picos_of(begin + cost.cycles);
    ledger_.tile(command.op, begin, begin + cost.cycles, cost.account);
    OpRecord& record = ledger_.record(command.op);
    ++record.tiles;
    ++record.transactions;
    ledger_.trace(Track::array, command.op, picos_of(begin), end);
    progress.complete(end);
    for (const Release& release : command.give) release.at(end);
    if (elements_)
      elements_->begin({command.op, command.gemm, command.at, command.tile, cost.cycles});
    free_at = end;
  }
}

const MacArray::Cost& MacArray::cost_of(const ArrayCommand& command) {
  Cost& cost = last_cost_;
  if (cost.gemm == command.gemm && cost.tile == command.tile) return cost;
  cost = {command.gemm, command.tile, {}, 0};
  std::int64_t worked = 0;
  for (const ArrayShare& share : shares_of(command.gemm->split, command.tile)) {
    const TileCycles cycles = cycles_of(*command.gemm, share.shape);
    add(cost.account, cycles, share.arrays);
    worked += share.arrays * cycles.total();
    cost.cycles = std::max(cost.cycles, cycles.total());
  }
  cost.account.idle = spec_.arrays * cost.cycles - worked;
  return cost;
}

TileCycles MacArray::cycles_of(const GemmMapping& gemm, const TileShape& share) const {
  return organisation_.tile_cycles(spec_, gemm.macs_per_pe_per_cycle,
                                   gemm.accumulator_latency_cycles, gemm.on_array(share));
}

}  // namespace npusim::npu::model
