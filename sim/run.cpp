// SPDX-License-Identifier: Apache-2.0
#include "sim/run.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "base/isolated.h"
#include "base/progress.h"
#include "base/shared_counters.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/dynamic_shapes.h"
#include "sim/explain_mapping.h"
#include "sim/numerics.h"
#include "sim/pin_check.h"
#include "sim/run_job.h"
#include "sim/run_parts.h"
#include "sim/tensor_files.h"
#include "workloads/workload.h"

namespace npusim::sim {

std::vector<base::Override> overrides_of(const std::vector<base::ParsedOverride>& all,
                                         const std::string& kind) {
  std::vector<base::Override> chosen;
  for (const base::ParsedOverride& item : all)
    if (item.kind == kind) chosen.push_back(item.override);
  return chosen;
}

base::Override parameter_override(const std::string& name, std::int64_t value) {
  const std::string path = "parameters." + name, text = std::to_string(value);
  return {"workload." + path + "=" + text, path, text};
}

std::string recipe_file_of(const RunRequest& request, const npu::NpuSpec& npu) {
  return request.recipe_file.empty() ? find_file("recipe", npu.default_recipe)
                                     : request.recipe_file;
}

namespace {

/// Each file is read once, however many runs name it.
class Inputs {
 public:
  explicit Inputs(const RunOptions& options)
      : what_if_(options.what_if),
        npu_overrides_(overrides_of(options.overrides, "npu")),
        workload_overrides_(overrides_of(options.overrides, "workload")),
        recipe_overrides_(overrides_of(options.overrides, "recipe")),
        cluster_overrides_(overrides_of(options.overrides, "cluster")) {}

  const npu::NpuSpec& npu(const std::string& file) {
    return once(npus_, file, [&] {
      npu::NpuSpec npu = npu::load_npu(file, npu_overrides_);
      npu.what_if = what_if_;
      return npu;
    });
  }
  const workloads::Workload& workload(const std::string& file) {
    return once(workloads_, file,
                [&] { return workloads::load_workload(file, workload_overrides_); });
  }
  const workloads::Recipe& recipe(const std::string& file) {
    return once(recipes_, file, [&] { return workloads::load_recipe(file, recipe_overrides_); });
  }
  const npu::ClusterSpec& cluster(const std::string& file) {
    return once(clusters_, file, [&] { return npu::load_cluster(file, cluster_overrides_); });
  }

 private:
  template <class T, class Load>
  const T& once(std::map<std::string, T>& cache, const std::string& file, const Load& load) {
    const auto found = cache.find(file);
    return found != cache.end() ? found->second : cache.emplace(file, load()).first->second;
  }

