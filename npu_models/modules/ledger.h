// SPDX-License-Identifier: Apache-2.0
// Who did what when, and why the MAC arrays waited. Engines report their busy intervals (start and
// end known when they begin); between two tiles of the array every cycle gets the first cause, in
// the order of WaitCause, of which an engine is active in any part of that cycle. A waiting cycle
// is charged to the op that owns the causing interval; a cycle without one (launch) to the op whose
// tile ends the wait, after the last tile to the op that ends last. Intervals are dropped once
// accounted, so memory does not grow with the run. Knows no SystemC.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "npu_models/modules/trace.h"

namespace npusim::npu::model {

/// Priority order of timing.h.
enum class WaitCause { load, spill, vector, host, store, launch };
inline constexpr std::size_t kWaitCauses = 6;

/// Cycles of one tile on all arrays together.
struct TileAccount {
  std::int64_t busy = 0, preload = 0, fill_drain = 0, dependency = 0;
  std::int64_t accumulator_ports = 0, scratchpad_ports = 0;  ///< beyond the array's own cycles
  std::int64_t idle = 0;  ///< arrays with a smaller share, or none
};

/// What one op did; indices are those of MappedGraph::ops.
struct OpRecord {
  std::int64_t start_cycle = -1, end_cycle = 0;
  TileAccount array;                              ///< array-cycles
  std::array<std::int64_t, kWaitCauses> waits{};  ///< array-cycles
  std::int64_t array_cycles = 0;                  ///< of one array, tiles included their overheads
  std::int64_t vector_cycles = 0, host_cycles = 0;
  std::int64_t transfer_picos = 0;  ///< DRAM bus
  std::int64_t read_bytes = 0, write_bytes = 0, spill_bytes = 0;
  std::int64_t scratchpad_bytes = 0, accumulator_bytes = 0;
  std::int64_t tiles = 0, transactions = 0;
  std::int64_t descriptors = 0, bursts = 0, padding_bytes = 0;  ///< of DMA channels
  std::int64_t rearranged_bytes = 0, rearranged_cycles = 0;     ///< included in the others
};

class Ledger {
 public:
  Ledger(std::size_t ops, std::int64_t arrays);

  /// Engines also tell `trace` what they do; it outlives the run.
  void watch(Trace& trace) { trace_ = &trace; }
  void trace(Track track, int op, std::int64_t begin_picos, std::int64_t end_picos,
             std::int64_t bytes = 0) {
    if (trace_ != nullptr) trace_->add(track, op, begin_picos, end_picos, bytes);
  }

  /// Ops issued and tiles of the arrays are counted for whoever watches the run; may be nullptr.
  void count_steps(std::atomic<std::int64_t>* steps) { steps_ = steps; }
  void step() {
    // One writer: no atomic addition.
    if (steps_ != nullptr)
      steps_->store(steps_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  OpRecord& record(int op) { return records_[static_cast<std::size_t>(op)]; }
  const std::vector<OpRecord>& records() const { return records_; }

  /// An engine other than the array is active in cycles [begin, end). Starts of one cause hardly
  /// ever decrease. `now`: current cycle, at most `begin`.
  void active(WaitCause cause, int op, std::int64_t begin, std::int64_t end, std::int64_t now);
  /// The arrays work on a tile of `op` in [begin, end); begins never decrease.
  void tile(int op, std::int64_t begin, std::int64_t end, const TileAccount& account);
  /// The tile that ran last goes on for so many cycles, in which its operands wait for ports.
  void wait_for_ports(int op, std::int64_t cycles);
  /// Nothing is active any more, and what was waited for belongs to what came before.
  void restart(std::int64_t now);
  /// Ends the run; returns its last cycle.
  std::int64_t finish();

 private:
  struct Interval {
    std::int64_t begin, end;
    int op;
  };
  void touch(int op, std::int64_t begin, std::int64_t end);
  void settle(std::int64_t until);
  void charge_launch(int op);

  Trace* trace_ = nullptr;
  std::atomic<std::int64_t>* steps_ = nullptr;
  std::int64_t arrays_;
  std::vector<OpRecord> records_;
  std::array<std::deque<Interval>, kWaitCauses> intervals_;  ///< sorted by begin
  std::int64_t settled_ = 0;                                 ///< every cycle before has a cause
  std::int64_t unowned_launch_ = 0;  ///< launch cycles of the wait that is going on
  std::int64_t last_cycle_ = 0;
  int last_op_ = -1;
};

}  // namespace npusim::npu::model
