// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/dma.h"

#include <algorithm>

#include "npu_models/ceil_div.h"
#include "npu_models/port_limits.h"

namespace npusim::npu::model {

Dma::Dma(const sc_core::sc_module_name& name, bool write, const NpuSpec& npu,
         Scratchpad& scratchpad, Ledger& ledger)
    : MemoryPort(name, npu.dram.bandwidth_bytes_per_cycle),
      write_(write),
      lead_(picos_of(npu.dram.latency_cycles) + (npu.dram.timing ? npu.dram.timing->row_miss : 0)),
      scratchpad_(scratchpad),
      ledger_(ledger),
      spec_(npu.dma) {
  if (spec_) {
    rate_.emplace(*spec_, npu.dram);
    channels_.assign(static_cast<std::size_t>(spec_->channels), 0);
    SC_THREAD(run_channels);
  } else {
    SC_THREAD(run);
  }
}

void Dma::run() {
  Picos last_end = 0;
  for (;;) {
    const DmaCommand command = queue.pop();
    const Picos start = std::max<Picos>({last_end - lead_, command.after.moment(), 0});
    wait_for_needs(command, picos_of(floor_cycle(start)));
    const Picos end = std::max(last_end, execute(command));
    const Picos completed = picos_of(ceil_cycle(end));
    last_end = end;
    progress.complete(completed);
    for (const Release& release : command.give) release.at(completed);
  }
}

void Dma::run_channels() {
  Picos last_completed = 0;
  for (;;) {
    const DmaCommand command = queue.pop();
    Picos completed = 0;
    if (command.bytes == 0) {
      wait_for_needs(command, command.after.moment());
      completed = now_picos();
    } else {
      const auto channel = std::min_element(channels_.begin(), channels_.end());
      wait_for_needs(command, std::max(*channel, command.after.moment()));
      wait_until(now_picos() + picos_of(spec_->descriptor_cycles));
      *channel = completed = picos_of(ceil_cycle(execute_on_channel(command)));
    }
    last_completed = std::max(last_completed, completed);
    progress.complete(last_completed);
    for (const Release& release : command.give) release.at(last_completed);
  }
}

void Dma::wait_for_needs(const DmaCommand& command, Picos earliest) {
  Picos start = earliest;
  if (command.producers != nullptr) {
    for (const Need& need : *command.producers) start = std::max(start, need.moment());
  }
  for (TokenPool* pool : command.take) {
    if (pool != nullptr) pool->acquire(1, start);
  }
  wait_until(start);
}

Picos Dma::execute(const DmaCommand& command) {
  if (command.bytes == 0) return now_picos();
  const Transfer transfer = move(write_, command.address, command.bytes);
  return account(command, transfer, transfer.end);
}

Picos Dma::execute_on_channel(const DmaCommand& command) {
  BurstRange range = bursts_of(spec_->burst_bytes, command.address, command.bytes);
  if (command.run_bytes > 0) {
    range.bursts = ceil_div(command.bytes, command.run_bytes) *
                   ceil_div(command.run_bytes, spec_->burst_bytes);
    range.bytes = range.bursts * spec_->burst_bytes;
  }
  const Transfer transfer = move(write_, range.address, range.bytes);
  OpRecord& record = ledger_.record(command.op);
  ++record.descriptors;
  record.bursts += range.bursts;
  record.padding_bytes += range.bytes - command.bytes;
  return account(command, transfer,
                 std::max(transfer.end, transfer.start + rate_->stream(range.bursts)));
}

/// What a transfer that ends at `end` does to the op's record; returns `end`.
Picos Dma::account(const DmaCommand& command, const Transfer& transfer, Picos end) {
  OpRecord& record = ledger_.record(command.op);
  (write_ ? record.write_bytes : record.read_bytes) += command.bytes;
  record.scratchpad_bytes += command.bytes;
  if (command.spill) record.spill_bytes += command.bytes;
  if (command.rearranging) record.rearranged_bytes += command.bytes;
  record.transfer_picos += transfer.end - transfer.start;
  ++record.transactions;
  const WaitCause cause =
      command.spill ? WaitCause::spill : (write_ ? WaitCause::store : WaitCause::load);
  ledger_.active(cause, command.op, floor_cycle(transfer.start), ceil_cycle(end),
                 floor_cycle(now_picos()));
  ledger_.trace(write_ ? Track::store : Track::load, command.op, transfer.start, end,
                command.bytes);
  if (shares_ports(scratchpad_.spec))
    scratchpad_.traffic.add(transfer.start, end, command.bytes, now_picos());
  return end;
}

}  // namespace npusim::npu::model
