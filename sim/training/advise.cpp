// SPDX-License-Identifier: Apache-2.0
#include "sim/training/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>
#include <utility>

#include "base/thread_pool.h"
#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/run_parts.h"
#include "sim/training/first_gradients.h"
#include "workloads/op.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

/// The scenarios in the formats that an NPU takes.
struct Family {
  std::string plain, wide_accumulator, last_layer, wide_weights, statistics, scaling;
};

Family family_in(const std::string& format) {
  return {format + "_fp32_master",          format + "_fp32_accumulate",
          format + "_last_layer_fp32",      format + "_activations_fp32_weights",
          format + "_fp32_norm_statistics", format + "_dynamic_scale"};
}

/// nullopt: none.
std::optional<Family> family_of(const npu::NpuSpec& npu) {
  const auto takes = [&](const char* format) {
    return std::any_of(
        npu.mac_array.inputs.begin(), npu.mac_array.inputs.end(),
        [&](const npu::InputMode& mode) { return npu::operands_of(mode).name() == format; });
  };
  if (takes("bf16")) return family_in("bf16");
  if (takes("fp16")) return family_in("fp16");
  if (npu.what_if) return family_in("bf16");
  return std::nullopt;
}

std::string operands_of(const npu::NpuSpec& npu) {
  std::string names;
  for (const npu::InputMode& mode : npu.mac_array.inputs)
    names += (names.empty() ? "" : ", ") + npu::operands_of(mode).name();
  return names;
}

double megabytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

std::string with(const std::string& recipe, const std::string& setting) {
  return setting.empty() ? recipe : recipe + " with " + setting;
}

class Adviser {
 public:
  Adviser(const TrainRequest& request, const AdviceLimits& limits)
      : request_(request), limits_(limits) {
    npu_ = npu::load_npu(request.npu_file, overrides_of(request.overrides, "npu"));
    npu_.what_if = request.what_if;
    workload_ = workloads::load_workload(request.workload_file,
                                         overrides_of(request.overrides, "workload"));
    const std::optional<Family> family = family_of(npu_);
    takes_16_bits_ = family.has_value();
    family_ = family.value_or(family_in("bf16"));
  }

  Advice run() {
    const bool fine = try_recipe(family_.plain);
    const TrainRun& plain = first();
    if (!takes_16_bits_)
      advice_.reason =
          npu_.name + " multiplies neither BF16 nor FP16; it takes " + operands_of(npu_);
    else if (any_interrupted())
      advice_.reason = "interrupted";
    else if (!reference_learns())
      advice_.reason =
          fmt::format("FP32 itself does not learn in {} steps: recipes cannot be told apart",
                      advice_.experiment.reference.steps.size());
    else if (needs_too_much(plain))
      make_it_fit();
    else if (plain.status == TrainStatus::unsupported || plain.status == TrainStatus::failed)
      advice_.reason = "the NPU cannot run scenario 1: " + plain.error;
    else
      go_on(fine);
    if (advice_.recommended.empty() && any_interrupted()) advice_.reason = "interrupted";
    return std::move(advice_);
  }

 private:
  const TrainRun& first() const { return advice_.experiment.runs.front(); }
  const TrainRun& last() const { return advice_.experiment.runs.back(); }

  bool any_interrupted() const {
    const std::vector<TrainRun>& runs = advice_.experiment.runs;
    return advice_.experiment.reference.status == TrainStatus::interrupted ||
           std::any_of(runs.begin(), runs.end(),
                       [](const TrainRun& run) { return run.status == TrainStatus::interrupted; });
  }

  void ask(const std::string& question, const std::string& seen, bool yes,
           const std::string& tried) {
    advice_.questions.push_back({question, seen, yes, tried});
  }
  void recommend(const std::string& recipe, const std::string& reason) {
    advice_.recommended = recipe;
    advice_.reason = reason;
  }

