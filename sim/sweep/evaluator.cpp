// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/evaluator.h"

#include <sys/resource.h>
#include <sys/time.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <new>
#include <system_error>

#include "base/hash.h"
#include "base/isolated.h"
#include "npu_models/npu_file.h"
#include "npu_models/numeric_hash.h"
#include "sim/calibration.h"
#include "sim/catalog.h"
#include "sim/numerics.h"
#include "sim/run_job.h"
#include "sim/run_parts.h"
#include "sim/sweep/recent.h"

namespace npusim::sim {
namespace {

using base::JsonValue;

constexpr std::size_t kRecent = 8;
const char* const kNoMemory = "out of memory";
const char* const kNoProcess = "cannot start a process";  ///< as base/isolated says it

void serial(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  for (std::int64_t i = 0; i < count; ++i) body(i);
}

/// Ends the process by SIGALRM when it takes longer.
void limit_time(double seconds) {
  if (!(seconds > 0.0)) return;
  ::signal(SIGALRM, SIG_DFL);
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(std::floor(seconds));
  timer.it_value.tv_usec =
      std::max<suseconds_t>(1, static_cast<suseconds_t>((seconds - std::floor(seconds)) * 1e6));
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void limit_memory(double gib) {
  if (!(gib > 0.0)) return;
  const auto bytes = static_cast<rlim_t>(gib * static_cast<double>(1 << 30));
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_AS, &limit);
}

std::string key_of(const std::string& file, const std::vector<base::Override>& overrides) {
  std::string key = file;
  for (const base::Override& override : overrides) key += "\n" + override.text;
  return key;
}

PointOutcome with_reason(PointStatus status, std::string reason) {
  PointOutcome outcome;
  outcome.status = status;
  outcome.reason = std::move(reason);
  return outcome;
}

/// What the machine is to blame for, not the configs: the same try may go well later.
bool is_of_files(const base::InputError& error) {
  const std::vector<base::Diagnostic>& all = error.diagnostics();
  return std::any_of(all.begin(), all.end(), [](const base::Diagnostic& diagnostic) {
    return diagnostic.code == "unreadable-file" || diagnostic.code == "missing-file";
  });
}

PointOutcome refused(const base::InputError& error) {
  std::string reason = base::to_string(error.diagnostics().front());
  const std::size_t more = error.diagnostics().size() - 1;
  if (more > 0) reason += " (and " + std::to_string(more) + " more)";
  return with_reason(is_of_files(error) ? PointStatus::not_run : PointStatus::invalid,
                     std::move(reason));
}

std::string numeric_key_of(const Job& job, const RunResult& run) {
  std::uint64_t hash = base::fnv1a(npu::numeric_hash(*job.mapped));
  for (const char* part : {"workload", "recipe"})
    hash = base::fnv1a(base::dump_json(*run.config.find(part), -1), hash);
  return base::hex64(base::fnv1a(run.mode, hash));
}

Numerics numerics_of(const Job& job, const std::optional<CalibratedValues>& calibrated,
                     std::uint64_t seed) {
  NumericOptions numeric;
  numeric.seed = seed;
  numeric.most_macs = kMostNumericMacs;
  numeric.task = task_of(*job.workload);
  if (calibrated && !is_sampled(job.mapped->graph, numeric))
    numeric.calibrated = std::make_shared<const CalibratedValues>(*calibrated);
  return execute(*job.mapped, *job.recipe, numeric, serial);
}

/// Maps and runs what is read: in a process of its own.
PointOutcome run_job(const RunRequest& request, Job& job,
                     const std::optional<CalibratedValues>& calibrated, const PointSetup& setup,
                     const std::map<std::string, MetricValues>& known) {
  RunResult run = describe_run(request, job, setup.seed);
  map_job(job, run);
  PointOutcome outcome;
  outcome.config_hash = run.config_hash;
  if (run.status == Status::unsupported) {
    outcome.status = PointStatus::unsupported;
    outcome.reason = run.error;
    return outcome;
  }
  if (setup.timing) set_timing(run, job, npu::simulate(*job.npu, *job.mapped));
  auto reused = known.end();
  if (setup.numerics) {
    outcome.numeric_key = numeric_key_of(job, run);
    reused = known.find(outcome.numeric_key);
    outcome.reused_numerics = reused != known.end();
    if (!outcome.reused_numerics) run.numerics = numerics_of(job, calibrated, setup.seed);
  }
  outcome.metrics = metrics_of(run, *job.npu);
  if (outcome.reused_numerics)
    for (std::size_t m = 0; m < outcome.metrics.size(); ++m)
      if (reused->second[m]) outcome.metrics[m] = reused->second[m];
  return outcome;
}

PointOutcome outcome_of(const base::IsolatedOutcome& child, double seconds) {
  if (child.ok) return outcome_of_text(child.payload);
  if (child.error == "killed by signal " + std::to_string(SIGALRM))
    return with_reason(
        PointStatus::timeout,
        "took longer than " + base::dump_json(JsonValue::make_real(seconds), -1) + " s");
  if (child.error == kNoMemory) return with_reason(PointStatus::out_of_memory, kNoMemory);
  if (child.error.rfind("killed by", 0) == 0 || child.error.rfind("exit ", 0) == 0)
    return with_reason(PointStatus::crashed, child.error);
  if (child.error.rfind(kNoProcess, 0) == 0) return with_reason(PointStatus::not_run, child.error);
  return with_reason(PointStatus::failed, child.error);
}

}  // namespace

/// What is read and stays for the points to come.
class PointEvaluator::Files {
 public:
  struct Graph {
    std::unique_ptr<workloads::Workload> workload;
    std::unique_ptr<workloads::Recipe> recipe;
    Job job;
    std::optional<CalibratedValues> calibrated;
  };

