// SPDX-License-Identifier: Apache-2.0
#include "sim/numerics.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/array_file.h"
#include "base/hash.h"
#include "base/whole_file.h"
#include "precision/indexed_rounding.h"
#include "sim/calibration.h"
#include "sim/matrix_engines.h"
#include "sim/sampled_numerics.h"
#include "workloads/evaluate.h"

namespace npusim::sim {
namespace {

using precision::Arithmetic;
using workloads::ElementType;
using workloads::Graph;
using workloads::Node;
using workloads::Tensor;
using workloads::TensorId;

/// Which of the three FP64/emulated values of a tensor an evaluation reads and writes.
enum class Track { emulated, propagated, total };
constexpr int kTracks = 3;

struct TensorState {
  std::shared_ptr<const Tensor> values[kTracks];
  std::optional<precision::Distribution> distribution;  ///< of the emulated values, if floating
  int readers_left = 0;
};

base::ElementKind kind_of(ElementType integer) {
  switch (integer) {
    case ElementType::boolean:
      return base::ElementKind::boolean;
    case ElementType::int4:
    case ElementType::int8:
      return base::ElementKind::i8;
    case ElementType::int16:
      return base::ElementKind::i16;
    case ElementType::int32:
      return base::ElementKind::i32;
    case ElementType::uint4:
    case ElementType::uint8:
      return base::ElementKind::u8;
    case ElementType::uint16:
      return base::ElementKind::u16;
    case ElementType::uint32:
      return base::ElementKind::u32;
    case ElementType::uint64:
      return base::ElementKind::u64;
    default:
      return base::ElementKind::i64;
  }
}

class Executor {
 public:
  Executor(const npu::MappedGraph& mapped, const workloads::Recipe& recipe,
           const NumericOptions& options, const precision::ParallelFor& parallel)
      : mapped_(mapped),
        graph_(mapped.graph),
        recipe_(recipe),
        options_(options),
        parallel_(parallel),
        reference_(parallel),
        host_(parallel),
        internal_(Arithmetic{recipe.internal, precision::Rounding::rne}),
        states_(graph_.tensors.size()) {}

  Numerics run() {
    prepare();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (options_.interrupted && options_.interrupted())
        throw Interrupted{std::to_string(i) + " of " + std::to_string(graph_.nodes.size()) +
                          " ops"};
      run_node(i);
    }
    finish_outputs();
    return std::move(result_);
  }

 private:
  void prepare() {
    const std::vector<int> readers = workloads::reader_counts(graph_);
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i].readers_left = readers[i];
    op_of_node_.assign(graph_.nodes.size(), nullptr);
    for (const npu::MappedOp& op : mapped_.ops) {
      op_of_node_[static_cast<std::size_t>(op.node)] = &op;
      for (const int fused : op.epilogue) op_of_node_[static_cast<std::size_t>(fused)] = &op;
    }
    if (!options_.weights.empty()) loaded_ = base::read_safetensors(options_.weights);
    find_statistics();
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (graph_.tensors[i].initializer && states_[i].readers_left > 0) initialise(i);
  }

  /// Statistics of weights that a file gives are in that file.
  void find_statistics() {
    calibrated_ = options_.calibrated;
    if (calibrated_) return;
    calibrated_ = std::make_shared<const CalibratedValues>(
        options_.weights.empty() ? calibrate(graph_, options_.seed, parallel_, options_.interrupted)
                                 : CalibratedValues{});
  }

  Tensor initial_values(const workloads::TensorInfo& info) const {
    const auto file = options_.files.find(info.name);
    workloads::Initializer from_file;
    from_file.kind = workloads::Initializer::Kind::file;
    if (file != options_.files.end()) {
      from_file.path = file->second;
      return workloads::make_values(from_file, info.shape, info.type, info.name, options_.seed);
    }
    const auto weight = loaded_.find(workloads::values_name(info));
    if (weight != loaded_.end()) {
      if (weight->second.shape != info.shape)
        throw base::InputError(options_.weights + ": tensor " + info.name + " has shape " +
                                   workloads::to_string(weight->second.shape) +
                                   ", the graph wants " + workloads::to_string(info.shape),
                               "shape-mismatch");
      Tensor tensor(info.shape, info.type);
      tensor.values = weight->second.values;
      return tensor;
    }
    const auto calibrated = calibrated_->find(info.name);
    if (calibrated != calibrated_->end()) return calibrated->second;
    return workloads::make_values(*info.initializer, info.shape, info.type, info.name,
                                  options_.seed, parallel_);
  }

