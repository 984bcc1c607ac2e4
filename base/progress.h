// SPDX-License-Identifier: Apache-2.0
// A one-line progress display with ETA on stderr: only on a terminal, only after a second, erased
// at the end. Safe to call from several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace npusim::base {

class Progress {
 public:
  /// `total` in units of work the caller chooses (MACs, runs). quiet: never prints.
  Progress(std::string what, double total, bool quiet);
  ~Progress();
  void advance(double work, const std::string& detail = {});
  /// So much is done in all: for work that others count.
  void reach(double done, const std::string& detail = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace npusim::base
