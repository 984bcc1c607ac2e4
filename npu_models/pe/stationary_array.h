// SPDX-License-Identifier: Apache-2.0
// Weight- and input-stationary systolic arrays, element by element; the rules that the schedule
// follows are those of organisations/systolic_stationary.cpp. Streamed operands move right a column
// a cycle; partial sums, and the stationary operands on their way in, move down a row in as many
// cycles as an accumulation takes. An element without a term of K passes sums on.
#pragma once

#include <memory>
#include <vector>

#include "npu_models/pe/delay_line.h"
#include "npu_models/pe/pe_array.h"

namespace npusim::npu::pe {

class StationaryElement;

class StationaryArray final : public PeArray {
 public:
  StationaryArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                  Waveform* waveform);
  ~StationaryArray() override;

  void start(const PeJob& job) override;
  bool finished() const override { return complete_at_ >= 0 && now() >= complete_at_; }
  void evaluate() override;

  /// A row of streamed operands' values for one element row: one a lane.
  struct Streamed {
    std::int64_t fold = 0, row = 0;
    std::vector<double> values;
  };
  struct Stationary {
    std::int64_t fold = 0, row = 0;  ///< row: of the element it stays in
    double value = 0.0;
    bool is_term = true;  ///< K has a term for this row
  };
  struct Sums {
    std::int64_t fold = 0, row = 0;
    std::vector<double> values;
  };

 private:
  friend class StationaryElement;

  std::int64_t k_of(std::int64_t fold, std::int64_t row) const {
    return fold % k_folds_ * spec_.rows + row;
  }
  std::int64_t channel_of(std::int64_t fold, std::int64_t column) const {
    return fold / k_folds_ * spec_.cols + column;
  }
  void plan();
  /// What enters the left of a row, the top of a column, in this cycle.
  std::optional<Streamed> streamed_at(std::int64_t row) const;
  std::optional<Stationary> stationary_at(std::int64_t column) const;
  Sums entering_sums(const Streamed& with, std::int64_t column) const;
  /// The fold whose shadow operands all elements take in this cycle, or -1.
  std::int64_t swapping() const;
  double step(const Stationary& held, double streamed, double sum) const;
  double& sum_of(std::int64_t channel, std::int64_t stream) const;
  void collect(const Sums& sums, std::int64_t column);
  const StationaryElement& element(std::int64_t row, std::int64_t column) const {
    return *elements_[static_cast<std::size_t>(row * spec_.cols + column)];
  }

  const MacArraySpec& spec_;
  std::vector<std::unique_ptr<StationaryElement>> elements_;
  const PeJob* job_ = nullptr;
  bool weights_stay_ = true;
  std::int64_t streams_ = 0, channels_ = 0;  ///< extents of the streamed and of the held side
  std::int64_t k_folds_ = 1, folds_ = 1, stream_rows_ = 1;
  std::vector<std::int64_t> load_, stream_;  ///< when a fold begins to
  std::int64_t left_ = 0, complete_at_ = -1;
};

class StationaryElement final : public Clocked {
 public:
  StationaryElement(const sc_core::sc_module_name& name, StationaryArray& array, std::int64_t row,
                    std::int64_t column, Waveform* waveform);
  void reset();
  void evaluate() override;
  void commit() override;
  const std::optional<StationaryArray::Sums>& leaving() const { return sums_.out(); }

 private:
  void take_stationary(const std::optional<StationaryArray::Stationary>& arriving);
  void take_shadow(std::int64_t fold);
  StationaryArray::Sums accumulate() const;

  StationaryArray& array_;
  const std::int64_t row_, column_;
  const StationaryElement* left_ = nullptr;
  const StationaryElement* above_ = nullptr;
  std::optional<StationaryArray::Streamed> input_, next_input_;
  std::optional<StationaryArray::Stationary> held_, shadow_;
  DelayLine<StationaryArray::Stationary> passing_;
  DelayLine<StationaryArray::Sums> sums_;
  std::optional<StationaryArray::Stationary> next_passing_, next_held_, next_shadow_;
  std::optional<StationaryArray::Sums> next_sums_;
  Waveform::Probe *input_probe_ = nullptr, *held_probe_ = nullptr, *sum_probe_ = nullptr;
};

}  // namespace npusim::npu::pe
