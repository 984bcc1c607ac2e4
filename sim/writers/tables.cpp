// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/json_value.h"
#include "sim/comparison.h"
#include "sim/writers/text_table.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3 + (value < 0 ? 1u : 0u);) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string coverage_cell(const Coverage& coverage) {
  std::string text;
  for (const auto& [level, count] : coverage.counts)
    if (count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, npu::name_of(level));
  if (coverage.hypothetical > 0) text += fmt::format(" ({} hypothetical)", coverage.hypothetical);
  return text;
}

std::string error_cell(const RunResult& run) {
  if (!run.numerics) return "-";
  const std::optional<double> worst = worst_output_error(run);
  std::string text = worst ? fmt::format("{:.3e}", *worst) : "-";
  if (run.numerics->sampled) text += " (an op, sampled)";
  if (!run.numerics->first_nonfinite_op.empty())
    text += " (NaN/Inf from " + run.numerics->first_nonfinite_op + ")";
  return text;
}

/// "*" behind the best of a group.
std::string marked(std::string text, const RunComparison& run, Metric metric) {
  return run.best[static_cast<std::size_t>(metric)] ? text + " *" : text;
}

std::string ratio_cell(const RunComparison& run, Metric metric) {
  const std::optional<double>& ratio = run.ratio[static_cast<std::size_t>(metric)];
  return ratio ? fmt::format("{:.3f}", *ratio) : "-";
}

const char* yes_or_no(const std::optional<bool>& value) {
  if (!value) return "-";
  return *value ? "yes" : "no";
}

std::vector<std::string> timing_cells(const RunResult& run, const RunComparison& compared) {
  if (!run.timing) return std::vector<std::string>(8, "-");
  const Timing& t = *run.timing;
  return {grouped(t.run.cycles),
          marked(fmt::format("{:.4f}", *step_seconds(run) * 1e3), compared, Metric::time),
          fmt::format("{:.1f}", run.cluster ? run.cluster->samples_per_s : t.samples_per_s),
          fmt::format("{:.2f}", t.utilization * 100.0),
          fmt::format("{:.3f}", t.achieved_tops),
          fmt::format("{:.3f}", t.peak_tops),
          fmt::format("{:.2f}", static_cast<double>(t.run.dram_bytes) / 1e6),
          marked(fmt::format("{:.3f}", t.run.energy.total_mj()), compared, Metric::energy)};
}

std::string label_cell(const std::map<std::string, std::vector<std::string>>& labels,
                       const std::string& node) {
  std::string text;
  const auto found = labels.find(node);
  if (found != labels.end())
    for (const std::string& one : found->second) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "-" : text;
}

bool is_hypothetical(const Result& result) {
  return std::any_of(result.runs.begin(), result.runs.end(),
                     [](const RunResult& run) { return !run.hypothetical.empty(); });
}

/// A line for each hypothetical run.
std::string hypothetical_lines(const Result& result) {
  std::string text;
  for (const RunResult& run : result.runs)
    if (!run.hypothetical.empty())
      text += "\n" + run.npu + " " + run.workload + " " + run.mode + " " + run.recipe + ": " +
              text_of(run.hypothetical) + "\n";
  return text;
}

bool states_area(const Result& result) {
  return std::any_of(result.runs.begin(), result.runs.end(),
                     [](const RunResult& run) { return run.area.has_value(); });
}

