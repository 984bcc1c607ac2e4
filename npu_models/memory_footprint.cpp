// SPDX-License-Identifier: Apache-2.0
#include "npu_models/memory_footprint.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "npu_models/attention_gradient_steps.h"
#include "npu_models/buffer_plan.h"
#include "npu_models/gemm_traffic.h"
#include "npu_models/mapping.h"
#include "npu_models/winograd_steps.h"
#include "workloads/op.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::TensorId;
using workloads::TensorRole;

MemoryKind kind_of(TensorRole role) {
  switch (role) {
    case TensorRole::weight:
    case TensorRole::statistics:
      return MemoryKind::weights;
    case TensorRole::master_weight:
      return MemoryKind::master_weights;
    case TensorRole::optimizer_state:
      return MemoryKind::optimizer_state;
    case TensorRole::state:
      return MemoryKind::state;
    case TensorRole::activation_gradient:
      return MemoryKind::activation_gradients;
    case TensorRole::weight_gradient:
      return MemoryKind::weight_gradients;
    case TensorRole::input:
    case TensorRole::label:
    case TensorRole::activation:
    case TensorRole::loss:
      return MemoryKind::activations;
  }
  return MemoryKind::activations;
}

constexpr bool stays(MemoryKind kind) {
  return kind == MemoryKind::weights || kind == MemoryKind::master_weights ||
         kind == MemoryKind::optimizer_state || kind == MemoryKind::state;
}

struct Lifetime {
  int first = -1, last = -1;  ///< op positions; -1: never
};

/// Another form of an operand, and partial sums in DRAM while the op runs: all positions of one
/// block of output channels (of all groups that run at a time), which the next block reuses.
std::int64_t workspace_bytes(const MappedOp& op) {
  if (op.attention_gradient) return gradient_workspace_bytes(*op.attention_gradient);
  std::int64_t rearranged = op.rearrangement ? op.rearrangement->written_bytes : 0;
  for (const TransposedOperand& operand : op.transposed)
    if (!operand.by_dma) rearranged += operand.bytes();
  if (!op.gemm || !op.gemm->spills) return rearranged;
  const std::int64_t columns = std::min(op.gemm->tile_n, op.gemm->contraction.n);
  const std::int64_t groups = std::min(op.gemm->split.groups, op.gemm->contraction.groups);
  return rearranged + op.gemm->products() * groups * op.gemm->contraction.m * columns *
                          spill_element_bytes(*op.gemm);
}

/// Something that comes and goes.
struct Transient {
  MemoryKind kind;
  Buffer buffer;
};

class Footprint {
 public:
  explicit Footprint(const MappedGraph& mapped)
      : mapped_(mapped),
        graph_(mapped.graph),
        owner_(graph_.tensors.size()),
        kinds_(graph_.tensors.size()),
        updated_(graph_.tensors.size(), false),
        replaced_(graph_.tensors.size(), false) {
    std::iota(owner_.begin(), owner_.end(), std::size_t{0});
    lifetimes_.resize(owner_.size());
    for (std::size_t i = 0; i < kinds_.size(); ++i) kinds_[i] = kind_of(graph_.tensors[i].role);
    find_owners();
    find_lifetimes();
    collect();
  }

  MemoryFootprint footprint() const {
    MemoryFootprint result;
    std::int64_t highest = -1;
    each_moment([&](std::size_t position, const BytesByKind& bytes) {
      for (const MemoryKind kind : memory_kinds())
        result.most[kind] = std::max(result.most[kind], bytes[kind]);
      result.most_gradients =
          std::max(result.most_gradients, bytes[MemoryKind::activation_gradients] +
                                              bytes[MemoryKind::weight_gradients] +
                                              bytes[MemoryKind::unscaled_gradients]);
      if (bytes.total() <= highest) return;
      highest = bytes.total();
      result.at_peak = bytes;
      result.peak_op = name_at(position);
    });
    std::vector<Buffer> buffers;
    for (const Transient& transient : transients_) buffers.push_back(transient.buffer);
    result.peak_bytes = resident_.total() + plan_buffers(buffers).bytes;
    return result;
  }

  std::vector<MemoryMoment> over_time() const {
    std::vector<MemoryMoment> moments;
    each_moment([&](std::size_t position, const BytesByKind& bytes) {
      moments.push_back({name_at(position), bytes});
    });
    return moments;
  }

 private:
  static std::size_t index(TensorId id) { return static_cast<std::size_t>(id); }

  const std::string& name_at(std::size_t position) const {
    return graph_.nodes[index(mapped_.ops[position].node)].name;
  }

