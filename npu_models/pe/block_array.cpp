// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/block_array.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "npu_models/organisations/organisations.h"
#include "precision/mac_chain.h"

namespace npusim::npu::pe {
namespace {

/// Multipliers, then a level of the tree a cycle.
std::int64_t cycles_before_adder(std::int64_t depth) {
  std::int64_t cycles = 1;
  for (std::int64_t terms = depth; terms > 1; terms = (terms + 1) / 2) ++cycles;
  return cycles;
}

}  // namespace

BlockArray::BlockArray(const sc_core::sc_module_name& name, const MacArraySpec& spec,
                       Waveform* waveform)
    : PeArray(name), spec_(spec), is_cube_(spec.organisation == "cube") {
  const std::int64_t count = is_cube_ ? spec.rows * spec.cols : spec.rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string cell = "cell_" + std::to_string(i);
    cells_.push_back(std::make_unique<BlockCell>(cell.c_str(), *this, i, waveform));
    cells_.back()->clock(clock);
  }
}

BlockArray::~BlockArray() = default;

void BlockArray::start(const PeJob& job) {
  job_ = &job;
  const std::int64_t steps = ceil_div(job.shape.k, spec_.depth);
  if (is_cube_) {
    n_blocks_ = ceil_div(job.shape.n, spec_.cols);
    groups_ = 1;
    sums_ = {ceil_div(job.shape.m, spec_.rows * job.macs_per_pe) * n_blocks_, steps,
             job.latency_cycles, spec_.partial_sums_per_output};
  } else {
    groups_ = ceil_div(job.shape.n, spec_.rows);
    sums_ = {ceil_div(job.shape.m, job.macs_per_pe), steps, job.latency_cycles,
             spec_.partial_sums_per_output};
  }
  finished_ = false;
  for (const auto& cell : cells_) cell->reset();
  restart();
}

std::optional<BlockArray::Issue> BlockArray::issued() const {
  const std::int64_t taken = sums_.entry() + sums_.combination();
  const std::int64_t group = now() / taken;
  std::int64_t at = now() % taken;
  if (group >= groups_) return std::nullopt;
  const std::int64_t step = at / sums_.pace(), output = at % sums_.pace();
  if (step < sums_.whole_steps()) {
    if (output >= sums_.outputs) return std::nullopt;
    return Issue{group, step, output, false};
  }
  // The last sum is there a latency behind its issue; then one partial sum a round.
  at -= sums_.entry() - 1 + sums_.latency;
  const std::int64_t round = std::max(sums_.outputs, sums_.latency);
  if (at < 0 || at % round >= sums_.outputs) return std::nullopt;
  return Issue{group, 1 + at / round, at % round, true};
}

bool BlockArray::is_last(const Issue& issue) const {
  if (issue.combines) return issue.step == sums_.partial_sums - 1;
  return sums_.partial_sums == 1 && issue.step == sums_.whole_steps() - 1;
}

std::int64_t BlockArray::position_of(const Issue& issue, std::int64_t cell,
                                     std::int64_t lane) const {
  const std::int64_t row =
      is_cube_ ? issue.output / n_blocks_ * spec_.rows + cell / spec_.cols : issue.output;
  return row * job_->macs_per_pe + lane;
}

std::int64_t BlockArray::channel_of(const Issue& issue, std::int64_t cell) const {
  return is_cube_ ? issue.output % n_blocks_ * spec_.cols + cell % spec_.cols
                  : issue.group * spec_.rows + cell;
}

void BlockArray::evaluate() {
  const std::int64_t expected = groups_ * sums_.outputs;
  finished_ = std::all_of(cells_.begin(), cells_.end(),
                          [&](const auto& cell) { return cell->finished_outputs() == expected; });
}

BlockCell::BlockCell(const sc_core::sc_module_name& name, BlockArray& array, std::int64_t index,
                     Waveform* waveform)
    : Clocked(name), array_(array), index_(index) {
  if (waveform != nullptr) sum_probe_ = waveform->probe(std::string(this->name()) + ".sum");
}

void BlockCell::reset() {
  const Recurrence& sums = array_.sums_;
  const auto count = static_cast<std::size_t>(sums.outputs * sums.partial_sums);
  multipliers_.reset(cycles_before_adder(array_.spec_.depth));
  adder_.reset(sums.latency);
  sums_.assign(count, std::vector<double>(static_cast<std::size_t>(array_.job_->macs_per_pe)));
  in_flight_.assign(count, 0);
  finished_outputs_ = 0;
}

