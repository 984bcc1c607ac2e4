// SPDX-License-Identifier: Apache-2.0
// Error metrics in vectors. Included by kernel sources only. Additions of +0 stand for elements
// that are left out: sums that started from +0 are never -0, so they change nothing.
#pragma once

#include "precision/error_lanes.h"
#include "precision/kernels/vector.h"

namespace npusim::precision::kernels::NPUSIM_KERNELS {

/// One vector of lanes of a compensated sum, in registers.
class VectorSum {
  using L = Vectors<DoubleLane>;
  using V = L::V;

 public:
  NPUSIM_INLINE VectorSum(const double* sum, const double* lost)
      : sum_(L::load_anywhere(sum)), lost_(L::load_anywhere(lost)) {}
  NPUSIM_INLINE void add(V x) {
    const V t = sum_ + x;
    lost_ += L::magnitude(sum_) >= L::magnitude(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  NPUSIM_INLINE void store(double* sum, double* lost) const {
    L::store_anywhere(sum, sum_);
    L::store_anywhere(lost, lost_);
  }

 private:
  V sum_, lost_;
};

class VectorCount {
  using M = DoubleLane::Mask;

 public:
  explicit NPUSIM_INLINE VectorCount(const long* counts) {
    __builtin_memcpy(&counts_, counts, sizeof counts_);
  }
  NPUSIM_INLINE void add(M which) { counts_ -= which; }
  NPUSIM_INLINE void store(long* counts) const {
    __builtin_memcpy(counts, &counts_, sizeof counts_);
  }

 private:
  M counts_;
};

/// Spacing of the format's values at x: 2^(max(exponent, min_exponent) - fraction_bits).
NPUSIM_INLINE DoubleLane::Vector spacing(DoubleLane::Vector x, const ErrorFormat& format) {
  using L = Vectors<DoubleLane>;
  using M = DoubleLane::Mask;
  const M exponent = bit_cast<M>((L::bits(x) & ~DoubleLane::kSign) >> long{DoubleLane::kFraction});
  const M least = (format.min_exponent + DoubleLane::kBias) - M{};
  const M place = (exponent > least ? exponent : least) - format.fraction_bits;
  return L::real(bit_cast<L::B>(place) << long{DoubleLane::kFraction});
}

NPUSIM_INLINE void count_lanes(const ErrorFormat& format, const double* y, const double* reference,
                               long count, int lane, ErrorLanes& e) {
  using L = Vectors<DoubleLane>;
  using V = L::V;
  using M = L::M;
  VectorSum bias(e.bias + lane, e.bias_lost + lane);
  VectorSum ulps(e.ulps + lane, e.ulps_lost + lane);
  VectorCount nan(e.nan + lane), inf(e.inf + lane), finite(e.finite + lane);
  VectorCount nonzero(e.nonzero_reference + lane), underflows(e.underflows + lane);
  VectorCount overflows(e.overflows + lane);
  V max_abs = L::load_anywhere(e.max_abs + lane), max_rel = L::load_anywhere(e.max_rel + lane);
  V max_ulps = L::load_anywhere(e.max_ulps + lane);
  V largest_y = L::load_anywhere(e.largest_y + lane);
  V largest_reference = L::load_anywhere(e.largest_reference + lane);
  const V zero{};
  for (long i = lane; i < count; i += kErrorLanes) {
    const V a = L::load_anywhere(y + i);
    const V b = L::load_anywhere(reference + i);
    const V a_size = L::magnitude(a);
    const V b_size = L::magnitude(b);
    const M has_reference = b != zero;
    const M infinite = a_size == DoubleLane::kInfinity;
    const M b_finite = b_size < DoubleLane::kInfinity;
    const M both = (a_size < DoubleLane::kInfinity) & b_finite;
    nan.add(a != a);
    inf.add(infinite);
    finite.add(both);
    nonzero.add(has_reference);
    underflows.add((a == zero) & has_reference);
    const M saturated = (a_size == format.max_finite) & (b_size > format.max_finite);
    overflows.add(b_finite & (infinite | saturated));
    const V error = both ? a - b : zero;
    const V size = L::magnitude(error);
    const V relative = both & has_reference ? size / b_size : zero;
    const V in_ulps = size / spacing(both ? b : zero, format);
    max_abs = L::larger(size, max_abs);
    max_rel = L::larger(relative, max_rel);
    max_ulps = L::larger(in_ulps, max_ulps);
    largest_y = L::larger(both ? a_size : zero, largest_y);
    largest_reference = L::larger(both ? b_size : zero, largest_reference);
    bias.add(error);
    ulps.add(in_ulps);
  }
  bias.store(e.bias + lane, e.bias_lost + lane);
  ulps.store(e.ulps + lane, e.ulps_lost + lane);
  nan.store(e.nan + lane);
  inf.store(e.inf + lane);
  finite.store(e.finite + lane);
  nonzero.store(e.nonzero_reference + lane);
  underflows.store(e.underflows + lane);
  overflows.store(e.overflows + lane);
  L::store_anywhere(e.max_abs + lane, max_abs);
  L::store_anywhere(e.max_rel + lane, max_rel);
  L::store_anywhere(e.max_ulps + lane, max_ulps);
  L::store_anywhere(e.largest_y + lane, largest_y);
  L::store_anywhere(e.largest_reference + lane, largest_reference);
}

NPUSIM_INLINE void norm_lanes(const NormScales& scales, const double* y, const double* reference,
                              long count, int lane, NormLanes& n) {
  using L = Vectors<DoubleLane>;
  using V = L::V;
  VectorSum ys(n.y + lane, n.y_lost + lane);
  VectorSum references(n.reference + lane, n.reference_lost + lane);
  VectorSum errors(n.error + lane, n.error_lost + lane);
  VectorSum products(n.product + lane, n.product_lost + lane);
  const V zero{};
  for (long i = lane; i < count; i += kErrorLanes) {
    const V a = L::load_anywhere(y + i);
    const V b = L::load_anywhere(reference + i);
    const DoubleLane::Mask both =
        (L::magnitude(a) < DoubleLane::kInfinity) & (L::magnitude(b) < DoubleLane::kInfinity);
    const V scaled_y = (both ? a : zero) * scales.y;
    const V scaled_reference = (both ? b : zero) * scales.reference;
    const V error = (both ? a - b : zero) * scales.error;
    ys.add(scaled_y * scaled_y);
    references.add(scaled_reference * scaled_reference);
    errors.add(error * error);
    products.add(scaled_y * scaled_reference);
  }
  ys.store(n.y + lane, n.y_lost + lane);
  references.store(n.reference + lane, n.reference_lost + lane);
  errors.store(n.error + lane, n.error_lost + lane);
  products.store(n.product + lane, n.product_lost + lane);
}

/// `count` pairs, a multiple of kErrorLanes; few enough to stay in the first-level cache.
inline void error_counts(const ErrorFormat& format, const double* y, const double* reference,
                         long count, ErrorLanes& lanes) {
  for (int lane = 0; lane < kErrorLanes; lane += DoubleLane::kWidth)
    count_lanes(format, y, reference, count, lane, lanes);
}

inline void error_norms(const NormScales& scales, const double* y, const double* reference,
                        long count, NormLanes& lanes) {
  for (int lane = 0; lane < kErrorLanes; lane += DoubleLane::kWidth)
    norm_lanes(scales, y, reference, count, lane, lanes);
}

}  // namespace npusim::precision::kernels::NPUSIM_KERNELS
