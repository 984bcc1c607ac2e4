// SPDX-License-Identifier: Apache-2.0
#include "sim/training/train_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/writers/text_table.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

using Cells = std::vector<std::pair<std::string, std::string>>;  // (header, cell)

/// What was seen of all gradients and updates that were looked at.
struct Totals {
  std::int64_t count = 0, nonzero = 0, flushed = 0, overflowed = 0, masked = 0;
  std::int64_t recovered = 0, overflowing = 0;
  std::int64_t with_gradient = 0, stalled = 0, small_updates = 0;
  const GradientStatistics* most_biased = nullptr;
  explicit Totals(const TrainRun& run) {
    for (const GradientStatistics& s : run.gradients) {
      count += s.count;
      nonzero += s.count - s.zeros;
      flushed += s.flushed;
      overflowed += s.overflowed + s.nonfinite;
      masked += s.masked;
      recovered += s.recovered.back();
      overflowing += s.overflowing.back();
      if (most_biased == nullptr || std::fabs(s.signed_bias) > std::fabs(most_biased->signed_bias))
        most_biased = &s;
    }
    for (const UpdateStatistics& s : run.updates) {
      with_gradient += s.with_gradient;
      stalled += s.stalled;
      small_updates += s.small_updates;
    }
  }
};

/// Copies whose distance from the working weights was looked at.
bool has_masters(const TrainRun& run) {
  return !run.updates.empty() && run.updates.back().master_squares > 0.0;
}

constexpr int kLargestScale = 1 << kRecoveryExponents.back();

std::string percent(std::int64_t part, std::int64_t whole) {
  return whole > 0
             ? fmt::format("{:.3f}", 100.0 * static_cast<double>(part) / static_cast<double>(whole))
             : "-";
}

template <class... Values>
std::string cell(bool known, const char* format, const Values&... values) {
  return known ? fmt::format(fmt::runtime(format), values...) : "-";
}

Cells row_of(const TrainResult& result, const TrainRun& run) {
  const Evaluation* const own = outcome(run);
  const Evaluation* const reference = outcome(result.reference);
  const bool known = own != nullptr, compared = known && reference != nullptr;
  const Evaluation last = known ? *own : Evaluation{};
  const Evaluation fp32 = compared ? *reference : Evaluation{};
  Cells cells = {
      {"recipe", run.recipe},
      {"accuracy [%]", cell(known, "{:.2f}", 100.0 * last.accuracy)},
      {"accuracy vs FP32", cell(compared, "{:+.2f}", 100.0 * (last.accuracy - fp32.accuracy))},
      {"loss", cell(known, "{:.4f}", last.loss)},
      {"loss vs FP32", cell(compared, "{:+.4f}", last.loss - fp32.loss)}};
  if (result.sequences) {
    const std::optional<double> change = perplexity_difference(run, result.reference);
    cells.emplace_back("perplexity", cell(known, "{:.4g}", workloads::det_exp(last.loss)));
    cells.emplace_back("perplexity vs FP32",
                       cell(change.has_value(), "{:+.4g}", change.value_or(0)));
  }
  const std::optional<double> same = agreement(run, result.reference);
  const std::optional<double> faster = speed_up(run, result);
  const Totals totals(run);
  const bool fits = run.memory.has_value();
  const Cells more = {
      {"agreement [%]", cell(same.has_value(), "{:.2f}", 100.0 * same.value_or(0))},
      {"underflow [%]", percent(totals.flushed, totals.nonzero)},
      {"overflow [%]", percent(totals.overflowed, totals.count)},
      {"stalled [%]", percent(totals.stalled, totals.with_gradient)},
      {"skipped", std::to_string(run.skipped_steps)},
      {"step [ms]",
       cell(run.step_seconds.has_value(), "{:.4f}", run.step_seconds.value_or(0) * 1e3)},
      {"speed-up", cell(faster.has_value(), "{:.2f}", faster.value_or(0))},
      {"memory [MB]",
       cell(fits, "{:.2f}", fits ? static_cast<double>(run.memory->peak_bytes) / 1e6 : 0.0)},
      {"status", name_of(run.status) + std::string(mark_of(run.hypothetical)) +
                     (run.error.empty() ? "" : ": " + run.error)}};
  cells.insert(cells.end(), more.begin(), more.end());
  return cells;
}