  /// Its loss falls by more than a recipe is forgiven: less would forgive one that learns nothing.
  bool reference_learns() {
    const TrainRun& fp32 = advice_.experiment.reference;
    if (fp32.evaluations.empty()) return false;
    const Evaluation &start = fp32.evaluations.front(), &end = fp32.evaluations.back();
    const bool learns = fp32.status == TrainStatus::ok && std::isfinite(end.loss) &&
                        start.loss > end.loss * (1.0 + limits_.loss_share);
    ask("Does FP32 learn?",
        fmt::format("{}: loss {:.5g} at the start, {:.5g} after {} steps; accuracy {:.2f} % then "
                    "{:.2f} %, on {} test labels",
                    name_of(fp32.status), start.loss, end.loss, fp32.steps.size(),
                    100.0 * start.accuracy, 100.0 * end.accuracy, end.labels),
        learns, "");
    return learns;
  }

  void go_on(bool fine) {
    ask("Does " + family_.plain + " keep up with FP32?", compared(first()), fine, family_.plain);
    if (!fine) return walk();
    recommend(family_.plain, "scenario 1 trains as FP32 does: " + compared(first()));
    consider_memory();
  }

  /// True when the recipe trains as well as FP32. `setting` is an override of one value.
  bool try_recipe(const std::string& recipe, const std::string& setting = "") {
    TrainRequest request = request_;
    request.recipe_files = {find_file("recipe", recipe)};
    request.reference = takes_16_bits_ && advice_.experiment.runs.empty();
    if (!setting.empty()) request.overrides.push_back(base::parse_override(setting));
    TrainResult result = train_all(request);
    result.runs.front().recipe = with(recipe, setting);
    if (advice_.experiment.runs.empty())
      advice_.experiment = std::move(result);
    else
      advice_.experiment.runs.push_back(std::move(result.runs.front()));
    return as_good(last());
  }

  workloads::Recipe load(const std::string& recipe) const {
    return workloads::load_recipe(find_file("recipe", recipe),
                                  overrides_of(request_.overrides, "recipe"));
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
    return fmt::format(
        "{}{}: accuracy {:.2f} % (FP32 {:.2f} %), loss {:.4f} (FP32 {:.4f}) on {} test labels "
        "after "
        "{} steps",
        name_of(run.status), mark_of(run.hypothetical), 100.0 * a.accuracy, 100.0 * b.accuracy,
        a.loss, b.loss, a.labels, run.steps.size());
  }

  bool needs_too_much(const TrainRun& run) const {
    return run.status == TrainStatus::unsupported && run.memory &&
           run.memory->peak_bytes > npu_.dram.capacity_bytes;
  }
  double share_of_npu(const npu::MemoryFootprint& memory) const {
    return static_cast<double>(memory.peak_bytes) /
           static_cast<double>(std::max<std::int64_t>(1, npu_.dram.capacity_bytes));
  }
  static double share_of_activations(const npu::MemoryFootprint& memory) {
    return static_cast<double>(memory.most[npu::MemoryKind::activations]) /
           static_cast<double>(std::max<std::int64_t>(1, memory.peak_bytes));
  }
  std::string needed(const npu::MemoryFootprint& memory) const {
    return fmt::format(
        "a step needs {:.2f} MB, {:.2f} % of the NPU's memory; {:.0f} % are activations",
        megabytes(memory.peak_bytes), 100.0 * share_of_npu(memory),
        100.0 * share_of_activations(memory));
  }

  /// Scenario 1 is good enough: is the memory full of activations?
  void consider_memory() {
    if (!first().memory) return;
    const npu::MemoryFootprint memory = *first().memory;
    const bool bound =
        share_of_npu(memory) > limits_.memory && share_of_activations(memory) > limits_.activations;
    ask("Do activations fill the memory?", needed(memory), bound,
        bound ? family_.wide_weights : "");
    if (!bound || !try_recipe(family_.wide_weights)) return;
    const TrainRun& run = last();
    if (run.memory && run.memory->peak_bytes < memory.peak_bytes)
      recommend(run.recipe,
                fmt::format("it trains as FP32 does and needs {:.2f} MB instead of "
                            "{:.2f}",
                            megabytes(run.memory->peak_bytes), megabytes(memory.peak_bytes)));
  }

  /// Scenario 1 does not fit: without a second copy of the weights, or with activations computed
  /// again, in as few parts as fit.
  void make_it_fit() {
    if (settle("Is the memory too small for " + family_.plain + "?", needed(*first().memory), true,
               family_.wide_weights))
      return;
    if (workload_.training->recompute_segments == 0) {
      const auto [seen, segments] = recomputed();
      if (settle("Does it fit with activations computed again?", seen, segments > 0, family_.plain,
                 fmt::format("workload.training.recompute_segments={}", segments)))
        return;
    }
    advice_.reason = "the NPU's memory is too small: " + needed(*first().memory) +
                     "; nothing tried fits and trains as FP32 does";
  }

