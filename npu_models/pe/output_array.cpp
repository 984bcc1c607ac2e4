// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/output_array.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "npu_models/organisations/organisations.h"
#include "precision/mac_chain.h"

namespace npusim::npu::pe {

OutputArray::OutputArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                         Waveform* waveform)
    : PeArray(name), spec_(spec) {
  for (std::int64_t r = 0; r < spec.rows; ++r) {
    for (std::int64_t c = 0; c < spec.cols; ++c) {
      const std::string element = "pe_" + std::to_string(r) + "_" + std::to_string(c);
      elements_.push_back(std::make_unique<OutputElement>(element.c_str(), *this, r, c, waveform));
      elements_.back()->clock(clock);
    }
  }
}

OutputArray::~OutputArray() = default;

void OutputArray::start(const PeJob& job) {
  job_ = &job;
  sums_ = {spec_.outputs_per_pe, job.shape.k, job.latency_cycles, spec_.partial_sums_per_output};
  n_folds_ = ceil_div(job.shape.n, spec_.cols);
  folds_ = ceil_div(job.shape.m, spec_.rows * spec_.outputs_per_pe * job.macs_per_pe) * n_folds_;
  left_ = 0;
  complete_at_ = -1;
  for (const auto& element : elements_) element->reset();
  plan();
  restart();
}

/// A fold enters as soon as the options let.
void OutputArray::plan() {
  const std::int64_t drain = spec_.drain == Drain::shift ? spec_.rows * spec_.outputs_per_pe : 0;
  const std::int64_t written = spec_.completion == Completion::written ? 1 : 0;
  const std::int64_t skew = spec_.rows - 1 + spec_.cols - 1;
  const std::int64_t taken = sums_.entry() + sums_.combination();
  const std::int64_t complete = taken + skew + job_->latency_cycles - 1 + drain + written;
  start_.assign(1, 0);
  for (std::int64_t f = 1; f < folds_; ++f)
    start_.push_back(start_.back() + (spec_.fold_overlap ? std::max(taken, drain) : complete));
}

std::optional<OutputArray::Operand> OutputArray::entering(std::int64_t offset) const {
  for (std::int64_t f = 0; f < folds_; ++f) {
    const std::int64_t at = now() - offset - start_[static_cast<std::size_t>(f)];
    const std::int64_t step = at / sums_.pace(), output = at % sums_.pace();
    if (at < 0 || step >= sums_.whole_steps() || output >= sums_.outputs) continue;
    return Operand{f, step, output, {}};
  }
  return std::nullopt;
}

std::int64_t OutputArray::position_of(const Result& at, std::int64_t lane) const {
  const std::int64_t block = at.fold / n_folds_;
  return ((block * spec_.rows + at.row) * spec_.outputs_per_pe + at.output) * job_->macs_per_pe +
         lane;
}

std::optional<OutputArray::Operand> OutputArray::position_operand(std::int64_t row) const {
  std::optional<Operand> operand = entering(row);
  if (!operand) return operand;
  for (std::int64_t lane = 0; lane < job_->macs_per_pe; ++lane) {
    const std::int64_t m = position_of({operand->fold, row, operand->output, {}}, lane);
    const bool exists = m < job_->shape.m && operand->step < job_->shape.k;
    operand->values.push_back(exists ? job_->a_at(m, operand->step) : 0.0);
  }
  return operand;
}

std::optional<OutputArray::Operand> OutputArray::channel_operand(std::int64_t column) const {
  std::optional<Operand> operand = entering(column);
  if (!operand) return operand;
  const std::int64_t n = operand->fold % n_folds_ * spec_.cols + column;
  const bool exists = n < job_->shape.n && operand->step < job_->shape.k;
  operand->values = {exists ? job_->b_at(n, operand->step) : 0.0};
  return operand;
}

void OutputArray::evaluate() {
  for (std::int64_t c = 0; c < spec_.cols; ++c) {
    if (spec_.drain == Drain::shift) {
      const Result* leaving = element(spec_.rows - 1, c).draining();
      if (leaving != nullptr) collect(*leaving, c);
      continue;
    }
    for (std::int64_t r = 0; r < spec_.rows; ++r)
      for (const Result& result : element(r, c).drained()) collect(result, c);
  }
}

void OutputArray::collect(const Result& result, std::int64_t column) {
  const std::int64_t n = result.fold % n_folds_ * spec_.cols + column;
  for (std::size_t lane = 0; lane < result.values.size(); ++lane) {
    const std::int64_t m = position_of(result, static_cast<std::int64_t>(lane));
    if (m >= job_->shape.m || n >= job_->shape.n) continue;
    double& stored = job_->sum_at(m, n);
    stored = job_->resumes
                 ? precision::rounded_sum(stored, result.values[lane], job_->unit->accumulator())
                 : result.values[lane];
  }
  if (++left_ < folds_ * spec_.rows * spec_.cols * spec_.outputs_per_pe) return;
  // What is shifted leaves at the end of this cycle; what stands in its element is there already.
  complete_at_ = now() + (spec_.drain == Drain::shift ? 1 : 0) +
                 (spec_.completion == Completion::written ? 1 : 0);
}

OutputElement::OutputElement(const sc_core::sc_module_name& name, OutputArray& array,
                             std::int64_t row, std::int64_t column, Waveform* waveform)
    : Clocked(name), array_(array), row_(row), column_(column) {
  if (column > 0) left_ = &array.element(row, column - 1);
  if (row > 0) above_ = &array.element(row - 1, column);
  if (waveform == nullptr) return;
  a_probe_ = waveform->probe(std::string(this->name()) + ".a");
  b_probe_ = waveform->probe(std::string(this->name()) + ".b");
  sum_probe_ = waveform->probe(std::string(this->name()) + ".sum");
}

