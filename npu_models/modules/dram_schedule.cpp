// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/dram_schedule.h"

#include <algorithm>

#include "npu_models/ceil_div.h"
#include "npu_models/modules/sim_time.h"

namespace npusim::npu::model {

DramSchedule::DramSchedule(const DramSpec& spec)
    : spec_(spec), latency_(picos_of(spec.latency_cycles)) {
  if (!spec_.timing) return;
  row_time_ = transfer_picos(spec_.timing->row_bytes * spec_.timing->channels,
                             spec_.bandwidth_bytes_per_cycle);
  open_.assign(static_cast<std::size_t>(spec_.timing->banks), -1);
}

void DramSchedule::restart(Picos moment) {
  const DramCounters counters = counters_;
  *this = DramSchedule(spec_);
  counters_ = counters;
  origin_ = moment;
}

DramSchedule::Service DramSchedule::serve(Picos requested, bool write, std::uint64_t address,
                                          std::int64_t bytes) {
  const Service service = served(requested - origin_, write, address, bytes);
  return {service.start + origin_, service.end + origin_};
}

DramSchedule::Service DramSchedule::served(Picos requested, bool write, std::uint64_t address,
                                           std::int64_t bytes) {
  const Picos start = std::max(requested + latency_, free_at_);
  if (spec_.timing) {
    free_at_ = detailed(requested, write, address, bytes);
  } else {
    free_at_ = start + transfer_picos(bytes, spec_.bandwidth_bytes_per_cycle);
  }
  return {start, free_at_};
}

Picos DramSchedule::detailed(Picos requested, bool write, std::uint64_t address,
                             std::int64_t bytes) {
  const DramTiming& timing = *spec_.timing;
  const auto begin = static_cast<std::int64_t>(address);
  const std::int64_t last_byte = begin + bytes - 1;
  const std::int64_t bursts = last_byte / timing.burst_bytes - begin / timing.burst_bytes + 1;
  const std::int64_t moved =
      ceil_div(bursts, timing.channels) * timing.channels * timing.burst_bytes;
  const std::int64_t row_span = timing.row_bytes * timing.channels;
  const std::int64_t first = begin / row_span;
  const std::int64_t last = last_byte / row_span;

  const bool turns = any_ && write != last_write_;
  counters_.turnarounds += turns ? 1 : 0;
  const Picos turning = !turns ? 0 : write ? timing.read_to_write : timing.write_to_read;
  Picos start = after_refresh(std::max(requested + latency_, free_at_ + turning));
  close_rows_refreshed_by(start);
  const bool same_bank = first % timing.banks == last_bank_;
  const Rows rows = open_rows(first, last);
  if (rows.first_closed) {
    start = same_bank ? start + timing.row_miss
                      : std::max(start, requested + latency_ + timing.row_miss);
  }
  const Picos shown =
      timing.banks == 1 ? timing.row_miss : std::max<Picos>(0, timing.row_miss - row_time_);
  any_ = true;
  last_write_ = write;
  last_bank_ = last % timing.banks;
  const Picos data = transfer_picos(moved, spec_.bandwidth_bytes_per_cycle);
  return transfer(start, data + rows.further_closed * shown, last);
}

/// Not while a refresh goes on.
Picos DramSchedule::after_refresh(Picos moment) {
  const DramTiming& timing = *spec_.timing;
  if (timing.refresh_interval == 0 || moment < timing.refresh_interval) return moment;
  const Picos into = moment % timing.refresh_interval;
  if (into >= timing.refresh) return moment;
  ++counters_.refreshes;
  return moment - into + timing.refresh;
}

void DramSchedule::close_rows_refreshed_by(Picos moment) {
  const DramTiming& timing = *spec_.timing;
  if (timing.refresh_interval == 0) return;
  const std::int64_t refreshes = moment / timing.refresh_interval;
  if (refreshes == refreshed_) return;
  refreshed_ = refreshes;
  std::fill(open_.begin(), open_.end(), -1);
}

/// Beyond as many rows as there are banks, none can have been open: the rows before closed them.
DramSchedule::Rows DramSchedule::open_rows(std::int64_t first, std::int64_t last) {
  const std::int64_t banks = spec_.timing->banks;
  Rows rows;
  std::int64_t hits = 0;
  for (std::int64_t row = first; row <= std::min(last, first + banks - 1); ++row)
    hits += open_[static_cast<std::size_t>(row % banks)] == row ? 1 : 0;
  rows.first_closed = open_[static_cast<std::size_t>(first % banks)] != first;
  const std::int64_t closed = last - first + 1 - hits;
  rows.further_closed = closed - (rows.first_closed ? 1 : 0);
  counters_.row_hits += hits;
  counters_.row_misses += closed;
  for (std::int64_t row = std::max(first, last - banks + 1); row <= last; ++row)
    open_[static_cast<std::size_t>(row % banks)] = row;
  return rows;
}

/// The end of `work` that refreshes may cut.
Picos DramSchedule::transfer(Picos start, Picos work, std::int64_t last_row) {
  const DramTiming& timing = *spec_.timing;
  if (timing.refresh_interval == 0) return start + work;
  const Picos next = (start / timing.refresh_interval + 1) * timing.refresh_interval;
  if (start + work <= next) return start + work;
  const Picos left = work - std::max<Picos>(0, next - start);
  const Picos stop = timing.refresh + timing.row_miss;
  const Picos usable = timing.refresh_interval - stop;
  const std::int64_t cuts = ceil_div(left, usable);
  counters_.refreshes += cuts;
  refreshed_ = next / timing.refresh_interval + cuts - 1;
  std::fill(open_.begin(), open_.end(), -1);
  open_[static_cast<std::size_t>(last_row % timing.banks)] = last_row;
  return next + (cuts - 1) * timing.refresh_interval + stop + left - (cuts - 1) * usable;
}

}  // namespace npusim::npu::model