void BlockCell::evaluate() {
  next_issue_ = array_.issued();
  next_addition_.reset();
  if (multipliers_.out()) next_addition_ = begin(*multipliers_.out());
}

BlockCell::Addition BlockCell::begin(const BlockArray::Issue& issue) const {
  const Recurrence& sums = array_.sums_;
  const auto ready = [&](std::int64_t partial_sum) -> const std::vector<double>& {
    const std::size_t at = place(issue.output, partial_sum);
    NPUSIM_CHECK(in_flight_[at] == 0, "a sum is read before it is there");
    return sums_[at];
  };
  Addition addition{issue, {}};
  for (std::int64_t lane = 0; lane < array_.job_->macs_per_pe; ++lane) {
    const auto i = static_cast<std::size_t>(lane);
    if (issue.combines) {
      addition.values.push_back(precision::rounded_sum(ready(0)[i], ready(issue.step)[i],
                                                       array_.job_->unit->accumulator()));
      continue;
    }
    const bool begins = issue.step < sums.partial_sums;
    const double sum = begins ? initial(issue, lane) : ready(issue.step % sums.partial_sums)[i];
    addition.values.push_back(block(issue, lane, sum));
  }
  return addition;
}

/// A lone sum goes on from accumulator memory; partial sums start from +0 and are added to it.
double BlockCell::initial(const BlockArray::Issue& issue, std::int64_t lane) const {
  const PeJob& job = *array_.job_;
  const std::int64_t m = array_.position_of(issue, index_, lane);
  const std::int64_t n = array_.channel_of(issue, index_);
  const bool goes_on = job.resumes && array_.sums_.partial_sums == 1;
  return goes_on && m < job.shape.m && n < job.shape.n ? job.sum_at(m, n) : 0.0;
}

double BlockCell::block(const BlockArray::Issue& issue, std::int64_t lane, double sum) const {
  const PeJob& job = *array_.job_;
  const std::int64_t m = array_.position_of(issue, index_, lane);
  const std::int64_t n = array_.channel_of(issue, index_);
  if (m >= job.shape.m || n >= job.shape.n) return sum;
  const std::int64_t first = issue.step * array_.spec_.depth;
  const std::int64_t terms =
      std::max<std::int64_t>(0, std::min(array_.spec_.depth, job.shape.k - first));
  if (array_.sums_.partial_sums == 1)
    return precision::mac_chain(*job.unit, job.a + m * job.shape.k + first,
                                job.b + n * job.shape.k + first, terms, sum);
  // Whole rounds of partial sums: what K does not fill are zeros.
  std::vector<double> a(static_cast<std::size_t>(array_.spec_.depth)), b(a);
  for (std::int64_t i = 0; i < terms; ++i) {
    a[static_cast<std::size_t>(i)] = job.a_at(m, first + i);
    b[static_cast<std::size_t>(i)] = job.b_at(n, first + i);
  }
  return precision::mac_chain(*job.unit, a.data(), b.data(), array_.spec_.depth, sum);
}

void BlockCell::land(const Addition& addition) {
  const BlockArray::Issue& issue = addition.issue;
  const std::int64_t partial_sum = issue.combines ? 0 : issue.step % array_.sums_.partial_sums;
  sums_[place(issue.output, partial_sum)] = addition.values;
  --in_flight_[place(issue.output, partial_sum)];
  if (!array_.is_last(issue)) return;
  ++finished_outputs_;
  const PeJob& job = *array_.job_;
  const std::int64_t n = array_.channel_of(issue, index_);
  for (std::size_t lane = 0; lane < addition.values.size(); ++lane) {
    const std::int64_t m = array_.position_of(issue, index_, static_cast<std::int64_t>(lane));
    if (m >= job.shape.m || n >= job.shape.n) continue;
    double& stored = job.sum_at(m, n);
    const bool adds = job.resumes && array_.sums_.partial_sums > 1;
    stored = adds ? precision::rounded_sum(stored, addition.values[lane], job.unit->accumulator())
                  : addition.values[lane];
  }
}

void BlockCell::commit() {
  if (next_addition_) {
    const BlockArray::Issue& issue = next_addition_->issue;
    ++in_flight_[place(issue.output, issue.combines ? 0 : issue.step % array_.sums_.partial_sums)];
  }
  show(sum_probe_, next_addition_ ? &next_addition_->values.front() : nullptr);
  multipliers_.push(next_issue_);
  adder_.push(std::move(next_addition_));
  if (adder_.out()) land(*adder_.out());
}

}  // namespace npusim::npu::pe