/// What the CSV has beyond the table: what lines beneath the table say.
void add_details(const TrainRun& run, Cells& cells) {
  const Totals totals(run);
  const Evaluation* const last = outcome(run);
  const bool overlaps = last != nullptr && last->mean_iou.has_value();
  const bool looked = totals.most_biased != nullptr, located = run.first_nonfinite.step >= 0;
  const std::string scale = std::to_string(kLargestScale);
  const Cells more = {
      {"small updates [%]", percent(totals.small_updates, totals.with_gradient)},
      {"working drift",
       cell(has_masters(run), "{:.3e}", has_masters(run) ? run.updates.back().working_drift : 0.0)},
      {"signed bias", cell(looked, "{:+.3e}", looked ? totals.most_biased->signed_bias : 0.0)},
      {"masked overflows", cell(looked, "{}", totals.masked)},
      {"saved by scale x " + scale + " [%]", percent(totals.recovered, totals.flushed)},
      {"overflow at scale x " + scale + " [%]", percent(totals.overflowing, totals.count)},
      {"first NaN step", cell(located, "{}", run.first_nonfinite.step)},
      {"first NaN op", cell(located, "{}", run.first_nonfinite.op)},
      {"first NaN tensor", cell(located, "{}", run.first_nonfinite.tensor)},
      {"loss scaling", cell(!run.scaling_verdict.empty(), "{}", run.scaling_verdict)},
      {"mean IoU", cell(overlaps, "{:.4f}", overlaps ? *last->mean_iou : 0.0)}};
  cells.insert(cells.end() - 1, more.begin(), more.end());  // the status stays last
}

TextTable table(const TrainResult& result, bool details) {
  std::vector<Cells> rows;
  if (!result.reference.recipe.empty()) {
    TrainRun reference = result.reference;
    reference.recipe += " (reference)";
    // Its time and memory are those of FP32 on the NPU.
    reference.step_seconds = result.fp32_step.step_seconds;
    if (reference.step_seconds) reference.memory = result.fp32_step.memory;
    rows.push_back(row_of(result, reference));
    if (details) add_details(reference, rows.back());
  }
  for (const TrainRun& run : result.runs) {
    rows.push_back(row_of(result, run));
    if (details) add_details(run, rows.back());
  }
  TextTable table;
  const Cells& headers = rows.empty() ? Cells{} : rows.front();
  for (const auto& [header, cell] : headers)
    table.column(header, header != "recipe" && header != "status");
  for (const Cells& row : rows) {
    std::vector<std::string> cells;
    for (const auto& item : row) cells.push_back(item.second);
    table.row(std::move(cells));
  }
  return table;
}

/// Of detectors.
std::string overlap_line(const TrainRun& run, const TrainRun& reference) {
  const Evaluation* const last = outcome(run);
  if (last == nullptr || !last->mean_iou) return "";
  std::string line = fmt::format("mean IoU {:.4f}", *last->mean_iou);
  const Evaluation* const fp32 = outcome(reference);
  if (fp32 != nullptr && fp32->mean_iou) line += fmt::format(" (FP32 {:.4f})", *fp32->mean_iou);
  return line;
}

std::string update_line(const TrainRun& run, const Totals& totals) {
  if (totals.with_gradient == 0) return "";
  std::string line = fmt::format("|w| >= 2048 |dw| in {} % of the updates",
                                 percent(totals.small_updates, totals.with_gradient));
  if (has_masters(run))
    line += fmt::format("; working weights {:.3e} from master", run.updates.back().working_drift);
  return line;
}

