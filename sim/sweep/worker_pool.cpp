// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/worker_pool.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "sim/sweep/frames.h"

namespace npusim::sim {
namespace {

namespace bp = boost::process;
using Clock = std::chrono::steady_clock;

/// A worker that stays silent so long past the limit of a point hangs itself, not its point.
constexpr double kGraceSeconds = 10.0;
constexpr int kMostDeathsAtStart = 5;

/// Boost 1.74 leaves pipes open across exec: each worker would hold the ends of all others, and
/// none would see the end of its stream.
bp::pipe private_pipe() {
  bp::pipe pipe;
  ::fcntl(pipe.native_source(), F_SETFD, FD_CLOEXEC);
  ::fcntl(pipe.native_sink(), F_SETFD, FD_CLOEXEC);
  return pipe;
}

PointOutcome crashed(std::string reason) {
  PointOutcome outcome;
  outcome.status = PointStatus::crashed;
  outcome.reason = std::move(reason);
  return outcome;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) return "worker killed by signal " + std::to_string(WTERMSIG(status));
  return "worker ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

struct WorkerPool::Worker {
  bp::pipe to, from;
  bp::child process;
  FrameReader reader;
  bool ready = false;  ///< has acknowledged the set-up
  std::optional<std::uint64_t> ticket;
  bool prepared = false;    ///< has read the files of its point
  Clock::time_point since;  ///< then

  bool free() const { return ready && !ticket; }
  bool alive = false;  ///< started and not reaped: only then is its process id its own

  void kill() const {
    if (alive) ::kill(process.id(), SIGKILL);
  }
  /// Reaps and closes the streams; the wait status.
  int reap() {
    std::error_code ignored;
    if (alive) process.wait(ignored);
    alive = false;
    to.close();
    from.close();
    return process.native_exit_code();
  }
  int end() {
    kill();
    return reap();
  }
};

WorkerPool::WorkerPool(std::string executable, const PointSetup& setup, int workers)
    : executable_(std::move(executable)), setup_(to_text(setup)) {
  if (setup.limits.seconds > 0.0) patience_s_ = setup.limits.seconds + kGraceSeconds;
  for (int i = 0; i < std::max(1, workers); ++i) {
    workers_.push_back(std::make_unique<Worker>());
    launch(*workers_.back());
  }
}

WorkerPool::~WorkerPool() {
  for (const auto& worker : workers_) worker->kill();
  for (const auto& worker : workers_) worker->end();
}

void WorkerPool::launch(Worker& worker) {
  worker.to = private_pipe();
  worker.from = private_pipe();
  worker.reader = {};
  worker.ready = false;
  worker.ticket.reset();
  std::error_code failed;
  // Where there is no child, Boost's process id is -1, which kill() takes for all processes.
  worker.process = bp::child(bp::exe = executable_, bp::args = {"sweep-worker"},
                             bp::std_in<worker.to, bp::std_out> worker.from, failed);
  if (failed)
    throw base::InputError("cannot start a worker (" + executable_ + "): " + failed.message(),
                           "no-worker");
  worker.alive = true;
  // The worker's own ends; Boost closes them in the child only.
  ::close(worker.to.native_source());
  worker.to.assign_source(-1);
  ::close(worker.from.native_sink());
  worker.from.assign_sink(-1);
  write_frame(worker.to.native_sink(), setup_);
}

bool WorkerPool::has_room() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->free(); });
}

std::size_t WorkerPool::running() const {
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(),
                    [](const auto& worker) { return worker->ticket.has_value(); }));
}

void WorkerPool::start(std::uint64_t ticket, const std::string& request) {
  const auto free = std::find_if(workers_.begin(), workers_.end(),
                                 [](const auto& worker) { return worker->free(); });
  NPUSIM_CHECK(free != workers_.end(), "no worker is free");
  Worker& worker = **free;
  worker.ticket = ticket;
  worker.prepared = false;
  write_frame(worker.to.native_sink(), request);  // a dead worker shows at its other stream
}

void WorkerPool::replace(Worker& worker, std::vector<FinishedPoint>& finished,
                         PointOutcome outcome) {
  if (worker.ticket) finished.push_back({*worker.ticket, std::move(outcome)});
  launch(worker);
}

void WorkerPool::hear(Worker& worker, std::vector<FinishedPoint>& finished) {
  if (!worker.reader.read_some(worker.from.native_source())) {
    const std::string reason = describe_end(worker.reap());
    if (!worker.ready && ++deaths_in_a_row_ >= kMostDeathsAtStart)
      throw base::InputError("workers do not start: " + reason, "no-worker");
    replace(worker, finished, crashed(reason));
    return;
  }
  while (const std::optional<std::string> text = worker.reader.next()) {
    deaths_in_a_row_ = 0;
    if (!worker.ready) {
      worker.ready = true;
      continue;
    }
    NPUSIM_CHECK(worker.ticket.has_value(), "a worker answered what it was not asked");
    if (*text == kPrepared) {
      worker.prepared = true;
      worker.since = Clock::now();
      continue;
    }
    finished.push_back({*worker.ticket, outcome_of_text(*text)});
    worker.ticket.reset();
  }
}

std::vector<FinishedPoint> WorkerPool::wait(int milliseconds) {
  std::vector<FinishedPoint> finished;
  std::vector<pollfd> polls;
  for (const auto& worker : workers_) polls.push_back({worker->from.native_source(), POLLIN, 0});
  if (::poll(polls.data(), polls.size(), milliseconds) > 0)
    for (std::size_t i = 0; i < polls.size(); ++i)
      if (polls[i].revents != 0) hear(*workers_[i], finished);
  if (!(patience_s_ > 0.0)) return finished;
  for (const auto& worker : workers_) {
    if (!worker->ticket || !worker->prepared) continue;
    const std::chrono::duration<double> taken = Clock::now() - worker->since;
    if (taken.count() < patience_s_) continue;
    worker->end();
    PointOutcome outcome = crashed("the worker did not answer");
    outcome.status = PointStatus::timeout;
    replace(*worker, finished, std::move(outcome));
  }
  return finished;
}

std::string npusim_executable() {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) throw base::InternalError("/proc/self/exe cannot be read");
  return (self.parent_path() / "npusim").string();
}

}  // namespace npusim::sim
