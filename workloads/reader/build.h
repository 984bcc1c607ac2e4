// SPDX-License-Identifier: Apache-2.0
// The graph of a flat network: nodes sorted, shapes inferred, mistakes reported at the node they
// concern. A node whose inputs are unknown or wrong is left out, so one mistake is told once.
#pragma once

#include "workloads/reader/flatten.h"

namespace npusim::workloads {

Graph build_graph(const WorkloadSyntax& workload, const FlatNetwork& network);

/// Checks the names in the training section.
void check_training(const WorkloadSyntax& workload, const FlatNetwork& network);

}  // namespace npusim::workloads
