// SPDX-License-Identifier: Apache-2.0
#include "sim/training/train_all.h"

#include <algorithm>
#include <thread>

#include "base/isolated.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "npu_models/npu_file.h"
#include "npu_models/timing.h"
#include "npu_models/training_graph.h"
#include "sim/catalog.h"
#include "sim/cluster_graphs.h"
#include "sim/pin_check.h"
#include "sim/run_parts.h"
#include "sim/training/batch_feed.h"
#include "sim/training/checkpoint.h"
#include "sim/training/trainer.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

struct Job {
  workloads::Recipe recipe;
  std::optional<TrainMappings> mappings;
  std::optional<npu::MappedGraph> one_device;  ///< of a cluster
  TrainRun run;
};

class Experiment {
 public:
  explicit Experiment(const TrainRequest& request) : request_(request) {}

  TrainResult run() {
    load();
    map();
    if (request_.timing && request_.fp32_step) map_fp32_step();
    if (request_.timing) time();
    if (fp32_step_) result_.fp32_step = std::move(fp32_step_->run);
    train_jobs();
    return std::move(result_);
  }

 private:
  void load() {
    base::Diagnostics diagnostics;
    const auto overrides = [&](const char* kind) { return overrides_of(request_.overrides, kind); };
    diagnostics.collect([&] { npu_ = npu::load_npu(request_.npu_file, overrides("npu")); });
    npu_.what_if = request_.what_if;
    diagnostics.collect([&] {
      workload_ = workloads::load_workload(request_.workload_file, overrides("workload"));
    });
    if (request_.cluster_file.empty() && !overrides("cluster").empty())
      diagnostics.collect([] {
        throw base::InputError("--set cluster...: no --cluster names a cluster file",
                               "unknown-path");
      });
    if (!request_.cluster_file.empty())
      diagnostics.collect(
          [&] { cluster_ = npu::load_cluster(request_.cluster_file, overrides("cluster")); });
    const std::size_t first = request_.reference ? 1 : 0;
    jobs_.resize(first + request_.recipe_files.size());
    if (request_.reference)
      diagnostics.collect(
          [&] { jobs_[0].recipe = workloads::load_recipe(find_file("recipe", "fp32")); });
    for (std::size_t i = 0; i < request_.recipe_files.size(); ++i)
      diagnostics.collect([&] {
        jobs_[first + i].recipe =
            workloads::load_recipe(request_.recipe_files[i], overrides("recipe"));
      });
    diagnostics.throw_if_any();
    if (!workload_.training)
      throw base::InputError("workload " + workload_.name + " has no \"training\" section",
                             "not-trainable");
    if (cluster_) use_cluster();
    data_ = open_data(workload_, request_.options);
    result_.npu = npu_.name;
    result_.workload = workload_.name;
    result_.data = request_.options.data;
    result_.seed = request_.options.seed;
    result_.batch = workload_.samples_per_step();
    const workloads::SampleShape sample = sample_shape(workload_);
    result_.sequences = sample.label.size() == 1 && !sample.boxed;
  }

  /// The reference takes the same samples a step and adds their gradients in FP32.
  void use_cluster() {
    one_device_ = on_one_device(workload_, *cluster_);
    reference_ = workload_;
    workload_ = on_all_devices(workload_, *cluster_);
    if (cluster_->parallel == npu::Parallelism::tensor) return;
    reference_ = workload_;
    reference_->training->reduction->format.reset();
  }

  bool is_reference(std::size_t i) const { return request_.reference && i == 0; }

