// SPDX-License-Identifier: Apache-2.0
// Runs one mapped graph again and again in the machine's arithmetic: what is decided by the graph
// alone (engines, formats, lifetimes, buffers) is decided once, and nothing of an FP64 reference is
// computed. Values are those of sim/numerics.h, bit for bit, for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "npu_models/mapping.h"
#include "precision/gemm.h"
#include "precision/rounder.h"
#include "workloads/tensor.h"

namespace npusim::sim {

class StepExecutor {
 public:
  /// Sees a node's result before and after it is stored; return false to stop the step there.
  using Watch =
      std::function<bool(const workloads::Node& node, workloads::TensorId id,
                         const std::vector<double>& before, const workloads::Tensor& after)>;

  /// `mapped` must outlive the executor. `internal`: of steps inside vector ops. `interrupted` (may
  /// be empty) is polled before every node.
  StepExecutor(const npu::MappedGraph& mapped, const precision::Format& internal,
               std::uint64_t seed, const precision::ParallelFor& parallel,
               std::function<bool()> interrupted = {});
  ~StepExecutor();

  const npu::MappedGraph& mapped() const { return mapped_; }
  const workloads::Graph& graph() const { return mapped_.graph; }

  /// Every tensor that has an initializer and that no node writes.
  void load_initial_values();
  /// Values of a tensor that no node writes, rounded as it is stored in `step`.
  void load(workloads::TensorId id, const std::vector<double>& values, std::uint64_t step = 0);
  /// A tensor that no node writes, or an output of the graph.
  const workloads::Tensor& value(workloads::TensorId id) const;
  /// The next step's `source` is this step's `output`, which loses its value.
  void carry(workloads::TensorId output, workloads::TensorId source);

  /// Runs every node of the phases up to `last`; `step` keys stochastic rounding.
  /// `watched` (may be empty) is called for tensors with a set flag only.
  /// Returns false when a watch stopped the step. Throws Interrupted (calibration.h); tensors that
  /// no node writes are then what they were.
  bool run(std::uint64_t step, const Watch& watch, const std::vector<char>& watched);

 private:
  struct Compiled;
  struct Buffers;

  void compile();
  void run_node(std::size_t index, std::uint64_t step);
  void store(workloads::TensorId id, workloads::Tensor& tensor, std::uint64_t step) const;

  const npu::MappedGraph& mapped_;
  precision::Format internal_;
  std::uint64_t seed_;
  const precision::ParallelFor& parallel_;
  std::function<bool()> interrupted_;
  std::unique_ptr<Compiled> compiled_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace npusim::sim
