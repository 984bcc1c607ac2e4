// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/stationary_array.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "npu_models/organisations/organisations.h"
#include "precision/mac_chain.h"

namespace npusim::npu::pe {

StationaryArray::StationaryArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                                 Waveform* waveform)
    : PeArray(name), spec_(spec) {
  for (std::int64_t r = 0; r < spec.rows; ++r) {
    for (std::int64_t c = 0; c < spec.cols; ++c) {
      const std::string element = "pe_" + std::to_string(r) + "_" + std::to_string(c);
      elements_.push_back(
          std::make_unique<StationaryElement>(element.c_str(), *this, r, c, waveform));
      elements_.back()->clock(clock);
    }
  }
}

StationaryArray::~StationaryArray() = default;

void StationaryArray::start(const PeJob& job) {
  job_ = &job;
  weights_stay_ = spec_.dataflow == Dataflow::weight_stationary;
  streams_ = weights_stay_ ? job.shape.m : job.shape.n;
  channels_ = weights_stay_ ? job.shape.n : job.shape.m;
  k_folds_ = ceil_div(job.shape.k, spec_.rows);
  folds_ = k_folds_ * ceil_div(channels_, spec_.cols);
  stream_rows_ = ceil_div(streams_, job.macs_per_pe);
  left_ = 0;
  complete_at_ = -1;
  for (const auto& element : elements_) element->reset();
  plan();
  restart();
}

/// When each fold begins to load and to stream: as early as the named options let.
void StationaryArray::plan() {
  const std::int64_t latency = job_->latency_cycles;
  const std::int64_t written = spec_.completion == Completion::written ? 1 : 0;
  const std::int64_t last_column = spec_.cols - 1;
  const std::int64_t down = (spec_.rows - 1) * latency;
  const bool at_once = spec_.preload_hiding && spec_.swap == Swap::all_at_once;
  // From the first operand of a fold at the top to the last one in its element.
  const std::int64_t loading =
      at_once ? down + (spec_.preload_skew ? last_column : 0) + 1 : spec_.rows;
  load_.assign(1, 0);
  stream_.assign(1, loading);
  for (std::int64_t f = 1; f < folds_; ++f) {
    const std::int64_t entered = stream_.back() + stream_rows_;
    const std::int64_t complete = entered + down + last_column + latency - 1 + written;
    const std::int64_t last_use = entered + down + last_column;
    const std::int64_t gap = entered + spec_.fold_gap_cycles;
    std::int64_t free = spec_.fold_overlap ? gap : std::max(complete, gap);
    std::int64_t load = free;
    if (!spec_.preload_hiding) {
      if (spec_.fold_overlap && !spec_.preload_skew) load += last_column;
    } else if (at_once) {
      if (spec_.fold_overlap) free = std::max(last_use, gap);
      load = stream_.back();
    } else {
      load = stream_.back() + (spec_.preload_skew ? 0 : last_column);
    }
    std::int64_t stream = std::max(free, load + loading);
    const bool same_channels = f % k_folds_ != 0;
    if (same_channels && spec_.partial_sums == PartialSums::reinject_above)
      stream = std::max(stream, stream_.back() + spec_.rows * latency + written);
    load_.push_back(load);
    stream_.push_back(stream);
  }
}

std::optional<StationaryArray::Streamed> StationaryArray::streamed_at(std::int64_t row) const {
  for (std::int64_t f = 0; f < folds_; ++f) {
    const std::int64_t at =
        now() - row * job_->latency_cycles - stream_[static_cast<std::size_t>(f)];
    if (at < 0 || at >= stream_rows_) continue;
    Streamed streamed{f, at, {}};
    const std::int64_t k = k_of(f, row);
    const std::int64_t first = at * job_->macs_per_pe;
    for (std::int64_t i = first; i < std::min(streams_, first + job_->macs_per_pe); ++i)
      streamed.values.push_back(k >= job_->shape.k ? 0.0
                                : weights_stay_    ? job_->a_at(i, k)
                                                   : job_->b_at(i, k));
    return streamed;
  }
  return std::nullopt;
}

