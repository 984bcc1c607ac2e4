// SPDX-License-Identifier: Apache-2.0
// Measured products from a CSV file: a header that names columns m, n, k (or dim_m, dim_n, dim_k)
// and one of us, fusion_avg (microseconds) or cycles; other columns are ignored. Simulated on an
// NPU as it stands; nothing is fitted.
#pragma once

#include <string>

#include "sim/validation/validation.h"

namespace npusim::sim {

ValidationSet reference_products(const std::string& file, const std::string& npu, int jobs);

}  // namespace npusim::sim