  /// What is seen of scenario 1 with the forward pass in parts that are computed again, and in how
  /// many it fits (0: in none tried).
  std::pair<std::string, int> recomputed() const {
    std::int64_t least = first().memory->peak_bytes;
    const workloads::Recipe recipe = load(family_.plain);
    workloads::Workload workload = workload_;
    for (const int segments : {2, 4, 8, 16}) {
      workload.training->recompute_segments = segments;
      try {
        const TrainMappings mappings = map_training(npu_, workload, recipe);
        return {fmt::format("in {} parts {}", segments, needed(mappings.step.memory)), segments};
      } catch (const DoesNotFitError& error) {
        least = std::min(least, error.memory.peak_bytes);
      } catch (const npu::UnsupportedError& error) {
        return {error.what(), 0};
      } catch (const base::InputError& error) {  // random ops are not computed again
        return {error.what(), 0};
      }
    }
    return {fmt::format("in 2 to 16 parts a step needs {:.2f} MB at least", megabytes(least)), 0};
  }

  /// A question whose answer names a recipe; true when that recipe is good.
  bool settle(const std::string& question, const std::string& seen, bool yes,
              const std::string& recipe, const std::string& setting = "") {
    ask(question, seen, yes, yes ? with(recipe, setting) : "");
    if (!yes || !try_recipe(recipe, setting)) return false;
    recommend(recipe, seen + "; with it " + compared(last()));
    advice_.setting = setting;
    return true;
  }

  void walk() {
    const FirstNonfinite bad = first().first_nonfinite;
    const bool at_end = bad.step >= 0 && in_last_layer(bad.op);
    const std::string where =
        bad.step < 0 ? "no NaN or infinity"
                     : fmt::format("first in step {}, {}{}", bad.step, bad.op,
                                   at_end ? ", in the last layer" : ", not in the last layer");
    if (settle("NaN or infinity in the last layer only?", where, at_end, family_.last_layer))
      return;
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
    const auto [seen, accumulates_too_narrow] = accumulator();
    if (settle("Is it the accumulator?", seen, accumulates_too_narrow, family_.wide_accumulator))
      return;
    advice_.reason = "no recipe tried trains as FP32 does";
  }

  /// What is seen of it and whether most of the error of the first step's weight gradients goes
  /// with FP32 accumulation.
  std::pair<std::string, bool> accumulator() const {
    base::ThreadPool pool(request_.jobs > 0
                              ? request_.jobs
                              : std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
    const precision::ParallelFor parallel = [&pool](std::int64_t count,
                                                    const std::function<void(std::int64_t)>& body) {
      pool.parallel_for(count, body);
    };
    const TrainData data = open_data(workload_, request_.options);
    const auto gradients = [&](const workloads::Recipe& recipe, const TrainMappings& mappings) {
      return first_gradients(workload_, recipe, mappings, data, request_.options.seed, parallel);
    };
    try {
      const workloads::Recipe fp32 = workloads::load_recipe(find_file("recipe", "fp32"));
      const WeightGradients reference = gradients(fp32, map_training(workload_, fp32));
      const auto error = [&](const std::string& name) {
        const workloads::Recipe recipe = load(name);
        return relative_error(gradients(recipe, map_training(npu_, workload_, recipe)), reference);
      };
      const double plain = error(family_.plain), wide = error(family_.wide_accumulator);
      return {fmt::format("weight gradients of the first step are {:.2f} % from FP32's, {:.2f} % "
                          "with FP32 accumulation",
                          100.0 * plain, 100.0 * wide),
              std::isfinite(wide) &&
                  (!std::isfinite(plain) || plain - wide > limits_.accumulation * plain)};
    } catch (const npu::UnsupportedError& error) {
      return {error.what(), false};
    }
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
  bool takes_16_bits_ = true;
  Advice advice_;
};

}  // namespace

Advice advise(const TrainRequest& request, const AdviceLimits& limits) {
  return Adviser(request, limits).run();
}

}  // namespace npusim::sim