/// Of several runs: Pareto flags, and ratios where there is a base.
TextTable comparison(const Result& result, const ComparisonOptions& options) {
  const std::vector<RunComparison> compared = compare_runs(result, options);
  const bool several = result.runs.size() > 1;
  const Metric ratios[] = {Metric::time, Metric::energy, Metric::error};
  TextTable table;
  for (const char* text : {"NPU", "workload", "mode", "recipe"}) table.column(text);
  for (const char* number : {"cycles", "time [ms]", "samples/s", "util [%]", "TOPS", "peak TOPS",
                             "DRAM [MB]", "energy [mJ]", "rel. error"})
    table.column(number, true);
  const bool area = states_area(result);
  if (area) table.column("area [mm2]", true);
  for (const Metric metric : ratios)
    if (!options.base.empty()) table.column(std::string("x ") + name_of(metric), true);
  if (several) table.column("Pareto");
  for (const char* text : {"bound", "op coverage", "status"}) table.column(text);
  for (std::size_t i = 0; i < result.runs.size(); ++i) {
    const RunResult& run = result.runs[i];
    std::vector<std::string> cells = {run.npu, run.workload, run.mode, run.recipe};
    for (std::string& cell : timing_cells(run, compared[i])) cells.push_back(std::move(cell));
    cells.push_back(marked(error_cell(run), compared[i], Metric::error));
    if (area) cells.push_back(run.area ? fmt::format("{:.3f}", run.area->total_mm2()) : "-");
    for (const Metric metric : ratios)
      if (!options.base.empty()) cells.push_back(ratio_cell(compared[i], metric));
    if (several) cells.push_back(yes_or_no(compared[i].pareto));
    cells.push_back(run.timing ? run.timing->run.bound : "-");
    cells.push_back(run.coverage ? coverage_cell(*run.coverage) : "-");
    cells.push_back(name_of(run.status) + std::string(mark_of(run.hypothetical)) +
                    (run.error.empty() ? "" : ": " + run.error));
    table.row(std::move(cells));
  }
  return table;
}

/// A number as JSON prints it, so that CSV round-trips too.
std::string exact(double value) {
  return base::dump_json(base::JsonValue::make_real(value), -1);
}

std::string share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "-"
                    : fmt::format("{:.1f}",
                                  100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

TextTable coverage_counts(const Result& result) {
  TextTable table;
  for (const char* text : {"NPU", "workload", "mode", "recipe"}) table.column(text);
  const npu::Support levels[] = {npu::Support::native, npu::Support::decomposed, npu::Support::host,
                                 npu::Support::unknown, npu::Support::unsupported};
  for (const npu::Support level : levels) table.column(npu::name_of(level), true);
  for (const char* text : {"native [%]", "MACs on NPU [%]", "time on NPU [%]"})
    table.column(text, true);
  for (const char* text : {"worst", "verdict", "first reason", "status"}) table.column(text);
  for (const RunResult& run : result.runs) {
    std::vector<std::string> cells = {run.npu, run.workload, run.mode, run.recipe};
    for (const npu::Support level : levels)
      cells.push_back(std::to_string(run.coverage->counts.at(level)));
    cells.push_back(share(run.coverage->counts.at(npu::Support::native),
                          static_cast<std::int64_t>(run.coverage->ops.size())));
    cells.push_back(share(run.coverage->macs_on_npu, run.coverage->macs));
    cells.push_back(run.coverage->time_on_npu
                        ? fmt::format("{:.1f}", 100.0 * *run.coverage->time_on_npu)
                        : "-");
    cells.push_back(npu::name_of(run.coverage->worst));
    cells.push_back(run.coverage->verdict);
    cells.push_back(run.coverage->reasons.empty() ? "" : run.coverage->reasons.front());
    cells.push_back(name_of(run.status) + std::string(mark_of(run.hypothetical)));
    table.row(std::move(cells));
  }
  return table;
}

/// Why an op is not native, and what it is hypothetical in.
std::string reason_of(const npu::Verdict& verdict) {
  std::string text = verdict.reason;
  for (const npu::StandIn& stand_in : verdict.stand_ins)
    text += (text.empty() ? "hypothetical: " : "; hypothetical: ") + npu::text_of(stand_in);
  return text;
}

TextTable coverage_gaps(const Result& result) {
  TextTable rows;
  for (const char* header : {"NPU", "workload", "node", "op", "support", "gap", "reason"})
    rows.column(header);
  for (const RunResult& run : result.runs)
    for (const npu::CoverageRow& row : run.coverage->ops)
      if (row.verdict.support != npu::Support::native || !row.verdict.stand_ins.empty())
        rows.row({run.npu, run.workload, row.node, row.op, npu::name_of(row.verdict.support),
                  npu::name_of(row.verdict.gap), reason_of(row.verdict)});
  return rows;
}

}  // namespace

