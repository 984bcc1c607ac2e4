// SPDX-License-Identifier: Apache-2.0
#include "precision/rounder.h"

#include <limits>

namespace npusim::precision {

Rounder::Rounder(const Arithmetic& arithmetic) : kind_(Kind::general), arithmetic_(arithmetic) {
  if (arithmetic.rounding != Rounding::rne) return;
  if (arithmetic.format == fp64()) kind_ = Kind::identity;
  if (arithmetic.format == fp32()) kind_ = Kind::binary32;
}

void Rounder::array(double* values, long count) const {
  if (kind_ == Kind::identity) return;
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (kind_ == Kind::binary32) {
    for (long i = 0; i < count; ++i)
      values[i] =
          values[i] == values[i] ? static_cast<double>(static_cast<float>(values[i])) : kNaN;
    return;
  }
  constexpr long kWorthLanes = 4;
  if (count < kWorthLanes) {
    for (long i = 0; i < count; ++i) values[i] = (*this)(values[i]);
    return;
  }
  round_array(values, values, count, arithmetic_);
}

}  // namespace npusim::precision
