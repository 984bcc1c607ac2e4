// SPDX-License-Identifier: Apache-2.0
// Worker processes of this machine, each with one design point at a time. They are started by exec,
// so that they have a single thread and little memory to fork from, whatever the caller holds. One
// that dies, or does not answer long after a point's time limit, costs that point and is replaced.
// The limit counts from the moment the worker has read the files: a calibration serves many points.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/sweep/evaluator.h"
#include "sim/sweep/point_runner.h"

namespace npusim::sim {

class WorkerPool : public PointRunner {
 public:
  /// `executable`: npusim itself. Throws base::InputError when workers cannot be started.
  WorkerPool(std::string executable, const PointSetup& setup, int workers);
  ~WorkerPool() override;  ///< kills what is running

  bool has_room() const override;
  void start(std::uint64_t ticket, const std::string& request) override;
  std::size_t running() const override;
  std::vector<FinishedPoint> wait(int milliseconds) override;

 private:
  struct Worker;
  void launch(Worker& worker);
  void replace(Worker& worker, std::vector<FinishedPoint>& finished, PointOutcome outcome);
  void hear(Worker& worker, std::vector<FinishedPoint>& finished);

  std::string executable_, setup_;
  double patience_s_ = 0.0;  ///< 0: without limit
  int deaths_in_a_row_ = 0;  ///< without an answer in between
  std::vector<std::unique_ptr<Worker>> workers_;
};

/// npusim: this executable, or the one of that name beside it.
std::string npusim_executable();

}  // namespace npusim::sim
