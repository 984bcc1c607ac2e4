// SPDX-License-Identifier: Apache-2.0
// Runs a mapped graph on the SystemC tile model of an NPU. One simulation a process: call it in a
// child (base::run_isolated) or once in a program.
//
// Every array-cycle of a run has one cause: `busy`, an exposed overhead inside a tile (preload,
// fill_drain, accumulate; accumulator_ports, then scratchpad_ports: what a tile takes longer
// because of ports, only of NPUs that state any), or, while the array waits, the first of these
// that holds at that cycle:
//   load      the load DMA moves operands
//   spill     a DMA moves partial sums
//   vector    the vector unit works
//   host      the host or its link works
//   store     the store DMA drains results
//   launch    the sequencer starts an op, or a request is in flight and no data moves
//   idle      an array without a share of the op (several arrays, uneven split)
// A waiting cycle is charged to the op that owns the activity it waits for (of any kind: a vector
// op between two matrix ops owns its cycles); a launch cycle to the op whose tile ends the wait,
// after the last tile to the op that ends last. So busy and stalls of the ops add up to cycles *
// arrays too.
//
// Where it is known to differ from a machine: npu_models/modules/README.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "npu_models/mapping.h"

namespace npusim::npu {

/// In the order above, overheads first.
const std::vector<std::string>& stall_causes();
/// Those that an NPU can have.
std::vector<std::string> stall_causes_of(const NpuSpec& npu);

struct OpTiming {
  std::string node, op, engine, phase;
  std::int64_t start_cycle = 0;  ///< first activity of the op on any engine
  std::int64_t end_cycle = 0;    ///< last activity
  std::int64_t macs = 0;
  std::string winograd;               ///< "winograd 2x2"; empty: direct, or no convolution
  std::int64_t convolution_macs = 0;  ///< by Winograd: of the direct convolution
  std::int64_t array_busy_cycles = 0;
  /// Products on the arrays: MACs over what the array-cycles charged to the op (busy and stalls)
  /// could do in its operand format; weighted by these they make the run's. 0 for other ops.
  double utilization = 0.0;
  std::map<std::string, std::int64_t> stall_cycles;  ///< array-cycles charged to this op, by cause
  std::int64_t dram_read_bytes = 0, dram_write_bytes = 0;
  std::int64_t spill_bytes = 0;  ///< included in the two above
  std::int64_t sram_bytes = 0;
  std::int64_t vector_cycles = 0;
  /// DRAM bytes and cycles of the vector unit spent on another form of an operand; empty: none. By
  /// Winograd: cycles for the transforms of operands.
  std::map<std::string, std::int64_t> rearranging;
  std::int64_t tiles = 0;
  double energy_mj = 0.0;
  std::string bound;  ///< engine with the most busy time: compute | memory | vector | host | none
};

struct Energy {
  double mac_mj = 0, vector_mj = 0, sram_mj = 0, dram_mj = 0, static_mj = 0;
  double total_mj() const { return mac_mj + vector_mj + sram_mj + dram_mj + static_mj; }
};

struct TimingResult {
  std::int64_t cycles = 0;  ///< makespan
  std::int64_t macs = 0;    ///< on the arrays; what the host computes stands in its op rows
  std::int64_t arrays = 1;
  std::int64_t busy_cycles = 0;  ///< array-cycles; busy + sum(stalls) == cycles * arrays
  std::map<std::string, std::int64_t> stall_cycles;  ///< every cause, zeros included
  std::int64_t dram_bytes = 0, sram_bytes = 0;
  std::int64_t dma_busy_cycles = 0, vector_busy_cycles = 0, host_busy_cycles = 0;
  std::int64_t transactions = 0;  ///< simulated tiles and descriptors
  std::int64_t layers_apart =
      0;  ///< 1: nothing overlaps the begin of a layer that repeats (Layers)
  /// MACs on the array over the cycles they take at full rate, each op in its input format.
  double peak_macs_per_cycle = 0;
  Energy energy;
  std::string bound;
  /// Row hits and misses, refreshes, turnarounds; empty where DRAM has no timing of its own.
  std::map<std::string, std::int64_t> dram_events;
  /// Descriptors, bursts and bytes moved beyond what was asked for; empty without a `dma` section.
  std::map<std::string, std::int64_t> dma_events;
  std::vector<OpTiming> ops;
};

/// How layers that repeat (modules/layer_repeats.h) follow one another.
enum class Layers {
  together,  ///< engines run over their borders
  apart,  ///< each repetition begins when all before has ended, with DRAM as at the begin of a run
  repeated,  ///< the same times and counts, from a simulation of the first repetition of each
};

enum class Fidelity {
  tile,  ///< tiles in closed form
  pe,    ///< every tile also on clocked elements that carry values (pe/pe_tiles.h)
};

struct SimulationOptions {
  Fidelity fidelity = Fidelity::tile;
  Layers layers = Layers::together;
  std::string waveform;  ///< fidelity pe: a .vcd file of the elements; empty: none
  std::int64_t waveform_begin_cycle = 0, waveform_end_cycle = 1000;
  std::string trace;  ///< a .json file of what engines do (modules/trace.h); empty: none
  std::int64_t trace_begin_cycle = 0, trace_end_cycle = std::int64_t{1} << 50;
  /// Counts up to planned_steps() while the simulation runs; nullptr: nobody watches.
  std::atomic<std::int64_t>* steps_done = nullptr;
};

/// Ops to issue and tiles to begin on the arrays.
std::int64_t planned_steps(const MappedGraph& mapped);

/// Runs the simulation on this process's SystemC kernel.
TimingResult simulate(const NpuSpec& npu, const MappedGraph& mapped,
                      const SimulationOptions& options = {});

/// Why fidelity pe does not take this graph; empty: it does.
std::string pe_refusal(const NpuSpec& npu, const MappedGraph& mapped);

/// For the pipe between worker and parent: exact round trip.
std::string serialize(const TimingResult& result);
TimingResult parse_timing(const std::string& text);

}  // namespace npusim::npu
