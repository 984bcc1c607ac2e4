// SPDX-License-Identifier: Apache-2.0
#include "workloads/detmath.h"

#include <sleef.h>

namespace npusim::workloads {

double det_exp(double x) {
  return Sleef_cinz_expd1_u10purec(x);
}
double det_log(double x) {
  return Sleef_cinz_logd1_u10purec(x);
}
double det_tanh(double x) {
  return Sleef_cinz_tanhd1_u10purec(x);
}
double det_erf(double x) {
  return Sleef_cinz_erfd1_u10purec(x);
}
double det_pow(double x, double y) {
  return Sleef_cinz_powd1_u10purec(x, y);
}

SinCos det_sincospi(double x) {
  const Sleef_double_2 both = Sleef_cinz_sincospid1_u05purec(x);
  return {both.x, both.y};
}

void det_log(const double* x, double* y, int count) {
  int i = 0;
#ifdef __SSE2__
  for (; i + 2 <= count; i += 2)
    _mm_storeu_pd(y + i, Sleef_cinz_logd2_u10sse2(_mm_loadu_pd(x + i)));
#endif
  for (; i < count; ++i) y[i] = det_log(x[i]);
}

void det_sincospi(const double* x, double* sin, double* cos, int count) {
  int i = 0;
#ifdef __SSE2__
  for (; i + 2 <= count; i += 2) {
    const Sleef___m128d_2 both = Sleef_cinz_sincospid2_u05sse2(_mm_loadu_pd(x + i));
    _mm_storeu_pd(sin + i, both.x);
    _mm_storeu_pd(cos + i, both.y);
  }
#endif
  for (; i < count; ++i) {
    const SinCos both = det_sincospi(x[i]);
    sin[i] = both.sin;
    cos[i] = both.cos;
  }
}

}  // namespace npusim::workloads
