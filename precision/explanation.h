// SPDX-License-Identifier: Apache-2.0
// One dot product step by step: what each adder of a unit saw, kept and dropped, next to the exact
// sum. The numbers come from the evaluation that defines the unit, not from a second one.
#pragma once

#include <optional>
#include <vector>

#include "precision/mac_chain.h"

namespace npusim::precision {

struct ExplainedTerm {
  std::int64_t index = -1;  ///< position in K of a product; -1: padding, or a sum of an inner stage
  double value = 0.0;
  std::optional<int> exponent;  ///< what it is aligned by; none where it is zero
  double kept = 0.0;            ///< after the shifter; value itself where nothing is shifted
};

struct ExplainedStep {
  std::size_t stage = 0;
  std::vector<ExplainedTerm> terms;
  std::optional<ExplainedTerm> running;
  std::optional<int> aligned_to;  ///< the largest exponent, of aligned steps
  double sum = 0.0;               ///< of what was kept, before rounding (to odd at 53 bits)
  double result = 0.0;
};

struct Explanation {
  std::vector<ExplainedStep> steps;
  double result = 0.0;
  double exact = 0.0;    ///< c + sum of a*b (scales included), rounded to odd at 53 bits
  double nearest = 0.0;  ///< exact, rounded to nearest in the accumulator's format
};

/// As mac_chain, with every step.
Explanation explain(const MacUnit& unit, const Operands& operands, double c,
                    RandomSequence& random);

}  // namespace npusim::precision
