// SPDX-License-Identifier: Apache-2.0
// What a MAC unit computes: the plain scalar code that defines it. Kernels are held against it.
#pragma once

#include <cstdint>

#include "precision/aligned_sum.h"
#include "precision/counter_random.h"
#include "precision/mac_unit.h"

namespace npusim::precision {

/// n terms of two operands. Scales, where the unit has them: one value a term (the scale of the
/// block that the term belongs to), nullptr for a unit without.
struct Operands {
  const double* a = nullptr;
  const double* b = nullptr;
  std::int64_t n = 0;
  const double* a_scales = nullptr;
  const double* b_scales = nullptr;
};

/// The random words of one output: each stochastic rounding takes the next, in the order in which
/// the scalar code rounds.
struct RandomSequence {
  RandomKey key;
  std::uint32_t next = 0;

  std::uint32_t take() { return random_word(key, next++); }
};

/// One step of a stage as the unit sees it, for those who want to look inside.
struct StepReport {
  std::size_t stage = 0;
  const std::vector<Term>* terms = nullptr;
  const double* running = nullptr;      ///< nullptr: the step starts without one
  const AlignedSum* aligned = nullptr;  ///< aligned steps only
  double exact = 0.0;                   ///< the step's sum before rounding, rounded to odd
  double result = 0.0;
};

/// Told about every step, in order.
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual void step(const StepReport& report) = 0;
};

/// c + a[0]*b[0] + ... in the unit's order and formats. a and b hold values of the unit's operand
/// formats; c is a value of the unit's c_format().
double mac_chain(const MacUnit& unit, const Operands& operands, double c, RandomSequence& random,
                 StepObserver* observer = nullptr);
/// Units without scales and stochastic rounding.
double mac_chain(const MacUnit& unit, const double* a, const double* b, std::int64_t n, double c);

/// x + y, rounded once.
double rounded_sum(double x, double y, const Arithmetic& arithmetic, std::uint32_t random = 0);

/// Slice `slice` of x: what is left of x after the slices before it, rounded. x itself without
/// slices.
double slice_of(double x, const Slices& slices, int slice);

}  // namespace npusim::precision
