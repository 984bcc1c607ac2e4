// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/npu_top.h"

#include <algorithm>

#include "base/error.h"

namespace npusim::npu::model {
namespace {

/// Keeps the earliest op that an engine has begun and not ended.
template <class Engine>
void note_unfinished(const Engine& engine, int& first) {
  if (engine.progress.published() == engine.queue.pushed()) return;
  const int op = std::max(0, engine.queue.last_op());
  first = first < 0 ? op : std::min(first, op);
}

}  // namespace

NpuTop::NpuTop(const sc_core::sc_module_name& name, const NpuSpec& npu, const MappedGraph& mapped,
               Ledger& ledger)
    : sc_core::sc_module(name),
      mapped_(mapped),
      engines_(npu, ledger),
      sequencer_("sequencer", npu, mapped, engines_, ledger) {}

void NpuTop::watch_buffers(Trace& trace) {
  engines_.accumulators.bytes.watch(trace.counter("accumulator memory, bytes of an array"));
  engines_.scratchpad.m_side.watch(trace.counter("scratchpad, streamed slots"));
  engines_.scratchpad.n_side.watch(trace.counter("scratchpad, stationary slots"));
  engines_.scratchpad.results.watch(trace.counter("scratchpad, result slots"));
}

void NpuTop::check_finished() const {
  if (!sequencer_.failure().empty()) throw base::InternalError(sequencer_.failure());
  int first = -1;
  note_unfinished(engines_.load, first);
  note_unfinished(engines_.store, first);
  note_unfinished(engines_.array, first);
  note_unfinished(engines_.vector, first);
  note_unfinished(engines_.host, first);
  if (first < 0 && !sequencer_.finished()) first = sequencer_.current_op();
  if (first < 0) return;
  const MappedOp& op = mapped_.ops[static_cast<std::size_t>(first)];
  throw base::InternalError("the simulation starved in " +
                            mapped_.graph.nodes[static_cast<std::size_t>(op.node)].name);
}

}  // namespace npusim::npu::model
