// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/lane_kernel.h"

#ifndef NPUSIM_KERNEL_SET
#error "compiled once per instruction set, with NPUSIM_KERNEL_SET naming the function to define"
#endif

namespace npusim::precision::kernels {
namespace {

enum { kRne, kRna, kRtz, kRu, kRd, kOdd };  // as precision::Rounding

// Bit views of the two lane types. memcpy through a builtin: no library call, no header.
struct FloatTraits {
  using Real = float;
  using Bits = int;
  enum { kFraction = 23, kBias = 127, kLanes = kFloatLanes };
};
struct DoubleTraits {
  using Real = double;
  using Bits = long;
  enum { kFraction = 52, kBias = 1023, kLanes = kDoubleLanes };
};

template <class To, class From>
inline To bit_cast(From from) {
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}

template <class T>
struct Lanes {
  using Real = typename T::Real;
  using Bits = typename T::Bits;
  static constexpr Bits kMagnitude = static_cast<Bits>(~0UL >> (65 - sizeof(Bits) * 8));
  static constexpr Bits kSignBit = ~kMagnitude;

  static Bits bits(Real x) { return bit_cast<Bits>(x); }
  static Real real(Bits b) { return bit_cast<Real>(b); }

  /// round_to for one lane. x carries two bits more than the format (or is rounded to odd).
  template <int kMode>
  static Real round_one(Real x, const LaneArithmetic& a) {
    const Bits sign = bits(x) & kSignBit;
    const Real magnitude = real(bits(x) & kMagnitude);
    const Bits least = static_cast<Bits>(a.min_exponent) + T::kBias;
    Bits exponent = bits(magnitude) >> T::kFraction;
    const Bits top = (static_cast<Bits>(T::kBias) << 1) + 1;
    const bool finite = exponent != top;
    exponent = exponent < least ? least : exponent;
    // Adding 1.5 * 2^fraction * quantum leaves the lane type's own RNE to drop the right bits.
    Bits magic_exponent = exponent + static_cast<Bits>(T::kFraction - a.fraction_bits);
    magic_exponent = magic_exponent > top - 1 ? top - 1 : magic_exponent;
    const Real magic = real((magic_exponent << T::kFraction) | (Bits(1) << (T::kFraction - 1)));
    const Real shifted = magnitude + magic;
    Real r = shifted - magic;
    const Bits quantum_exponent = magic_exponent - T::kFraction;
    const Real quantum = quantum_exponent > 0
                             ? real(quantum_exponent << T::kFraction)
                             : real(Bits(1) << (quantum_exponent + T::kFraction - 1 > 0
                                                    ? quantum_exponent + T::kFraction - 1
                                                    : 0));
    if (kMode != kRne) {
      const Real floor = r > magnitude ? r - quantum : r;
      const bool exact = floor == magnitude;
      const bool odd_floor = (bits(floor + magic) & 1) != 0;
      const Real rest = magnitude - floor;
      bool up = false;
      if (kMode == kRna) up = rest + rest >= quantum;
      if (kMode == kRu) up = sign == 0;
      if (kMode == kRd) up = sign != 0;
      if (kMode == kOdd) up = !odd_floor;
      r = exact || !up ? floor : floor + quantum;
    }
    const Real largest = static_cast<Real>(a.max_finite);
    const bool away = kMode == kRne || kMode == kRna || (kMode == kRu && sign == 0) ||
                      (kMode == kRd && sign != 0);
    r = r > largest ? (away ? static_cast<Real>(a.infinity) : largest) : r;
    r = (a.flush != 0 && r < static_cast<Real>(a.min_normal)) ? Real(0) : r;
    r = finite ? r : (magnitude != magnitude ? magnitude : static_cast<Real>(a.infinity));
    return real(bits(r) | sign);
  }

  /// x + y rounded to odd in the lane type (see odd_sum).
  static Real odd_one(Real x, Real y) {
    const Real sum = x + y;
    const Real y_part = sum - x;
    const Real error = (x - (sum - y_part)) + (y - y_part);
    const Bits even = (bits(sum) & 1) ^ 1;
    const bool inexact = (error > 0) | (error < 0);
    const Bits step = ((bits(error) ^ bits(sum)) & kSignBit) == 0 ? Bits(1) : Bits(-1);
    return real(bits(sum) + (inexact ? (even != 0 ? step : Bits(0)) : Bits(0)));
  }

