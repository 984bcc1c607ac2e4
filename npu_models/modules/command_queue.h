// SPDX-License-Identifier: Apache-2.0
// Bounded queue from the sequencer to one engine: it bounds how far tiles are generated ahead, and
// with it the memory of a simulation. A full queue wakes its producer when half of it is gone, so
// that one kernel activation generates many commands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <systemc>
#include <utility>

namespace npusim::npu::model {

inline constexpr std::size_t kQueueDepth = 64;

template <class Command>
class CommandQueue {
 public:
  /// Returns the command's number, from 1: what Progress counts.
  std::uint64_t push(Command command) {
    if (pushed_ - popped_ >= kQueueDepth) {
      while (pushed_ - popped_ > kQueueDepth / 2) sc_core::wait(drained_);
    }
    slots_[pushed_ % kQueueDepth] = std::move(command);
    if (pushed_++ == popped_) filled_.notify();
    return pushed_;
  }
  Command pop() {
    while (popped_ == pushed_) sc_core::wait(filled_);
    Command command = std::move(slots_[popped_++ % kQueueDepth]);
    last_op_ = command.op;
    if (pushed_ - popped_ == kQueueDepth / 2) drained_.notify();
    return command;
  }
  std::uint64_t pushed() const { return pushed_; }
  int last_op() const { return last_op_; }  ///< of the command taken last, -1 at first

 private:
  std::array<Command, kQueueDepth> slots_{};
  std::uint64_t pushed_ = 0, popped_ = 0;
  int last_op_ = -1;
  sc_core::sc_event filled_, drained_;
};

}  // namespace npusim::npu::model
