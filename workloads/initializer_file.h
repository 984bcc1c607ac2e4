// SPDX-License-Identifier: Apache-2.0
// Values of a tensor from a .npy or .safetensors file. The last .safetensors file read is kept, so
// that the tensors of one checkpoint read it once.
#pragma once

#include <string>

#include "workloads/initializer.h"

namespace npusim::workloads {

/// Throws base::InputError naming file and tensor: another shape or element type, a missing tensor.
Tensor read_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name);

}  // namespace npusim::workloads
