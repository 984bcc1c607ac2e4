// SPDX-License-Identifier: Apache-2.0
// Keys of stochastic rounding in a run of many steps; step 0 has the keys of a single run.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "precision/counter_random.h"

namespace npusim::sim {

/// Random words of the stores into one tensor; element i takes word i.
inline precision::RandomKey storage_key(std::uint64_t seed, std::uint64_t step,
                                        std::string_view tensor) {
  precision::RandomKey key;
  for (const std::uint64_t coordinate : {seed, step, base::fnv1a(tensor)})
    key = precision::derived_key(key, coordinate);
  return key;
}

/// Random words of one node's products.
inline precision::RandomKey product_key(std::uint64_t seed, std::uint64_t step, int node) {
  precision::RandomKey key = precision::derived_key({}, seed);
  if (step != 0) key = precision::derived_key(key, step);
  return precision::derived_key(key, static_cast<std::uint64_t>(node));
}

}  // namespace npusim::sim
