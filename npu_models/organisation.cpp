// SPDX-License-Identifier: Apache-2.0
#include "npu_models/organisation.h"

#include "npu_models/organisations/organisations.h"

namespace npusim::npu {

const std::vector<const Organisation*>& organisations() {
  static const std::vector<const Organisation*> all = {&systolic(), &cube(), &dot_product(),
                                                       &tensor_core(), &simd()};
  return all;
}

const Organisation* find_organisation(const std::string& name) {
  for (const Organisation* organisation : organisations())
    if (organisation->name() == name) return organisation;
  return nullptr;
}

}  // namespace npusim::npu
