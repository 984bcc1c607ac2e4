// SPDX-License-Identifier: Apache-2.0
#include "sim/suite_checks.h"

#include <algorithm>

#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/metric_pattern.h"
#include "sim/run_parts.h"
#include "sim/writers/writers.h"
#include "workloads/recipe.h"
#include "workloads/training/transform.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

precision::ErrorMetrics any_metrics() {
  precision::ErrorMetrics metrics;
  metrics.rel_fro = metrics.sqnr_db = metrics.cosine = 0.5;
  return metrics;
}

/// A result with something in every place, so that the writers themselves say what a result holds.
RunResult specimen(bool timing, bool numerics) {
  RunResult run;
  if (timing) {
    run.timing.emplace();
    npu::OpTiming& op = run.timing->run.ops.emplace_back();
    op.node = "*";
    op.engine = "matrix";
  }
  if (numerics) {
    run.numerics.emplace();
    OutputError output;
    output.name = "*";
    output.error = any_metrics();
    run.numerics->outputs = run.numerics->outputs_propagated = {output};
    OpError op;
    op.node = "*";
    op.local = op.propagated = op.total = any_metrics();
    op.output = TensorDistribution{"*", {}};
    op.inputs = {*op.output};
    SampledOpError sampled;
    sampled.node = "*";
    sampled.local = any_metrics();
    sampled.inputs = op.inputs;
    run.numerics->sampled.emplace();
    run.numerics->sampled->by_op = {sampled};
    run.numerics->by_op = {op};
    run.numerics->task = TaskMetrics{1, 0.5, 0.5, 0.5};
  }
  run.memory.emplace();
  run.coverage.emplace();
  if (timing) run.coverage->time_on_npu = 0.5;
  return run;
}

void collect_reals(const base::JsonValue& value, const std::string& pointer,
                   std::vector<std::string>& found) {
  if (value.kind() == base::JsonValue::Kind::real) found.push_back(pointer);
  if (value.is_array())
    for (const base::JsonValue& item : value.items()) collect_reals(item, pointer + "/*", found);
  if (value.is_object())
    for (const auto& [key, member] : value.members())
      collect_reals(member, pointer + "/" + base::pointer_token(key), found);
}

}  // namespace

std::vector<std::string> real_metrics(bool timing, bool numerics) {
  std::vector<std::string> found;
  collect_reals(baseline_of(specimen(timing, numerics)), "", found);
  return found;
}

bool can_match_metric(const std::string& pattern, bool timing, bool numerics) {
  const std::vector<std::string> metrics = real_metrics(timing, numerics);
  return std::any_of(metrics.begin(), metrics.end(),
                     [&](const std::string& metric) { return metric_matches(pattern, metric); });
}

void SuiteFileCheck::tell(const base::Diagnostic& mistake, const SuiteRun& run,
                          const std::vector<base::ValueReader>& set) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    const base::Override& override = run.options.overrides[i].override;
    if (mistake.file != "--set " + override.text) continue;
    set[i].error(mistake.code, override.text + ": " + mistake.pointer + ": " + mistake.message,
                 mistake.allowed);
    return;
  }
  if (told_.insert(base::to_string(mistake)).second) diagnostics_->add(mistake);
}

template <class Load>
bool SuiteFileCheck::read(const std::string& kind, const std::string& file, const SuiteRun& run,
                          const std::vector<base::ValueReader>& set, const Load& load) {
  if (file.empty()) return false;
  try {
    load(overrides_of(run.options.overrides, kind));
    return true;
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& mistake : error.diagnostics()) tell(mistake, run, set);
    return false;
  }
}

void SuiteFileCheck::check(const SuiteRun& run, const base::ValueReader& at,
                           const std::vector<base::ValueReader>& set) {
  std::string recipe_file = run.request.recipe_file;
  read("npu", run.request.npu_file, run, set, [&](const std::vector<base::Override>& overrides) {
    const npu::NpuSpec npu = npu::load_npu(run.request.npu_file, overrides);
    if (!recipe_file.empty()) return;
    try {
      recipe_file = find_file("recipe", npu.default_recipe);
    } catch (const base::InputError& error) {
      at.error("unknown-name", "default recipe: " + error.diagnostics().front().message,
               error.diagnostics().front().allowed);
    }
  });
  workloads::Workload workload;
  const bool whole =
      read("workload", run.request.workload_file, run, set, [&](const auto& overrides) {
        workload = workloads::load_workload(run.request.workload_file, overrides);
      });
  workloads::Recipe recipe;
  const bool known = read("recipe", recipe_file, run, set, [&](const auto& overrides) {
    recipe = workloads::load_recipe(recipe_file, overrides);
  });
  if (!whole || !known || run.request.mode != Mode::training) return;
  try {
    workloads::make_training_step(workload, recipe);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& mistake : error.diagnostics())
      at.error(mistake.code, "training: " + mistake.message, "a workload that can be trained");
  }
}

}  // namespace npusim::sim