std::optional<StationaryArray::Stationary> StationaryArray::stationary_at(
    std::int64_t column) const {
  for (std::int64_t f = 0; f < folds_; ++f) {
    const std::int64_t skew = spec_.preload_skew ? column : 0;
    const std::int64_t at = now() - skew - load_[static_cast<std::size_t>(f)];
    if (at < 0 || at >= spec_.rows) continue;
    const std::int64_t row = spec_.rows - 1 - at;
    const std::int64_t k = k_of(f, row), channel = channel_of(f, column);
    Stationary entering{f, row, 0.0, k < job_->shape.k};
    if (entering.is_term && channel < channels_)
      entering.value = weights_stay_ ? job_->b_at(channel, k) : job_->a_at(channel, k);
    return entering;
  }
  return std::nullopt;
}

std::int64_t StationaryArray::swapping() const {
  if (!spec_.preload_hiding || spec_.swap != Swap::all_at_once) return -1;
  const auto found = std::find(stream_.begin(), stream_.end(), now());
  return found == stream_.end() ? -1 : found - stream_.begin();
}

double& StationaryArray::sum_of(std::int64_t channel, std::int64_t stream) const {
  return weights_stay_ ? job_->sum_at(stream, channel) : job_->sum_at(channel, stream);
}

StationaryArray::Sums StationaryArray::entering_sums(const Streamed& with,
                                                     std::int64_t column) const {
  Sums sums{with.fold, with.row, std::vector<double>(with.values.size(), 0.0)};
  const bool begins = with.fold % k_folds_ == 0;
  if (spec_.partial_sums == PartialSums::accumulate_below || (begins && !job_->resumes))
    return sums;
  // The sum that leaves the bottom in this very cycle goes round without memory in between.
  const std::optional<Sums>& bottom = element(spec_.rows - 1, column).leaving();
  if (!begins && bottom && bottom->fold == with.fold - 1 && bottom->row == with.row) {
    sums.values = bottom->values;
    return sums;
  }
  const std::int64_t channel = channel_of(with.fold, column);
  if (channel >= channels_) return sums;
  for (std::size_t lane = 0; lane < sums.values.size(); ++lane)
    sums.values[lane] =
        sum_of(channel, with.row * job_->macs_per_pe + static_cast<std::int64_t>(lane));
  return sums;
}

double StationaryArray::step(const Stationary& held, double streamed, double sum) const {
  if (!held.is_term) return sum;
  const double& a = weights_stay_ ? streamed : held.value;
  const double& b = weights_stay_ ? held.value : streamed;
  return precision::mac_chain(*job_->unit, &a, &b, 1, sum);
}

void StationaryArray::evaluate() {
  for (std::int64_t c = 0; c < spec_.cols; ++c) {
    const std::optional<Sums>& sums = element(spec_.rows - 1, c).leaving();
    if (sums) collect(*sums, c);
  }
}

void StationaryArray::collect(const Sums& sums, std::int64_t column) {
  const std::int64_t channel = channel_of(sums.fold, column);
  const bool adds = spec_.partial_sums == PartialSums::accumulate_below &&
                    (job_->resumes || sums.fold % k_folds_ != 0);
  for (std::size_t lane = 0; lane < sums.values.size() && channel < channels_; ++lane) {
    double& stored =
        sum_of(channel, sums.row * job_->macs_per_pe + static_cast<std::int64_t>(lane));
    stored = adds ? precision::rounded_sum(stored, sums.values[lane], job_->unit->accumulator())
                  : sums.values[lane];
  }
  if (++left_ == folds_ * stream_rows_ * spec_.cols)
    complete_at_ = now() + (spec_.completion == Completion::written ? 1 : 0);
}

