// SPDX-License-Identifier: Apache-2.0
// What `--input` and `--weights` name, held against a graph before anything runs. Headers only:
// single values are found wrong when they are read.
#pragma once

#include "base/error.h"
#include "sim/run.h"
#include "workloads/graph.h"

namespace npusim::sim {

/// Adds to `diagnostics`: inputs the graph does not have, files that cannot be read or are of
/// another shape, and weights that a seeded generator would have to make up because the
/// `--weights` file lacks them. (Constants that the workload states itself need not be in it.)
void check_tensor_files(const RunOptions& options, const workloads::Graph& graph,
                        base::Diagnostics& diagnostics);

}  // namespace npusim::sim
