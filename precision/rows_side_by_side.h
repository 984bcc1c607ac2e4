// SPDX-License-Identifier: Apache-2.0
// Operands whose neighbouring rows are neighbours in memory (the windows of a convolution): many
// rows are read at once, term by term, instead of one after the other. Kernels look for this on the
// operands that they pack; it has to give what OperandRows::read_floats does.
#pragma once

#include <cstdint>

namespace npusim::precision {

class RowsSideBySide {
 public:
  virtual ~RowsSideBySide() = default;
  /// to[i * lanes + l] = i-th canonical term of row first + l, for l < count, as floats. False:
  /// these rows have to be read one by one, and `to` is of no use.
  virtual bool read_side_by_side(std::int64_t first, std::int64_t count, std::int64_t lanes,
                                 float* to) const = 0;
};

}  // namespace npusim::precision