  /// Views share their input's memory, a collective each of its inputs'; phases are written into
  /// the image that they make.
  void find_owners() {
    for (const Node& node : graph_.nodes) {
      if (workloads::joins_phases(node))
        for (const TensorId phase : node.inputs) owner_[index(phase)] = index(node.outputs.front());
      else if (workloads::ops().at(node.op).op_class() == workloads::OpClass::view)
        share(node);
    }
  }
  void share(const Node& node) {
    for (std::size_t i = 0; i < node.outputs.size() && i < node.inputs.size(); ++i) {
      const TensorId to = node.outputs[i], from = node.inputs[i];
      if (to == workloads::kNoTensor || from == workloads::kNoTensor) continue;
      if (i == 0 || elements(to) == elements(from)) owner_[index(to)] = owner_[index(from)];
    }
  }
  std::int64_t elements(TensorId id) const {
    return workloads::element_count(graph_.tensors[index(id)].shape);
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
      touch(tensor, position);
      const bool update = node.phase == workloads::Phase::update;
      MemoryKind& kind = kinds_[index(tensor)];
      // Statistics that a node writes are those of the next step.
      if (graph_.tensor(tensor).role == TensorRole::statistics || (update && stays(kind)))
        updated_[index(tensor)] = true;
      if (!update) continue;
      if (kind == MemoryKind::weight_gradients) kind = MemoryKind::unscaled_gradients;
    }
  }

  void find_lifetimes() {
    const int end = static_cast<int>(mapped_.ops.size()) - 1;
    for (TensorId tensor : graph_.inputs) touch(tensor, 0);
    for (int i = 0; i <= end; ++i) {
      const MappedOp& op = mapped_.ops[static_cast<std::size_t>(i)];
      visit(graph_.nodes[index(op.node)], i);
      for (int fused : op.epilogue) visit(graph_.nodes[index(fused)], i);
    }
    for (TensorId tensor : graph_.outputs) touch(tensor, end);
  }

  std::int64_t bytes_of(std::size_t tensor) const {
    if (owner_[tensor] != tensor || mapped_.on_chip[tensor] || updated_[tensor] ||
        replaced_[tensor])
      return 0;
    return mapped_.elements(static_cast<TensorId>(tensor)) *
           mapped_.storage[tensor].format.storage_bytes();
  }

  /// Weights that convolutions by Winograd alone read are there in their transformed forms, one for
  /// each size of tile; others as well.
  void find_transformed() {
    std::map<std::size_t, std::map<std::int64_t, std::int64_t>> forms;  // readers by bytes
    for (const MappedOp& op : mapped_.ops)
      if (const std::int64_t bytes = transformed_weight_bytes(mapped_, op); bytes > 0) {
        std::map<std::int64_t, std::int64_t>& of = forms[index(weights_of(mapped_, op))];
        if (of[bytes]++ == 0) resident_[MemoryKind::weights] += bytes;
      }
    for (const auto& [tensor, by_size] : forms) {
      std::int64_t readers = 0;
      for (const Node& node : graph_.nodes)
        readers += std::count(node.inputs.begin(), node.inputs.end(), static_cast<int>(tensor));
      for (const auto& [bytes, count] : by_size) readers -= count;
      if (readers == 0) replaced_[tensor] = true;
    }
  }

  void collect() {
    find_transformed();
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      const Lifetime& life = lifetimes_[i];
      if (stays(kinds_[i]))
        resident_[kinds_[i]] += bytes_of(i);
      else if (life.first >= 0 && !mapped_.ops.empty() && bytes_of(i) > 0)
        transients_.push_back({kinds_[i], {bytes_of(i), life.first, life.last}});
    }
    for (std::size_t i = 0; i < mapped_.ops.size(); ++i)
      if (const std::int64_t bytes = workspace_bytes(mapped_.ops[i]); bytes > 0)
        transients_.push_back(
            {MemoryKind::workspace, {bytes, static_cast<int>(i), static_cast<int>(i)}});
  }

  template <class Visit>
  void each_moment(const Visit& visit) const {
    // Changes at each position, so that one sweep finds every sum.
    std::vector<BytesByKind> change(mapped_.ops.size() + 1);
    for (const Transient& transient : transients_) {
      const Buffer& buffer = transient.buffer;
      change[static_cast<std::size_t>(buffer.first)][transient.kind] += buffer.bytes;
      change[static_cast<std::size_t>(buffer.last) + 1][transient.kind] -= buffer.bytes;
    }
    BytesByKind now = resident_;
    for (std::size_t i = 0; i < mapped_.ops.size(); ++i) {
      for (const MemoryKind kind : memory_kinds()) now[kind] += change[i][kind];
      visit(i, now);
    }
  }

  const MappedGraph& mapped_;
  const Graph& graph_;
  std::vector<std::size_t> owner_;  ///< tensor whose memory a tensor lives in
  std::vector<MemoryKind> kinds_;
  std::vector<bool> updated_;   ///< the new value of something that stays, written in its place
  std::vector<bool> replaced_;  ///< by other forms of it
  std::vector<Lifetime> lifetimes_;
  BytesByKind resident_;
  std::vector<Transient> transients_;
};

}  // namespace

const char* name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::weights:
      return "weights";
    case MemoryKind::master_weights:
      return "master_weights";
    case MemoryKind::optimizer_state:
      return "optimizer_state";
    case MemoryKind::state:
      return "state";
    case MemoryKind::activations:
      return "activations";
    case MemoryKind::activation_gradients:
      return "activation_gradients";
    case MemoryKind::weight_gradients:
      return "weight_gradients";
    case MemoryKind::unscaled_gradients:
      return "unscaled_gradients";
    case MemoryKind::workspace:
      return "workspace";
  }
  return "";
}

const std::array<MemoryKind, kMemoryKinds>& memory_kinds() {
  static const std::array<MemoryKind, kMemoryKinds> kAll = {
      MemoryKind::weights,          MemoryKind::master_weights,
      MemoryKind::optimizer_state,  MemoryKind::state,
      MemoryKind::activations,      MemoryKind::activation_gradients,
      MemoryKind::weight_gradients, MemoryKind::unscaled_gradients,
      MemoryKind::workspace};
  return kAll;
}

std::int64_t BytesByKind::total() const {
  return std::accumulate(bytes_.begin(), bytes_.end(), std::int64_t{0});
}

MemoryFootprint footprint_of(const MappedGraph& mapped) {
  return Footprint(mapped).footprint();
}

std::vector<MemoryMoment> memory_over_time(const MappedGraph& mapped) {
  return Footprint(mapped).over_time();
}

}  // namespace npusim::npu
