// SPDX-License-Identifier: Apache-2.0
// Cube and dot product: cells that reduce a block of `depth` terms each cycle and add it to one of
// the sums they keep. Operands of all cells come from one sequencer, which issues the outputs of a
// step in turn; the rules are those of organisations/{cube,dot_product,recurrence}. A cell is a
// pipeline of multipliers, tree and adder whose block is evaluated where the adder begins.
#pragma once

#include <memory>
#include <vector>

#include "npu_models/organisations/recurrence.h"
#include "npu_models/pe/delay_line.h"
#include "npu_models/pe/pe_array.h"

namespace npusim::npu::pe {

class BlockCell;

class BlockArray final : public PeArray {
 public:
  BlockArray(const sc_core::sc_module_name& name, const MacArraySpec& spec, Waveform* waveform);
  ~BlockArray() override;

  void start(const PeJob& job) override;
  bool finished() const override { return finished_; }
  void evaluate() override;

  /// What all cells do in one cycle: a step of K for the output in turn, or, with `combines`, the
  /// addition of partial sum `step` to the first one.
  struct Issue {
    std::int64_t group = 0, step = 0, output = 0;
    bool combines = false;
  };

 private:
  friend class BlockCell;

  std::optional<Issue> issued() const;
  bool is_last(const Issue& issue) const;
  /// Position and channel of a lane's output; at or beyond the shape: none.
  std::int64_t position_of(const Issue& issue, std::int64_t cell, std::int64_t lane) const;
  std::int64_t channel_of(const Issue& issue, std::int64_t cell) const;

  const MacArraySpec& spec_;
  const bool is_cube_;
  std::vector<std::unique_ptr<BlockCell>> cells_;
  const PeJob* job_ = nullptr;
  Recurrence sums_;
  std::int64_t groups_ = 1, n_blocks_ = 1;
  bool finished_ = false;
};

class BlockCell final : public Clocked {
 public:
  BlockCell(const sc_core::sc_module_name& name, BlockArray& array, std::int64_t index,
            Waveform* waveform);
  void reset();
  void evaluate() override;
  void commit() override;
  std::int64_t finished_outputs() const { return finished_outputs_; }

 private:
  struct Addition {
    BlockArray::Issue issue;
    std::vector<double> values;
  };
  std::size_t place(std::int64_t output, std::int64_t partial_sum) const {
    return static_cast<std::size_t>(output * array_.sums_.partial_sums + partial_sum);
  }
  Addition begin(const BlockArray::Issue& issue) const;
  double block(const BlockArray::Issue& issue, std::int64_t lane, double sum) const;
  double initial(const BlockArray::Issue& issue, std::int64_t lane) const;
  void land(const Addition& addition);

  BlockArray& array_;
  const std::int64_t index_;
  DelayLine<BlockArray::Issue> multipliers_;
  DelayLine<Addition> adder_;
  std::optional<BlockArray::Issue> next_issue_;
  std::optional<Addition> next_addition_;
  std::vector<std::vector<double>> sums_;  ///< by output and partial sum, a value a lane
  std::vector<int> in_flight_;
  std::int64_t finished_outputs_ = 0;
  Waveform::Probe* sum_probe_ = nullptr;
};

}  // namespace npusim::npu::pe