  void initialise(std::size_t id) {
    const auto unrounded = std::make_shared<Tensor>(initial_values(graph_.tensors[id]));
    const auto rounded = std::make_shared<Tensor>(*unrounded);
    round(*rounded, id);
    states_[id].values[static_cast<int>(Track::emulated)] = rounded;
    states_[id].values[static_cast<int>(Track::propagated)] = rounded;
    states_[id].values[static_cast<int>(Track::total)] = unrounded;
    describe(*rounded, id);
  }

  void describe(const Tensor& emulated, std::size_t id) {
    if (emulated.type != ElementType::floating) return;
    states_[id].distribution = precision::distribution_of(
        emulated.values.data(), static_cast<std::int64_t>(emulated.values.size()), parallel_);
  }

  std::optional<TensorDistribution> distribution_of(TensorId id) const {
    if (id == workloads::kNoTensor) return std::nullopt;
    const auto& described = states_[static_cast<std::size_t>(id)].distribution;
    if (!described) return std::nullopt;
    return TensorDistribution{graph_.tensor(id).name, *described};
  }

  /// Random bits of a stored tensor depend on seed, step and name: a run is one step.
  precision::RandomKey storage_key(std::size_t id) const {
    precision::RandomKey key;
    for (const std::uint64_t coordinate :
         {options_.seed, std::uint64_t{0}, base::fnv1a(graph_.tensors[id].name)})
      key = precision::derived_key(key, coordinate);
    return key;
  }

  void round(Tensor& tensor, std::size_t id) const {
    if (tensor.type != ElementType::floating) return;
    constexpr std::int64_t kBlock = 1 << 16;
    const auto count = static_cast<std::int64_t>(tensor.values.size());
    const precision::RandomKey key = storage_key(id);
    parallel_((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
      double* first = tensor.values.data() + block * kBlock;
      const long length = static_cast<long>(std::min(kBlock, count - block * kBlock));
      precision::round_indexed(first, first, length, mapped_.storage[id], key,
                               static_cast<std::uint64_t>(block * kBlock));
    });
  }

  std::vector<Tensor> evaluate(const Node& node, const std::vector<const Tensor*>& inputs,
                               const workloads::MatrixEngine& engine,
                               const workloads::VectorArithmetic& internal) const {
    return workloads::evaluate(graph_, node, inputs, engine, internal, parallel_);
  }

