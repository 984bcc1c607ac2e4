// SPDX-License-Identifier: Apache-2.0
// The worker process of a sweep: `npusim sweep-worker`. It reads messages on stdin and answers on
// stdout: first the set-up of the sweep, which it acknowledges, then one design point after the
// other, of which it says when it starts (frames.h) and what came of it. It ends with the stream,
// and dies with its parent.
#pragma once

namespace npusim::sim {

/// Returns the exit code.
int run_sweep_worker();

}  // namespace npusim::sim
