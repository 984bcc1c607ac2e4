// SPDX-License-Identifier: Apache-2.0
// Output-stationary systolic array, element by element; its schedule follows the rules of
// organisations/systolic_output.cpp. Operands of positions move right and those of channels down,
// one element a cycle. An element adds to the sums of its outputs in turn and combines the partial
// sums of an output on its own adder; finished sums move to drain registers.
#pragma once

#include <memory>
#include <vector>

#include "npu_models/organisations/recurrence.h"
#include "npu_models/pe/delay_line.h"
#include "npu_models/pe/pe_array.h"

namespace npusim::npu::pe {

class OutputElement;

class OutputArray final : public PeArray {
 public:
  OutputArray(const sc_core::sc_module_name& name, const MacArraySpec& spec, Waveform* waveform);
  ~OutputArray() override;

  void start(const PeJob& job) override;
  bool finished() const override { return complete_at_ >= 0 && now() >= complete_at_; }
  void evaluate() override;

  /// Operands of one step of K for the output in turn: one value a lane (positions) or one
  /// (channel).
  struct Operand {
    std::int64_t fold = 0, step = 0, output = 0;
    std::vector<double> values;
  };
  /// A finished output on its way out.
  struct Result {
    std::int64_t fold = 0, row = 0, output = 0;
    std::vector<double> values;
  };

 private:
  friend class OutputElement;

  void plan();
  /// Fills in what the schedule says enters `offset` cycles behind the first row or column.
  std::optional<Operand> entering(std::int64_t offset) const;
  std::optional<Operand> position_operand(std::int64_t row) const;
  std::optional<Operand> channel_operand(std::int64_t column) const;
  std::int64_t position_of(const Result& at, std::int64_t lane) const;
  void collect(const Result& result, std::int64_t column);
  OutputElement& element(std::int64_t row, std::int64_t column) const {
    return *elements_[static_cast<std::size_t>(row * spec_.cols + column)];
  }

  const MacArraySpec& spec_;
  std::vector<std::unique_ptr<OutputElement>> elements_;
  const PeJob* job_ = nullptr;
  Recurrence sums_;
  std::int64_t n_folds_ = 1, folds_ = 1;
  std::vector<std::int64_t> start_;  ///< when a fold's first operands enter
  std::int64_t left_ = 0, complete_at_ = -1;
};

class OutputElement final : public Clocked {
 public:
  OutputElement(const sc_core::sc_module_name& name, OutputArray& array, std::int64_t row,
                std::int64_t column, Waveform* waveform);
  void reset();
  void evaluate() override;
  void commit() override;
  /// The result that leaves in this cycle, or nullptr.
  const OutputArray::Result* draining() const;
  const std::deque<OutputArray::Result>& drained() const { return drain_; }

 private:
  struct Addition {
    std::int64_t fold = 0, output = 0, sum = 0;  ///< where the result goes
    std::vector<double> values;
    bool last = false;  ///< of all outputs of the fold
  };
  std::vector<double>& sum(std::int64_t output, std::int64_t index) {
    return sums_[static_cast<std::size_t>(output * array_.sums_.partial_sums + index)];
  }
  void multiply_add();
  void combine();
  void land(const Addition& addition);
  std::vector<double> ready_sum(std::int64_t output, std::int64_t index);

  OutputArray& array_;
  const std::int64_t row_, column_;
  const OutputElement* left_ = nullptr;
  const OutputElement* above_ = nullptr;
  std::optional<OutputArray::Operand> a_, b_, next_a_, next_b_;
  std::vector<std::vector<double>> sums_;  ///< by output and partial sum, a value a lane
  std::vector<int> in_flight_;             ///< additions under way, likewise
  DelayLine<Addition> adder_;
  std::optional<Addition> next_addition_;
  std::int64_t combining_fold_ = -1, combine_from_ = 0;
  std::deque<OutputArray::Result> drain_;
  bool pops_ = false;
  std::optional<OutputArray::Result> arriving_;
  Waveform::Probe *a_probe_ = nullptr, *b_probe_ = nullptr, *sum_probe_ = nullptr;
};

}  // namespace npusim::npu::pe
