// SPDX-License-Identifier: Apache-2.0
#include "npu_models/mapping_options.h"

#include <algorithm>

#include "base/name_pattern.h"
#include "npu_models/attention_pin.h"

namespace npusim::npu {

const char* name_of(LoopOrder order) {
  return order == LoopOrder::output_resident ? "output_resident" : "weight_resident";
}

const char* name_of(MappingSearch search) {
  return search == MappingSearch::quick ? "quick" : "exhaustive";
}

const MappingPin* find_pin(const MappingOptions& options, const std::string& op) {
  for (const MappingPin& pin : options.pins)
    if (base::fits_pattern(pin.op, op)) return &pin;
  return nullptr;
}

bool wants_fused_attention(const MappingOptions& options, const std::string& op) {
  const MappingPin* const pin = find_attention_pin(options, op);
  return pin != nullptr && pin->attention ? pin->attention->fused : options.fused_attention;
}

bool wants_fused_backward(const MappingOptions& options, const std::string& op) {
  if (!wants_fused_attention(options, op)) return false;
  const MappingPin* const pin = find_backward_pin(options, op);
  return pin != nullptr ? pin->attention->backward.value_or(false)
                        : options.fused_attention_backward;
}

bool asks_for_fused_backward(const MappingOptions& options) {
  return options.fused_attention_backward ||
         std::any_of(options.pins.begin(), options.pins.end(), [](const MappingPin& pin) {
           return pin.attention && pin.attention->backward.value_or(false);
         });
}

}  // namespace npusim::npu