  std::vector<const Tensor*> inputs_of(const Node& node, Track track) const {
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs) {
      if (id == workloads::kNoTensor) {
        inputs.push_back(nullptr);
        continue;
      }
      const auto& value = states_[static_cast<std::size_t>(id)].values[static_cast<int>(track)];
      NPUSIM_CHECK(value != nullptr, "tensor " + graph_.tensor(id).name + " has no value");
      inputs.push_back(&*value);
    }
    return inputs;
  }

  /// The host has no tables.
  std::vector<Tensor> evaluate_emulated(const Node& node, const npu::MappedOp* op) {
    const std::vector<const Tensor*> inputs = inputs_of(node, Track::emulated);
    approximated_ = 0;
    const bool on_npu = op != nullptr && op->engine != npu::Engine::host;
    const workloads::VectorArithmetic internal(
        node.internal ? precision::Rounder({*node.internal, precision::Rounding::rne}) : internal_,
        on_npu ? mapped_.approximations.get() : nullptr, &approximated_);
    if (op != nullptr && &graph_.nodes[static_cast<std::size_t>(op->node)] == &node) {
      const precision::RandomKey seeded = precision::derived_key({}, options_.seed);
      const auto engine = array_engine(
          *op, parallel_, precision::derived_key(seeded, static_cast<std::uint64_t>(op->node)));
      if (engine != nullptr) return evaluate(node, inputs, *engine, internal);
    }
    return evaluate(node, inputs, host_, internal);
  }

  void run_node(std::size_t index) {
    const Node& node = graph_.nodes[index];
    const npu::MappedOp* op = op_of_node_[index];
    std::vector<Tensor> emulated;
    at_node(node, [&] { emulated = evaluate_emulated(node, op); });
    for (std::size_t i = 0; i < emulated.size(); ++i)
      round(emulated[i], static_cast<std::size_t>(node.outputs[i]));
    const workloads::VectorArithmetic exact;
    std::vector<Tensor> local = evaluate(node, inputs_of(node, Track::emulated), reference_, exact);
    std::vector<Tensor> propagated =
        evaluate(node, inputs_of(node, Track::propagated), reference_, exact);
    std::vector<Tensor> total = evaluate(node, inputs_of(node, Track::total), reference_, exact);
    for (std::size_t i = 0; i < emulated.size(); ++i)
      describe(emulated[i], static_cast<std::size_t>(node.outputs[i]));
    record(index, emulated, local, propagated, total);
    look_at_task(node, emulated, total);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      TensorState& state = states_[static_cast<std::size_t>(node.outputs[i])];
      const auto keep = [&](Track track, Tensor& value) {
        state.values[static_cast<int>(track)] = std::make_shared<const Tensor>(std::move(value));
      };
      keep(Track::emulated, emulated[i]);
      keep(Track::propagated, propagated[i]);
      keep(Track::total, total[i]);
    }
    release_inputs(node);
    if (options_.progress) {
      const auto contraction =
          workloads::ops().at(node.op).contraction(workloads::NodeView(graph_, node));
      options_.progress(contraction ? static_cast<double>(contraction->macs()) : 0.0, node.name);
    }
  }

  void record(std::size_t index, const std::vector<Tensor>& emulated,
              const std::vector<Tensor>& local, const std::vector<Tensor>& propagated,
              const std::vector<Tensor>& total) {
    const Node& node = graph_.nodes[index];
    if (node.outputs.empty() || graph_.tensor(node.outputs[0]).type != ElementType::floating)
      return;
    const precision::Format& format =
        mapped_.storage[static_cast<std::size_t>(node.outputs[0])].format;
    OpError error;
    error.node = node.name;
    error.op = node.op;
    error.phase = workloads::name_of(node.phase);
    for (const TensorId id : node.inputs)
      if (const auto input = distribution_of(id)) error.inputs.push_back(*input);
    error.output = distribution_of(node.outputs[0]);
    const npu::MappedOp* op = op_of_node_[index];
    if (op != nullptr && op->gemm && op->node == static_cast<int>(index))
      error.plan = npu::describe_plan(*op->gemm);
    if (op != nullptr && op->attention) error.plan = npu::describe_plan(*op->attention);
    if (op != nullptr && op->attention_gradient)
      error.plan = npu::describe_plan(*op->attention_gradient);
    name_approximations(error);
    const std::pair<precision::ErrorMetrics*, const Tensor*> references[] = {
        {&error.local, &local[0]}, {&error.propagated, &propagated[0]}, {&error.total, &total[0]}};
    parallel_(4, [&](std::int64_t i) {
      if (i < 3) {
        *references[i].first = metrics(emulated[0], *references[i].second, format);
        return;
      }
      for (const Tensor& output : emulated)
        error.bits_hash =
            base::hash_of(output.values.data(), output.values.size(), error.bits_hash);
    });
    if (result_.first_nonfinite_op.empty() && error.total.nan + error.total.inf > 0)
      result_.first_nonfinite_op = node.name;
    result_.by_op.push_back(std::move(error));
  }

  /// Labels have values even where no loss reads them.
  void look_at_task(const Node& node, const std::vector<Tensor>& emulated,
                    const std::vector<Tensor>& total) {
    if (!options_.task) return;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (graph_.tensor(node.outputs[i]).name != options_.task->logits) continue;
      std::vector<double> labels;
      const TensorId id = graph_.find(options_.task->labels);
      if (id != workloads::kNoTensor && graph_.tensor(id).initializer)
        labels = initial_values(graph_.tensor(id)).values;
      result_.task = task_metrics(emulated[i], total[i], labels);
    }
  }

  void name_approximations(OpError& error) {
    for (std::size_t i = 0; i < workloads::kElementaryFunctions; ++i) {
      if ((approximated_ >> i & 1U) == 0) continue;
      const auto function = static_cast<workloads::Elementary>(i);
      error.approximated.emplace_back(name_of(function));
      result_.approximations.emplace(name_of(function),
                                     workloads::describe(*mapped_.approximations->find(function)));
    }
  }

  static precision::ErrorMetrics metrics(const Tensor& y, const Tensor& reference,
                                         const precision::Format& format) {
    return precision::compare(y.values.data(), reference.values.data(),
                              static_cast<std::int64_t>(y.values.size()), format);
  }

  void release_inputs(const Node& node) {
    for (const TensorId id : node.inputs) {
      if (id == workloads::kNoTensor) continue;
      TensorState& state = states_[static_cast<std::size_t>(id)];
      if (--state.readers_left > 0) continue;
      for (auto& value : state.values) value.reset();
    }
  }

  void finish_outputs() {
    std::uint64_t bits = base::fnv1a("");
    for (const TensorId id : graph_.outputs) {
      const auto index = static_cast<std::size_t>(id);
      const workloads::TensorInfo& info = graph_.tensors[index];
      const TensorState& state = states_[index];
      const Tensor& emulated = *state.values[static_cast<int>(Track::emulated)];
      const precision::Format& format = mapped_.storage[index].format;
      for (const double value : emulated.values) {
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        bits = base::fnv1a(std::string_view(raw, sizeof raw), bits);
      }
      const auto error_against = [&](Track track) {
        return OutputError{info.name, format.name,
                           metrics(emulated, *state.values[static_cast<int>(track)], format)};
      };
      result_.outputs.push_back(error_against(Track::total));
      result_.outputs_propagated.push_back(error_against(Track::propagated));
      if (!options_.dump_folder.empty()) dump(info, format, emulated);
    }
    result_.output_bits_hash = bits;
  }

  void dump(const workloads::TensorInfo& info, const precision::Format& format,
            const Tensor& tensor) const {
    base::ArrayData array;
    array.shape = tensor.shape;
    array.values = tensor.values;
    array.kind = format.bits() <= 32 ? base::ElementKind::f32 : base::ElementKind::f64;
    if (tensor.type != ElementType::floating) array.kind = kind_of(tensor.type);
    std::string name = info.name;
    std::replace(name.begin(), name.end(), '/', '_');
    base::write_npy((std::filesystem::path(options_.dump_folder) / (name + ".npy")).string(),
                    array);
  }

  const npu::MappedGraph& mapped_;
  const Graph& graph_;
  const workloads::Recipe& recipe_;
  const NumericOptions& options_;
  const precision::ParallelFor& parallel_;
  ReferenceEngine reference_;
  HostEngine host_;
  precision::Rounder internal_;
  std::atomic<std::uint32_t> approximated_{0};  ///< what the op at hand took from tables
  std::vector<TensorState> states_;
  std::vector<const npu::MappedOp*> op_of_node_;
  std::map<std::string, base::ArrayData> loaded_;
  std::shared_ptr<const CalibratedValues> calibrated_;
  Numerics result_;
};