  bool what_if_;
  std::vector<base::Override> npu_overrides_, workload_overrides_, recipe_overrides_,
      cluster_overrides_;
  std::map<std::string, npu::NpuSpec> npus_;
  std::map<std::string, workloads::Workload> workloads_;
  std::map<std::string, workloads::Recipe> recipes_;
  std::map<std::string, npu::ClusterSpec> clusters_;
};

void check_overrides(const RunOptions& options, base::Diagnostics& diagnostics) {
  for (const base::ParsedOverride& item : options.overrides) {
    if (item.kind == "npu" || item.kind == "workload" || item.kind == "recipe") continue;
    if (item.kind == "cluster" && !options.cluster_file.empty()) continue;
    base::Diagnostic mistake;
    mistake.file = "--set " + item.override.text;
    mistake.code = "unknown-path";
    mistake.message = "a run has no " + item.kind + " file";
    mistake.allowed = "a path that starts with npu, workload or recipe";
    diagnostics.add(std::move(mistake));
  }
}

/// All files are read before anything runs; mistakes of several files are reported together.
std::vector<Job> load_jobs(const std::vector<RunRequest>& requests, const RunOptions& options,
                           Inputs& inputs) {
  base::Diagnostics diagnostics;
  check_overrides(options, diagnostics);
  std::vector<std::string> failed;
  const auto attempt = [&](const std::string& file, const auto& load) {
    const bool known = std::find(failed.begin(), failed.end(), file) != failed.end();
    if (!known && !diagnostics.collect(load)) failed.push_back(file);
  };
  const npu::ClusterSpec* cluster = nullptr;  // of all runs
  if (!options.cluster_file.empty())
    attempt(options.cluster_file, [&] { cluster = &inputs.cluster(options.cluster_file); });
  std::vector<Job> jobs(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const RunRequest& request = requests[i];
    Job& job = jobs[i];
    job.cluster = cluster;
    attempt(request.npu_file, [&] { job.npu = &inputs.npu(request.npu_file); });
    attempt(request.workload_file, [&] { job.workload = &inputs.workload(request.workload_file); });
    if (job.npu == nullptr) continue;
    const std::string name =
        request.recipe_file.empty() ? job.npu->default_recipe : request.recipe_file;
    attempt(name, [&] { job.recipe = &inputs.recipe(recipe_file_of(request, *job.npu)); });
  }
  diagnostics.throw_if_any();
  return jobs;
}

/// The graph of every job, and what the command line gives for it, looked at before anything runs.
void make_graphs(std::vector<Job>& jobs, const std::vector<RunRequest>& requests,
                 const RunOptions& options) {
  base::Diagnostics diagnostics;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const bool made = diagnostics.collect([&] {
      make_graph(jobs[i], requests[i].mode);
      if (options.numerics) make_all_devices(jobs[i], requests[i].mode);
    });
    const bool master = jobs[i].recipe->master_weights.has_value();
    const std::string key =
        requests[i].workload_file + name_of(requests[i].mode) + (master ? "+" : "-");
    if (made && seen.insert(key).second)
      check_tensor_files(options, jobs[i].graph_of_values(), diagnostics);
  }
  diagnostics.throw_if_any();
}

/// The run of the named NPU with the same workload and mode: with the same recipe, else its first.
const Job* reference_of(std::size_t index, const std::vector<Job>& jobs,
                        const std::vector<RunRequest>& requests, const std::string& name) {
  const Job* found = nullptr;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const bool alike = jobs[i].npu->name == name && jobs[i].workload == jobs[index].workload &&
                       requests[i].mode == requests[index].mode;
    if (alike && (found == nullptr || jobs[i].recipe == jobs[index].recipe)) found = &jobs[i];
    if (found != nullptr && found->recipe == jobs[index].recipe) break;
  }
  return found;
}

Coverage coverage_of(const RunRequest& request, const Job& job, const RunOptions& options) {
  return cover(*job.npu, job.graph, *job.recipe, request.mode == Mode::training,
               dynamic_nodes(request, job, options));
}

/// Those whose mapping others take come first.
void map_jobs(std::vector<Job>& jobs, const std::vector<RunRequest>& requests,
              const RunOptions& options, std::vector<RunResult>& runs) {
  const std::string& pin_mapping = options.pin_mapping;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (pin_mapping.empty() || jobs[i].npu->name == pin_mapping) map_job(jobs[i], runs[i]);
  if (pin_mapping.empty()) return;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (jobs[i].npu->name != pin_mapping) {
      const Job* const reference = reference_of(i, jobs, requests, pin_mapping);
      if (reference != nullptr && make_graphs_like(jobs[i], *reference) && runs[i].coverage)
        runs[i].coverage = coverage_of(requests[i], jobs[i], options);
      map_job(jobs[i], runs[i], reference);
      if (jobs[i].mapped && !runs[i].pinned)
        runs[i].pinned = {pin_mapping, 0, {{"all products", pin_mapping + " cannot run this"}}};
    }
}

bool is_interrupted(const RunOptions& options) {
  return options.interrupted && options.interrupted();
}

