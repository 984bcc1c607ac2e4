// SPDX-License-Identifier: Apache-2.0
#include "sim/training/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "sim/training/train_report.h"
#include "workloads/op.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

/// The scenarios in the formats that an NPU takes; "" where there is none.
struct Family {
  std::string plain, wide_accumulator, last_layer, wide_weights, statistics, scaling;
};

Family family_of(const npu::NpuSpec& npu) {
  const auto takes = [&](const char* format) {
    return std::any_of(
        npu.mac_array.inputs.begin(), npu.mac_array.inputs.end(),
        [&](const npu::InputMode& mode) { return npu::operands_of(mode).name() == format; });
  };
  const Family bf16 = {"bf16_fp32_master",          "bf16_fp32_accumulate",
                       "bf16_last_layer_fp32",      "bf16_activations_fp32_weights",
                       "bf16_fp32_norm_statistics", "bf16_dynamic_scale"};
  if (takes("bf16")) return bf16;
  if (takes("fp16")) return {"fp16_fp32_master", "", "", "", "", "fp16_dynamic_scale"};
  if (npu.what_if) return bf16;
  throw npu::UnsupportedError(npu.name + " takes neither BF16 nor FP16 operands");
}

class Adviser {
 public:
  Adviser(const TrainRequest& request, const AdviceLimits& limits)
      : request_(request), limits_(limits) {
    npu_ = npu::load_npu(request.npu_file, overrides_of(request.overrides, "npu"));
    npu_.what_if = request.what_if;
    workload_ = workloads::load_workload(request.workload_file,
                                         overrides_of(request.overrides, "workload"));
    family_ = family_of(npu_);
  }

  Advice run() {
    const bool fine = try_recipe(family_.plain);
    ask("Does " + family_.plain + " keep up with FP32?", compared(first()), fine, family_.plain);
    if (first().status == TrainStatus::unsupported) {
      advice_.reason = "the NPU cannot run scenario 1: " + first().error;
    } else if (first().status == TrainStatus::interrupted) {
      advice_.reason = "interrupted";
    } else if (fine) {
      recommend(family_.plain, "scenario 1 trains as FP32 does: " + compared(first()));
      consider_memory();
    } else {
      walk();
    }
    return std::move(advice_);
  }

 private:
  const TrainRun& first() const { return advice_.experiment.runs.front(); }

  void ask(const std::string& question, const std::string& seen, bool yes,
           const std::string& tried) {
    advice_.questions.push_back({question, seen, yes, tried});
  }
  void recommend(const std::string& recipe, const std::string& reason) {
    advice_.recommended = recipe;
    advice_.reason = reason;
  }

  /// True when the recipe trains as well as FP32.
  bool try_recipe(const std::string& recipe) {
    TrainRequest request = request_;
    request.recipe_files = {find_file("recipe", recipe)};
    request.reference = advice_.experiment.runs.empty();
    TrainResult result = train_all(request);
    if (request.reference)
      advice_.experiment = std::move(result);
    else
      advice_.experiment.runs.push_back(std::move(result.runs.front()));
    return as_good(advice_.experiment.runs.back());
  }

  bool as_good(const TrainRun& run) const {
    const TrainRun& fp32 = advice_.experiment.reference;
    if (run.status != TrainStatus::ok || run.evaluations.empty() || fp32.evaluations.empty())
      return false;
    const Evaluation &a = run.evaluations.back(), &b = fp32.evaluations.back();
    return a.accuracy >= b.accuracy - limits_.accuracy_points / 100.0 &&
           a.loss <= b.loss * (1.0 + limits_.loss_share);
  }

  std::string compared(const TrainRun& run) const {
    if (run.evaluations.empty()) return name_of(run.status);
    const Evaluation& a = run.evaluations.back();
    const TrainRun& fp32 = advice_.experiment.reference;
    const Evaluation b = fp32.evaluations.empty() ? Evaluation{} : fp32.evaluations.back();
    return fmt::format("{}{}: accuracy {:.2f} % (FP32 {:.2f} %), loss {:.4f} (FP32 {:.4f})",
                       name_of(run.status), mark_of(run.hypothetical), 100.0 * a.accuracy,
                       100.0 * b.accuracy, a.loss, b.loss);
  }

  /// Scenario 1 is good enough: is the memory full of activations?
  void consider_memory() {
    if (!first().memory) return;
    const npu::MemoryFootprint memory = *first().memory;
    const double share = static_cast<double>(memory.most[npu::MemoryKind::activations]) /
                         static_cast<double>(std::max<std::int64_t>(1, memory.peak_bytes));
    const double full = static_cast<double>(memory.peak_bytes) /
                        static_cast<double>(std::max<std::int64_t>(1, npu_.dram.capacity_bytes));
    const bool bound = full > limits_.memory && share > limits_.activations;
    const bool can = bound && !family_.wide_weights.empty();
    ask("Do activations fill the memory?",
        fmt::format(
            "a step needs {:.2f} MB, {:.2f} % of the NPU's memory; {:.0f} % are activations",
            static_cast<double>(memory.peak_bytes) / 1e6, 100.0 * full, 100.0 * share),
        bound, can ? family_.wide_weights : "");
    if (!can || !try_recipe(family_.wide_weights)) return;
    const TrainRun& run = advice_.experiment.runs.back();
    if (run.memory && run.memory->peak_bytes < memory.peak_bytes)
      recommend(run.recipe,
                fmt::format("it trains as FP32 does and needs {:.2f} MB instead of {:.2f}",
                            static_cast<double>(run.memory->peak_bytes) / 1e6,
                            static_cast<double>(memory.peak_bytes) / 1e6));
  }

