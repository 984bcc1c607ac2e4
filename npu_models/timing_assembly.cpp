// SPDX-License-Identifier: Apache-2.0
#include "npu_models/timing_assembly.h"
#include "npu_models/input_units.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "npu_models/energy.h"
#include "npu_models/modules/sim_time.h"
#include "npu_models/modules/vector_cost.h"
#include "npu_models/rearrangement.h"
#include "npu_models/winograd_steps.h"

namespace npusim::npu {
namespace {

using model::OpRecord;

constexpr double kMillijoulePerPicojoule = 1e-9;

std::array<std::int64_t, 12> causes_of(const OpRecord& r) {
  return {r.array.preload,
          r.array.fill_drain,
          r.array.dependency,
          r.array.accumulator_ports,
          r.array.scratchpad_ports,
          r.waits[0],
          r.waits[1],
          r.waits[2],
          r.waits[3],
          r.waits[4],
          r.waits[5],
          r.array.idle};
}

std::map<std::string, std::int64_t> named_causes(const NpuSpec& npu, const OpRecord& r) {
  std::map<std::string, std::int64_t> all, named;
  const std::array<std::int64_t, 12> values = causes_of(r);
  for (std::size_t i = 0; i < values.size(); ++i) all[stall_causes()[i]] = values[i];
  for (const std::string& cause : stall_causes_of(npu)) named[cause] = all[cause];
  return named;
}

std::int64_t array_cycles_charged(const OpRecord& r) {
  std::int64_t sum = r.array.busy;
  for (const std::int64_t cycles : causes_of(r)) sum += cycles;
  return sum;
}

/// The engine with the most busy time; ties go to the first.
std::string bound_of(std::int64_t array, model::Picos transfer, std::int64_t vector,
                     std::int64_t host) {
  const std::array<std::pair<const char*, model::Picos>, 4> engines = {
      {{"compute", model::picos_of(array)},
       {"memory", transfer},
       {"vector", model::picos_of(vector)},
       {"host", model::picos_of(host)}}};
  const auto most =
      std::max_element(engines.begin(), engines.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most->second > 0 ? most->first : "none";
}

Energy energy_of(const NpuSpec& npu, const MappedOp& op, const OpRecord& r) {
  const EnergySpec& pj = npu.energy;
  Energy energy;
  if (op.engine == Engine::matrix) {
    energy.mac_mj = static_cast<double>(op.macs) * mac_pj(pj, op.unit()) * kMillijoulePerPicojoule;
  }
  if (op.engine == Engine::matrix || op.engine == Engine::vector) {
    energy.vector_mj = model::vector_energy_pj(npu, op.vector_work) * kMillijoulePerPicojoule;
  }
  std::int64_t copied = op.rearrangement ? op.rearrangement->elements : 0;
  for (const TransposedOperand& operand : op.transposed)
    if (!operand.by_dma) copied += operand.elements;
  if (copied > 0)
    energy.vector_mj += model::vector_energy_pj(npu, {{"copy", copied}}) * kMillijoulePerPicojoule;
  if (op.gemm && op.gemm->winograd) {
    // Additions cost the same wherever they are.
    std::vector<workloads::VectorWork> work = operand_transforms(npu, *op.gemm);
    if (op.gemm->winograd->stage == WinogradStage::array_edge) {
      const WinogradTotals totals = winograd_totals(*op.gemm);
      for (auto& part : output_transforms(*op.gemm->winograd, totals.outputs, totals.biased))
        work.push_back(std::move(part));
    }
    energy.vector_mj += model::vector_energy_pj(npu, work) * kMillijoulePerPicojoule;
  }
  energy.sram_mj = (static_cast<double>(r.scratchpad_bytes) * pj.scratchpad_pj_per_byte +
                    static_cast<double>(r.accumulator_bytes) * pj.accumulator_pj_per_byte) *
                   kMillijoulePerPicojoule;
  energy.dram_mj = static_cast<double>(r.read_bytes + r.write_bytes + r.padding_bytes) *
                   pj.dram_pj_per_byte * kMillijoulePerPicojoule;
  return energy;
}

void add(Energy& sum, const Energy& energy) {
  sum.mac_mj += energy.mac_mj;
  sum.vector_mj += energy.vector_mj;
  sum.sram_mj += energy.sram_mj;
  sum.dram_mj += energy.dram_mj;
  sum.static_mj += energy.static_mj;
}

OpTiming row_of(const NpuSpec& npu, const MappedGraph& mapped, const MappedOp& op,
                const OpRecord& r) {
  const workloads::Node& node = mapped.graph.nodes[static_cast<std::size_t>(op.node)];
  OpTiming row;
  row.node = node.name;
  row.op = node.op;
  row.engine = name_of(op.engine);
  row.phase = name_of(node.phase);
  row.start_cycle = r.start_cycle;
  row.end_cycle = r.end_cycle;
  row.macs = op.macs;
  row.array_busy_cycles = r.array.busy;
  row.stall_cycles = named_causes(npu, r);
  row.dram_read_bytes = r.read_bytes;
  row.dram_write_bytes = r.write_bytes;
  row.spill_bytes = r.spill_bytes;
  row.sram_bytes = r.scratchpad_bytes + r.accumulator_bytes;
  row.vector_cycles = r.vector_cycles;
  if (const std::string kind = kind_of_rearranging(op); !kind.empty()) {
    row.rearranging = {{kind + "_dram_bytes", r.rearranged_bytes},
                       {kind + "_vector_cycles", r.rearranged_cycles}};
  }
  if (op.gemm && op.gemm->winograd) {
    row.winograd = name_of(*op.gemm->winograd);
    row.convolution_macs = op.gemm->winograd->convolution.macs();
    row.rearranging["winograd_vector_cycles"] = r.rearranged_cycles;
  }
  row.tiles = r.tiles;
  row.bound = bound_of(r.array_cycles, r.transfer_picos, r.vector_cycles, r.host_cycles);
  return row;
}

double utilization_of(const NpuSpec& npu, const MappedOp& op, const OpRecord& r) {
  if (op.engine != Engine::matrix) return 0.0;
  const double array_cycles =
      static_cast<double>(array_cycles_charged(r)) / static_cast<double>(npu.mac_array.arrays);
  return array_cycles > 0.0
             ? static_cast<double>(op.macs) / (array_cycles * peak_macs_per_cycle(npu, op))
             : 0.0;
}

/// Ops without any activity (views) happen when the ops before them have ended.
void place_idle_rows(std::vector<OpTiming>& rows) {
  std::int64_t latest = 0;
  for (OpTiming& row : rows) {
    if (row.start_cycle < 0) row.start_cycle = row.end_cycle = latest;
    latest = std::max(latest, row.end_cycle);
  }
}

/// MACs over the cycles they take at full rate in each op's format.
double weighted_peak(const NpuSpec& npu, const MappedGraph& mapped) {
  double macs = 0.0;
  double cycles = 0.0;
  for (const MappedOp& op : mapped.ops) {
    if (op.engine != Engine::matrix) continue;
    const double peak = peak_macs_per_cycle(npu, op);
    NPUSIM_CHECK(peak > 0.0, "a mapped op uses a format the array takes");
    macs += static_cast<double>(op.macs);
    cycles += static_cast<double>(op.macs) / peak;
  }
  return cycles > 0.0 ? macs / cycles : 0.0;
}

}  // namespace

TimingResult assemble_timing(const NpuSpec& npu, const MappedGraph& mapped,
                             const std::vector<OpRecord>& records, std::int64_t cycles) {
  TimingResult result;
  result.cycles = cycles;
  result.arrays = npu.mac_array.arrays;
  const double array_cycles = static_cast<double>(cycles) * static_cast<double>(result.arrays);
  const double static_mj =
      npu.energy.static_watts * static_cast<double>(cycles) / (npu.clock_mhz * 1e6) * 1e3;
  for (const std::string& cause : stall_causes_of(npu)) result.stall_cycles[cause] = 0;

  std::int64_t array_total = 0;
  model::Picos transfer_total = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const OpRecord& r = records[i];
    OpTiming row = row_of(npu, mapped, mapped.ops[i], r);
    Energy energy = energy_of(npu, mapped.ops[i], r);
    if (cycles > 0) {
      energy.static_mj = static_mj * static_cast<double>(array_cycles_charged(r)) / array_cycles;
    }
    row.energy_mj = energy.total_mj();
    row.utilization = utilization_of(npu, mapped.ops[i], r);
    add(result.energy, energy);
    if (mapped.ops[i].engine == Engine::matrix) result.macs += row.macs;
    result.busy_cycles += row.array_busy_cycles;
    for (const auto& [cause, count] : row.stall_cycles) result.stall_cycles[cause] += count;
    result.dram_bytes += r.read_bytes + r.write_bytes;
    result.sram_bytes += row.sram_bytes;
    result.vector_busy_cycles += r.vector_cycles;
    result.host_busy_cycles += r.host_cycles;
    result.transactions += r.transactions;
    if (npu.dma) {
      result.dma_events["descriptors"] += r.descriptors;
      result.dma_events["bursts"] += r.bursts;
      result.dma_events["padding_bytes"] += r.padding_bytes;
    }
    array_total += r.array_cycles;
    transfer_total += r.transfer_picos;
    result.ops.push_back(std::move(row));
  }
  place_idle_rows(result.ops);
  result.dma_busy_cycles = model::ceil_cycle(transfer_total);
  result.bound =
      bound_of(array_total, transfer_total, result.vector_busy_cycles, result.host_busy_cycles);
  result.peak_macs_per_cycle = weighted_peak(npu, mapped);
  return result;
}

}  // namespace npusim::npu