/// Of one run.
std::vector<std::string> lines_of(const TrainRun& run, const TrainRun& reference) {
  const Totals totals(run);
  std::vector<std::string> lines = {overlap_line(run, reference)};
  if (!run.hypothetical.empty()) lines.push_back(text_of(run.hypothetical));
  if (run.cluster) lines.push_back(text_of(*run.cluster));
  if (!run.scaling_verdict.empty()) lines.push_back("loss scaling " + run.scaling_verdict);
  if (run.first_nonfinite.step >= 0)
    lines.push_back(fmt::format("first NaN or infinity in step {}, {} ({})",
                                run.first_nonfinite.step, run.first_nonfinite.op,
                                run.first_nonfinite.tensor));
  lines.push_back(update_line(run, totals));
  if (totals.most_biased != nullptr && totals.most_biased->signed_bias != 0.0)
    lines.push_back(fmt::format("signed bias of gradients up to {:+.3e} ({}, step {})",
                                totals.most_biased->signed_bias, totals.most_biased->tensor,
                                totals.most_biased->step));
  if (totals.masked > 0)
    lines.push_back(fmt::format(
        "{} overflows are masked by saturation: loss scaling cannot see them", totals.masked));
  if (totals.flushed > 0)
    lines.push_back(fmt::format(
        "a loss scale {} times larger would save {} % of what underflows and overflow {} % of all "
        "values",
        kLargestScale, percent(totals.recovered, totals.flushed),
        percent(totals.overflowing, totals.count)));
  lines.erase(std::remove(lines.begin(), lines.end(), ""), lines.end());
  return lines;
}

std::string base_line(const TrainResult& result) {
  const TrainRun* const base = speed_base(result);
  if (base == nullptr) return "";
  if (base != &result.fp32_step)
    return fmt::format("speed-up is against {}, the slowest here{}", base->recipe,
                       result.fp32_step.error.empty() ? "" : ": " + result.fp32_step.error);
  return fmt::format("speed-up is against {} on {}: {:.4f} ms, {:.2f} MB a step", base->recipe,
                     result.npu, *base->step_seconds * 1e3,
                     static_cast<double>(base->memory->peak_bytes) / 1e6);
}

/// Beneath the table, in the terminal and in Markdown.
std::vector<std::string> lines_of(const TrainResult& result) {
  std::vector<std::string> lines;
  for (const TrainRun& run : result.runs)
    for (const std::string& line : lines_of(run, result.reference))
      lines.push_back(run.recipe + ": " + line);
  const std::string base = base_line(result);
  if (!base.empty()) lines.push_back(base);
  return lines;
}

}  // namespace

const Evaluation* outcome(const TrainRun& run) {
  return run.status == TrainStatus::ok && !run.evaluations.empty() ? &run.evaluations.back()
                                                                   : nullptr;
}

std::optional<double> agreement(const TrainRun& run, const TrainRun& reference) {
  const Evaluation *const own = outcome(run), *const other = outcome(reference);
  if (own == nullptr || other == nullptr) return std::nullopt;
  const std::vector<std::int32_t>&a = own->predictions, &b = other->predictions;
  if (a.empty() || a.size() != b.size()) return std::nullopt;
  std::int64_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(a.size());
}

std::optional<double> perplexity_difference(const TrainRun& run, const TrainRun& reference) {
  const Evaluation *const own = outcome(run), *const other = outcome(reference);
  if (own == nullptr || other == nullptr) return std::nullopt;
  return workloads::det_exp(own->loss) - workloads::det_exp(other->loss);
}

const TrainRun* speed_base(const TrainResult& result) {
  if (result.fp32_step.step_seconds) return &result.fp32_step;
  const TrainRun* slowest = nullptr;
  for (const TrainRun& run : result.runs)
    if (run.step_seconds && (slowest == nullptr || *run.step_seconds > *slowest->step_seconds))
      slowest = &run;
  return slowest;
}

std::optional<double> speed_up(const TrainRun& run, const TrainResult& result) {
  const TrainRun* const base = speed_base(result);
  if (base == nullptr || !run.step_seconds || *run.step_seconds <= 0.0) return std::nullopt;
  return *base->step_seconds / *run.step_seconds;
}

std::string table_of(const TrainResult& result) {
  std::string text = table(result, false).aligned();
  for (const std::string& line : lines_of(result)) text += line + "\n";
  return text;
}

std::string markdown_of(const TrainResult& result) {
  std::string text = table(result, false).markdown();
  const std::vector<std::string> lines = lines_of(result);
  if (!lines.empty()) text += "\n";
  for (const std::string& line : lines) text += "- " + line + "\n";
  return text;
}

std::string csv_of(const TrainResult& result) {
  return table(result, true).csv();
}

}  // namespace npusim::sim
