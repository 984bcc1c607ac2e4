// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/worker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "sim/sweep/evaluator.h"
#include "sim/sweep/frames.h"

namespace npusim::sim {
namespace {

/// Messages go over a descriptor of their own: what a library prints goes to stderr instead.
int take_stdout() {
  const int fd = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return fd;
}

}  // namespace

int run_sweep_worker() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // They reach the whole group: the parent decides, and this process dies with it.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  const int answers = take_stdout();
  FrameReader reader;
  const std::optional<std::string> setup = read_frame(STDIN_FILENO, reader);
  if (!setup) return 0;
  PointEvaluator evaluator(setup_of_text(*setup));
  if (!write_frame(answers, "ready")) return 0;
  while (const std::optional<std::string> point = read_frame(STDIN_FILENO, reader)) {
    const PointOutcome outcome =
        evaluator.evaluate(request_of_text(*point), [answers] { write_frame(answers, kPrepared); });
    if (!write_frame(answers, to_text(outcome))) break;
  }
  return 0;
}

}  // namespace npusim::sim
