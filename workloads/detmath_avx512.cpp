// SPDX-License-Identifier: Apache-2.0
#include <sleef.h>

#include "workloads/detmath_wide.h"

namespace npusim::workloads::detmath {

int tanh_avx512(const double* x, double* y, int count) {
  int i = 0;
  for (; i + 8 <= count; i += 8)
    _mm512_storeu_pd(y + i, Sleef_cinz_tanhd8_u10avx512fnofma(_mm512_loadu_pd(x + i)));
  return i;
}

int exp_avx512(const double* x, double* y, int count) {
  int i = 0;
  for (; i + 8 <= count; i += 8)
    _mm512_storeu_pd(y + i, Sleef_cinz_expd8_u10avx512fnofma(_mm512_loadu_pd(x + i)));
  return i;
}

}  // namespace npusim::workloads::detmath
