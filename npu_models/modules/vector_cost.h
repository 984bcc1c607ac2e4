// SPDX-License-Identifier: Apache-2.0
// Vector work of one op, divided exactly over its tiles, and the energy rule for it: add, max,
// compare and copy cost an addition, mul a multiplication, and every other function (div, exp, log,
// sqrt, ...) one multiplication and one addition for each cycle a lane spends on an element. Knows
// no SystemC.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "npu_models/npu_spec.h"
#include "workloads/op.h"

namespace npusim::npu::model {

class VectorCost {
 public:
  /// Throws InternalError when the unit lacks a function (the mapping should have refused the op).
  VectorCost(const VectorUnitSpec& unit, const std::vector<workloads::VectorWork>& work);

  bool empty() const { return work_.empty(); }
  /// Of the part [begin, end) of `whole`, startup included.
  std::int64_t cycles(std::int64_t begin, std::int64_t end, std::int64_t whole) const;

 private:
  struct Work {
    std::int64_t elements;
    double cycles_per_element;
  };
  std::vector<Work> work_;
  double lanes_;
  std::int64_t startup_cycles_;
};

/// Of all the work, in picojoules.
double vector_energy_pj(const NpuSpec& npu, const std::vector<workloads::VectorWork>& work);

}  // namespace npusim::npu::model
