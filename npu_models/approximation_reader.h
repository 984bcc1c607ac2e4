// SPDX-License-Identifier: Apache-2.0
// Functions that a vector unit computes from tables, as NPU files describe them.
#pragma once

#include <memory>

#include "base/object_reader.h"
#include "workloads/approximation.h"

namespace npusim::npu {

/// Key `approximations`, which may be absent: an object by function.
std::shared_ptr<const workloads::Approximations> read_approximations(base::ObjectReader& object);

}  // namespace npusim::npu
