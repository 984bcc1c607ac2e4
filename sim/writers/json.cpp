// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "sim/version.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

JsonValue optional_number(const std::optional<double>& value) {
  return value ? JsonValue::make_real(*value) : JsonValue::make_null();
}

template <class Map>
JsonValue counts(const Map& map) {
  JsonValue object = JsonValue::make_object();
  for (const auto& [name, count] : map) object.set(name, static_cast<std::int64_t>(count));
  return object;
}

void add_metrics(JsonValue& object, const precision::ErrorMetrics& e) {
  object.set("count", e.count);
  object.set("max_abs", e.max_abs);
  object.set("max_rel", e.max_rel);
  object.set("rel_fro", optional_number(e.rel_fro));
  object.set("rmse", e.rmse);
  object.set("sqnr_db", optional_number(e.sqnr_db));
  object.set("cosine", optional_number(e.cosine));
  object.set("ulp_max", e.ulp_max);
  object.set("ulp_mean", e.ulp_mean);
  object.set("bias", e.bias);
  object.set("nan", e.nan);
  object.set("inf", e.inf);
  object.set("underflow_pct", e.underflow_pct);
  object.set("overflow_pct", e.overflow_pct);
}

JsonValue metrics(const precision::ErrorMetrics& e) {
  JsonValue object = JsonValue::make_object();
  add_metrics(object, e);
  return object;
}

JsonValue outputs(const std::vector<OutputError>& errors, const char* reference) {
  JsonValue list = JsonValue::make_array();
  for (const OutputError& error : errors) {
    JsonValue item = JsonValue::make_object();
    item.set("name", error.name);
    item.set("reference", reference);
    item.set("format", error.format);
    add_metrics(item, error.error);
    list.push_back(std::move(item));
  }
  return list;
}

JsonValue energy(const npu::Energy& e) {
  JsonValue object = JsonValue::make_object();
  object.set("mac_mj", e.mac_mj);
  object.set("vector_mj", e.vector_mj);
  object.set("sram_mj", e.sram_mj);
  object.set("dram_mj", e.dram_mj);
  object.set("static_mj", e.static_mj);
  return object;
}

/// Which ops are hypothetical, and in what.
using Labels = std::map<std::string, std::vector<std::string>>;

void add_label(JsonValue& row, const Labels& labels, const std::string& node) {
  const auto found = labels.find(node);
  if (found == labels.end()) return;
  JsonValue texts = JsonValue::make_array();
  for (const std::string& text : found->second) texts.push_back(JsonValue::make_string(text));
  row.set("hypothetical", std::move(texts));
}

JsonValue op_timing(const npu::OpTiming& op) {
  JsonValue item = JsonValue::make_object();
  item.set("node", op.node);
  item.set("op", op.op);
  item.set("engine", op.engine);
  item.set("phase", op.phase);
  item.set("start_cycle", op.start_cycle);
  item.set("end_cycle", op.end_cycle);
  item.set("macs", op.macs);
  if (!op.winograd.empty()) {
    item.set("algorithm", op.winograd);
    item.set("convolution_macs", op.convolution_macs);
  }
  item.set("array_busy_cycles", op.array_busy_cycles);
  item.set("utilization",
           op.engine == "matrix" ? JsonValue::make_real(op.utilization) : JsonValue::make_null());
  item.set("stall_cycles", counts(op.stall_cycles));
  item.set("dram_read_bytes", op.dram_read_bytes);
  item.set("dram_write_bytes", op.dram_write_bytes);
  item.set("spill_bytes", op.spill_bytes);
  item.set("sram_bytes", op.sram_bytes);
  item.set("vector_cycles", op.vector_cycles);
  if (!op.rearranging.empty()) item.set("rearranging", counts(op.rearranging));
  item.set("tiles", op.tiles);
  item.set("energy_mj", op.energy_mj);
  item.set("bound", op.bound);
  return item;
}