  explicit Files(bool what_if) : what_if_(what_if) {}

  /// With job.npu as the point wants it.
  Graph& of(const PointRequest& point) {
    std::vector<base::ParsedOverride> overrides;
    for (const std::string& text : point.overrides) overrides.push_back(base::parse_override(text));
    const std::vector<base::Override> of_npu = overrides_of(overrides, "npu");
    const std::vector<base::Override> of_workload = overrides_of(overrides, "workload");
    const std::vector<base::Override> of_recipe = overrides_of(overrides, "recipe");
    const RunRequest& request = point.request;
    const std::vector<base::Override> of_units = overrides_of(overrides, "unit");
    const std::string npu_key = key_of(request.npu_file, of_npu) + key_of("", of_units);
    npu::NpuSpec& npu = npus_.get(npu_key, [&] {
      npu::NpuSpec loaded = npu::load_npu(request.npu_file, of_npu, of_units);
      loaded.what_if = what_if_;
      return loaded;
    });
    const std::string recipe_file =
        request.recipe_file.empty() ? find_file("recipe", npu.default_recipe) : request.recipe_file;
    const std::string workload_key = key_of(request.workload_file, of_workload);
    const std::string recipe_key = key_of(recipe_file, of_recipe);
    std::string key = workload_key + "\n\n" + recipe_key + "\n\n" + name_of(request.mode);
    if (request.mode == Mode::training && npu::asks_for_fused_backward(npu.mapping))
      key += "\n\n" + npu_key;
    Graph& graph = graphs_.get(key, [&] {
      Graph made;
      made.workload = std::make_unique<workloads::Workload>(
          workloads::load_workload(request.workload_file, of_workload));
      made.recipe =
          std::make_unique<workloads::Recipe>(workloads::load_recipe(recipe_file, of_recipe));
      made.job.workload = made.workload.get();
      made.job.recipe = made.recipe.get();
      made.job.npu = &npu;
      make_graph(made.job, request.mode);
      return made;
    });
    graph.job.npu = &npu;
    return graph;
  }

