// SPDX-License-Identifier: Apache-2.0
#include "npu_models/attention_pin.h"

#include "base/name_pattern.h"
#include "workloads/parallel/tensor_parallel.h"
#include "workloads/training/recompute.h"

namespace npusim::npu {

std::string original_name(const std::string& node) {
  std::string name = workloads::plain_name(node);
  const std::string again = workloads::kAgain;
  const bool repeated = name.size() > again.size() &&
                        name.compare(name.size() - again.size(), again.size(), again) == 0;
  if (repeated) name.resize(name.size() - again.size());
  return name;
}

const MappingPin* find_attention_pin(const MappingOptions& options, const std::string& node) {
  const std::string original = original_name(node);
  for (const MappingPin& pin : options.pins)
    if (base::fits_pattern(pin.op, node) || base::fits_pattern(pin.op, original)) return &pin;
  return nullptr;
}

const MappingPin* find_backward_pin(const MappingOptions& options, const std::string& attention) {
  for (const char* of : {"", ".gradient"}) {
    const MappingPin* const pin = find_attention_pin(options, attention + of);
    if (pin != nullptr && pin->attention && (pin->attention->backward || !pin->attention->fused))
      return pin;
  }
  return nullptr;
}

}  // namespace npusim::npu
