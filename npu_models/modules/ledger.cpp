// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/ledger.h"

#include <algorithm>

#include "base/error.h"

namespace npusim::npu::model {
namespace {

/// Intervals kept before the ones that lie behind are accounted.
constexpr std::size_t kKeptIntervals = 1024;

std::size_t index(WaitCause cause) {
  return static_cast<std::size_t>(cause);
}

}  // namespace

Ledger::Ledger(std::size_t ops, std::int64_t arrays) : arrays_(arrays), records_(ops) {}

void Ledger::touch(int op, std::int64_t begin, std::int64_t end) {
  OpRecord& r = record(op);
  r.start_cycle = r.start_cycle < 0 ? begin : std::min(r.start_cycle, begin);
  r.end_cycle = std::max(r.end_cycle, end);
  if (end >= last_cycle_) {
    last_cycle_ = end;
    last_op_ = op;
  }
}

void Ledger::active(WaitCause cause, int op, std::int64_t begin, std::int64_t end,
                    std::int64_t now) {
  touch(op, begin, end);
  std::deque<Interval>& list = intervals_[index(cause)];
  if (!list.empty() && list.back().op == op && list.back().begin <= begin &&
      list.back().end >= begin) {
    list.back().end = std::max(list.back().end, end);
    return;
  }
  auto place = list.end();
  while (place != list.begin() && std::prev(place)->begin > begin) --place;
  list.insert(place, {begin, end, op});
  // While a tile runs, settled_ is its end: nothing before the present can still be in question.
  if (list.size() >= kKeptIntervals) settle(now);
}

void Ledger::tile(int op, std::int64_t begin, std::int64_t end, const TileAccount& account) {
  NPUSIM_CHECK(begin >= settled_, "tiles of the array overlap");
  settle(begin);
  charge_launch(op);
  touch(op, begin, end);
  OpRecord& r = record(op);
  r.array.busy += account.busy;
  r.array.preload += account.preload;
  r.array.fill_drain += account.fill_drain;
  r.array.dependency += account.dependency;
  r.array.accumulator_ports += account.accumulator_ports;
  r.array.idle += account.idle;
  r.array_cycles += end - begin;
  settled_ = end;
}

void Ledger::wait_for_ports(int op, std::int64_t cycles) {
  touch(op, settled_, settled_ + cycles);
  OpRecord& r = record(op);
  r.array.scratchpad_ports += arrays_ * cycles;
  r.array_cycles += cycles;
  settled_ += cycles;
}

void Ledger::settle(std::int64_t until) {
  while (settled_ < until) {
    const Interval* found = nullptr;
    std::size_t cause = 0;
    std::int64_t step_end = until;
    for (; cause < index(WaitCause::launch) && found == nullptr; ++cause) {
      std::deque<Interval>& list = intervals_[cause];
      while (!list.empty() && list.front().end <= settled_) list.pop_front();
      if (list.empty()) continue;
      if (list.front().begin <= settled_) {
        found = &list.front();
        step_end = std::min(step_end, found->end);
        break;
      }
      step_end = std::min(step_end, list.front().begin);  // a stronger cause begins there
    }
    const std::int64_t cycles = (step_end - settled_) * arrays_;
    if (found != nullptr) {
      record(found->op).waits[cause] += cycles;
    } else {
      unowned_launch_ += cycles;
    }
    settled_ = step_end;
  }
  for (std::deque<Interval>& list : intervals_) {
    while (!list.empty() && list.front().end <= settled_) list.pop_front();
  }
}

void Ledger::charge_launch(int op) {
  record(op).waits[index(WaitCause::launch)] += unowned_launch_;
  unowned_launch_ = 0;
}

void Ledger::restart(std::int64_t now) {
  NPUSIM_CHECK(now >= last_cycle_ && now >= settled_, "engines have ended");
  settle(now);
  if (last_op_ >= 0) charge_launch(last_op_);
}

std::int64_t Ledger::finish() {
  settle(last_cycle_);
  if (last_op_ >= 0) charge_launch(last_op_);
  return last_cycle_;
}

}  // namespace npusim::npu::model