JsonValue timing(const Timing& t, const Labels& labels) {
  JsonValue object = JsonValue::make_object();
  object.set("cycles", t.run.cycles);
  object.set("seconds", t.seconds);
  object.set("samples_per_s", t.samples_per_s);
  object.set("macs", t.run.macs);
  object.set("utilization", t.utilization);
  object.set("achieved_tops", t.achieved_tops);
  object.set("peak_tops", t.peak_tops);
  object.set("dram_bytes", t.run.dram_bytes);
  object.set("sram_bytes", t.run.sram_bytes);
  object.set("arrays", t.run.arrays);
  object.set("busy_cycles", t.run.busy_cycles);
  object.set("stall_cycles", counts(t.run.stall_cycles));
  object.set("dma_busy_cycles", t.run.dma_busy_cycles);
  object.set("vector_busy_cycles", t.run.vector_busy_cycles);
  object.set("host_busy_cycles", t.run.host_busy_cycles);
  object.set("transactions", t.run.transactions);
  if (t.run.layers_apart != 0) object.set("layers", "apart");
  if (!t.run.dram_events.empty()) object.set("dram_events", counts(t.run.dram_events));
  if (!t.run.dma_events.empty()) object.set("dma_events", counts(t.run.dma_events));
  object.set("bound", t.run.bound);
  object.set("energy_mj", t.run.energy.total_mj());
  object.set("energy", energy(t.run.energy));
  JsonValue by_op = JsonValue::make_array();
  for (const npu::OpTiming& op : t.run.ops) {
    by_op.push_back(op_timing(op));
    add_label(by_op.items().back(), labels, op.node);
  }
  object.set("by_op", std::move(by_op));
  return object;
}

template <class T, class Write>
JsonValue section(const std::optional<T>& value, const Write& write) {
  return value ? write(*value) : JsonValue::make_null();
}

JsonValue distribution(const TensorDistribution& of) {
  const precision::Distribution& d = of.values;
  JsonValue object = JsonValue::make_object();
  object.set("tensor", of.tensor);
  object.set("count", d.count);
  object.set("mean", d.mean);
  object.set("stddev", d.stddev);
  object.set("max_abs", d.max_abs);
  object.set("kurtosis", d.kurtosis);
  object.set("zero_pct", d.zero_pct);
  return object;
}

JsonValue distributions(const std::vector<TensorDistribution>& all) {
  JsonValue array = JsonValue::make_array();
  for (const TensorDistribution& one : all) array.push_back(distribution(one));
  return array;
}

JsonValue sampled(const SampledNumerics& n, const Labels& labels) {
  JsonValue object = JsonValue::make_object();
  object.set("macs", n.macs);
  object.set("max_numeric_macs", n.most_macs);
  object.set("activations", n.activations);
  object.set("confidence", 0.95);
  JsonValue by_op = JsonValue::make_array();
  for (const SampledOpError& op : n.by_op) {
    JsonValue item = JsonValue::make_object();
    item.set("node", op.node);
    item.set("op", op.op);
    item.set("phase", op.phase);
    item.set("plan", op.plan);
    item.set("elements", op.elements);
    item.set("of_elements", op.of_elements);
    item.set("local", metrics(op.local));
    item.set("rel_fro_low", op.rel_fro_low);
    item.set("rel_fro_high", op.rel_fro_high);
    item.set("inputs", distributions(op.inputs));
    add_label(item, labels, op.node);
    by_op.push_back(std::move(item));
  }
  object.set("by_op", std::move(by_op));
  object.set("skipped", counts(n.skipped));
  return object;
}

JsonValue task(const TaskMetrics& t) {
  JsonValue object = JsonValue::make_object();
  object.set("predictions", t.predictions);
  object.set("top1_agreement", t.agreement);
  if (!t.loss) return object;
  const double perplexity = workloads::det_exp(*t.loss);
  const double reference_perplexity = workloads::det_exp(*t.reference_loss);
  object.set("loss", *t.loss);
  object.set("loss_difference", *t.loss - *t.reference_loss);
  object.set("perplexity", perplexity);
  object.set("perplexity_difference", perplexity - reference_perplexity);
  return object;
}

