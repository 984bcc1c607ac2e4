// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_options.h"

#include <fnmatch.h>

namespace npusim::npu {

const char* name_of(LoopOrder order) {
  return order == LoopOrder::output_resident ? "output_resident" : "weight_resident";
}

const char* name_of(MappingSearch search) {
  return search == MappingSearch::quick ? "quick" : "exhaustive";
}

const MappingPin* find_pin(const MappingOptions& options, const std::string& op) {
  for (const MappingPin& pin : options.pins)
    if (::fnmatch(pin.op.c_str(), op.c_str(), FNM_NOESCAPE) == 0) return &pin;
  return nullptr;
}

}  // namespace npusim::npu
