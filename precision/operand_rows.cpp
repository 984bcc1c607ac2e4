// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "precision/gemm.h"

namespace npusim::precision {

void OperandRows::read_floats(std::int64_t row, std::int64_t k, float* k_values) const {
  thread_local std::vector<double> values;
  values.resize(std::max(values.size(), static_cast<std::size_t>(k)));
  read(row, values.data());
  for (std::int64_t i = 0; i < k; ++i)
    k_values[i] = static_cast<float>(values[static_cast<std::size_t>(i)]);
}

void GemmOutput::write_floats(std::int64_t row, std::int64_t column, std::int64_t count,
                              const float* values) {
  constexpr std::int64_t kBlock = 64;
  double wide[kBlock];
  for (std::int64_t at = 0; at < count; at += kBlock) {
    const std::int64_t length = std::min(kBlock, count - at);
    for (std::int64_t i = 0; i < length; ++i) wide[i] = static_cast<double>(values[at + i]);
    write(row, column + at, length, wide);
  }
}

}  // namespace npusim::precision
