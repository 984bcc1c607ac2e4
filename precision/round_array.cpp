// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/dispatch.h"
#include "precision/rounding.h"

namespace npusim::precision {

void round_array(const double* in, double* out, long count, const Arithmetic& arithmetic) {
  const auto lanes = kernels::double_arithmetic(arithmetic);
  if (!lanes) {
    for (long i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic);
    return;
  }
  kernels::chosen_kernels().round(*lanes, in, out, count);
}

}  // namespace npusim::precision
