// SPDX-License-Identifier: Apache-2.0
#include "precision/indexed_rounding.h"

namespace npusim::precision {

void round_indexed(const double* in, double* out, std::int64_t count, const Arithmetic& arithmetic,
                   RandomKey key, std::uint64_t first_index) {
  if (arithmetic.rounding != Rounding::sr) {
    round_array(in, out, static_cast<long>(count), arithmetic);
    return;
  }
  IndexedWords words(key, first_index);
  for (std::int64_t i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic, words.next());
}

}  // namespace npusim::precision
