// SPDX-License-Identifier: Apache-2.0
#include "workloads/contraction.h"

#include "base/error.h"

namespace npusim::workloads {

const char* name_of(GemmRole role) {
  switch (role) {
    case GemmRole::fprop:
      return "fprop";
    case GemmRole::dgrad:
      return "dgrad";
    case GemmRole::wgrad:
      return "wgrad";
    case GemmRole::matmul:
      return "matmul";
  }
  throw base::InternalError("unknown GemmRole");
}

std::int64_t Contraction::k() const {
  std::int64_t product = 1;
  for (const precision::ReduceDim& dim : dims) product *= dim.extent;
  return product;
}

}  // namespace npusim::workloads