double physical_memory_bytes() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

}  // namespace

workloads::Initializer standard_normal() {
  workloads::Initializer initializer;
  initializer.kind = workloads::Initializer::Kind::normal;
  return initializer;
}

bool is_sampled(const Graph& graph, const NumericOptions& options) {
  if (options.most_macs == std::numeric_limits<std::int64_t>::max()) return false;
  return graph.mac_count() > options.most_macs || numeric_bytes(graph) > kMostNumericBytes;
}

double numeric_bytes(const Graph& graph) {
  // Initialised tensors are all held from the start, rounded and unrounded; the others live from
  // writer to last reader.
  std::vector<int> readers = workloads::reader_counts(graph);
  const auto bytes = [&](TensorId id) {
    const workloads::TensorInfo& info = graph.tensor(id);
    const int copies = info.initializer ? 2 : kTracks;
    return static_cast<double>(workloads::element_count(info.shape)) * sizeof(double) * copies;
  };
  double live = 0.0;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (graph.tensors[i].initializer && readers[i] > 0) live += bytes(static_cast<TensorId>(i));
  double peak = live;
  for (const Node& node : graph.nodes) {
    // The local reference is a fourth copy of the outputs while the node runs.
    double local = 0.0;
    for (const TensorId id : node.outputs) {
      live += bytes(id);
      local += bytes(id) / kTracks;
    }
    peak = std::max(peak, live + local);
    for (const TensorId id : node.inputs)
      if (id != workloads::kNoTensor && --readers[static_cast<std::size_t>(id)] == 0)
        live -= bytes(id);
  }
  return peak;
}

Numerics execute(const npu::MappedGraph& mapped, const workloads::Recipe& recipe,
                 const NumericOptions& options, const precision::ParallelFor& parallel) {
  if (is_sampled(mapped.graph, options)) {
    if (!options.dump_folder.empty())
      throw base::InputError("numerics of " + mapped.graph.name +
                                 " are sampled: there are no outputs to write (--max-numeric-macs)",
                             "no-outputs");
    Numerics numerics;
    numerics.sampled = sample_numerics(mapped, options, parallel);
    return numerics;
  }
  const double needed = numeric_bytes(mapped.graph);
  const double available = physical_memory_bytes();
  if (needed > 0.9 * available) {
    throw base::InputError(
        "numerics of " + mapped.graph.name + " need " + std::to_string(std::llround(needed / 1e9)) +
            " GB for tensor values; this machine has " +
            std::to_string(std::llround(available / 1e9)) + " GB (--no-numerics runs timing only)",
        "too-large");
  }
  return Executor(mapped, recipe, options, parallel).run();
}

}  // namespace npusim::sim
