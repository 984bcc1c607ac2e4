// SPDX-License-Identifier: Apache-2.0
#include "sim/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "base/hash.h"
#include "sim/calibration.h"
#include "sim/training/batch_feed.h"
#include "sim/training/checkpoint.h"
#include "sim/training/evaluate.h"
#include "sim/training/step_executor.h"
#include "sim/training/training_log.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::Phase;
using workloads::Tensor;
using workloads::TensorId;
using workloads::TensorRole;

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

bool all_finite(const std::vector<double>& values) {
  for (const double value : values)
    if (!std::isfinite(value)) return false;
  return true;
}

/// Tensors that are different in each step.
struct Carried {
  TensorId output, source;
  bool from_update;
};

std::vector<Carried> carried_tensors(const Graph& graph) {
  std::vector<Carried> result;
  const std::vector<int> writer = workloads::writers(graph);
  const std::string suffix = ".next";
  for (const TensorId id : graph.outputs) {
    const std::string& name = graph.tensor(id).name;
    if (writer[at(id)] < 0 || name.size() <= suffix.size() ||
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0)
      continue;
    const TensorId source = graph.find(name.substr(0, name.size() - suffix.size()));
    if (source == workloads::kNoTensor) continue;
    const Phase phase = graph.nodes[static_cast<std::size_t>(writer[at(id)])].phase;
    result.push_back({id, source, phase == Phase::update});
  }
  return result;
}

/// Of each tensor, the magnitude that the unit which computes it clamps overflows to; infinite
/// where none does.
std::vector<double> clamping_products(const npu::MappedGraph& step) {
  std::vector<double> result(step.graph.tensors.size(), std::numeric_limits<double>::infinity());
  for (const npu::MappedOp& op : step.ops) {
    if (op.engine != npu::Engine::matrix || !op.gemm) continue;
    const precision::Format& sum = op.unit().accumulator().format;
    if (sum.overflow != precision::Overflow::saturate) continue;
    for (const TensorId id : step.graph.nodes[static_cast<std::size_t>(op.node)].outputs)
      result[at(id)] = sum.max_finite();
  }
  return result;
}

class Trainer {
 public:
  Trainer(const workloads::Workload& workload, const workloads::Recipe& recipe,
          const TrainMappings& mappings, const TrainData& data, const TrainOptions& options,
          const precision::ParallelFor& parallel, TrainRun& run)
      : workload_(workload),
        recipe_(recipe),
        options_(options),
        parallel_(parallel),
        data_(data),
        run_(run),
        graph_(mappings.step.graph),
        storage_(mappings.step.storage),
        executor_(mappings.step, recipe.internal, options.seed, parallel, options.interrupted),
        evaluator_(workload, mappings.forward, recipe.internal, *data.test, options.seed, parallel,
                   options.interrupted),
        scaler_(recipe.loss_scaling),
        carried_(carried_tensors(graph_)),
        tensors_(step_tensors(workload, graph_)),
        sample_(sample_shape(workload)),
        finite_(graph_.find(workloads::kGradientsFinite)),
        clamped_at_(clamping_products(mappings.step)) {
    per_epoch_ = data_.train->size() / workload_.samples_per_step();
    total_ = per_epoch_ * options.epochs;
    if (options.max_steps > 0) total_ = std::min(total_, options.max_steps);
    executor_.load_initial_values();
  }

  void run() {
    if (!options_.resume.empty()) resume();
    try {
      go_on();
    } catch (const Interrupted&) {
      run_.status = TrainStatus::interrupted;
      forget_begun_step();
    }
    if (run_.status == TrainStatus::interrupted) save();
    finish();
  }

 private:
  void go_on() {
    if (waits_for_evaluation()) evaluate();
    while (step_ < total_ && run_.status == TrainStatus::ok) {
      one_step();
      if (step_ % per_epoch_ != 0 && step_ != total_) continue;
      if (run_.status == TrainStatus::ok) evaluate();
      save();
    }
  }

  /// At the start, and where an interrupt took the evaluation of an epoch.
  bool waits_for_evaluation() const {
    const bool due = step_ % per_epoch_ == 0 || step_ == total_;
    return due && (run_.evaluations.empty() || run_.evaluations.back().step != step_);
  }

  /// What was seen of a step that was not finished.
  void forget_begun_step() {
    while (!run_.gradients.empty() && run_.gradients.back().step == step_)
      run_.gradients.pop_back();
    while (!run_.updates.empty() && run_.updates.back().step == step_) run_.updates.pop_back();
  }

  void set(const char* name, double value) {
    const TensorId id = graph_.find(name);
    if (id != workloads::kNoTensor) executor_.load(id, {value});
  }