StationaryElement::StationaryElement(const sc_core::sc_module_name& name, StationaryArray& array,
                                     std::int64_t row, std::int64_t column, Waveform* waveform)
    : Clocked(name), array_(array), row_(row), column_(column) {
  if (column > 0) left_ = &array.element(row, column - 1);
  if (row > 0) above_ = &array.element(row - 1, column);
  if (waveform == nullptr) return;
  input_probe_ = waveform->probe(std::string(this->name()) + ".input");
  held_probe_ = waveform->probe(std::string(this->name()) + ".held");
  sum_probe_ = waveform->probe(std::string(this->name()) + ".sum");
}

void StationaryElement::reset() {
  input_.reset();
  held_.reset();
  shadow_.reset();
  passing_.reset(array_.job_->latency_cycles);
  sums_.reset(array_.job_->latency_cycles);
}

void StationaryElement::evaluate() {
  next_input_ = left_ != nullptr ? left_->input_ : array_.streamed_at(row_);
  next_held_ = held_;
  next_shadow_ = shadow_;
  const std::int64_t swapping = array_.swapping();
  if (swapping >= 0) take_shadow(swapping);
  const bool wavefront = array_.spec_.preload_hiding && array_.spec_.swap == Swap::wavefront;
  if (wavefront && next_input_ && (!next_held_ || next_held_->fold != next_input_->fold))
    take_shadow(next_input_->fold);
  take_stationary(above_ != nullptr ? above_->passing_.out() : array_.stationary_at(column_));
  next_sums_.reset();
  if (next_input_) next_sums_ = accumulate();
}

void StationaryElement::take_shadow(std::int64_t fold) {
  NPUSIM_CHECK(shadow_ && shadow_->fold == fold, "a shadow operand is not there at the swap");
  next_held_ = shadow_;
  next_shadow_.reset();
}

void StationaryElement::take_stationary(
    const std::optional<StationaryArray::Stationary>& arriving) {
  next_passing_ = arriving;
  if (!arriving) return;
  NPUSIM_CHECK(array_.spec_.preload_hiding || !next_input_,
               "stationary and streamed operands meet in an element");
  if (arriving->row != row_) return;
  next_passing_.reset();
  std::optional<StationaryArray::Stationary>& place =
      array_.spec_.preload_hiding ? next_shadow_ : next_held_;
  NPUSIM_CHECK(!array_.spec_.preload_hiding || !place, "a shadow operand is overwritten");
  place = arriving;
}

StationaryArray::Sums StationaryElement::accumulate() const {
  const StationaryArray::Streamed& streamed = *next_input_;
  NPUSIM_CHECK(next_held_ && next_held_->fold == streamed.fold, "an operand of another fold");
  StationaryArray::Sums sums;
  if (above_ != nullptr) {
    const std::optional<StationaryArray::Sums>& arriving = above_->sums_.out();
    NPUSIM_CHECK(arriving && arriving->fold == streamed.fold && arriving->row == streamed.row,
                 "operand and partial sum do not meet");
    sums = *arriving;
  } else {
    sums = array_.entering_sums(streamed, column_);
  }
  for (std::size_t lane = 0; lane < sums.values.size(); ++lane)
    sums.values[lane] = array_.step(*next_held_, streamed.values[lane], sums.values[lane]);
  return sums;
}

void StationaryElement::commit() {
  input_ = next_input_;
  held_ = next_held_;
  shadow_ = next_shadow_;
  show(input_probe_, input_ && !input_->values.empty() ? &input_->values.front() : nullptr);
  show(held_probe_, held_ ? &held_->value : nullptr);
  show(sum_probe_,
       next_sums_ && !next_sums_->values.empty() ? &next_sums_->values.front() : nullptr);
  passing_.push(std::move(next_passing_));
  sums_.push(std::move(next_sums_));
}

}  // namespace npusim::npu::pe
