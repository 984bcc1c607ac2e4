// SPDX-License-Identifier: Apache-2.0
#include "sim/training/step_executor.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "precision/indexed_rounding.h"
#include "sim/calibration.h"
#include "sim/matrix_engines.h"
#include "sim/training/random_keys.h"
#include "workloads/initializer.h"
#include "workloads/op.h"

namespace npusim::sim {

using workloads::ElementType;
using workloads::Node;
using workloads::Tensor;
using workloads::TensorId;

namespace {

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

/// Ops that write every element of their results, which therefore need not start as zeros.
bool overwrites(const std::string& op) {
  static const std::vector<std::string> kOps = {
      "Add",  "AveragePool", "Cast", "Conv", "ConvDataGradient", "ConvWeightGradient",
      "Gemm", "MatMul",      "Mul",  "Relu", "ReluGradient",     "Sgd",
      "Tanh", "TanhGradient"};
  return std::binary_search(kOps.begin(), kOps.end(), op);
}

}  // namespace

/// What the graph decides once.
struct StepExecutor::Compiled {
  struct Step {
    const workloads::Op* op = nullptr;
    const npu::MappedOp* on_array = nullptr;  ///< nullptr: on the host
    workloads::VectorArithmetic internal;
    std::vector<const Tensor*> inputs;
    std::vector<Tensor> outputs;
    std::vector<std::pair<std::size_t, std::size_t>> released;  ///< (node, output) last read here
    bool zeroed = true;
  };
  std::vector<Step> steps;
  std::vector<Tensor> sources;  ///< by tensor; empty for results
  std::vector<std::pair<int, int>> writer;
  std::unique_ptr<HostEngine> host;
};

/// Memory of results that nobody reads any more, by number of elements.
struct StepExecutor::Buffers {
  std::unordered_map<std::size_t, std::vector<std::vector<double>>> free;

  std::vector<double> take(std::size_t size, bool zeroed) {
    std::vector<std::vector<double>>& list = free[size];
    if (list.empty()) return std::vector<double>(size, 0.0);
    std::vector<double> buffer = std::move(list.back());
    list.pop_back();
    if (zeroed) std::fill(buffer.begin(), buffer.end(), 0.0);
    return buffer;
  }
  void give(std::vector<double>& buffer) {
    if (!buffer.empty()) free[buffer.size()].push_back(std::move(buffer));
    buffer.clear();
  }
};

StepExecutor::StepExecutor(const npu::MappedGraph& mapped, const precision::Format& internal,
                           std::uint64_t seed, const precision::ParallelFor& parallel,
                           std::function<bool()> interrupted)
    : mapped_(mapped),
      internal_(internal),
      seed_(seed),
      parallel_(parallel),
      interrupted_(std::move(interrupted)),
      compiled_(std::make_unique<Compiled>()),
      buffers_(std::make_unique<Buffers>()) {
  compile();
}

StepExecutor::~StepExecutor() = default;

void StepExecutor::compile() {
  const workloads::Graph& graph = mapped_.graph;
  Compiled& c = *compiled_;
  c.host = std::make_unique<HostEngine>(parallel_);
  c.steps.resize(graph.nodes.size());
  c.sources.resize(graph.tensors.size());
  c.writer.assign(graph.tensors.size(), {-1, -1});
  std::vector<int> last_reader(graph.tensors.size(), -1);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      c.writer[at(node.outputs[o])] = {static_cast<int>(n), static_cast<int>(o)};
      last_reader[at(node.outputs[o])] = static_cast<int>(n);  // what nobody reads goes at once
    }
    for (const TensorId id : node.inputs)
      if (id != workloads::kNoTensor) last_reader[at(id)] = static_cast<int>(n);
  }
  for (const TensorId id : graph.outputs) last_reader[at(id)] = -1;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    if (c.writer[i].first < 0)
      c.sources[i] = Tensor(graph.tensors[i].shape, graph.tensors[i].type);
    else if (last_reader[i] >= 0)
      c.steps[static_cast<std::size_t>(last_reader[i])].released.emplace_back(c.writer[i]);
  }
  std::vector<char> on_host(graph.nodes.size(), 0);
  for (const npu::MappedOp& op : mapped_.ops)
    if (op.engine == npu::Engine::host) on_host[static_cast<std::size_t>(op.node)] = 1;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    Compiled::Step& step = c.steps[n];
    step.op = &workloads::ops().at(node.op);
    step.zeroed = !overwrites(node.op);
    step.internal = {precision::Rounder(precision::Arithmetic{
                         node.internal ? *node.internal : internal_, precision::Rounding::rne}),
                     on_host[n] != 0 ? nullptr : mapped_.approximations.get()};
    for (const TensorId id : node.outputs) {
      step.outputs.emplace_back();
      step.outputs.back().shape = graph.tensor(id).shape;
      step.outputs.back().type = graph.tensor(id).type;
    }
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    for (const TensorId id : graph.nodes[n].inputs) {
      const Tensor* input = nullptr;
      if (id != workloads::kNoTensor) {
        const auto [writer, output] = c.writer[at(id)];
        input = writer < 0 ? &c.sources[at(id)]
                           : &c.steps[static_cast<std::size_t>(writer)]
                                  .outputs[static_cast<std::size_t>(output)];
      }
      c.steps[n].inputs.push_back(input);
    }
  for (const npu::MappedOp& op : mapped_.ops)
    if ((op.gemm || op.attention || op.attention_gradient) && op.engine == npu::Engine::matrix)
      c.steps[static_cast<std::size_t>(op.node)].on_array = &op;
}

