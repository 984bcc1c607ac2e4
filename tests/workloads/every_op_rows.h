// SPDX-License-Identifier: Apache-2.0
// One row a op of floating values: operands of random shape, and how many units in the last place
// of its largest value an FP32 result may differ from FP64.
#pragma once

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ops_support.h"

namespace npusim::workloads::testing {

/// Operands of one test: three extents of their shapes, and their values from one seed.
class Draw {
 public:
  Draw(std::uint64_t seed, std::int64_t first, std::int64_t second, std::int64_t third)
      : random_(seed), a(first), b(second), c(third) {}
  Tensor between(const Shape& shape, double low, double high);  ///< binary32 values
  Tensor floats(const Shape& shape) { return between(shape, -1.0, 1.0); }
  Tensor positive(const Shape& shape) { return between(shape, 0.5, 1.5); }
  /// Multiples of 1/16 plus 1/32, all different and in random order: no ties, no kinks nearby.
  Tensor apart(const Shape& shape);
  Tensor indices(const Shape& shape, std::int64_t below);

 private:
  std::mt19937_64 random_;

 public:
  const std::int64_t a, b, c;
};

struct Row {
  std::string op;
  std::function<std::vector<Tensor>(Draw&)> inputs;
  double ulps = 0.0;
  Attributes attributes = {};
  int outputs = 1;
  int trained = 99;  ///< inputs that get gradients; 0: no gradient is taken
};

const std::vector<Row>& rows();
/// Ops whose results are integers or booleans, or that have no floating operands.
const std::set<std::string>& without_floats();

}  // namespace npusim::workloads::testing
