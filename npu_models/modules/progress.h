// SPDX-License-Identifier: Apache-2.0
// How many commands of an in-order engine have ended. An engine publishes each command's end as
// soon as it is known, which may be ahead of time; whoever depends on a command waits for its
// number. One counter an engine replaces an event a command: state stays bounded by the commands in
// flight.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "npu_models/modules/sim_time.h"

namespace npusim::npu::model {

class Progress {
 public:
  /// The next command ends at `end`; ends never decrease.
  void complete(Picos end);
  /// The moment at which `count` commands have ended, 0 when it has passed. Suspends the calling
  /// thread until that moment is known, which may be ahead of it.
  Picos end_of(std::uint64_t count);
  /// Commands whose end is known.
  std::uint64_t published() const { return ended_ + pending_.size(); }

 private:
  std::uint64_t ended_ = 0;
  std::deque<Picos> pending_;
  sc_core::sc_event published_;
};

/// "Command number `count` of that engine has ended"; count 0 holds from the start.
struct Need {
  Progress* progress = nullptr;
  std::uint64_t count = 0;

  /// When it holds; 0 when it does already. Suspends until that is known.
  Picos moment() const { return progress == nullptr ? 0 : progress->end_of(count); }
};
using Needs = std::vector<Need>;

}  // namespace npusim::npu::model