std::string table_of(const Result& result, const ComparisonOptions& options) {
  std::string text = comparison(result, options).aligned();
  for (const RunResult& run : result.runs)
    if (run.cluster)
      text += "\n" + run.npu + " " + run.workload + " " + run.recipe + ": " +
              text_of(*run.cluster) + "\n";
  text += hypothetical_lines(result);
  for (const RunResult& run : result.runs)
    if (run.timing && run.timing->run.layers_apart != 0)
      return text + "\nlayers apart: nothing overlaps the begin of a layer that repeats\n";
  return text;
}

std::string markdown_of(const Result& result, const ComparisonOptions& options) {
  return comparison(result, options).markdown() + hypothetical_lines(result);
}

std::string csv_of(const Result& result, const ComparisonOptions& options) {
  TextTable table;
  for (const char* header : {"npu",
                             "workload",
                             "mode",
                             "recipe",
                             "scenario",
                             "status",
                             "error",
                             "cycles",
                             "seconds",
                             "samples_per_s",
                             "macs",
                             "utilization",
                             "achieved_tops",
                             "peak_tops",
                             "dram_bytes",
                             "sram_bytes",
                             "busy_cycles",
                             "bound",
                             "energy_mj",
                             "worst_rel_fro",
                             "first_nonfinite_op",
                             "top1_agreement",
                             "loss_difference",
                             "perplexity_difference",
                             "peak_memory_bytes",
                             "native",
                             "decomposed",
                             "host",
                             "unknown",
                             "unsupported",
                             "macs_on_npu",
                             "time_on_npu",
                             "verdict",
                             "pareto",
                             "time_ratio",
                             "energy_ratio",
                             "error_ratio",
                             "memory_ratio"})
    table.column(header);
  const bool area = states_area(result);
  if (area) table.column("area_mm2");
  const bool hypothetical = is_hypothetical(result);
  if (hypothetical) table.column("hypothetical");
  const std::vector<RunComparison> compared = compare_runs(result, options);
  for (std::size_t i = 0; i < result.runs.size(); ++i) {
    const RunResult& run = result.runs[i];
    std::vector<std::string> cells = {run.npu,      run.workload,        run.mode, run.recipe,
                                      run.scenario, name_of(run.status), run.error};
    if (run.timing) {
      const Timing& t = *run.timing;
      for (std::string cell :
           {std::to_string(t.run.cycles), exact(*step_seconds(run)),
            exact(run.cluster ? run.cluster->samples_per_s : t.samples_per_s),
            std::to_string(t.run.macs), exact(t.utilization), exact(t.achieved_tops),
            exact(t.peak_tops), std::to_string(t.run.dram_bytes), std::to_string(t.run.sram_bytes),
            std::to_string(t.run.busy_cycles), t.run.bound, exact(t.run.energy.total_mj())})
        cells.push_back(std::move(cell));
    } else {
      cells.insert(cells.end(), 12, "");
    }
    const std::optional<double> worst = worst_output_error(run);
    cells.push_back(worst ? exact(*worst) : "");
    cells.push_back(run.numerics ? run.numerics->first_nonfinite_op : "");
    const auto task = run.numerics ? run.numerics->task : std::nullopt;
    const bool labelled = task && task->loss;
    cells.push_back(task ? exact(task->agreement) : "");
    cells.push_back(labelled ? exact(*task->loss - *task->reference_loss) : "");
    cells.push_back(labelled ? exact(workloads::det_exp(*task->loss) -
                                     workloads::det_exp(*task->reference_loss))
                             : "");
    cells.push_back(run.memory ? std::to_string(run.memory->footprint.peak_bytes) : "");
    for (const npu::Support level :
         {npu::Support::native, npu::Support::decomposed, npu::Support::host, npu::Support::unknown,
          npu::Support::unsupported})
      cells.push_back(run.coverage ? std::to_string(run.coverage->counts.at(level)) : "");
    const Coverage none;
    const Coverage& coverage = run.coverage ? *run.coverage : none;
    cells.push_back(coverage.macs > 0 ? exact(static_cast<double>(coverage.macs_on_npu) /
                                              static_cast<double>(coverage.macs))
                                      : "");
    cells.push_back(coverage.time_on_npu ? exact(*coverage.time_on_npu) : "");
    cells.push_back(coverage.verdict);
    cells.push_back(compared[i].pareto ? yes_or_no(compared[i].pareto) : "");
    for (const std::optional<double>& ratio : compared[i].ratio)
      cells.push_back(ratio ? exact(*ratio) : "");
    if (area) cells.push_back(run.area ? exact(run.area->total_mm2()) : "");
    if (hypothetical) cells.push_back(text_of(run.hypothetical));
    table.row(std::move(cells));
  }
  return table.csv();
}

