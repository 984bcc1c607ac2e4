// SPDX-License-Identifier: Apache-2.0
// Outputs whose additions wait for each other: each of S steps of K adds one group of terms to each
// of I outputs in turn, an addition takes L cycles, and an output has P partial sums, to which the
// steps are dealt in turn. Computing several outputs in turn leaves every sum as it is; partial
// sums change the order of additions and therefore the bits (precision::Deal).
//
//   pace T = max(I, ceil(L / P)): a step every T cycles, so that a sum is there when it is needed
//   entry E = (S - 1)*T + I, S rounded up to whole rounds of P
//   combination X = 0 for P = 1, else L + (P - 2)*max(I, L) + I - 1: behind the last addition the
//   sums of an output are added up one after the other, s0 + s1 + ..., the outputs in turn
//
//   the unit is taken for E + X cycles, of which S*I are busy; the last sum is there L - 1 later
#pragma once

#include <cstdint>

namespace npusim::npu {

struct Recurrence {
  std::int64_t outputs = 1;       ///< I
  std::int64_t steps = 1;         ///< S before rounding up
  std::int64_t latency = 1;       ///< L
  std::int64_t partial_sums = 1;  ///< P

  std::int64_t whole_steps() const;
  std::int64_t pace() const;
  std::int64_t entry() const;
  std::int64_t combination() const;
  std::int64_t cycles() const { return entry() + combination(); }
  std::int64_t busy() const { return whole_steps() * outputs; }
  std::int64_t dependency() const { return cycles() - busy(); }
};

}  // namespace npusim::npu