int jobs_of(const RunOptions& options) {
  return options.jobs > 0 ? options.jobs
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// Timing of all runs in worker processes. Must come before any thread starts.
void time_jobs(const std::vector<Job>& jobs, const RunOptions& options,
               std::vector<RunResult>& runs) {
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (jobs[i].mapped) todo.push_back(i);
  const std::size_t runs_to_time = todo.size();
  for (std::size_t i = 0; i < runs_to_time; ++i)
    if (jobs[todo[i]].single) todo.push_back(todo[i]);
  const auto graph_at = [&](std::size_t i) -> const npu::MappedGraph& {
    return i < runs_to_time ? *jobs[todo[i]].mapped : *jobs[todo[i]].single;
  };
  std::vector<std::int64_t> planned;
  double all = 0.0;
  for (std::size_t i = 0; i < todo.size(); ++i) {
    planned.push_back(npu::planned_steps(graph_at(i)));
    all += static_cast<double>(planned.back());
  }
  base::SharedCounters done(todo.size());
  base::Progress progress("simulating timing", all, options.quiet);
  std::size_t ended = 0;
  const std::vector<base::IsolatedOutcome> outcomes = base::run_isolated(
      todo.size(), jobs_of(options),
      [&](std::size_t i) {
        const Job& job = jobs[todo[i]];
        npu::SimulationOptions simulation;
        if (i < runs_to_time) simulation = options.simulation;
        simulation.layers = options.simulation.layers;
        simulation.steps_done = &done[i];
        return npu::serialize(npu::simulate(*job.npu, graph_at(i), simulation));
      },
      [&](std::size_t count) { ended = count; },
      [&] {
        progress.reach(static_cast<double>(done.sum()),
                       std::to_string(ended) + " of " + std::to_string(todo.size()) + " runs");
      });
  std::map<std::size_t, npu::TimingResult> single;
  for (std::size_t i = runs_to_time; i < todo.size(); ++i)
    if (outcomes[i].ok) single[todo[i]] = npu::parse_timing(outcomes[i].payload);
  for (std::size_t i = 0; i < runs_to_time; ++i) {
    RunResult& run = runs[todo[i]];
    if (!outcomes[i].ok) {
      const bool stopped = outcomes[i].error == "interrupted";
      run.status = stopped ? Status::interrupted : Status::failed;
      run.error = stopped ? "interrupted while simulating: " + std::to_string(done[i]) + " of " +
                                std::to_string(planned[i]) + " tiles and ops done"
                          : "timing: " + outcomes[i].error;
      continue;
    }
    set_timing(run, jobs[todo[i]], npu::parse_timing(outcomes[i].payload));
    const auto alone = single.find(todo[i]);
    set_cluster_timing(run, jobs[todo[i]], alone == single.end() ? nullptr : &alone->second);
  }
}

/// What clocked elements cannot take is refused before anything runs.
void check_fidelity(const std::vector<Job>& jobs, const RunOptions& options) {
  if (!options.timing || options.simulation.fidelity != npu::Fidelity::pe) return;
  for (const Job& job : jobs) {
    const std::string refusal = job.mapped ? npu::pe_refusal(*job.npu, *job.mapped) : "";
    if (!refusal.empty())
      throw base::InputError("--fidelity pe: " + refusal + " (--fidelity tile takes it)",
                             "fidelity");
  }
}

/// The mistake with the workload in front of its message.
base::InputError named(const base::InputError& error, const RunResult& run) {
  std::vector<base::Diagnostic> mistakes = error.diagnostics();
  for (base::Diagnostic& mistake : mistakes)
    mistake.message = "workload " + run.workload + " (" + run.mode + "): " + mistake.message;
  return base::InputError(std::move(mistakes));
}

void compute_numerics(const std::vector<Job>& jobs, const RunOptions& options,
                      std::vector<RunResult>& runs) {
  double macs = 0.0;
  for (const Job& job : jobs)
    if (job.mapped) macs += static_cast<double>(job.graph_of_values().mac_count());
  base::Progress progress("computing numerics", macs, options.quiet);
  base::ThreadPool pool(jobs_of(options));
  const precision::ParallelFor parallel = [&pool](std::int64_t count,
                                                  const std::function<void(std::int64_t)>& body) {
    pool.parallel_for(count, body);
  };
  std::map<std::string, std::shared_ptr<const CalibratedValues>> calibrated;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    RunResult& run = runs[i];
    if (!jobs[i].mapped || run.status != Status::ok) continue;
    if (is_interrupted(options)) {
      run.status = Status::interrupted;
      continue;
    }
    NumericOptions numeric;
    numeric.seed = options.seed;
    numeric.files = options.inputs;
    numeric.weights = options.weights;
    numeric.dump_folder = options.dump_outputs;
    numeric.task = task_of(*jobs[i].workload);
    numeric.most_macs = options.max_numeric_macs > 0 ? options.max_numeric_macs : kMostNumericMacs;
    if (options.activations) numeric.activations = *options.activations;
    numeric.interrupted = options.interrupted;
    numeric.progress = [&](double done, const std::string& node) {
      progress.advance(done, run.npu + " " + run.workload + " " + node);
    };
    std::shared_ptr<const CalibratedValues>& statistics = calibrated[run.workload + run.mode];
    std::optional<npu::MappedGraph> all;
    if (jobs[i].all_devices) all = map_all_devices(jobs[i]);
    const npu::MappedGraph& mapped = all ? *all : *jobs[i].mapped;
    const bool whole = !is_sampled(mapped.graph, numeric);
    try {
      if (!statistics && whole && options.weights.empty())
        statistics = std::make_shared<const CalibratedValues>(
            calibrate(jobs[i].graph_of_values(), options.seed, parallel, options.interrupted));
      numeric.calibrated = statistics;
      run.numerics = execute(mapped, *jobs[i].recipe, numeric, parallel);
    } catch (const Interrupted& stopped) {
      run.status = Status::interrupted;
      run.error = "interrupted while computing numerics: " + stopped.done + " done";
    } catch (const base::InputError& error) {
      if (jobs.size() == 1 && !options.mistakes_fail_runs) throw named(error, run);
      run.status = Status::failed;
      run.error = named(error, run).what();
    }
  }
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

Result run_all(const std::vector<RunRequest>& requests, const RunOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Inputs inputs(options);
  std::vector<Job> jobs = load_jobs(requests, options, inputs);
  Result result;
  make_graphs(jobs, requests, options);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    result.runs.push_back(describe_run(requests[i], jobs[i], options.seed));
    result.runs.back().coverage = coverage_of(requests[i], jobs[i], options);
  }
  map_jobs(jobs, requests, options, result.runs);
  PinCheck pins;
  for (const Job& job : jobs) pins.look(*job.npu, job.mapped ? &*job.mapped : nullptr);
  result.warnings = pins.warnings();
  check_parameters(result.runs, options.dynamic, "--dynamic");
  check_fidelity(jobs, options);
  if (options.timing) time_jobs(jobs, options, result.runs);
  // A signal during the workers' time is theirs to notice: the caller's flag does not show it.
  const bool stopped =
      std::any_of(result.runs.begin(), result.runs.end(),
                  [](const RunResult& run) { return run.status == Status::interrupted; });
  if (options.numerics && !stopped) compute_numerics(jobs, options, result.runs);
  if (stopped || is_interrupted(options))
    for (RunResult& run : result.runs)
      if (run.status == Status::ok && options.numerics && !run.numerics)
        run.status = Status::interrupted;
  result.host.cpu = cpu_name();
  result.host.simd = precision::simd_path();
  result.host.jobs = jobs_of(options);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  result.host.wall_seconds = elapsed.count();
  return result;
}