std::string op_table_of(const RunResult& run) {
  TextTable table;
  table.column("op");
  table.column("node");
  table.column("engine");
  for (const char* number : {"end cycle", "util [%]", "busy", "load", "vector", "store",
                             "other stalls", "DRAM [kB]", "local error", "total error"})
    table.column(number, true);
  const auto labels = labels_of(run.hypothetical, true);
  if (!labels.empty()) table.column("hypothetical");
  std::map<std::string, const OpError*> errors;
  if (run.numerics)
    for (const OpError& error : run.numerics->by_op) errors[error.node] = &error;
  const auto error_text = [](const precision::ErrorMetrics& e) {
    return e.rel_fro ? fmt::format("{:.2e}", *e.rel_fro) : std::string("-");
  };
  if (!run.timing) return {};
  for (const npu::OpTiming& op : run.timing->run.ops) {
    std::int64_t other = 0;
    std::map<std::string, std::int64_t> shown = {{"load", 0}, {"vector", 0}, {"store", 0}};
    for (const auto& [cause, cycles] : op.stall_cycles) {
      const auto at = shown.find(cause);
      (at != shown.end() ? at->second : other) += cycles;
    }
    const auto error = errors.find(op.node);
    const bool known = error != errors.end();
    std::vector<std::string> cells = {
        op.op,
        op.node,
        op.engine,
        grouped(op.end_cycle),
        op.engine == "matrix" ? fmt::format("{:.1f}", op.utilization * 100.0) : std::string("-"),
        grouped(op.array_busy_cycles),
        grouped(shown["load"]),
        grouped(shown["vector"]),
        grouped(shown["store"]),
        grouped(other),
        fmt::format("{:.1f}", static_cast<double>(op.dram_read_bytes + op.dram_write_bytes) / 1e3),
        known ? error_text(error->second->local) : "-",
        known ? error_text(error->second->total) : "-"};
    if (!labels.empty()) cells.push_back(label_cell(labels, op.node));
    table.row(std::move(cells));
  }
  return table.aligned();
}

std::string coverage_table_of(const Result& result, bool details) {
  const std::string text = coverage_counts(result).aligned();
  const TextTable gaps = coverage_gaps(result);
  return !details || gaps.rows() == 0 ? text : text + "\n" + gaps.aligned();
}

std::string coverage_markdown_of(const Result& result, bool details) {
  const std::string text = coverage_counts(result).markdown();
  const TextTable gaps = coverage_gaps(result);
  return !details || gaps.rows() == 0 ? text : text + "\n" + gaps.markdown();
}

}  // namespace npusim::sim
