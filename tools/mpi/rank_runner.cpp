// SPDX-License-Identifier: Apache-2.0
#include "tools/mpi/rank_runner.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <thread>

namespace npusim::tools {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a rank looks at its own workers before it looks for messages. MPI's own waits would
/// keep a core busy that a worker needs.
constexpr int kLookMs = 1;

std::string setup_text(const sim::PointSetup& setup, int jobs) {
  return std::to_string(jobs) + " " + to_text(setup);
}

}  // namespace

RankRunner::RankRunner(const boost::mpi::communicator& world, const sim::PointSetup& setup,
                       int jobs)
    : mailbox_(world),
      own_(sim::npusim_executable(), setup, std::max(1, jobs)),
      // One more than there are workers, so that none waits for a message.
      share_(static_cast<std::size_t>(2 * std::max(1, jobs))),
      at_rank_(static_cast<std::size_t>(world.size()), 0) {
  for (int rank = 1; rank < world.size(); ++rank)
    mailbox_.send(rank, Message::setup, setup_text(setup, std::max(1, jobs)));
}

bool RankRunner::has_room() const {
  return own_.has_room() || std::any_of(at_rank_.begin() + 1, at_rank_.end(),
                                        [this](std::size_t held) { return held < share_; });
}

void RankRunner::start(std::uint64_t ticket, const std::string& request) {
  const auto least = std::min_element(at_rank_.begin() + 1, at_rank_.end());
  const bool remote = least != at_rank_.end() && *least < share_;
  if (own_.has_room() && (!remote || *least >= share_ / 2)) {
    own_.start(ticket, request);
    return;
  }
  if (!remote) {
    own_.start(ticket, request);
    return;
  }
  ++*least;
  mailbox_.send(static_cast<int>(least - at_rank_.begin()), Message::point,
                with_ticket(ticket, request));
}

std::size_t RankRunner::running() const {
  std::size_t count = own_.running();
  for (const std::size_t held : at_rank_) count += held;
  return count;
}

std::vector<sim::FinishedPoint> RankRunner::wait(int milliseconds) {
  std::vector<sim::FinishedPoint> finished;
  const auto until = Clock::now() + std::chrono::milliseconds(milliseconds);
  do {
    finished = own_.wait(kLookMs);
    while (const std::optional<Received> received = mailbox_.receive()) {
      if (received->kind != Message::outcome) continue;
      auto [ticket, text] = without_ticket(received->text);
      --at_rank_[static_cast<std::size_t>(received->rank)];
      finished.push_back({ticket, sim::outcome_of_text(text)});
    }
  } while (finished.empty() && Clock::now() < until);
  return finished;
}

void serve(const boost::mpi::communicator& world) {
  ::signal(SIGPIPE, SIG_IGN);
  Mailbox mailbox(world);
  std::unique_ptr<sim::WorkerPool> pool;
  std::deque<std::pair<std::uint64_t, std::string>> waiting;
  for (;;) {
    while (const std::optional<Received> received = mailbox.receive()) {
      if (received->kind == Message::stop) {
        pool.reset();  // nobody waits for its points
        mailbox.send(0, Message::stop, "stopped");
        mailbox.flush();
        return;
      }
      if (received->kind == Message::point) waiting.push_back(without_ticket(received->text));
      if (received->kind == Message::setup) {
        const std::size_t space = received->text.find(' ');
        pool = std::make_unique<sim::WorkerPool>(
            sim::npusim_executable(), sim::setup_of_text(received->text.substr(space + 1)),
            std::stoi(received->text.substr(0, space)));
      }
    }
    if (!pool) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
      continue;
    }
    while (!waiting.empty() && pool->has_room()) {
      pool->start(waiting.front().first, waiting.front().second);
      waiting.pop_front();
    }
    for (const sim::FinishedPoint& finished : pool->wait(kLookMs))
      mailbox.send(0, Message::outcome, with_ticket(finished.ticket, to_text(finished.outcome)));
  }
}

void stop_others(const boost::mpi::communicator& world) {
  Mailbox mailbox(world);
  for (int rank = 1; rank < world.size(); ++rank) mailbox.send(rank, Message::stop, "stop");
  // Outcomes that nobody waits for any more arrive before the answer of their rank.
  for (int working = world.size() - 1; working > 0;) {
    const std::optional<Received> received = mailbox.receive();
    if (!received)
      std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
    else if (received->kind == Message::stop)
      --working;
  }
}

}  // namespace npusim::tools
