// SPDX-License-Identifier: Apache-2.0
#include "precision/rounder.h"

namespace npusim::precision {

Rounder::Rounder(const Arithmetic& arithmetic) : kind_(Kind::general), arithmetic_(arithmetic) {
  if (arithmetic.rounding != Rounding::rne) return;
  if (arithmetic.format == fp64()) kind_ = Kind::identity;
  if (arithmetic.format == fp32()) kind_ = Kind::binary32;
}

void Rounder::array(double* values, long count) const {
  if (kind_ == Kind::identity) return;
  round_array(values, values, count, arithmetic_);
}

}  // namespace npusim::precision
