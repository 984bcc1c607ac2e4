// SPDX-License-Identifier: Apache-2.0
// DRAM a run needs, by what it is for. Activations and gradients occupy memory from the op that
// writes them to the last that reads them; allocation granularity and fragmentation are not
// modelled.
#pragma once

#include <cstdint>
#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

struct MemoryFootprint {
  std::int64_t weight_bytes = 0;      ///< weights, statistics and master copies
  std::int64_t activation_bytes = 0;  ///< most activations (and inputs) alive at once
  std::int64_t gradient_bytes = 0;    ///< most gradients alive at once
  std::int64_t optimizer_bytes = 0;
  /// Everything, at the worst op; the DRAM in which a product keeps the partial sums of one column
  /// of tiles while they are spilled included.
  std::int64_t peak_bytes = 0;
  std::string peak_op;
};

MemoryFootprint footprint_of(const MappedGraph& mapped);

}  // namespace npusim::npu
