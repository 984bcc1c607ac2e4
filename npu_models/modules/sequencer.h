// SPDX-License-Identifier: Apache-2.0
// The sequencer: one thread that walks the ops in order, spends launch_cycles at the start of each,
// and generates their tiles as commands to the engines, as far ahead as the bounded queues allow.
// Commands carry what they depend on, so engines overlap across ops: the weights of the next op
// load while this one computes, and its inputs as soon as the op that makes them has stored its
// last byte. Dependencies between ops are whole tensors through DRAM; only fused epilogues stay on
// the chip. Views cost nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <systemc>
#include <vector>

#include "npu_models/attention_gradient_steps.h"
#include "npu_models/attention_steps.h"
#include "npu_models/mapping.h"
#include "npu_models/modules/engines.h"
#include "npu_models/modules/gemm_tiles.h"
#include "npu_models/modules/layer_repeats.h"
#include "npu_models/modules/op_program.h"
#include "npu_models/modules/vector_cost.h"

namespace npusim::npu::model {

class Sequencer : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Sequencer);
  Sequencer(const sc_core::sc_module_name& name, const NpuSpec& npu, const MappedGraph& mapped,
            Engines& engines, Ledger& ledger);

  /// At the begin of each repetition all engines have ended, and `restart` is told the moment; with
  /// `once`, only the first repetition of each is issued.
  void set_layers_apart(std::vector<LayerRepeat> repeats, bool once,
                        std::function<void(Picos)> restart);

  bool finished() const { return finished_; }
  int current_op() const { return current_op_; }
  /// What stopped it, if anything did: thrown by NpuTop::check_finished() once the kernel is left.
  const std::string& failure() const { return failure_; }

 private:
  struct MatrixRun;
  struct PreparedTile;
  struct OperandForm;
  struct AttentionRun;
  struct PendingStep;
  struct BlockCycles;
  struct GradientRun;
  struct PendingGradient;

  void run();
  void issue_all();
  std::size_t begin_repetition(std::size_t op);
  void wait_for_all();
  void issue(int op);
  Needs done_after_issue(std::uint64_t stored_before, std::uint64_t vector_before) const;
  Needs done_with_phases(std::size_t op) const;
  const Needs* producers(TensorId tensor) const;
  std::uint64_t tile_address(TensorId tensor, std::int64_t part, std::int64_t whole) const;
  Need all_loads() const;
  std::int64_t element_bytes_of(TensorId tensor) const {
    return mapped_.storage[static_cast<std::size_t>(tensor)].format.storage_bytes();
  }

  void issue_matrix(int op, const OpProgram& program);
  void make_forms(MatrixRun& run);
  PreparedTile prepare_tile(MatrixRun& run, const GemmTile& tile);
  void issue_tile(MatrixRun& run, const PreparedTile& prepared);
  std::uint64_t operand_address(const OperandForm& form, TensorId tensor, std::int64_t part,
                                std::int64_t whole) const;
  std::uint64_t weight_address(const MatrixRun& run, std::int64_t part, std::int64_t whole) const;
  void load_operands(MatrixRun& run, const GemmTile& tile);
  void transform_operand(MatrixRun& run, const std::vector<workloads::VectorWork>& work,
                         std::int64_t loaded, std::int64_t made);
  bool load_tiled_inputs(MatrixRun& run, std::int64_t elements);
  void store_partial_sums(MatrixRun& run, const GemmTile& tile, const Need& sums,
                          Release accumulators);
  void finish_output(MatrixRun& run, std::int64_t elements, const Need& sums, Release accumulators,
                     bool extra_loaded);
  void store_output(MatrixRun& run, std::int64_t elements, const Need& after, Release release);

  std::int64_t count_accesses(const MatrixRun& run, const GemmTile& tile);
  std::int64_t epilogue_bytes(const MatrixRun& run, std::int64_t elements) const;

  void issue_attention(int op);
  std::uint64_t issue_scores(AttentionRun& run, const AttentionStep& step);
  void issue_context(AttentionRun& run, const PendingStep& pending);
  const BlockCycles& vector_cycles(AttentionRun& run, const AttentionBlock& block);
  void load_keys(AttentionRun& run, const AttentionStep& step, std::size_t input,
                 std::size_t past_input, std::int64_t width, TokenPool* take);
  void load_mask(AttentionRun& run, const AttentionStep& step);
  std::int64_t count_block_accesses(int op, std::int64_t operand_bytes, const GemmMapping& gemm,
                                    const TileExtents& tile);

  void issue_attention_gradient(int op);
  PendingGradient issue_scores_again(GradientRun& run, const GradientStep& step);
  void issue_gradients(GradientRun& run, const PendingGradient& pending);
  void load_queries(GradientRun& run, const GradientStep& step);
  void load_keys(GradientRun& run, const GradientStep& step);
  void finish_queries(GradientRun& run, const GradientStep& step, std::uint64_t added);
  void finish_keys(GradientRun& run, const GradientStep& step);
  Need issue_product(GradientRun& run, const GradientStep& step, std::size_t product,
                     const Need& operands, const Need& weights, const Release& release);
  std::uint64_t issue_vector_work(GradientRun& run, const std::vector<workloads::VectorWork>& work,
                                  std::int64_t scratchpad_bytes, VectorCommand command);

  Need rearrange_operand(int op, TensorId operand, const Rearrangement& form,
                         std::uint64_t address);
  void issue_vector(int op, const OpProgram& program);
  void issue_host(int op, const OpProgram& program);

  const NpuSpec& npu_;
  const MappedGraph& mapped_;
  Engines& engines_;
  Ledger& ledger_;
  TileShape granule_;
  TensorLayout layout_;
  std::vector<int> producer_;  ///< op that writes each tensor, -1 none
  std::vector<Needs> done_;    ///< what holds when each op has ended
  std::vector<LayerRepeat> repeats_;
  std::size_t next_repeat_ = 0;
  bool once_ = false;
  std::function<void(Picos)> restart_;
  int current_op_ = -1;
  bool finished_ = false;
  std::string failure_;
};

}  // namespace npusim::npu::model
