// SPDX-License-Identifier: Apache-2.0
#include "workloads/detmath.h"

#include <sleef.h>

#include "workloads/detmath_wide.h"

namespace npusim::workloads {
namespace {

using Wide = int (*)(const double* x, double* y, int count);

int none(const double*, double*, int) {
  return 0;
}

/// The widest of the two that this CPU has.
Wide widest([[maybe_unused]] Wide avx, [[maybe_unused]] Wide avx512) {
#ifdef NPUSIM_X86_DETMATH
  if (__builtin_cpu_supports("avx512f")) return avx512;
  if (__builtin_cpu_supports("avx")) return avx;
#endif
  return none;
}

}  // namespace

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
double det_sin(double x) {
  return Sleef_cinz_sind1_u10purec(x);
}
double det_cos(double x) {
  return Sleef_cinz_cosd1_u10purec(x);
}
double det_tan(double x) {
  return Sleef_cinz_tand1_u10purec(x);
}
double det_asin(double x) {
  return Sleef_cinz_asind1_u10purec(x);
}
double det_acos(double x) {
  return Sleef_cinz_acosd1_u10purec(x);
}
double det_atan(double x) {
  return Sleef_cinz_atand1_u10purec(x);
}
double det_sinh(double x) {
  return Sleef_cinz_sinhd1_u10purec(x);
}
double det_cosh(double x) {
  return Sleef_cinz_coshd1_u10purec(x);
}
double det_asinh(double x) {
  return Sleef_cinz_asinhd1_u10purec(x);
}
double det_acosh(double x) {
  return Sleef_cinz_acoshd1_u10purec(x);
}
double det_atanh(double x) {
  return Sleef_cinz_atanhd1_u10purec(x);
}
double det_log1p(double x) {
  return Sleef_cinz_log1pd1_u10purec(x);
}
double det_expm1(double x) {
  return Sleef_cinz_expm1d1_u10purec(x);
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

void det_tanh(const double* x, double* y, int count) {
#ifdef NPUSIM_X86_DETMATH
  static const Wide wide = widest(detmath::tanh_avx, detmath::tanh_avx512);
#else
  constexpr Wide wide = none;
#endif
  for (int i = wide(x, y, count); i < count; ++i) y[i] = det_tanh(x[i]);
}

void det_exp(const double* x, double* y, int count) {
#ifdef NPUSIM_X86_DETMATH
  static const Wide wide = widest(detmath::exp_avx, detmath::exp_avx512);
#else
  constexpr Wide wide = none;
#endif
  for (int i = wide(x, y, count); i < count; ++i) y[i] = det_exp(x[i]);
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
