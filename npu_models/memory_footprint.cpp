// SPDX-License-Identifier: Apache-2.0
#include "npu_models/memory_footprint.h"

#include <algorithm>

#include "npu_models/gemm_traffic.h"
#include "workloads/op.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::TensorId;
using workloads::TensorRole;

enum class Kind { weight, optimizer, activation, gradient };

Kind kind_of(TensorRole role) {
  switch (role) {
    case TensorRole::weight:
    case TensorRole::statistics:
    case TensorRole::master_weight:
      return Kind::weight;
    case TensorRole::optimizer_state:
      return Kind::optimizer;
    case TensorRole::activation_gradient:
    case TensorRole::weight_gradient:
      return Kind::gradient;
    case TensorRole::input:
    case TensorRole::label:
    case TensorRole::activation:
    case TensorRole::loss:
      return Kind::activation;
  }
  return Kind::activation;
}

struct Lifetime {
  int first = -1, last = -1;  ///< op positions; -1: never
};

/// Partial sums in DRAM while the op runs: all positions of one block of output channels (of all
/// groups that run at a time), which the next block reuses.
std::int64_t spilled_bytes(const MappedOp& op) {
  if (!op.gemm || !op.gemm->spills) return 0;
  const std::int64_t columns = std::min(op.gemm->tile_n, op.gemm->contraction.n);
  const std::int64_t groups = std::min(op.gemm->split.groups, op.gemm->contraction.groups);
  return groups * op.gemm->contraction.m * columns * spill_element_bytes(*op.gemm);
}

class Footprint {
 public:
  explicit Footprint(const MappedGraph& mapped)
      : mapped_(mapped), graph_(mapped.graph), owner_(graph_.tensors.size()) {
    for (std::size_t i = 0; i < owner_.size(); ++i) owner_[i] = i;
    lifetimes_.resize(owner_.size());
  }

  MemoryFootprint run() {
    find_owners();
    find_lifetimes();
    MemoryFootprint result = constant_part();
    add_peaks(result);
    return result;
  }

 private:
  static std::size_t index(TensorId id) { return static_cast<std::size_t>(id); }

  /// Views share their input's memory; the update writes weights and states in place.
  void find_owners() {
    for (const Node& node : graph_.nodes) {
      const bool view = workloads::ops().at(node.op).op_class() == workloads::OpClass::view;
      if (view) owner_[index(node.outputs.front())] = owner_[index(node.inputs.front())];
    }
  }

  bool in_place(const Node& node, TensorId output) const {
    const Kind kind = kind_of(graph_.tensor(output).role);
    return node.phase == workloads::Phase::update &&
           (kind == Kind::weight || kind == Kind::optimizer);
  }

  void touch(TensorId tensor, int position) {
    if (tensor == workloads::kNoTensor) return;
    Lifetime& life = lifetimes_[owner_[index(tensor)]];
    if (life.first < 0) life.first = position;
    life.last = std::max(life.last, position);
  }

  void visit(const Node& node, int position) {
    for (TensorId tensor : node.inputs) touch(tensor, position);
    for (TensorId tensor : node.outputs) {
      if (tensor == workloads::kNoTensor) continue;
      if (in_place(node, tensor)) updated_.push_back(tensor);
      touch(tensor, position);
    }
  }

  void find_lifetimes() {
    const int end = static_cast<int>(mapped_.ops.size()) - 1;
    for (TensorId tensor : graph_.inputs) touch(tensor, 0);
    for (int i = 0; i <= end; ++i) {
      const MappedOp& op = mapped_.ops[static_cast<std::size_t>(i)];
      visit(graph_.nodes[static_cast<std::size_t>(op.node)], i);
      for (int fused : op.epilogue) visit(graph_.nodes[static_cast<std::size_t>(fused)], i);
    }
    for (TensorId tensor : graph_.outputs) touch(tensor, end);
  }

  std::int64_t bytes_of(std::size_t tensor) const {
    if (owner_[tensor] != tensor || mapped_.on_chip[tensor]) return 0;
    return workloads::element_count(graph_.tensors[tensor].shape) *
           mapped_.storage[tensor].format.storage_bytes();
  }

  bool is_updated_copy(std::size_t tensor) const {
    return std::find(updated_.begin(), updated_.end(), static_cast<TensorId>(tensor)) !=
           updated_.end();
  }

  MemoryFootprint constant_part() const {
    MemoryFootprint result;
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i) {
      const Kind kind = kind_of(graph_.tensors[i].role);
      if (is_updated_copy(i)) continue;
      if (kind == Kind::weight) result.weight_bytes += bytes_of(i);
      if (kind == Kind::optimizer) result.optimizer_bytes += bytes_of(i);
    }
    return result;
  }

  void add_peaks(MemoryFootprint& result) const {
    const std::size_t count = mapped_.ops.size();
    // Changes at each position, so that one sweep finds every sum.
    std::vector<std::int64_t> activation(count + 1, 0), gradient(count + 1, 0);
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i) {
      const Kind kind = kind_of(graph_.tensors[i].role);
      const Lifetime& life = lifetimes_[i];
      if (life.first < 0 || (kind != Kind::activation && kind != Kind::gradient)) continue;
      std::vector<std::int64_t>& change = kind == Kind::activation ? activation : gradient;
      change[static_cast<std::size_t>(life.first)] += bytes_of(i);
      change[static_cast<std::size_t>(life.last) + 1] -= bytes_of(i);
    }
    const std::int64_t constant = result.weight_bytes + result.optimizer_bytes;
    std::int64_t activations = 0, gradients = 0;
    result.peak_bytes = constant;
    for (std::size_t i = 0; i < count; ++i) {
      activations += activation[i];
      gradients += gradient[i];
      result.activation_bytes = std::max(result.activation_bytes, activations);
      result.gradient_bytes = std::max(result.gradient_bytes, gradients);
      const std::int64_t all = constant + activations + gradients + spilled_bytes(mapped_.ops[i]);
      if (all <= result.peak_bytes && i > 0) continue;
      result.peak_bytes = all;
      result.peak_op = graph_.nodes[static_cast<std::size_t>(mapped_.ops[i].node)].name;
    }
  }

  const MappedGraph& mapped_;
  const Graph& graph_;
  std::vector<std::size_t> owner_;  ///< tensor whose memory a tensor lives in
  std::vector<Lifetime> lifetimes_;
  std::vector<TensorId> updated_;
};

}  // namespace

MemoryFootprint footprint_of(const MappedGraph& mapped) {
  return Footprint(mapped).run();
}

}  // namespace npusim::npu