JsonValue numerics(const Numerics& n, const Labels& labels) {
  JsonValue object = JsonValue::make_object();
  object.set("sampled",
             section(n.sampled, [&](const SampledNumerics& s) { return sampled(s, labels); }));
  object.set("outputs", outputs(n.outputs, "fp64 of the unrounded tensors"));
  object.set(
      "outputs_propagated",
      outputs(n.outputs_propagated, "fp64 through the graph from rounded inputs and weights"));
  object.set("first_nonfinite_op", n.first_nonfinite_op.empty()
                                       ? JsonValue::make_null()
                                       : JsonValue::make_string(n.first_nonfinite_op));
  object.set("output_bits_hash", base::hex64(n.output_bits_hash));
  if (n.task) object.set("task", task(*n.task));
  if (!n.approximations.empty()) {
    JsonValue tables = JsonValue::make_object();
    for (const auto& [function, text] : n.approximations) tables.set(function, text);
    object.set("approximations", std::move(tables));
  }
  JsonValue by_op = JsonValue::make_array();
  for (const OpError& op : n.by_op) {
    JsonValue item = JsonValue::make_object();
    item.set("node", op.node);
    item.set("op", op.op);
    item.set("phase", op.phase);
    item.set("plan", op.plan.empty() ? JsonValue::make_null() : JsonValue::make_string(op.plan));
    item.set("bits_hash", base::hex64(op.bits_hash));
    if (!op.approximated.empty()) {
      JsonValue names = JsonValue::make_array();
      for (const std::string& name : op.approximated) names.push_back(JsonValue::make_string(name));
      item.set("approximated", std::move(names));
    }
    item.set("local", metrics(op.local));
    item.set("propagated", metrics(op.propagated));
    item.set("total", metrics(op.total));
    item.set("inputs", distributions(op.inputs));
    item.set("output", section(op.output, distribution));
    add_label(item, labels, op.node);
    by_op.push_back(std::move(item));
  }
  object.set("by_op", std::move(by_op));
  return object;
}

JsonValue coverage(const Coverage& c) {
  JsonValue object = JsonValue::make_object();
  for (const auto& [level, count] : c.counts) object.set(npu::name_of(level), count);
  if (c.hypothetical > 0) object.set("hypothetical", c.hypothetical);
  object.set("worst", npu::name_of(c.worst));
  object.set("macs", c.macs);
  object.set("macs_on_npu", c.macs_on_npu);
  object.set("time_on_npu",
             c.time_on_npu ? JsonValue::make_real(*c.time_on_npu) : JsonValue::make_null());
  object.set("verdict", c.verdict);
  JsonValue reasons = JsonValue::make_array();
  for (const std::string& reason : c.reasons) reasons.push_back(JsonValue::make_string(reason));
  object.set("reasons", std::move(reasons));
  JsonValue ops = JsonValue::make_array();
  for (const npu::CoverageRow& row : c.ops) {
    JsonValue item = JsonValue::make_object();
    item.set("node", row.node);
    item.set("op", row.op);
    item.set("support", npu::name_of(row.verdict.support));
    item.set("reason", row.verdict.reason);
    item.set("gap", npu::name_of(row.verdict.gap));
    if (!row.verdict.stand_ins.empty()) {
      JsonValue texts = JsonValue::make_array();
      for (const npu::StandIn& stand_in : row.verdict.stand_ins)
        texts.push_back(JsonValue::make_string(npu::text_of(stand_in)));
      item.set("hypothetical", std::move(texts));
    }
    ops.push_back(std::move(item));
  }
  object.set("ops", std::move(ops));
  return object;
}

JsonValue area(const npu::Area& a) {
  JsonValue object = JsonValue::make_object();
  object.set("total_mm2", a.total_mm2());
  object.set("arrays_mm2", a.arrays_mm2);
  object.set("memories_mm2", a.memories_mm2);
  object.set("vector_mm2", a.vector_mm2);
  object.set("other_mm2", a.other_mm2);
  object.set("status", npu::name_of(a.status));
  return object;
}

JsonValue pinned_mapping(const PinnedMapping& pinned) {
  JsonValue object = JsonValue::make_object();
  object.set("reference", pinned.reference);
  object.set("ops", pinned.ops);
  JsonValue free = JsonValue::make_array();
  for (const auto& [node, reason] : pinned.free) {
    JsonValue item = JsonValue::make_object();
    item.set("node", node);
    item.set("reason", reason);
    free.push_back(std::move(item));
  }
  object.set("free", std::move(free));
  return object;
}

}  // namespace

