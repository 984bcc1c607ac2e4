// SPDX-License-Identifier: Apache-2.0
// Random operands of one dot product, drawn from a unit's formats so that corners come often.
#pragma once

#include <cstdint>
#include <string>

#include "precision/mac_unit.h"
#include "unit_models.h"

namespace npusim::precision::model {

enum class Regime {
  normal,       ///< a few binades around one
  spread,       ///< twelve binades to either side
  wide,         ///< every exponent of the format
  subnormal,    ///< mostly subnormal operands
  large,        ///< the highest binades of the operands
  tiny_sums,    ///< products around the accumulator's smallest numbers
  last_places,  ///< products around the accumulator's last place, some of its smallest normal
  large_sums,   ///< products around the accumulator's largest number
  cancelling,   ///< pairs of products that cancel, and c against the rest
  zeros,        ///< mostly zeros of both signs
  specials,     ///< an infinity or a NaN now and then
};
constexpr int kRegimes = 11;
const char* name_of(Regime regime);

/// The same operands for the same seed, on every machine.
Dot random_dot(const MacUnit& unit, std::size_t terms, Regime regime, std::uint64_t seed);

}  // namespace npusim::precision::model