  template <int kMode>
  static void add_mode(Real* x, const Real* y, const LaneArithmetic& a) {
    for (int l = 0; l < T::kLanes; ++l) {
      const Real odd = odd_one(x[l], y[l]);
      Real r = round_one<kMode>(odd, a);
      if (kMode == kRd) {  // an exact zero sum is -0 unless both terms are +0
        const bool both_plus = ((bits(x[l]) | bits(y[l])) & kSignBit) == 0;
        r = odd == 0 ? (both_plus ? Real(0) : real(kSignBit)) : r;
      }
      x[l] = r;
    }
  }
  template <int kMode>
  static void round_mode(Real* x, const LaneArithmetic& a) {
    for (int l = 0; l < T::kLanes; ++l) x[l] = round_one<kMode>(x[l], a);
  }

  /// x = round(x + y)
  static void add(Real* x, const Real* y, const LaneArithmetic& a) {
    if (a.native != 0) {
      for (int l = 0; l < T::kLanes; ++l) x[l] += y[l];
      return;
    }
    switch (a.rounding) {
      case kRne:
        return add_mode<kRne>(x, y, a);
      case kRna:
        return add_mode<kRna>(x, y, a);
      case kRtz:
        return add_mode<kRtz>(x, y, a);
      case kRu:
        return add_mode<kRu>(x, y, a);
      case kRd:
        return add_mode<kRd>(x, y, a);
      default:
        return add_mode<kOdd>(x, y, a);
    }
  }
  static void round(Real* x, const LaneArithmetic& a) {
    if (a.native != 0) return;
    switch (a.rounding) {
      case kRne:
        return round_mode<kRne>(x, a);
      case kRna:
        return round_mode<kRna>(x, a);
      case kRtz:
        return round_mode<kRtz>(x, a);
      case kRu:
        return round_mode<kRu>(x, a);
      case kRd:
        return round_mode<kRd>(x, a);
      default:
        return round_mode<kOdd>(x, a);
    }
  }
  static void copy(Real* to, const Real* from) {
    for (int l = 0; l < T::kLanes; ++l) to[l] = from[l];
  }
};

template <class T>
class RowSum {
 public:
  using L = Lanes<T>;
  using Real = typename T::Real;

  RowSum(const LaneProgram& program, const Real* a, const Real* panel)
      : program_(program), a_(a), panel_(panel) {
    block_ = 1;
    for (int s = 0; s + 1 < program.stages; ++s) block_ *= program.stage[s].terms;
  }

  /// As PlannedSum::reduce; has_init says whether out comes in with a running sum.
  void reduce(int level, long begin, long end, bool has_init, Real* out) const {
    if (level < 0) {
      if (!has_init)
        for (int l = 0; l < T::kLanes; ++l) out[l] = 0;
      return chain(begin, end, out);
    }
    const LaneChunk& chunk = program_.chunk[level];
    bool started = has_init;
    for (long at = begin; at < end; at += chunk.terms) {
      const long stop = at + chunk.terms < end ? at + chunk.terms : end;
      if (chunk.carry != 0) {
        reduce(level - 1, at, stop, started, out);
        L::round(out, chunk.arithmetic);
      } else if (!started) {
        reduce(level - 1, at, stop, false, out);
        L::round(out, chunk.arithmetic);
      } else {
        alignas(64) Real sum[T::kLanes];
        reduce(level - 1, at, stop, false, sum);
        L::add(out, sum, chunk.arithmetic);
      }
      started = true;
    }
  }

 private:
  /// The accumulator: blocks of terms one after the other.
  void chain(long begin, long end, Real* sum) const {
    const LaneArithmetic& accumulator = program_.stage[program_.stages - 1].arithmetic;
    if (program_.stages == 1 && program_.rounds_product == 0 && accumulator.native != 0) {
      for (long k = begin; k < end; ++k) {
        const Real a = a_[k];
        const Real* b = panel_ + k * T::kLanes;
        for (int l = 0; l < T::kLanes; ++l) sum[l] += a * b[l];
      }
      return;
    }
    alignas(64) Real term[T::kLanes];
    for (long at = begin; at < end; at += block_) {
      stage(program_.stages - 2, at, end, term);
      L::add(sum, term, accumulator);
    }
  }