void StepExecutor::load_initial_values() {
  for (std::size_t i = 0; i < graph().tensors.size(); ++i) {
    const workloads::TensorInfo& info = graph().tensors[i];
    if (compiled_->writer[i].first >= 0 || !info.initializer) continue;
    load(static_cast<TensorId>(i),
         workloads::make_values(*info.initializer, info.shape, info.type,
                                workloads::values_name(info), seed_, parallel_)
             .values);
  }
}

void StepExecutor::load(TensorId id, const std::vector<double>& values, std::uint64_t step) {
  Tensor& tensor = compiled_->sources[at(id)];
  NPUSIM_CHECK(tensor.values.size() == values.size(),
               "another number of values for " + graph().tensor(id).name);
  tensor.values = values;
  store(id, tensor, step);
}

const Tensor& StepExecutor::value(TensorId id) const {
  const auto [writer, output] = compiled_->writer[at(id)];
  if (writer < 0) return compiled_->sources[at(id)];
  return compiled_->steps[static_cast<std::size_t>(writer)]
      .outputs[static_cast<std::size_t>(output)];
}

void StepExecutor::carry(TensorId output, TensorId source) {
  const auto [writer, index] = compiled_->writer[at(output)];
  NPUSIM_CHECK(writer >= 0, graph().tensor(output).name + " is no result");
  std::swap(compiled_->sources[at(source)].values,
            compiled_->steps[static_cast<std::size_t>(writer)]
                .outputs[static_cast<std::size_t>(index)]
                .values);
}

void StepExecutor::store(TensorId id, Tensor& tensor, std::uint64_t step) const {
  const precision::Arithmetic& arithmetic = mapped_.storage[at(id)];
  if (tensor.type != ElementType::floating || arithmetic.format == precision::fp64()) return;
  constexpr std::int64_t kBlock = 1 << 14;
  const auto count = static_cast<std::int64_t>(tensor.values.size());
  const precision::RandomKey key = storage_key(seed_, step, graph().tensor(id).name);
  const auto block = [&](std::int64_t i) {
    double* first = tensor.values.data() + i * kBlock;
    const std::int64_t length = std::min(kBlock, count - i * kBlock);
    precision::round_indexed(first, first, length, arithmetic, key,
                             static_cast<std::uint64_t>(i * kBlock));
  };
  if (count <= kBlock) return block(0);
  parallel_((count + kBlock - 1) / kBlock, block);
}

void StepExecutor::run_node(std::size_t index, std::uint64_t step) {
  Compiled::Step& s = compiled_->steps[index];
  const Node& node = graph().nodes[index];
  for (std::size_t o = 0; o < s.outputs.size(); ++o) {
    const auto size = static_cast<std::size_t>(workloads::element_count(s.outputs[o].shape));
    if (s.outputs[o].values.size() == size) {
      if (s.zeroed) std::fill(s.outputs[o].values.begin(), s.outputs[o].values.end(), 0.0);
    } else {
      s.outputs[o].values = buffers_->take(size, s.zeroed);
    }
  }
  const auto evaluate = [&](const workloads::MatrixEngine& engine) {
    workloads::Evaluation evaluation{
        workloads::NodeView(graph(), node), s.inputs, s.outputs, engine, s.internal, parallel_};
    s.op->forward(evaluation);
  };
  if (s.on_array == nullptr) return evaluate(*compiled_->host);
  evaluate(
      *array_engine(*s.on_array, parallel_, product_key(seed_, step, static_cast<int>(index))));
}

bool StepExecutor::run(std::uint64_t step, const Watch& watch, const std::vector<char>& watched) {
  std::vector<double> before;
  bool going = true;
  for (std::size_t n = 0; n < compiled_->steps.size() && going; ++n) {
    if (interrupted_ && interrupted_()) throw Interrupted{};
    const Node& node = graph().nodes[n];
    at_node(node, [&] { run_node(n, step); });
    Compiled::Step& s = compiled_->steps[n];
    for (std::size_t o = 0; o < s.outputs.size(); ++o) {
      const bool seen = watch && watched[at(node.outputs[o])] != 0;
      if (seen) before = s.outputs[o].values;
      store(node.outputs[o], s.outputs[o], step);
      if (seen) going = watch(node, node.outputs[o], before, s.outputs[o]) && going;
    }
    for (const auto& [writer, output] : s.released)
      buffers_->give(compiled_->steps[writer].outputs[output].values);
  }
  return going;
}

}  // namespace npusim::sim