 private:
  bool what_if_;
  Recent<npu::NpuSpec> npus_{kRecent};
  Recent<Graph> graphs_{kRecent};
};

PointSetup setup_of(const Sweep& sweep) {
  PointSetup setup;
  setup.seed = sweep.seed;
  setup.timing = sweep.timing;
  setup.numerics = sweep.numerics;
  setup.what_if = sweep.what_if;
  setup.limits = sweep.limits;
  return setup;
}

std::string to_text(const PointSetup& setup) {
  JsonValue object = JsonValue::make_object();
  object.set("seed", static_cast<std::int64_t>(setup.seed));
  object.set("timing", setup.timing);
  object.set("numerics", setup.numerics);
  object.set("what_if", setup.what_if);
  object.set("seconds", setup.limits.seconds);
  object.set("memory_gib", setup.limits.memory_gib);
  object.set("reuse_numerics", setup.reuse_numerics);
  return base::dump_json(object, -1);
}

PointSetup setup_of_text(const std::string& text) {
  const JsonValue object = base::parse_json(text, "the set-up of a worker");
  PointSetup setup;
  setup.seed = static_cast<std::uint64_t>(object.find("seed")->integer());
  setup.timing = object.find("timing")->boolean();
  setup.numerics = object.find("numerics")->boolean();
  setup.what_if = object.find("what_if")->boolean();
  setup.limits.seconds = object.find("seconds")->number();
  setup.limits.memory_gib = object.find("memory_gib")->number();
  setup.reuse_numerics = object.find("reuse_numerics")->boolean();
  return setup;
}

PointEvaluator::PointEvaluator(const PointSetup& setup)
    : setup_(setup), files_(std::make_unique<Files>(setup.what_if)) {
  limit_memory(setup.limits.memory_gib);
}

PointEvaluator::~PointEvaluator() = default;

PointOutcome PointEvaluator::evaluate(const PointRequest& point,
                                      const std::function<void()>& prepared) {
  PointOutcome outcome = run_isolated(point, prepared);
  if (setup_.reuse_numerics && outcome.status == PointStatus::ok && !outcome.numeric_key.empty() &&
      !outcome.reused_numerics) {
    MetricValues& kept = numerics_[outcome.numeric_key];
    kept = outcome.metrics;
    for (std::size_t m = 0; m < kept.size(); ++m)
      if (std::string(sweep_metrics()[m].needs) != "numerics") kept[m].reset();
  }
  return outcome;
}

PointOutcome PointEvaluator::run_isolated(const PointRequest& point,
                                          const std::function<void()>& prepared) {
  try {
    Files::Graph& graph = files_->of(point);
    // Once here, not in the child of each point. It is that of the graph before it is mapped.
    if (setup_.numerics && !graph.calibrated && needs_calibration(graph.job.graph) &&
        graph.job.graph.mac_count() <= kMostNumericMacs)
      graph.calibrated = calibrate(graph.job.graph, setup_.seed, serial);
    if (prepared) prepared();
    const auto outcomes = base::run_isolated(1, 1, [&](std::size_t) -> std::string {
      limit_time(setup_.limits.seconds);
      try {
        return to_text(run_job(point.request, graph.job, graph.calibrated, setup_, numerics_));
      } catch (const base::InputError& error) {
        return to_text(refused(error));
      } catch (const std::system_error& error) {
        return to_text(with_reason(PointStatus::not_run, error.what()));
      } catch (const std::bad_alloc&) {
        throw std::runtime_error(kNoMemory);
      }
    });
    return outcome_of(outcomes.front(), setup_.limits.seconds);
  } catch (const base::InputError& error) {
    return refused(error);
  } catch (const std::bad_alloc&) {
    return with_reason(PointStatus::out_of_memory, kNoMemory);
  }
}

}  // namespace npusim::sim