  /// A question whose answer names a recipe; true when that recipe is good.
  bool settle(const std::string& question, const std::string& seen, bool yes,
              const std::string& recipe) {
    const bool tried = yes && !recipe.empty();
    ask(question, seen, yes, tried ? recipe : "");
    if (!tried || !try_recipe(recipe)) return false;
    recommend(recipe, seen + "; with it " + compared(advice_.experiment.runs.back()));
    return true;
  }

  void walk() {
    const FirstNonfinite bad = first().first_nonfinite;
    const bool last = bad.step >= 0 && in_last_layer(bad.op);
    const std::string where =
        bad.step < 0 ? "no NaN or infinity"
                     : fmt::format("first in step {}, {}{}", bad.step, bad.op,
                                   last ? ", in the last layer" : ", not in the last layer");
    if (settle("NaN or infinity in the last layer only?", where, last, family_.last_layer)) return;
    const double drift = statistics_drift();
    if (settle("Do the running statistics of normalisations drift?",
               fmt::format("{:.2f} % from FP32's", 100.0 * drift), drift > limits_.drift,
               family_.statistics))
      return;
    const double lost = underflow_share();
    if (settle("Are gradients too small?",
               fmt::format("{:.2f} % of the non-zero ones underflow", 100.0 * lost),
               lost > limits_.underflow, family_.scaling))
      return;
    if (settle("Is it the accumulator?", "none of the above explains the loss",
               accumulates_narrow(), family_.wide_accumulator))
      return;
    advice_.reason = "no recipe tried trains as FP32 does";
  }

  bool accumulates_narrow() const {
    return npu_.mac_array.accumulator.arithmetic.format.name != "fp32";
  }

  /// The last product of the forward graph, what follows it, and their gradients.
  bool in_last_layer(const std::string& op) const {
    const std::vector<workloads::Node>& nodes = workload_.graph.nodes;
    for (std::size_t i = nodes.size(); i-- > 0;) {
      if (op == nodes[i].name || op.rfind(nodes[i].name + ".", 0) == 0) return true;
      if (workloads::ops().at(nodes[i].op).op_class() == workloads::OpClass::matrix) break;
    }
    return op == "loss" || op.rfind("loss.", 0) == 0;
  }

  double statistics_drift() const {
    double error = 0.0, size = 0.0;
    for (const auto& [name, fp32] : advice_.experiment.reference.statistics) {
      const auto found = first().statistics.find(name);
      if (found == first().statistics.end()) continue;
      for (std::size_t i = 0; i < fp32.size(); ++i) {
        error += (found->second[i] - fp32[i]) * (found->second[i] - fp32[i]);
        size += fp32[i] * fp32[i];
      }
    }
    return size > 0.0 ? std::sqrt(error / size) : 0.0;
  }

  double underflow_share() const {
    std::int64_t flushed = 0, nonzero = 0;
    for (const GradientStatistics& s : first().gradients) {
      flushed += s.flushed;
      nonzero += s.count - s.zeros;
    }
    return nonzero > 0 ? static_cast<double>(flushed) / static_cast<double>(nonzero) : 0.0;
  }

  const TrainRequest& request_;
  const AdviceLimits limits_;
  npu::NpuSpec npu_;
  workloads::Workload workload_;
  Family family_;
  Advice advice_;
};

}  // namespace

Advice advise(const TrainRequest& request, const AdviceLimits& limits) {
  return Adviser(request, limits).run();
}

base::JsonValue json_of(const Advice& advice) {
  using base::JsonValue;
  JsonValue v = JsonValue::make_object();
  v.set("schema_version", 1);
  v.set("kind", "advice");
  v.set("recommended", advice.recommended.empty() ? JsonValue::make_null()
                                                  : JsonValue::make_string(advice.recommended));
  v.set("reason", advice.reason);
  JsonValue questions = JsonValue::make_array();
  for (const AdviceQuestion& q : advice.questions) {
    JsonValue item = JsonValue::make_object();
    item.set("question", q.question);
    item.set("seen", q.seen);
    item.set("yes", q.yes);
    item.set("tried", q.tried.empty() ? JsonValue::make_null() : JsonValue::make_string(q.tried));
    questions.push_back(std::move(item));
  }
  v.set("questions", std::move(questions));
  v.set("experiment", json_of(advice.experiment));
  return v;
}

namespace {

std::string questions_of(const Advice& advice, const std::string& bullet) {
  std::string text;
  for (const AdviceQuestion& q : advice.questions) {
    text += bullet + q.question + " " + (q.yes ? "Yes" : "No") + ": " + q.seen;
    if (!q.tried.empty()) text += "; tried " + q.tried;
    text += "\n";
  }
  return text;
}

std::string conclusion(const Advice& advice) {
  if (advice.recommended.empty()) return "No recommendation: " + advice.reason + "\n";
  return "Recommended: " + advice.recommended + ", because " + advice.reason + "\n";
}

}  // namespace

std::string text_of(const Advice& advice) {
  return table_of(advice.experiment) + "\n" + questions_of(advice, "") + conclusion(advice);
}

std::string markdown_of(const Advice& advice) {
  return markdown_of(advice.experiment) + "\n" + questions_of(advice, "- ") + "\n" +
         conclusion(advice);
}

}  // namespace npusim::sim
