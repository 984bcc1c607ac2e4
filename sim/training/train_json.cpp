// SPDX-License-Identifier: Apache-2.0
// A training result as JSON (configs/schema/train_result.schema.json).
#include "base/hash.h"
#include "sim/training/train_report.h"
#include "sim/version.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

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

JsonValue number_or_null(const std::optional<double>& value) {
  return value ? JsonValue::make_real(*value) : JsonValue::make_null();
}

JsonValue json_of(const TrainRun& run, const TrainResult& result) {
  JsonValue v = JsonValue::make_object();
  v.set("recipe", run.recipe);
  v.set("status", name_of(run.status));
  v.set("error", run.error);
  const auto each = [](const auto& item) { return json_of(item); };
  v.set("evaluations", list_of(run.evaluations, each));
  v.set("agreement", number_or_null(agreement(run, result.reference)));
  v.set("perplexity_difference", number_or_null(perplexity_difference(run, result.reference)));
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
  v.set("step_seconds", number_or_null(run.step_seconds));
  v.set("speed_up", number_or_null(speed_up(run, result)));
  if (run.cluster) v.set("cluster", sim::json_of(*run.cluster));
  if (!run.hypothetical.empty()) v.set("hypothetical", sim::json_of(run.hypothetical));
  v.set("memory", run.memory ? sim::json_of(*run.memory) : JsonValue::make_null());
  v.set("weights_hash", base::hex64(run.weights_hash));
  JsonValue host = JsonValue::make_object();
  host.set("seconds", run.host_seconds);
  v.set("host", std::move(host));
  return v;
}

JsonValue speed_base_json(const TrainResult& result) {
  const TrainRun* const base = speed_base(result);
  if (base == nullptr) return JsonValue::make_null();
  JsonValue v = JsonValue::make_object();
  v.set("recipe", base->recipe);
  v.set("is_fp32_step", base == &result.fp32_step);
  v.set("step_seconds", *base->step_seconds);
  v.set("memory", base->memory ? sim::json_of(*base->memory) : JsonValue::make_null());
  v.set("reason", result.fp32_step.error);
  return v;
}

}  // namespace

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
                                                     : json_of(result.reference, result));
  v.set("speed_up_base", speed_base_json(result));
  v.set("runs", list_of(result.runs, [&](const TrainRun& run) { return json_of(run, result); }));
  return v;
}

}  // namespace npusim::sim
