// SPDX-License-Identifier: Apache-2.0
#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>

namespace npusim::base {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstShown{1000};
constexpr std::chrono::milliseconds kBetween{200};
constexpr std::size_t kWidest = 79;

std::string duration_text(double seconds) {
  const long total = std::max(0L, static_cast<long>(seconds + 0.5));
  if (total < 60) return std::to_string(total) + " s";
  if (total < 3600) return std::to_string(total / 60) + " min " + std::to_string(total % 60) + " s";
  return std::to_string(total / 3600) + " h " + std::to_string(total / 60 % 60) + " min";
}

}  // namespace

struct Progress::State {
  std::string what;
  double total = 0.0;
  bool enabled = false;
  std::mutex mutex;
  double done = 0.0;
  Clock::time_point begin = Clock::now();
  Clock::time_point next_shown = begin + kFirstShown;
  bool shown = false;

  void set(double reached, const std::string& detail) {
    done = reached;
    const Clock::time_point now = Clock::now();
    if (now >= next_shown) show(now, detail);
  }

  void show(Clock::time_point now, const std::string& detail) {
    const double fraction = total > 0.0 ? std::min(1.0, done / total) : 0.0;
    std::string line = what + ": " + std::to_string(static_cast<int>(100.0 * fraction)) + " %";
    if (fraction > 0.0) {
      const double elapsed = std::chrono::duration<double>(now - begin).count();
      line += ", " + duration_text(elapsed * (1.0 - fraction) / fraction) + " left";
    }
    if (!detail.empty()) line += "  " + detail;
    line.resize(std::min(line.size(), kWidest));
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    std::fflush(stderr);
    shown = true;
    next_shown = now + kBetween;
  }
};

Progress::Progress(std::string what, double total, bool quiet) : state_(std::make_unique<State>()) {
  state_->what = std::move(what);
  state_->total = total;
  state_->enabled = !quiet && ::isatty(STDERR_FILENO) == 1;
}

Progress::~Progress() {
  if (!state_->shown) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void Progress::advance(double work, const std::string& detail) {
  if (!state_->enabled) return;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->set(state_->done + work, detail);
}

void Progress::reach(double done, const std::string& detail) {
  if (!state_->enabled) return;
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->set(done, detail);
}

}  // namespace npusim::base
