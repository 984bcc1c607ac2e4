// SPDX-License-Identifier: Apache-2.0
// Runs jobs in forked children, because SystemC allows one simulation per process and because a
// crash must become a failed row, not a dead run. Fork only while this process has a single thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace npusim::base {

struct IsolatedOutcome {
  bool ok = false;
  std::string payload;  ///< what the job returned
  std::string error;    ///< "killed by signal 11", "exit 4: ...", or the what() of its exception
};

/// Runs job(i) for every i in a child of its own, at most `parallel` at once; outcomes in order of
/// i. `finished` (may be empty) is called in the parent after each end, with the number done so
/// far; `waiting` (may be empty) in the parent, some times a second while children run.
/// Interrupting the parent (SIGINT) ends the children; their outcomes then say "interrupted".
std::vector<IsolatedOutcome> run_isolated(std::size_t count, int parallel,
                                          const std::function<std::string(std::size_t)>& job,
                                          const std::function<void(std::size_t)>& finished = {},
                                          const std::function<void()>& waiting = {});

}  // namespace npusim::base
