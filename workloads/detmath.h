// SPDX-License-Identifier: Apache-2.0
// Elementary functions whose bits do not depend on the CPU, the compiler or the C library: SLEEF's
// deterministic `cinz` family (no FMA). Error below 1 ulp of binary64. Anything that reaches a
// result uses these instead of <cmath>'s transcendental functions; sqrt and fma are exact there.
#pragma once

namespace npusim::workloads {

double det_exp(double x);
double det_log(double x);
double det_tanh(double x);
double det_erf(double x);
double det_pow(double x, double y);
double det_sin(double x);
double det_cos(double x);
double det_tan(double x);
double det_asin(double x);
double det_acos(double x);
double det_atan(double x);
double det_sinh(double x);
double det_cosh(double x);
double det_asinh(double x);
double det_acosh(double x);
double det_atanh(double x);
double det_log1p(double x);
double det_expm1(double x);

struct SinCos {
  double sin = 0.0;
  double cos = 0.0;
};
/// Of pi * x: no rounding of the argument to a multiple of pi.
SinCos det_sincospi(double x);

// Many values at once, several in one SIMD register: the bits of the functions above.
void det_exp(const double* x, double* y, int count);
void det_log(const double* x, double* y, int count);
void det_tanh(const double* x, double* y, int count);
void det_sincospi(const double* x, double* sin, double* cos, int count);

}  // namespace npusim::workloads
