// SPDX-License-Identifier: Apache-2.0
// What error metrics collect from pairs of values, plain data that the kernels fill: element i of
// an array goes to lane i % kErrorLanes, each lane sums with Neumaier's compensation in index
// order. error_counts.cpp has the scalar code that defines it.
#pragma once

namespace npusim::precision::kernels {

enum { kErrorLanes = 8 };

/// What of a format the counts need; every spacing of its values is a normal number of binary64.
struct ErrorFormat {
  double max_finite;
  int min_exponent;
  int fraction_bits;
};

struct ErrorLanes {
  double bias[kErrorLanes], bias_lost[kErrorLanes];
  double ulps[kErrorLanes], ulps_lost[kErrorLanes];
  double max_abs[kErrorLanes], max_rel[kErrorLanes], max_ulps[kErrorLanes];
  double largest_y[kErrorLanes], largest_reference[kErrorLanes];  ///< where both are finite
  long nan[kErrorLanes], inf[kErrorLanes], finite[kErrorLanes], nonzero_reference[kErrorLanes];
  long underflows[kErrorLanes], overflows[kErrorLanes];
};

/// Squares and products of the pairs that are finite, each value multiplied by its power of two.
struct NormScales {
  double y, reference, error;
};
struct NormLanes {
  double y[kErrorLanes], y_lost[kErrorLanes];
  double reference[kErrorLanes], reference_lost[kErrorLanes];
  double error[kErrorLanes], error_lost[kErrorLanes];
  double product[kErrorLanes], product_lost[kErrorLanes];
};

}  // namespace npusim::precision::kernels