JsonValue json_of(const RunResult& run) {
  JsonValue object = JsonValue::make_object();
  object.set("npu", run.npu);
  object.set("workload", run.workload);
  object.set("mode", run.mode);
  object.set("recipe", run.recipe);
  object.set("scenario",
             run.scenario.empty() ? JsonValue::make_null() : JsonValue::make_string(run.scenario));
  object.set("status", name_of(run.status));
  object.set("error",
             run.error.empty() ? JsonValue::make_null() : JsonValue::make_string(run.error));
  object.set("config_hash", run.config_hash);
  object.set("mapping_hash", run.mapping_hash.empty() ? JsonValue::make_null()
                                                      : JsonValue::make_string(run.mapping_hash));
  object.set("seed", static_cast<std::int64_t>(run.seed));
  object.set("parameters", run.parameters);
  JsonValue mappings = JsonValue::make_array();
  for (const OpMapping& op : run.mappings) {
    JsonValue item = JsonValue::make_object();
    item.set("node", op.node);
    item.set("mapping", op.mapping);
    item.set("plan_hash", base::hex64(op.plan_hash));
    mappings.push_back(std::move(item));
  }
  object.set("mappings", std::move(mappings));
  if (!run.attention_in_parts.empty()) {
    JsonValue in_parts = JsonValue::make_array();
    for (const npu::AttentionInParts& attention : run.attention_in_parts) {
      JsonValue item = JsonValue::make_object();
      item.set("node", attention.node);
      item.set("reason", attention.reason);
      in_parts.push_back(std::move(item));
    }
    object.set("attention_in_parts", std::move(in_parts));
  }
  if (run.area) object.set("area", area(*run.area));
  if (!run.hypothetical.empty()) object.set("hypothetical", json_of(run.hypothetical));
  const Labels of_rows = labels_of(run.hypothetical, true);
  const Labels of_nodes = labels_of(run.hypothetical, false);
  object.set("timing", section(run.timing, [&](const Timing& t) { return timing(t, of_rows); }));
  if (run.cluster) object.set("cluster", json_of(*run.cluster));
  object.set("numerics",
             section(run.numerics, [&](const Numerics& n) { return numerics(n, of_nodes); }));
  object.set("memory", section(run.memory, [](const RunMemory& m) { return json_of(m); }));
  object.set("coverage", section(run.coverage, coverage));
  object.set("training", JsonValue::make_null());
  object.set("config", run.config);
  return object;
}

JsonValue json_of(const Result& result) {
  JsonValue object = JsonValue::make_object();
  object.set("schema_version", kResultSchemaVersion);
  JsonValue tool = JsonValue::make_object();
  tool.set("name", "npusim");
  tool.set("version", version());
  tool.set("git", git_id());
  object.set("tool", std::move(tool));
  JsonValue host = JsonValue::make_object();
  host.set("cpu", result.host.cpu);
  host.set("simd", result.host.simd);
  host.set("jobs", result.host.jobs);
  host.set("wall_seconds", result.host.wall_seconds);
  object.set("host", std::move(host));
  if (!result.warnings.empty()) {
    JsonValue warnings = JsonValue::make_array();
    for (const std::string& text : result.warnings)
      warnings.push_back(JsonValue::make_string(text));
    object.set("warnings", std::move(warnings));
  }
  JsonValue runs = JsonValue::make_array();
  for (const RunResult& run : result.runs) runs.push_back(json_of(run));
  object.set("runs", std::move(runs));
  return object;
}

JsonValue json_of(const Result& result, const ComparisonOptions& options) {
  JsonValue object = JsonValue::make_object();
  object.set("base",
             options.base.empty() ? JsonValue::make_null() : JsonValue::make_string(options.base));
  JsonValue metrics = JsonValue::make_array();
  for (const Metric metric : options.pareto)
    metrics.push_back(JsonValue::make_string(name_of(metric)));
  object.set("pareto_metrics", std::move(metrics));
  JsonValue runs = JsonValue::make_array();
  std::size_t index = 0;
  for (const RunComparison& run : compare_runs(result, options)) {
    JsonValue item = JsonValue::make_object();
    item.set("pareto", run.pareto ? JsonValue::make_bool(*run.pareto) : JsonValue::make_null());
    for (std::size_t m = 0; m < metric_names().size(); ++m)
      item.set(metric_names()[m] + "_ratio", optional_number(run.ratio[m]));
    const RunResult& of = result.runs[index++];
    if (!of.hypothetical.empty()) item.set("hypothetical", true);
    item.set("pinned_mapping", section(of.pinned, pinned_mapping));
    runs.push_back(std::move(item));
  }
  object.set("runs", std::move(runs));
  return object;
}

}  // namespace npusim::sim
