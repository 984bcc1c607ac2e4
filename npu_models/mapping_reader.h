// SPDX-License-Identifier: Apache-2.0
// Section `mapping` of an NPU file.
#pragma once

#include "base/object_reader.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu {

MappingOptions read_mapping(base::ObjectReader& object);

}  // namespace npusim::npu
