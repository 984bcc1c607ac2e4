// SPDX-License-Identifier: Apache-2.0
// The two sides of a sweep over ranks: rank 0 hands points to its own workers and to the other
// ranks, each as fast as it gives outcomes back; the others run what they get.
#pragma once

#include <memory>
#include <vector>

#include "sim/sweep/worker_pool.h"
#include "tools/mpi/messages.h"

namespace npusim::tools {

class RankRunner : public sim::PointRunner {
 public:
  /// `jobs`: workers of each rank.
  RankRunner(const boost::mpi::communicator& world, const sim::PointSetup& setup, int jobs);

  bool has_room() const override;
  void start(std::uint64_t ticket, const std::string& request) override;
  std::size_t running() const override;
  std::vector<sim::FinishedPoint> wait(int milliseconds) override;

 private:
  Mailbox mailbox_;
  sim::WorkerPool own_;
  std::size_t share_;                 ///< points that a rank may hold: those at work and the next
  std::vector<std::size_t> at_rank_;  ///< points that each rank holds
};

/// Of ranks other than 0: runs points until the order to stop.
void serve(const boost::mpi::communicator& world);
/// Of rank 0, when the sweep is over, however it ended: returns when all others have stopped.
void stop_others(const boost::mpi::communicator& world);

}  // namespace npusim::tools
