// SPDX-License-Identifier: Apache-2.0
// Aligned blocks without most of their padding: a convolution of one channel has one product in a
// block of sixteen.
#pragma once

#include <cstdint>
#include <vector>

#include "precision/kernels/lane_kernel.h"

namespace npusim::precision::kernels {

/// The order with as few terms in a block as hold its products; `program` goes over to that step.
/// Terms of padding are zeros, which leave no trace in an integer sum, and neither does the order
/// inside a block. `order` is in whole blocks, -1 for padding. The new step is a power of two:
/// those up to 16 have kernels of their own. As it was where nothing is won.
std::vector<std::int64_t> dense_blocks(const std::vector<std::int64_t>& order,
                                       LaneProgram& program);

}  // namespace npusim::precision::kernels
