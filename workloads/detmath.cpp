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

}  // namespace npusim::workloads
