// SPDX-License-Identifier: Apache-2.0
#include "npu_models/timing.h"

#include <optional>

#include "base/whole_file.h"
#include "npu_models/attention_gradient_steps.h"
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

/// Times and counts of the repetitions that a simulation leaves out.
class LeftOut {
 public:
  explicit LeftOut(std::vector<model::LayerRepeat> repeats) : repeats_(std::move(repeats)) {}

  /// Called at the begin and at the end of each first repetition, in turn.
  void note(std::int64_t cycle, const model::DramCounters& counters,
            std::atomic<std::int64_t>* steps) {
    const std::size_t repeat = ends_.size();
    const std::int64_t done = steps == nullptr ? 0 : steps->load(std::memory_order_relaxed);
    if (begins_.size() == repeat) {
      begins_.push_back(cycle);
      at_begin_ = counters;
      steps_at_begin_ = done;
      return;
    }
    ends_.push_back(cycle);
    const auto times = static_cast<std::int64_t>(repeats_[repeat].count - 1);
    if (steps != nullptr) *steps += times * (done - steps_at_begin_);
    add(counters_, counters, times);
    add(counters_, at_begin_, -times);
  }
  std::int64_t add_to(std::vector<model::OpRecord>& records, model::DramCounters& counters) const {
    add(counters, counters_, 1);
    return model::add_repetitions(repeats_, begins_, ends_, records);
  }

 private:
  static void add(model::DramCounters& sum, const model::DramCounters& counters,
                  std::int64_t times) {
    sum.row_hits += times * counters.row_hits;
    sum.row_misses += times * counters.row_misses;
    sum.refreshes += times * counters.refreshes;
    sum.turnarounds += times * counters.turnarounds;
  }

  std::vector<model::LayerRepeat> repeats_;
  std::vector<std::int64_t> begins_, ends_;
  model::DramCounters at_begin_, counters_;
  std::int64_t steps_at_begin_ = 0;
};

}  // namespace

TimingResult simulate(const NpuSpec& npu, const MappedGraph& mapped,
                      const SimulationOptions& options) {
  model::Ledger ledger(mapped.ops.size(), npu.mac_array.arrays);
  std::optional<model::Dram> dram;
  model::Trace trace({options.trace_begin_cycle, options.trace_end_cycle});
  if (!options.trace.empty()) ledger.watch(trace);
  ledger.count_steps(options.steps_done);
  std::optional<LeftOut> left_out;
  const auto set_apart = [&](model::NpuTop& top) {
    const std::vector<model::LayerRepeat> repeats = model::layer_repeats(npu, mapped);
    // Traces and clocked elements show every repetition.
    const bool once = options.layers == Layers::repeated && options.trace.empty() &&
                      options.fidelity == Fidelity::tile;
    if (once) left_out.emplace(repeats);
    top.set_layers_apart(repeats, once, [&](model::Picos now) {
      ledger.restart(model::floor_cycle(now));
      dram->restart(now);
      if (left_out) left_out->note(model::floor_cycle(now), dram->counters(), options.steps_done);
    });
  };
  std::int64_t cycles = model::run_simulation(npu, mapped, ledger, [&](model::NpuTop& top) {
    dram.emplace("dram", npu.dram);
    top.bind_memory(dram->socket);
    if (!options.trace.empty()) top.watch_buffers(trace);
    if (options.fidelity == Fidelity::pe) top.clock_elements(waveform_of(options));
    if (options.layers != Layers::together) set_apart(top);
  });
  if (!options.trace.empty()) base::write_whole_file(options.trace, trace.json(npu, mapped));
  std::vector<model::OpRecord> records = ledger.records();
  model::DramCounters counters = dram->counters();
  if (left_out) cycles += left_out->add_to(records, counters);
  TimingResult result = assemble_timing(npu, mapped, records, cycles);
  result.layers_apart = options.layers == Layers::together ? 0 : 1;
  if (npu.dram.timing) result.dram_events = named(counters);
  return result;
}

std::int64_t planned_steps(const MappedGraph& mapped) {
  std::int64_t steps = 0;
  for (const MappedOp& op : mapped.ops) {
    if (op.engine != Engine::view) ++steps;
    if (op.engine == Engine::matrix && op.gemm) steps += gemm_tile_counts(*op.gemm).total();
    if (op.attention_gradient) {
      GradientSteps gradient(*op.attention_gradient);
      for (GradientStep step; gradient.next(step);)
        steps += static_cast<std::int64_t>(kGradientProducts);
    }
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
