// SPDX-License-Identifier: Apache-2.0
// What numerics takes of a mapping, as a hash: nodes, who computes them, units, reduction plans and
// storage. Not tiles, buffers or bandwidth, which move no bit. Mappings of the same graph and
// recipe with equal hashes give equal values for equal seeds.
#pragma once

#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

std::string numeric_hash(const MappedGraph& mapped);

}  // namespace npusim::npu
