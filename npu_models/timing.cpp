// SPDX-License-Identifier: Apache-2.0
#include "npu_models/timing.h"

#include <optional>

#include "base/whole_file.h"
#include "npu_models/attention_steps.h"
#include "npu_models/gemm_traffic.h"
#include "npu_models/modules/dram.h"
#include "npu_models/modules/simulation.h"
#include "npu_models/timing_assembly.h"

namespace npusim::npu {

const std::vector<std::string>& stall_causes() {
  static const std::vector<std::string> causes = {"preload",
                                                  "fill_drain",
                                                  "accumulate",
                                                  "accumulator_ports",
                                                  "scratchpad_ports",
                                                  "load",
                                                  "spill",
                                                  "vector",
                                                  "host",
                                                  "store",
                                                  "launch",
                                                  "idle"};
  return causes;
}

std::vector<std::string> stall_causes_of(const NpuSpec& npu) {
  std::vector<std::string> causes;
  for (const std::string& cause : stall_causes()) {
    if (cause == "accumulator_ports" && npu.mac_array.accumulator.ports == 0) continue;
    if (cause == "scratchpad_ports" && !npu.scratchpad.ports) continue;
    causes.push_back(cause);
  }
  return causes;
}

namespace {

std::optional<pe::WaveformOptions> waveform_of(const SimulationOptions& options) {
  if (options.waveform.empty()) return std::nullopt;
  return pe::WaveformOptions{options.waveform, options.waveform_begin_cycle,
                             options.waveform_end_cycle};
}

std::map<std::string, std::int64_t> named(const model::DramCounters& counters) {
  return {{"row_hits", counters.row_hits},
          {"row_misses", counters.row_misses},
          {"refreshes", counters.refreshes},
          {"turnarounds", counters.turnarounds}};
}

}  // namespace

TimingResult simulate(const NpuSpec& npu, const MappedGraph& mapped,
                      const SimulationOptions& options) {
  model::Ledger ledger(mapped.ops.size(), npu.mac_array.arrays);
  std::optional<model::Dram> dram;
  model::Trace trace({options.trace_begin_cycle, options.trace_end_cycle});
  if (!options.trace.empty()) ledger.watch(trace);
  ledger.count_steps(options.steps_done);
  const std::int64_t cycles = model::run_simulation(npu, mapped, ledger, [&](model::NpuTop& top) {
    dram.emplace("dram", npu.dram);
    top.bind_memory(dram->socket);
    if (!options.trace.empty()) top.watch_buffers(trace);
    if (options.fidelity == Fidelity::pe) top.clock_elements(waveform_of(options));
  });
  if (!options.trace.empty()) base::write_whole_file(options.trace, trace.json(npu, mapped));
  TimingResult result = assemble_timing(npu, mapped, ledger.records(), cycles);
  if (npu.dram.timing) result.dram_events = named(dram->counters());
  return result;
}

std::int64_t planned_steps(const MappedGraph& mapped) {
  std::int64_t steps = 0;
  for (const MappedOp& op : mapped.ops) {
    if (op.engine != Engine::view) ++steps;
    if (op.engine == Engine::matrix && op.gemm) steps += gemm_tile_counts(*op.gemm).total();
    if (!op.attention) continue;
    AttentionSteps attention(*op.attention);
    for (AttentionStep step; attention.next(step);) steps += 2;  // tiles of scores and of context
  }
  return steps;
}

std::string pe_refusal(const NpuSpec& npu, const MappedGraph& mapped) {
  return pe::refusal(npu, mapped);
}

}  // namespace npusim::npu