  void load_batch() {
    const std::int64_t epoch = step_ / per_epoch_;
    if (epoch != epoch_) {
      order_ = workloads::shuffled(data_.train->size(), options_.seed, epoch);
      epoch_ = epoch;
    }
    const std::int64_t first = step_ % per_epoch_ * workload_.samples_per_step();
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const Batch batch = read_batch(*data_.train, sample_, order_,
                                     first + static_cast<std::int64_t>(i) * workload_.batch,
                                     workload_.batch, parallel_);
      executor_.load(tensors_[i].input, batch.input);
      executor_.load(tensors_[i].label, batch.label);
    }
  }

  void one_step() {
    load_batch();
    StepRecord record;
    record.step = step_;
    record.scale = static_cast<double>(scaler_.scale());
    record.learning_rate = workload_.training->optimizer.learning_rate *
                           workloads::schedule_factor(workload_.training->schedule, updates_);
    set(workloads::kLossScale, record.scale);
    set(workloads::kInverseScale, static_cast<double>(scaler_.inverse()));
    set(workloads::kLearningRate, record.learning_rate);
    set(workloads::kUpdateCount,
        workloads::first_count(workload_.training->optimizer) + static_cast<double>(updates_));
    const bool finite = compute();
    record.loss = executor_.value(graph_.outputs[0]).values[0];
    record.skipped = !finite;
    const bool sound = !finite || updates_finite();
    if (!finite || !sound || !std::isfinite(record.loss)) locate_nonfinite();
    for (const Carried& tensor : carried_)
      if (finite || !tensor.from_update) executor_.carry(tensor.output, tensor.source);
    scaler_.update(finite, largest_);
    if (finite)
      ++updates_;
    else
      ++run_.skipped_steps;
    run_.steps.push_back(record);
    if (options_.log) options_.log(log_line(run_, record));
    if (options_.progress) options_.progress(1.0 / static_cast<double>(total_), run_.recipe);
    ++step_;
    if (!sound) diverged();
  }

  /// Runs the step; false when it has to be skipped.
  bool compute() {
    const bool looks = options_.statistics_every > 0 && step_ % options_.statistics_every == 0;
    const bool largest = recipe_.loss_scaling.kind == workloads::LossScalingSpec::Kind::statistics;
    largest_ = 0.0;
    std::vector<char> watched(graph_.tensors.size(), 0);
    if (finite_ != workloads::kNoTensor) watched[at(finite_)] = 1;
    if (looks || largest) watch_gradients(watched);
    if (looks) run_.updates.emplace_back();
    if (looks) run_.updates.back().step = step_;
    const auto watch = [&](const Node& node, TensorId id, const std::vector<double>& before,
                           const Tensor& after) {
      if (id == finite_) return after.values[0] != 0.0;
      if (largest)
        for (const double value : before) largest_ = std::max(largest_, std::fabs(value));
      if (looks) look_at(node, id, before, after);
      return true;
    };
    return executor_.run(static_cast<std::uint64_t>(step_), watch, watched);
  }

  void watch_gradients(std::vector<char>& watched) const {
    for (const Node& node : graph_.nodes)
      for (const TensorId id : node.outputs) {
        const TensorRole role = graph_.tensor(id).role;
        const bool gradient =
            node.phase == Phase::backward &&
            (role == TensorRole::weight_gradient || role == TensorRole::activation_gradient);
        const bool cast = node.op == "Cast" && role == TensorRole::weight;
        const bool updated = node.phase == Phase::update &&
                             (role == TensorRole::weight || role == TensorRole::master_weight);
        if (gradient || cast || updated) watched[at(id)] = 1;
      }
  }

  void look_at(const Node& node, TensorId id, const std::vector<double>& before,
               const Tensor& after) {
    if (node.phase == Phase::update) {
      // Sgd(w, g, ...); the others (R, T, w, g, ...).
      const std::size_t weight = node.op == "Sgd" ? 0 : 2;
      run_.updates.back().add(executor_.value(node.inputs[weight]).values,
                              executor_.value(node.inputs[weight + 1]).values, before,
                              after.values);
      return;
    }
    if (node.op == "Cast" && graph_.tensor(id).role == TensorRole::weight) {
      run_.updates.back().add_working(before, after.values);
      return;
    }
    GradientStatistics statistics =
        gradient_statistics(before, after.values, storage_[at(id)].format, clamped_at_[at(id)]);
    statistics.step = step_;
    statistics.tensor = graph_.tensor(id).name;
    statistics.role = workloads::name_of(graph_.tensor(id).role);
    statistics.scale = static_cast<double>(scaler_.scale());
    run_.gradients.push_back(std::move(statistics));
  }

  /// The same step once more, looking at every tensor; its results stay as they are.
  void locate_nonfinite() {
    if (run_.first_nonfinite.step >= 0) return;
    const std::vector<char> watched(graph_.tensors.size(), 1);
    executor_.run(
        static_cast<std::uint64_t>(step_),
        [&](const Node& node, TensorId id, const std::vector<double>&, const Tensor& after) {
          if (all_finite(after.values)) return true;
          run_.first_nonfinite = {step_, node.name, graph_.tensor(id).name};
          return false;
        },
        watched);
  }

  bool updates_finite() const {
    for (const Carried& tensor : carried_)
      if (tensor.from_update && !all_finite(executor_.value(tensor.output).values)) return false;
    return true;
  }

  void diverged() {
    run_.status = TrainStatus::diverged;
    run_.error = "weights are no longer finite after step " + std::to_string(step_ - 1);
  }

  /// The weights that the optimizer keeps, and running statistics, by the names the forward graph
  /// knows them by.
  const std::vector<double>* stored_value(const std::string& name) const {
    for (const char* suffix : {".master", ""}) {
      const TensorId id = graph_.find(name + suffix);
      if (id == workloads::kNoTensor) continue;
      for (const Carried& tensor : carried_)
        if (tensor.source == id) return &executor_.value(id).values;
    }
    return nullptr;
  }

  void evaluate() {
    Evaluation evaluation =
        evaluator_.run([this](const std::string& name) { return stored_value(name); });
    evaluation.step = step_;
    if (options_.log) options_.log(log_line(run_, evaluation));
    run_.evaluations.push_back(std::move(evaluation));
  }

  CheckpointState checkpoint_state() const {
    CheckpointState state;
    state.step = step_;
    state.updates = updates_;
    state.scaler = scaler_.state();
    const auto hash = [](const base::JsonValue& config) {
      return base::hex64(base::fnv1a(base::dump_json(config, -1)));
    };
    base::JsonValue workload = base::JsonValue::make_object();
    std::string cluster = "none";
    for (const auto& [name, value] : workload_.resolved.members())
      if (name == "cluster")
        cluster = hash(value);  // cluster_graphs.h puts it there
      else
        workload.set(name, value);
    state.identity = {{"workload", hash(workload)},
                      {"recipe", hash(recipe_.resolved)},
                      {"mapping on the NPU", executor_.mapped().hash()},
                      {"cluster", cluster},
                      {"--data", options_.data},
                      {"--train-samples", std::to_string(options_.train_samples)},
                      {"--test-samples", std::to_string(options_.test_samples)},
                      {"--seed", std::to_string(options_.seed)}};
    state.gradients = run_.gradients;
    state.update_statistics = run_.updates;
    state.first_nonfinite = run_.first_nonfinite;
    return state;
  }

  void save() {
    if (options_.checkpoint.empty()) return;
    CheckpointState state = checkpoint_state();
    for (const Carried& tensor : carried_)
      state.tensors[graph_.tensor(tensor.source).name] = {graph_.tensor(tensor.source).shape,
                                                          executor_.value(tensor.source).values};
    state.steps = run_.steps;
    state.evaluations = run_.evaluations;
    state.skipped_steps = run_.skipped_steps;
    write_checkpoint(options_.checkpoint, state);
  }

  void resume() {
    const CheckpointState state = read_checkpoint(options_.resume, checkpoint_state());
    step_ = state.step;
    updates_ = state.updates;
    scaler_.restore(state.scaler);
    for (const Carried& tensor : carried_) {
      const auto found = state.tensors.find(graph_.tensor(tensor.source).name);
      if (found == state.tensors.end() || found->second.first != graph_.tensor(tensor.source).shape)
        throw base::InputError(
            options_.resume + " has no fitting tensor " + graph_.tensor(tensor.source).name,
            "shape-mismatch");
      executor_.load(tensor.source, found->second.second);
    }
    run_.steps = state.steps;
    run_.evaluations = state.evaluations;
    run_.skipped_steps = state.skipped_steps;
  }

  void finish() {
    for (const Carried& tensor : carried_)
      if (graph_.tensor(tensor.source).role == TensorRole::statistics)
        run_.statistics[graph_.tensor(tensor.source).name] = executor_.value(tensor.source).values;
    std::uint64_t hash = base::fnv1a("");
    for (const Carried& tensor : carried_)
      for (const double value : executor_.value(tensor.source).values) {
        char bytes[sizeof value];
        std::memcpy(bytes, &value, sizeof value);
        hash = base::fnv1a(std::string_view(bytes, sizeof value), hash);
      }
    run_.weights_hash = hash;
    if (recipe_.loss_scaling.kind != workloads::LossScalingSpec::Kind::none)
      run_.scaling_verdict = scaling_verdict(run_.steps, scaler_.scale());
  }

  const workloads::Workload& workload_;
  const workloads::Recipe& recipe_;
  const TrainOptions& options_;
  const precision::ParallelFor& parallel_;
  const TrainData& data_;
  TrainRun& run_;
  const Graph& graph_;
  const std::vector<precision::Arithmetic>& storage_;
  StepExecutor executor_;
  Evaluator evaluator_;
  workloads::LossScaler scaler_;
  std::vector<Carried> carried_;
  std::vector<DataTensors> tensors_;
  workloads::SampleShape sample_;
  TensorId finite_;
  std::vector<double> clamped_at_;  ///< by tensor
  std::vector<std::int64_t> order_;
  std::int64_t epoch_ = -1, per_epoch_ = 0, total_ = 0, step_ = 0, updates_ = 0;
  double largest_ = 0.0;
};

}  // namespace

void train(const workloads::Workload& workload, const workloads::Recipe& recipe,
           const TrainMappings& mappings, const TrainData& data, const TrainOptions& options,
           const precision::ParallelFor& parallel, TrainRun& run) {
  const auto start = std::chrono::steady_clock::now();
  Trainer(workload, recipe, mappings, data, options, parallel, run).run();
  run.host_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace npusim::sim
