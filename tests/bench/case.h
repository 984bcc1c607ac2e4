// SPDX-License-Identifier: Apache-2.0
// One line of the benchmark: some work, what it is measured against, and what it is to reach.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace npusim::bench {

enum class Against {
  sgemm,     ///< OpenBLAS sgemm of the same size
  fma_peak,  ///< fused multiply-adds on registers
  copy,      ///< memcpy of the same arrays
  itself,    ///< the same work in another way: Case::baseline
  nothing,   ///< an absolute rate, in 1e9 a second
};

/// A ratio, or an absolute rate for Against::nothing. Stated for AVX-512; AVX2 has to reach a third
/// of it unless the goal does not depend on the width of vectors.
struct Goal {
  Against against = Against::sgemm;
  double least = 0.0;
  bool any_width = false;
};

struct Case {
  std::string name;
  std::string unit;   ///< "GMAC/s" or "Gvalues/s"
  double work = 0.0;  ///< MACs or values a run
  /// Does the work once and returns the CPU seconds it took (of the longer thread, if two).
  std::function<double()> run;
  /// Rates a second of what it is measured against; empty for the yardsticks of yardsticks.h.
  std::function<double()> baseline;
  std::vector<Goal> goals;
  /// The fastest counts: another program between two tries costs both their caches.
  int tries = 3;
};

/// Emulated products of 512 x 512 x 512 through every kind of unit, and two threads against one.
std::vector<Case> gemm_cases();
/// The generic path: every file of configs/mac_units.
std::vector<Case> shipped_unit_cases();
/// Rounding of arrays much larger than the caches.
std::vector<Case> rounding_cases();

/// Whole numeric runs of ResNet-50, batch 1, references and error metrics included.
std::vector<Case> network_cases();
/// Steps of LeNet-5 on pictures of 28 x 28, every product through a unit.
std::vector<Case> training_cases();

/// One measurement: the rate of the work, and its ratio to each goal's yardstick, both taken at
/// once so that a noisy machine disturbs them alike.
struct Sample {
  double rate = 0.0;
  std::vector<double> against;  ///< as Case::goals
};
Sample measure(const Case& timed);

}  // namespace npusim::bench
