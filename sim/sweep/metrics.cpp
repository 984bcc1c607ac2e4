// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/metrics.h"

#include "npu_models/area.h"
#include "sim/comparison.h"

namespace npusim::sim {
namespace {

using Value = std::optional<double>;

template <class Of>
Value timed(const RunResult& run, const Of& of) {
  return run.timing ? Value(static_cast<double>(of(*run.timing))) : Value();
}

double kib(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1024.0;
}

Value average_power(const RunResult& run, const npu::NpuSpec&) {
  if (!run.timing || !(run.timing->seconds > 0)) return {};
  return run.timing->run.energy.total_mj() * 1e-3 / run.timing->seconds;
}

Value used_bandwidth(const RunResult& run, const npu::NpuSpec&) {
  if (!run.timing || !(run.timing->seconds > 0)) return {};
  return static_cast<double>(run.timing->run.dram_bytes) * 1e-9 / run.timing->seconds;
}

Value on_chip_memory(const RunResult&, const npu::NpuSpec& npu) {
  const npu::MacArraySpec& array = npu.mac_array;
  return kib(npu.scratchpad.bytes) +
         static_cast<double>(array.arrays) * kib(array.accumulator.memory_bytes);
}

}  // namespace

const std::vector<SweepMetric>& sweep_metrics() {
  using Run = RunResult;
  using Npu = npu::NpuSpec;
  static const std::vector<SweepMetric> metrics = {
      {"cycles", "makespan in NPU clocks", true, true, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.run.cycles; });
       }},
      {"seconds", "makespan", true, false, "timing",
       [](const Run& run, const Npu&) { return value_of(run, Metric::time); }},
      {"samples_per_s", "batch over makespan", false, false, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.samples_per_s; });
       }},
      {"utilization", "MACs over cycles times peak MACs a cycle", false, false, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.utilization; });
       }},
      {"achieved_tops", "operations a second, 10^12", false, false, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.achieved_tops; });
       }},
      {"peak_tops", "of the arrays at full rate", false, false, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.peak_tops; });
       }},
      {"energy_mj", "of the run", true, false, "timing",
       [](const Run& run, const Npu&) { return value_of(run, Metric::energy); }},
      {"power_w", "energy over makespan", true, false, "timing", average_power},
      {"dram_bytes", "traffic of the run", true, true, "timing",
       [](const Run& run, const Npu&) {
         return timed(run, [](const Timing& t) { return t.run.dram_bytes; });
       }},
      {"dram_used_gb_per_s", "traffic over makespan", true, false, "timing", used_bandwidth},
      {"dram_gb_per_s", "bandwidth of the design", true, false, "",
       [](const Run&, const Npu& npu) { return Value(npu.dram.bandwidth_gb_per_s); }},
      {"memory_bytes", "DRAM that the run needs at its worst op", true, true, "",
       [](const Run& run, const Npu&) { return value_of(run, Metric::memory); }},
      {"on_chip_kib", "scratchpad and accumulator memory of the design", true, false, "",
       on_chip_memory},
      {"area_mm2", "from the NPU file's coefficients", true, false, "area",
       [](const Run&, const Npu& npu) {
         const std::optional<npu::Area> area = npu::area_of(npu);
         return area ? Value(area->total_mm2()) : Value();
       }},
      {"rel_error", "worst relative Frobenius error of an output against FP64", true, false,
       "numerics", [](const Run& run, const Npu&) { return value_of(run, Metric::error); }},
      {"hypothetical_ops", "ops in formats that the NPU does not declare", true, true, "what_if",
       [](const Run& run, const Npu& npu) {
         return npu.what_if ? Value(static_cast<double>(run.hypothetical.size())) : Value();
       }},
  };
  return metrics;
}

std::optional<std::size_t> find_metric(const std::string& name) {
  const std::vector<SweepMetric>& all = sweep_metrics();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (name == all[i].name) return i;
  return {};
}

std::vector<std::string> sweep_metric_names() {
  std::vector<std::string> names;
  for (const SweepMetric& metric : sweep_metrics()) names.emplace_back(metric.name);
  return names;
}

MetricValues metrics_of(const RunResult& run, const npu::NpuSpec& npu) {
  MetricValues values;
  for (const SweepMetric& metric : sweep_metrics()) values.push_back(metric.value(run, npu));
  return values;
}

}  // namespace npusim::sim
