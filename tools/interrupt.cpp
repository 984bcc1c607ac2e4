// SPDX-License-Identifier: Apache-2.0
#include "tools/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "tools/exit_code.h"

namespace npusim::tools {
namespace {

volatile sig_atomic_t flag = 0;

void on_signal(int) {
  if (flag != 0) _exit(kInterrupted);
  flag = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART: a wait for worker processes returns and sees the flag.
  action.sa_flags = 0;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return flag != 0;
}

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted{};
}

}  // namespace npusim::tools
