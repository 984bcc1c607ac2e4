// SPDX-License-Identifier: Apache-2.0
#include "sim/training/train_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "sim/training/training_log.h"
#include "sim/version.h"
#include "sim/writers/text_table.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

double largest_seconds(const TrainResult& result) {
  double seconds = 0.0;
  for (const TrainRun& run : result.runs) seconds = std::max(seconds, run.step_seconds.value_or(0));
  return seconds;
}

/// Shares over all gradients that were looked at.
struct Totals {
  std::int64_t count = 0, nonzero = 0, flushed = 0, overflowed = 0, masked = 0;
  std::int64_t recovered = 0;
  explicit Totals(const TrainRun& run) {
    for (const GradientStatistics& s : run.gradients) {
      count += s.count;
      nonzero += s.count - s.zeros;
      flushed += s.flushed;
      overflowed += s.overflowed + s.nonfinite;
      masked += s.masked;
      recovered += s.recovered.back();
    }
  }
};

std::string percent(std::int64_t part, std::int64_t whole) {
  return whole > 0
             ? fmt::format("{:.3f}", 100.0 * static_cast<double>(part) / static_cast<double>(whole))
             : "-";
}

std::string stalled_cell(const TrainRun& run) {
  std::int64_t stalled = 0, with_gradient = 0;
  for (const UpdateStatistics& update : run.updates) {
    stalled += update.stalled;
    with_gradient += update.with_gradient;
  }
  return percent(stalled, with_gradient);
}

std::vector<std::string> row_of(const TrainResult& result, const TrainRun& run) {
  std::vector<std::string> cells = {run.recipe};
  const bool evaluated = !run.evaluations.empty();
  const Evaluation last = evaluated ? run.evaluations.back() : Evaluation{};
  cells.push_back(evaluated ? fmt::format("{:.2f}", 100.0 * last.accuracy) : "-");
  const bool compared = evaluated && !result.reference.evaluations.empty();
  const Evaluation fp32 = compared ? result.reference.evaluations.back() : Evaluation{};
  cells.push_back(compared ? fmt::format("{:+.2f}", 100.0 * (last.accuracy - fp32.accuracy)) : "-");
  cells.push_back(evaluated ? fmt::format("{:.4f}", last.loss) : "-");
  cells.push_back(compared ? fmt::format("{:+.4f}", last.loss - fp32.loss) : "-");
  const std::optional<double> same = agreement(run, result.reference);
  cells.push_back(same ? fmt::format("{:.2f}", 100.0 * *same) : "-");
  const Totals totals(run);
  cells.push_back(percent(totals.flushed, totals.nonzero));
  cells.push_back(percent(totals.overflowed, totals.count));
  cells.push_back(stalled_cell(run));
  cells.push_back(std::to_string(run.skipped_steps));
  cells.push_back(run.step_seconds ? fmt::format("{:.4f}", *run.step_seconds * 1e3) : "-");
  const double slowest = largest_seconds(result);
  cells.push_back(
      run.step_seconds && slowest > 0 ? fmt::format("{:.2f}", slowest / *run.step_seconds) : "-");
  cells.push_back(
      run.memory ? fmt::format("{:.2f}", static_cast<double>(run.memory->peak_bytes) / 1e6) : "-");
  cells.push_back(name_of(run.status) + std::string(mark_of(run.hypothetical)) +
                  (run.error.empty() ? "" : ": " + run.error));
  return cells;
}

TextTable table(const TrainResult& result) {
  TextTable table;
  table.column("recipe");
  for (const char* number :
       {"accuracy [%]", "vs FP32", "loss", "vs FP32", "agreement [%]", "underflow [%]",
        "overflow [%]", "stalled [%]", "skipped", "step [ms]", "speed-up", "memory [MB]"})
    table.column(number, true);
  table.column("status");
  if (!result.reference.recipe.empty()) {
    TrainRun reference = result.reference;
    reference.recipe += " (reference)";
    table.row(row_of(result, reference));
  }
  for (const TrainRun& run : result.runs) table.row(row_of(result, run));
  return table;
}