void OutputElement::reset() {
  const Recurrence& sums = array_.sums_;
  const auto count = static_cast<std::size_t>(sums.outputs * sums.partial_sums);
  a_.reset();
  b_.reset();
  sums_.assign(count, std::vector<double>(static_cast<std::size_t>(array_.job_->macs_per_pe)));
  in_flight_.assign(count, 0);
  adder_.reset(sums.latency);
  combining_fold_ = -1;
  drain_.clear();
}

const OutputArray::Result* OutputElement::draining() const {
  const OutputElement& bottom = array_.element(array_.spec_.rows - 1, column_);
  if (drain_.empty() || bottom.drain_.empty()) return nullptr;
  return drain_.front().fold == bottom.drain_.front().fold ? &drain_.front() : nullptr;
}

void OutputElement::evaluate() {
  next_a_ = left_ != nullptr ? left_->a_ : array_.position_operand(row_);
  next_b_ = above_ != nullptr ? above_->b_ : array_.channel_operand(column_);
  next_addition_.reset();
  combine();
  multiply_add();
  const bool shifts = array_.spec_.drain == Drain::shift;
  pops_ = shifts ? draining() != nullptr : !drain_.empty();
  arriving_.reset();
  if (shifts && above_ != nullptr && above_->draining() != nullptr) arriving_ = *above_->draining();
}

/// A sum that is read must be there.
std::vector<double> OutputElement::ready_sum(std::int64_t output, std::int64_t index) {
  const auto at = static_cast<std::size_t>(output * array_.sums_.partial_sums + index);
  NPUSIM_CHECK(in_flight_[at] == 0, "a sum is read before it is there");
  return sums_[at];
}

void OutputElement::multiply_add() {
  NPUSIM_CHECK(next_a_.has_value() == next_b_.has_value(), "an operand comes alone");
  if (!next_a_) return;
  NPUSIM_CHECK(next_a_->fold == next_b_->fold && next_a_->step == next_b_->step &&
                   next_a_->output == next_b_->output && !next_addition_,
               "operands of different steps meet, or the adder is taken");
  const Recurrence& sums = array_.sums_;
  Addition addition{next_a_->fold, next_a_->output, next_a_->step % sums.partial_sums, {}, false};
  addition.values = next_a_->step < sums.partial_sums
                        ? std::vector<double>(next_a_->values.size(), 0.0)
                        : ready_sum(addition.output, addition.sum);
  for (std::size_t lane = 0; lane < addition.values.size(); ++lane)
    addition.values[lane] =
        precision::mac_chain(*array_.job_->unit, &next_a_->values[lane], &next_b_->values.front(),
                             1, addition.values[lane]);
  if (next_a_->step == sums.whole_steps() - 1 && addition.output == sums.outputs - 1) {
    addition.last = sums.partial_sums == 1;
    combining_fold_ = addition.last ? -1 : addition.fold;
    combine_from_ = array_.now() + sums.latency;
  }
  next_addition_ = std::move(addition);
}

/// s0 + s1, then that + s2, ...; the outputs in turn.
void OutputElement::combine() {
  if (combining_fold_ < 0 || array_.now() < combine_from_) return;
  const Recurrence& sums = array_.sums_;
  const std::int64_t round = std::max(sums.outputs, sums.latency);
  const std::int64_t index = 1 + (array_.now() - combine_from_) / round;
  const std::int64_t output = (array_.now() - combine_from_) % round;
  if (output >= sums.outputs) return;
  Addition addition{combining_fold_, output, 0, ready_sum(output, 0), false};
  const std::vector<double> other = ready_sum(output, index);
  for (std::size_t lane = 0; lane < other.size(); ++lane)
    addition.values[lane] = precision::rounded_sum(addition.values[lane], other[lane],
                                                   array_.job_->unit->accumulator());
  addition.last = index == sums.partial_sums - 1 && output == sums.outputs - 1;
  if (addition.last) combining_fold_ = -1;
  next_addition_ = std::move(addition);
}

void OutputElement::land(const Addition& addition) {
  sum(addition.output, addition.sum) = addition.values;
  --in_flight_[static_cast<std::size_t>(addition.output * array_.sums_.partial_sums +
                                        addition.sum)];
  if (!addition.last) return;
  NPUSIM_CHECK(drain_.empty(), "drain registers are taken");
  for (std::int64_t output = 0; output < array_.sums_.outputs; ++output)
    drain_.push_back({addition.fold, row_, output, sum(output, 0)});
}

void OutputElement::commit() {
  a_ = next_a_;
  b_ = next_b_;
  if (pops_ && array_.spec_.drain == Drain::direct) {
    drain_.clear();
  } else if (pops_) {
    drain_.pop_front();
  }
  if (arriving_) drain_.push_back(std::move(*arriving_));
  if (next_addition_)
    ++in_flight_[static_cast<std::size_t>(next_addition_->output * array_.sums_.partial_sums +
                                          next_addition_->sum)];
  show(a_probe_, a_ ? &a_->values.front() : nullptr);
  show(b_probe_, b_ ? &b_->values.front() : nullptr);
  show(sum_probe_, next_addition_ ? &next_addition_->values.front() : nullptr);
  adder_.push(std::move(next_addition_));
  if (adder_.out()) land(*adder_.out());
}

}  // namespace npusim::npu::pe