Result coverage_all(const std::vector<RunRequest>& requests, const RunOptions& options) {
  Inputs inputs(options);
  std::vector<Job> jobs = load_jobs(requests, options, inputs);
  make_graphs(jobs, requests, options);
  Result result;
  PinCheck pins;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    result.runs.push_back(describe_run(requests[i], jobs[i], options.seed));
    result.runs.back().coverage = coverage_of(requests[i], jobs[i], options);
    map_job(jobs[i], result.runs.back());
    pins.look(*jobs[i].npu, jobs[i].mapped ? &*jobs[i].mapped : nullptr);
    jobs[i].mapped.reset();
  }
  result.warnings = pins.warnings();
  check_parameters(result.runs, options.dynamic, "--dynamic");
  result.host.cpu = cpu_name();
  result.host.simd = precision::simd_path();
  result.host.jobs = 1;
  return result;
}

std::vector<std::string> explain_mappings(const std::vector<RunRequest>& requests,
                                          const RunOptions& options) {
  Inputs inputs(options);
  std::vector<Job> jobs = load_jobs(requests, options, inputs);
  make_graphs(jobs, requests, options);
  std::vector<std::string> tables;
  std::vector<RunResult> ignored(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) ignored[i].coverage.emplace();
  map_jobs(jobs, requests, options, ignored);
  for (Job& job : jobs) {
    if (job.mapped) tables.push_back(mapping_table_of(*job.npu, *job.mapped, job.in_parts));
  }
  return tables;
}

int exit_code_of(const Result& result) {
  int code = 0;
  for (const RunResult& run : result.runs) {
    if (run.status == Status::interrupted) return 130;
    if (run.status == Status::failed) code = 4;
  }
  return code;
}

}  // namespace npusim::sim