JsonValue json_of(const GradientStatistics& s) {
  JsonValue v = JsonValue::make_object();
  v.set("step", s.step);
  v.set("tensor", s.tensor);
  v.set("role", s.role);
  v.set("format", s.format);
  v.set("loss_scale", s.scale);
  v.set("count", s.count);
  v.set("zeros", s.zeros);
  v.set("flushed", s.flushed);
  v.set("subnormal", s.subnormal);
  v.set("overflowed", s.overflowed);
  v.set("nonfinite", s.nonfinite);
  v.set("masked", s.masked);
  v.set("largest", s.largest);
  v.set("smallest", s.smallest);
  v.set("signed_bias", s.signed_bias);
  JsonValue exponents = JsonValue::make_object();
  for (const auto& [exponent, count] : s.exponents) exponents.set(std::to_string(exponent), count);
  v.set("exponents", std::move(exponents));
  JsonValue scales = JsonValue::make_array();
  for (std::size_t k = 0; k < kRecoveryExponents.size(); ++k) {
    JsonValue scale = JsonValue::make_object();
    scale.set("scale", std::int64_t{1} << kRecoveryExponents[k]);
    scale.set("recovered", s.recovered[k]);
    scale.set("overflowing", s.overflowing[k]);
    scales.push_back(std::move(scale));
  }
  v.set("scales", std::move(scales));
  return v;
}

JsonValue json_of(const UpdateStatistics& s) {
  JsonValue v = JsonValue::make_object();
  v.set("step", s.step);
  v.set("weights", s.weights);
  v.set("with_gradient", s.with_gradient);
  v.set("stalled", s.stalled);
  v.set("small_updates", s.small_updates);
  v.set("working_drift", s.working_drift);
  return v;
}

JsonValue json_of(const Evaluation& e) {
  JsonValue v = JsonValue::make_object();
  v.set("step", e.step);
  v.set("loss", e.loss);
  v.set("perplexity", workloads::det_exp(e.loss));
  v.set("accuracy", e.accuracy);
  if (e.mean_iou) v.set("mean_iou", *e.mean_iou);
  v.set("labels", e.labels);
  return v;
}

template <class T, class Write>
JsonValue list_of(const std::vector<T>& items, const Write& write) {
  JsonValue list = JsonValue::make_array();
  for (const T& item : items) list.push_back(write(item));
  return list;
}

JsonValue json_of(const StepRecord& s) {
  JsonValue v = JsonValue::make_object();
  v.set("step", s.step);
  v.set("loss", s.loss);
  v.set("loss_scale", s.scale);
  v.set("learning_rate", s.learning_rate);
  v.set("skipped", s.skipped);
  return v;
}

JsonValue json_of(const TrainRun& run, const TrainRun& reference) {
  JsonValue v = JsonValue::make_object();
  v.set("recipe", run.recipe);
  v.set("status", name_of(run.status));
  v.set("error", run.error);
  const auto each = [](const auto& item) { return json_of(item); };
  v.set("evaluations", list_of(run.evaluations, each));
  const std::optional<double> same = agreement(run, reference);
  v.set("agreement", same ? JsonValue::make_real(*same) : JsonValue::make_null());
  v.set("steps", list_of(run.steps, each));
  v.set("skipped_steps", run.skipped_steps);
  v.set("loss_scaling", run.scaling_verdict);
  JsonValue first = JsonValue::make_null();
  if (run.first_nonfinite.step >= 0) {
    first = JsonValue::make_object();
    first.set("step", run.first_nonfinite.step);
    first.set("op", run.first_nonfinite.op);
    first.set("tensor", run.first_nonfinite.tensor);
  }
  v.set("first_nonfinite", std::move(first));
  v.set("gradients", list_of(run.gradients, each));
  v.set("updates", list_of(run.updates, each));
  v.set("step_seconds",
        run.step_seconds ? JsonValue::make_real(*run.step_seconds) : JsonValue::make_null());
  if (run.cluster) v.set("cluster", sim::json_of(*run.cluster));
  if (!run.hypothetical.empty()) v.set("hypothetical", sim::json_of(run.hypothetical));
  v.set("memory", run.memory ? sim::json_of(*run.memory) : JsonValue::make_null());
  v.set("weights_hash", base::hex64(run.weights_hash));
  JsonValue host = JsonValue::make_object();
  host.set("seconds", run.host_seconds);
  v.set("host", std::move(host));
  return v;
}

