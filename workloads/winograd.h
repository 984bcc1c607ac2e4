// SPDX-License-Identifier: Apache-2.0
// Convolution by Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4 (Lavin, Gray 2016): m x m
// outputs y of one channel from t x t inputs d, t = m + 2, and 3 x 3 weights g,
//
//   Y = A' [ (G g G') . (B' d B) ] A        a product for each of the t * t points
//
// summed over input channels between the transforms. Points of m = 2: 0, 1, -1, infinity; of m = 4
// also 2 and -2. The steps of a transform along one line, each one operation:
//
//   m = 2   v0 = d0-d2, v1 = d1+d2, v2 = d2-d1, v3 = d1-d3
//           p = g0+g2, u0 = g0, u1 = (p+g1)/2, u2 = (p-g1)/2, u3 = g2
//           y0 = (s0+s1)+s2, y1 = (s1-s2)-s3
//   m = 4   a = d4-4*d2, b = d3-4*d1, c = d4-d2, e = 2*(d3-d1)
//           v0 = (4*d0-5*d2)+d4, v1 = a+b, v2 = a-b, v3 = c+e, v4 = c-e, v5 = (4*d1-5*d3)+d5
//           p = g0+g2, q = g0+4*g2, r = 2*g1
//           u0 = g0/4, u1 = -(p+g1)/6, u2 = -(p-g1)/6, u3 = (q+r)/24, u4 = (q-r)/24, u5 = g2
//           a = s1+s2, b = s1-s2, c = s3+s4, e = s3-s4
//           y0 = (s0+a)+c, y1 = b+2*e, y2 = a+4*c, y3 = (b+8*e)+s5
//
// Divisions are multiplications by the constant, rounded to the arithmetic. A transform in two
// dimensions takes the columns first, then the rows. Every operation rounds once.
#pragma once

#include <array>
#include <cstdint>

#include "precision/rounder.h"
#include "workloads/op.h"

namespace npusim::workloads {

inline constexpr std::int64_t kWinogradTaps = 3;
inline constexpr std::size_t kMostWinogradPoints = 36;

/// Sides of the tile that m x m outputs read.
inline std::int64_t winograd_side(std::int64_t outputs) {
  return outputs + kWinogradTaps - 1;
}

/// Additions (and subtractions) and multiplications of one transform.
struct WinogradOperations {
  std::int64_t add = 0, mul = 0;
};
/// Of one tile of one channel; of the weights of one pair of channels; of the sums of one tile.
WinogradOperations winograd_input_operations(std::int64_t outputs);
WinogradOperations winograd_weight_operations(std::int64_t outputs);
WinogradOperations winograd_output_operations(std::int64_t outputs);

/// The transforms in one arithmetic. Arrays are square, row by row; out and in are different.
class WinogradTransforms {
 public:
  WinogradTransforms(std::int64_t outputs, const precision::Rounder& arithmetic);
  void input(const double* tile, double* points) const;
  void weights(const double* taps, double* points) const;
  void output(const double* sums, double* outputs) const;

 private:
  std::int64_t outputs_;
  precision::Rounder round_;
  double sixth_, twenty_fourth_;
};

/// A machine that takes convolutions so: multiply() is the product of one point.
class WinogradEngine : public MatrixEngine {
 public:
  virtual std::int64_t outputs() const = 0;
  /// Of inputs and sums, whose values round to it on entry.
  virtual const precision::Rounder& arithmetic() const = 0;
  virtual const precision::Rounder& weight_arithmetic() const = 0;
  /// Transformed inputs and weights on their way to the array.
  virtual const precision::Rounder& operand() const = 0;
};

}  // namespace npusim::workloads