  void map() {
    PinCheck pins;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      Job& job = jobs_[i];
      job.run.recipe = job.recipe.name;
      try {
        if (is_reference(i))
          job.mappings = map_training(workload_of(i), job.recipe);
        else
          map_on_npu(job);
        if (job.mappings) job.run.hypothetical = hypothetical_ops(job.mappings->step);
        if (job.mappings) add_new(hypothetical_ops(job.mappings->forward), job.run.hypothetical);
      } catch (const DoesNotFitError& error) {
        job.run.status = TrainStatus::unsupported;
        job.run.error = error.what();
        job.run.memory = error.memory;
      } catch (const npu::UnsupportedError& error) {
        job.run.status = TrainStatus::unsupported;
        job.run.error = error.what();
      }
      if (is_reference(i)) continue;
      pins.look(npu_, job.mappings ? &job.mappings->step : nullptr);
      if (job.mappings) pins.look(npu_, &job.mappings->forward);
    }
    result_.warnings = pins.warnings();
  }

  const workloads::Workload& workload_of(std::size_t i) const {
    return is_reference(i) && reference_ ? *reference_ : workload_;
  }

  void map_on_npu(Job& job) {
    if (!cluster_) {
      job.mappings = map_training(npu_, workload_, job.recipe);
      job.run.memory = job.mappings->step.memory;
      return;
    }
    workloads::Graph step = npu::training_graph(npu_, *one_device_, job.recipe).graph;
    set_reduction_formats(step, *cluster_, job.recipe);
    job.one_device = npu::map_graph(npu_, step, job.recipe);
    job.run.memory = job.one_device->memory;
    npu::check_fits(npu_, *job.one_device);
    job.mappings = map_training(npu_, *cluster_, workload_, job.recipe, *job.one_device);
  }

  /// What speed-ups are against. Its formats are the NPU's own: neither on the host nor
  /// hypothetical.
  void map_fp32_step() {
    fp32_step_.emplace();
    Job& job = *fp32_step_;
    job.recipe = workloads::load_recipe(find_file("recipe", "fp32"));
    job.run.recipe = job.recipe.name;
    const std::vector<npu::InputMode>& inputs = npu_.mac_array.inputs;
    const bool declared = std::any_of(inputs.begin(), inputs.end(), [&](const auto& input) {
      return input.format == job.recipe.weights;
    });
    try {
      if (!declared) throw npu::UnsupportedError(npu_.name + " declares no FP32 operands");
      map_on_npu(job);
      if (!hypothetical_ops(job.mappings->step).empty())
        throw npu::UnsupportedError(npu_.name + " does not declare FP32 for all ops");
    } catch (const npu::UnsupportedError& error) {
      job.mappings.reset();
      job.run.memory.reset();
      job.run.status = TrainStatus::unsupported;
      job.run.error = error.what();
    }
  }

  const npu::MappedGraph& timed(const Job& job) const {
    return job.one_device ? *job.one_device : job.mappings->step;
  }

  /// In children: before any thread of this process starts.
  void time() {
    std::vector<Job*> todo;
    for (std::size_t i = 0; i < jobs_.size(); ++i)
      if (jobs_[i].mappings && !is_reference(i)) todo.push_back(&jobs_[i]);
    if (fp32_step_ && fp32_step_->mappings) todo.push_back(&*fp32_step_);
    const std::vector<base::IsolatedOutcome> outcomes = base::run_isolated(
        todo.size(), threads(),
        [&](std::size_t i) { return npu::serialize(npu::simulate(npu_, timed(*todo[i]))); });
    for (std::size_t i = 0; i < todo.size(); ++i) {
      TrainRun& run = todo[i]->run;
      if (outcomes[i].ok) {
        const Timing timing = derive_timing(npu::parse_timing(outcomes[i].payload), npu_,
                                            workload_.samples_per_step());
        run.step_seconds = timing.seconds;
        if (!cluster_) continue;
        run.cluster = cluster_timing(*cluster_, npu_, *todo[i]->one_device, timing.run,
                                     workload_.samples_per_step(), std::nullopt);
        run.step_seconds = run.cluster->step_seconds;
      } else if (outcomes[i].error == "interrupted") {
        // The caller's flag does not show a signal that the workers took.
        run.error = "interrupted while simulating";
        stopped_ = true;
      } else {
        run.status = TrainStatus::failed;
        run.error = "timing: " + outcomes[i].error;
      }
    }
  }

  bool is_stopped() {
    stopped_ = stopped_ || (request_.options.interrupted && request_.options.interrupted());
    return stopped_;
  }

  int threads() const {
    return request_.jobs > 0 ? request_.jobs
                             : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }

  void train_jobs() {
    base::ThreadPool pool(threads());
    const precision::ParallelFor parallel = [&pool](std::int64_t count,
                                                    const std::function<void(std::int64_t)>& body) {
      pool.parallel_for(count, body);
    };
    base::Progress progress("training", static_cast<double>(jobs_.size()), request_.quiet);
    TrainOptions options = request_.options;
    options.progress = [&](double share, const std::string& detail) {
      progress.advance(share, detail);
    };
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      Job& job = jobs_[i];
      if (!job.mappings || job.run.status != TrainStatus::ok) continue;
      if (is_stopped()) {
        job.run.status = TrainStatus::interrupted;
        continue;
      }
      options.checkpoint = is_reference(i) ? "" : request_.options.checkpoint;
      options.resume = is_reference(i) ? "" : request_.options.resume;
      if (!options.resume.empty()) restore_statistics(options.resume, job.run);
      train(workload_of(i), job.recipe, *job.mappings, data_, options, parallel, job.run);
    }
    if (request_.reference) result_.reference = std::move(jobs_[0].run);
    for (std::size_t i = first(); i < jobs_.size(); ++i)
      result_.runs.push_back(std::move(jobs_[i].run));
  }

  std::size_t first() const { return request_.reference ? 1 : 0; }

  const TrainRequest& request_;
  npu::NpuSpec npu_;
  std::optional<npu::ClusterSpec> cluster_;
  workloads::Workload workload_;  ///< with the nodes of all devices of a cluster
  std::optional<workloads::Workload> one_device_, reference_;  ///< with a cluster
  std::optional<Job> fp32_step_;
  TrainData data_;
  std::vector<Job> jobs_;
  bool stopped_ = false;  ///< by an interrupt
  TrainResult result_;
};

}  // namespace

const char* name_of(TrainStatus status) {
  switch (status) {
    case TrainStatus::ok:
      return "ok";
    case TrainStatus::diverged:
      return "diverged";
    case TrainStatus::unsupported:
      return "unsupported";
    case TrainStatus::failed:
      return "failed";
    case TrainStatus::interrupted:
      return "interrupted";
  }
  return "";
}

TrainResult train_all(const TrainRequest& request) {
  return Experiment(request).run();
}

int exit_code_of(const TrainResult& result) {
  int code = 0;
  std::vector<const TrainRun*> runs = {&result.reference};
  for (const TrainRun& run : result.runs) runs.push_back(&run);
  for (const TrainRun* run : runs) {
    if (run->status == TrainStatus::interrupted) return 130;
    if (run->status == TrainStatus::failed) code = 4;
  }
  return code;
}

}  // namespace npusim::sim