/// Of detectors.
std::string overlap_line(const TrainRun& run, const TrainRun& reference) {
  if (run.evaluations.empty() || !run.evaluations.back().mean_iou) return "";
  std::string line =
      fmt::format("{}: mean IoU {:.4f}", run.recipe, *run.evaluations.back().mean_iou);
  if (!reference.evaluations.empty() && reference.evaluations.back().mean_iou)
    line += fmt::format(" (FP32 {:.4f})", *reference.evaluations.back().mean_iou);
  return line + "\n";
}

}  // namespace

std::optional<double> agreement(const TrainRun& run, const TrainRun& reference) {
  if (run.evaluations.empty() || reference.evaluations.empty()) return std::nullopt;
  const std::vector<std::int32_t>& a = run.evaluations.back().predictions;
  const std::vector<std::int32_t>& b = reference.evaluations.back().predictions;
  if (a.empty() || a.size() != b.size()) return std::nullopt;
  std::int64_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(a.size());
}

base::JsonValue json_of(const TrainResult& result) {
  JsonValue v = JsonValue::make_object();
  v.set("schema_version", 1);
  v.set("kind", "train_result");
  v.set("tool_version", version());
  v.set("npu", result.npu);
  v.set("workload", result.workload);
  v.set("data", result.data);
  v.set("seed", static_cast<std::int64_t>(result.seed));
  v.set("batch", result.batch);
  if (!result.warnings.empty())
    v.set("warnings", list_of(result.warnings, [](const std::string& text) {
            return JsonValue::make_string(text);
          }));
  v.set("reference", result.reference.recipe.empty() ? JsonValue::make_null()
                                                     : json_of(result.reference, result.reference));
  v.set("runs",
        list_of(result.runs, [&](const TrainRun& run) { return json_of(run, result.reference); }));
  return v;
}

std::string table_of(const TrainResult& result) {
  std::string text = table(result).aligned();
  for (const TrainRun& run : result.runs) {
    text += overlap_line(run, result.reference);
    if (!run.hypothetical.empty()) text += run.recipe + ": " + text_of(run.hypothetical) + "\n";
    if (run.cluster) text += run.recipe + ": " + text_of(*run.cluster) + "\n";
    if (!run.scaling_verdict.empty())
      text += run.recipe + ": loss scaling " + run.scaling_verdict + "\n";
    if (run.first_nonfinite.step >= 0)
      text +=
          fmt::format("{}: first NaN or infinity in step {}, {} ({})\n", run.recipe,
                      run.first_nonfinite.step, run.first_nonfinite.op, run.first_nonfinite.tensor);
    const Totals totals(run);
    if (totals.masked > 0)
      text +=
          fmt::format("{}: {} overflows are masked by saturation: loss scaling cannot see them\n",
                      run.recipe, totals.masked);
    if (totals.flushed > 0)
      text +=
          fmt::format("{}: a loss scale 32768 times larger would save {} % of what underflows\n",
                      run.recipe, percent(totals.recovered, totals.flushed));
  }
  return text;
}

std::string markdown_of(const TrainResult& result) {
  std::string text = table(result).markdown();
  for (const TrainRun& run : result.runs)
    if (!run.hypothetical.empty())
      text += "\n" + run.recipe + ": " + text_of(run.hypothetical) + "\n";
  return text;
}

std::string csv_of(const TrainResult& result) {
  return table(result).csv();
}

}  // namespace npusim::sim