  void product(long k, long end, Real* out) const {
    if (k >= end) {  // a cut-short group is filled with +0
      for (int l = 0; l < T::kLanes; ++l) out[l] = 0;
      return;
    }
    const Real a = a_[k];
    const Real* b = panel_ + k * T::kLanes;
    for (int l = 0; l < T::kLanes; ++l) out[l] = a * b[l];
    if (program_.rounds_product != 0) L::round(out, program_.product);
  }

  /// The sum of one group of stage s that begins with term `at`.
  void stage(int s, long at, long end, Real* out) const {
    if (s < 0) return product(at, end, out);
    const LaneStage& group = program_.stage[s];
    long step = 1;
    for (int inner = 0; inner < s; ++inner) step *= program_.stage[inner].terms;
    if (group.tree != 0) return tree(s, at, step, end, out);
    stage(s - 1, at, end, out);
    L::round(out, group.arithmetic);
    alignas(64) Real term[T::kLanes];
    for (long i = 1; i < group.terms; ++i) {
      stage(s - 1, at + i * step, end, term);
      L::add(out, term, group.arithmetic);
    }
  }

  /// Pairwise: level by level over a buffer of the group's members.
  void tree(int s, long at, long step, long end, Real* out) const {
    const LaneStage& group = program_.stage[s];
    alignas(64) Real members[kMaxGroup][T::kLanes];
    for (long i = 0; i < group.terms; ++i) stage(s - 1, at + i * step, end, members[i]);
    long count = group.terms;
    while (count > 1) {
      const long pairs = count / 2;
      for (long i = 0; i < pairs; ++i) {
        if (i != 0) L::copy(members[i], members[2 * i]);
        L::add(members[i], members[2 * i + 1], group.arithmetic);
      }
      if (count % 2 != 0) L::copy(members[pairs], members[count - 1]);
      count = pairs + count % 2;
    }
    L::copy(out, members[0]);
    L::round(out, group.arithmetic);
  }

  const LaneProgram& program_;
  const Real* a_;
  const Real* panel_;
  long block_;
};

template <class T>
void row_kernel(const LaneProgram& program, const typename T::Real* a,
                const typename T::Real* panel, long terms, const typename T::Real* init,
                const typename T::Real* after, typename T::Real* out) {
  using L = Lanes<T>;
  alignas(64) typename T::Real sum[T::kLanes];
  if (init != nullptr) L::copy(sum, init);
  RowSum<T>(program, a, panel).reduce(program.chunks - 1, 0, terms, init != nullptr, sum);
  if (after != nullptr) L::add(sum, after, program.stage[program.stages - 1].arithmetic);
  L::copy(out, sum);
}

void reference_kernel(const double* const a[4], const double* panel, long terms,
                      double* const out[4]) {
  enum { kLanes = kDoubleLanes };
  alignas(64) double sum[4][kLanes];
  for (int r = 0; r < 4; ++r)
    for (int l = 0; l < kLanes; ++l) sum[r][l] = out[r][l];
  for (long k = 0; k < terms; ++k) {
    const double* b = panel + k * kLanes;
    for (int r = 0; r < 4; ++r) {
      const double x = a[r][k];
      for (int l = 0; l < kLanes; ++l) sum[r][l] += x * b[l];
    }
  }
  for (int r = 0; r < 4; ++r)
    for (int l = 0; l < kLanes; ++l) out[r][l] = sum[r][l];
}

void round_kernel(const LaneArithmetic& arithmetic, const double* in, double* out, long count) {
  using L = Lanes<DoubleTraits>;
  alignas(64) double block[kDoubleLanes];
  for (long at = 0; at < count; at += kDoubleLanes) {
    const long length = count - at < kDoubleLanes ? count - at : long(kDoubleLanes);
    for (long l = 0; l < kDoubleLanes; ++l) block[l] = l < length ? in[at + l] : 0.0;
    L::round(block, arithmetic);
    for (long l = 0; l < length; ++l) out[at + l] = block[l];
  }
}

}  // namespace

KernelSet NPUSIM_KERNEL_SET() {
  return {row_kernel<FloatTraits>, row_kernel<DoubleTraits>, reference_kernel, round_kernel};
}

}  // namespace npusim::precision::kernels
