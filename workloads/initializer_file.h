// SPDX-License-Identifier: Apache-2.0
// Values of a tensor from a .npy or .safetensors file. The last .safetensors file read is kept, so
// that the tensors of one checkpoint read it once.
#pragma once

#include <map>
#include <string>

#include "base/array_file.h"
#include "workloads/initializer.h"

namespace npusim::workloads {

/// Throws base::InputError naming file and tensor: another shape or element type, a missing tensor.
Tensor read_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name);

/// What can be found wrong of the above without reading values. `headers` keeps those of a file
/// between calls.
using HeadersByFile = std::map<std::string, std::map<std::string, base::ArrayHeader>>;
void check_file_header(const Initializer& initializer, const Shape& shape,
                       const std::string& tensor_name, HeadersByFile& headers);

}  // namespace npusim::workloads
