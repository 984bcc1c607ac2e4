// SPDX-License-Identifier: Apache-2.0
// What a format does to one tensor of one training step: exponents, what is zero, flushed or
// overflows, what a larger loss scale would save; and what updates do to stored weights.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "precision/format.h"

namespace npusim::sim {

inline constexpr std::array<int, 4> kRecoveryExponents = {3, 7, 10, 15};  ///< S = 8 ... 32K

struct GradientStatistics {
  std::int64_t step = 0;
  std::string tensor, role, format;
  double scale = 1.0;  ///< of the loss: values here are scaled
  std::int64_t count = 0;
  std::int64_t zeros = 0;                 ///< before rounding
  std::int64_t flushed = 0;               ///< non-zero before, zero after: underflow
  std::int64_t subnormal = 0;             ///< stored below the smallest normal
  std::int64_t overflowed = 0;            ///< finite before, beyond the largest finite value, or
                                          ///< clamped by the unit that computed it
  std::int64_t nonfinite = 0;             ///< before rounding
  std::int64_t masked = 0;                ///< overflows and infinities that are finite once stored
  double largest = 0.0, smallest = 0.0;   ///< magnitudes of finite non-zero values
  double signed_bias = 0.0;               ///< sum(after - before) / sum|before|
  std::map<int, std::int64_t> exponents;  ///< floor(log2|x|) of finite non-zero values
  /// Of the flushed values, those that a scale larger by 2^kRecoveryExponents[i] would keep.
  std::array<std::int64_t, 4> recovered{};
  std::array<std::int64_t, 4> overflowing{};  ///< values that this scale would overflow
};

/// Values before and after they are stored. `clamped_at`: the largest magnitude of a unit whose
/// overflows saturate, so that a sum which reached it counts as masked.
GradientStatistics gradient_statistics(const std::vector<double>& before,
                                       const std::vector<double>& after,
                                       const precision::Format& format,
                                       double clamped_at = std::numeric_limits<double>::infinity());

/// Over all weights of one update.
struct UpdateStatistics {
  std::int64_t step = 0;
  std::int64_t weights = 0;
  std::int64_t with_gradient = 0;  ///< weights whose gradient was not zero
  std::int64_t stalled = 0;        ///< of these: stored unchanged, fl(w + dw) = w
  std::int64_t small_updates = 0;  ///< |w| >= 2048 |dw| before rounding
  /// |working - master| / |master| in the Frobenius norm; 0 without master copies.
  double working_drift = 0.0;

  double changed_squares = 0.0, master_squares = 0.0;  ///< sums behind working_drift
  void add(const std::vector<double>& old_weight, const std::vector<double>& gradient,
           const std::vector<double>& before, const std::vector<double>& after);
  void add_working(const std::vector<double>& master, const std::vector<double>& working);
};

}  // namespace npusim::sim
