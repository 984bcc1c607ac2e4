// SPDX-License-Identifier: Apache-2.0
#include <sleef.h>

#include "workloads/detmath_wide.h"

namespace npusim::workloads::detmath {

int tanh_avx(const double* x, double* y, int count) {
  int i = 0;
  for (; i + 4 <= count; i += 4)
    _mm256_storeu_pd(y + i, Sleef_cinz_tanhd4_u10avx(_mm256_loadu_pd(x + i)));
  return i;
}

int exp_avx(const double* x, double* y, int count) {
  int i = 0;
  for (; i + 4 <= count; i += 4)
    _mm256_storeu_pd(y + i, Sleef_cinz_expd4_u10avx(_mm256_loadu_pd(x + i)));
  return i;
}

}  // namespace npusim::workloads::detmath
