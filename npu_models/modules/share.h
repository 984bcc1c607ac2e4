// SPDX-License-Identifier: Apache-2.0
// Exact division of a total over parts: the part [begin, end) of `whole` gets a share such that the
// shares of consecutive parts add up to the total.
#pragma once

#include <cstdint>

namespace npusim::npu::model {

inline std::int64_t share_of(std::int64_t total, std::int64_t begin, std::int64_t end,
                             std::int64_t whole) {
  __extension__ using Wide = __int128;  // total * whole may pass 2^63
  const auto until = [&](std::int64_t part) {
    std::int64_t product = 0;
    if (!__builtin_mul_overflow(total, part, &product)) return product / whole;
    return static_cast<std::int64_t>(static_cast<Wide>(total) * part / whole);
  };
  return until(end) - until(begin);
}

}  // namespace npusim::npu::model
