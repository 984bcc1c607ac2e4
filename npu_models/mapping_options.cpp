// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_options.h"

#include <string_view>

namespace npusim::npu {
namespace {

bool fits(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() != '*')
    return !name.empty() && pattern.front() == name.front() &&
           fits(pattern.substr(1), name.substr(1));
  while (!pattern.empty() && pattern.front() == '*') pattern.remove_prefix(1);
  if (pattern.empty()) return true;
  for (std::size_t begin = 0; begin < name.size(); ++begin)
    if (fits(pattern, name.substr(begin))) return true;
  return false;
}

}  // namespace

const char* name_of(LoopOrder order) {
  return order == LoopOrder::output_resident ? "output_resident" : "weight_resident";
}

const char* name_of(MappingSearch search) {
  return search == MappingSearch::quick ? "quick" : "exhaustive";
}

const MappingPin* find_pin(const MappingOptions& options, const std::string& op) {
  for (const MappingPin& pin : options.pins)
    if (fits(pin.op, op)) return &pin;
  return nullptr;
}

}  // namespace npusim::npu
