// SPDX-License-Identifier: Apache-2.0
// Samples of a generator kept in memory once they were drawn: later epochs and the other recipes of
// an experiment read the same ones.
#pragma once

#include "workloads/datasets/dataset.h"

namespace npusim::workloads {

/// Comes back as it is when all its samples need more than `most_bytes`.
std::unique_ptr<Dataset> kept_samples(std::unique_ptr<Dataset> drawn, const SampleShape& sample,
                                      std::int64_t most_bytes);

}  // namespace npusim::workloads
