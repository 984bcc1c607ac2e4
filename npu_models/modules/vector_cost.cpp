// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/vector_cost.h"

#include <cmath>

#include "base/error.h"
#include "npu_models/energy.h"
#include "npu_models/modules/share.h"

namespace npusim::npu::model {
namespace {

double cycles_per_element(const VectorUnitSpec& unit, const std::string& function) {
  const auto found = unit.cycles_per_element.find(function);
  NPUSIM_CHECK(found != unit.cycles_per_element.end(), "the vector unit has no " + function);
  return found->second;
}

}  // namespace

VectorCost::VectorCost(const VectorUnitSpec& unit, const std::vector<workloads::VectorWork>& work)
    : lanes_(static_cast<double>(unit.lanes)), startup_cycles_(unit.startup_cycles) {
  for (const workloads::VectorWork& w : work) {
    work_.push_back({w.elements, cycles_per_element(unit, w.function)});
  }
}

std::int64_t VectorCost::cycles(std::int64_t begin, std::int64_t end, std::int64_t whole) const {
  double lane_cycles = 0.0;
  for (const Work& w : work_) {
    lane_cycles +=
        static_cast<double>(share_of(w.elements, begin, end, whole)) * w.cycles_per_element;
  }
  return startup_cycles_ + static_cast<std::int64_t>(std::ceil(lane_cycles / lanes_));
}

double vector_energy_pj(const NpuSpec& npu, const std::vector<workloads::VectorWork>& work) {
  const precision::Format& format = npu.vector_unit.arithmetic.format;
  const double add = add_pj(npu.energy, format);
  const double multiply = multiply_pj(npu.energy, format);
  double sum = 0.0;
  for (const workloads::VectorWork& w : work) {
    const std::string& f = w.function;
    double each = 0.0;
    if (f == "add" || f == "max" || f == "compare" || f == "copy") {
      each = add;
    } else if (f == "mul") {
      each = multiply;
    } else {
      each = (add + multiply) * cycles_per_element(npu.vector_unit, f);
    }
    sum += each * static_cast<double>(w.elements);
  }
  return sum;
}

}  // namespace npusim::npu::model
