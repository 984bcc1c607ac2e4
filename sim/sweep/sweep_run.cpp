// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/sweep_run.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <unordered_map>

#include "base/error.h"
#include "base/progress.h"
#include "sim/sweep/config_keys.h"
#include "sim/sweep/point_source.h"
#include "workloads/onnx/load_workload.h"

namespace npusim::sim {
namespace {

using Clock = std::chrono::steady_clock;

/// Rows wait so long for the commit that makes them safe.
constexpr std::chrono::milliseconds kBetweenCommits{100};
constexpr int kWaitMs = 100;
/// So many points that need no run are passed over before commits and interrupts are looked at.
constexpr int kMostAtOnce = 256;

/// Writing to a worker that died must be an error, not the end.
class IgnoredPipeSignal {
 public:
  IgnoredPipeSignal() : old_(::signal(SIGPIPE, SIG_IGN)) {}
  ~IgnoredPipeSignal() { ::signal(SIGPIPE, old_); }
  IgnoredPipeSignal(const IgnoredPipeSignal&) = delete;
  IgnoredPipeSignal& operator=(const IgnoredPipeSignal&) = delete;

 private:
  void (*old_)(int);
};

class SweepRun {
 public:
  SweepRun(const Sweep& sweep, const SweepRunOptions& options, SweepStore& store,
           PointRunner& runner)
      : sweep_(&sweep),
        options_(&options),
        store_(&store),
        runner_(&runner),
        source_(make_source(sweep)) {
    store.for_each([this](StoredPoint&& point) {
      if (!is_finished(point.outcome.status)) return;
      Known& known = known_[point.outcome.config_hash];
      known.assignment = base::dump_json(json_of(point.assignment), -1);
      known.outcome = std::move(point.outcome);
    });
    const auto size =
        static_cast<double>(source_->size()) / static_cast<double>(options.shard.count);
    progress_ = std::make_unique<base::Progress>(
        "sweep " + sweep.name, std::max(1.0, size - static_cast<double>(known_.size())),
        options.quiet);
  }

  SweepCounts run() {
    while (!stopped()) {
      const bool more = feed();
      if (runner_->running() == 0 && waiting_ == 0 && source_->exhausted()) break;
      for (FinishedPoint& finished : runner_->wait(more ? 0 : kWaitMs)) take(std::move(finished));
      if (Clock::now() - committed_ >= kBetweenCommits) commit();
    }
    commit();
    return counts_;
  }

 private:
  struct Running {
    std::int64_t index = 0;
    StoredPoint point;
  };
  struct Known {
    PointOutcome outcome;
    std::string assignment;  ///< of its row, as text
  };

  bool stopped() {
    counts_.interrupted = options_->interrupted && options_->interrupted();
    return counts_.interrupted;
  }

  /// Gives points to the runner while it has room; known ones are done at once. True: there is room
  /// still, and there may be points.
  bool feed() {
    int passed = 0;
    while (runner_->has_room()) {
      if (passed == kMostAtOnce) return true;
      const std::optional<std::int64_t> index = source_->next();
      if (!index) return false;
      ++passed;
      Running next;
      next.index = *index;
      next.point.assignment = source_->assignment(*index);
      const PointRequest request = request_of(*sweep_, next.point.assignment);
      next.point.outcome.config_hash = keys_.hash_of(request);
      const std::string& hash = next.point.outcome.config_hash;
      const bool is_new = counts_.hashes.insert(hash).second;
      if (std::stoull(hash, nullptr, 16) % options_->shard.count != options_->shard.index) {
        source_->skip(*index);
        continue;
      }
      const auto found = known_.find(hash);
      if (found != known_.end()) {
        ++counts_.reused;
        if (is_new) restate(next.point.assignment, found->second);
        source_->done(*index, found->second.outcome);
        continue;
      }
      const auto [twin, first] = in_flight_.emplace(hash, std::vector<std::int64_t>{});
      if (!first) {  // the same configs by another way: one run serves both
        twin->second.push_back(*index);
        ++waiting_;
        continue;
      }
      const std::uint64_t ticket = next_ticket_++;
      runner_->start(ticket, to_text(request));
      running_.emplace(ticket, std::move(next));
    }
    return false;
  }

  /// A row that a sweep of other axes left gets one more, with what the point sets now.
  void restate(const Assignment& assignment, const Known& known) {
    if (base::dump_json(json_of(assignment), -1) != known.assignment)
      store_->append({assignment, known.outcome});
  }

  /// A refused point does not say of which configs: those of its hash, unless the files say another
  /// one by now. (ONNX files take too long to read again.)
  bool refused_now_only(const StoredPoint& point, const std::string& hash) const {
    if (point.outcome.status != PointStatus::invalid) return false;
    const PointRequest request = request_of(*sweep_, point.assignment);
    if (workloads::onnx::is_onnx_file(request.request.workload_file)) return false;
    return ConfigKeys().hash_of(request) != hash;
  }

  void take(FinishedPoint finished) {
    const auto found = running_.find(finished.ticket);
    NPUSIM_CHECK(found != running_.end(), "an outcome of no point");
    Running done = std::move(found->second);
    running_.erase(found);
    const std::string hash = done.point.outcome.config_hash;
    done.point.outcome = std::move(finished.outcome);
    std::string& told = done.point.outcome.config_hash;
    if (told.empty() ? refused_now_only(done.point, hash) : told != hash) {
      // Of which configs it is, and which others were read before the change, nobody knows.
      commit();
      throw base::InputError(
          "the config files changed while the sweep ran; what was stored before is kept, "
          "--resume goes on with the files as they are",
          "files-changed");
    }
    told = hash;
    store_->append(done.point);
    if (options_->stored) uncommitted_.emplace_back(hash, done.point.outcome.status);
    source_->done(done.index, done.point.outcome);
    for (const std::int64_t twin : in_flight_.at(hash)) {
      source_->done(twin, done.point.outcome);
      --waiting_;
    }
    in_flight_.erase(hash);
    ++counts_.ran;
    // Whatever came of it, this call does not try it again.
    known_[hash].outcome = std::move(done.point.outcome);
    const std::chrono::duration<double> elapsed = Clock::now() - begin_;
    progress_->advance(1.0, fmt::format("{} points, {:.1f} a second", counts_.ran,
                                        static_cast<double>(counts_.ran) / elapsed.count()));
  }

  void commit() {
    store_->commit();
    committed_ = Clock::now();
    for (const auto& [hash, status] : uncommitted_) options_->stored(hash, status);
    uncommitted_.clear();
  }

  const Sweep* sweep_;
  const SweepRunOptions* options_;
  SweepStore* store_;
  PointRunner* runner_;
  std::unique_ptr<PointSource> source_;
  std::unique_ptr<base::Progress> progress_;
  ConfigKeys keys_;
  std::unordered_map<std::string, Known> known_;
  std::unordered_map<std::string, std::vector<std::int64_t>> in_flight_;
  std::unordered_map<std::uint64_t, Running> running_;
  std::vector<std::pair<std::string, PointStatus>> uncommitted_;
  std::int64_t waiting_ = 0;  ///< points whose twin is in flight
  std::uint64_t next_ticket_ = 0;
  SweepCounts counts_;
  Clock::time_point begin_ = Clock::now(), committed_ = begin_;
};

}  // namespace

SweepCounts run_points(const Sweep& sweep, const SweepRunOptions& options, SweepStore& store,
                       PointRunner& runner) {
  const IgnoredPipeSignal ignored;
  return SweepRun(sweep, options, store, runner).run();
}

}  // namespace npusim::sim
