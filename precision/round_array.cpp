// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "precision/kernels/dispatch.h"
#include "precision/rounding.h"

namespace npusim::precision {

void round_array(const double* in, double* out, long count, const Arithmetic& arithmetic) {
  const Format& format = arithmetic.format;
  if (format.precision() > 51) {
    for (long i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic);
    return;
  }
  if (format.non_finite != NonFinite::ieee) {
    for (long i = 0; i < count; ++i) out[i] = round_to(in[i], arithmetic);
    return;
  }
  kernels::chosen_kernels().round(kernels::lane_arithmetic(arithmetic, false), in, out, count);
  for (long i = 0; i < count; ++i)
    if (out[i] != out[i]) out[i] = std::numeric_limits<double>::quiet_NaN();
}

}  // namespace npusim::precision
