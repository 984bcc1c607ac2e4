// SPDX-License-Identifier: Apache-2.0
// The numbers that ONNX gives element types (TensorProto.DataType of onnx.proto3), as attributes
// like Cast's `to` carry them.
#pragma once

#include <cstdint>
#include <string>

#include "workloads/tensor.h"

namespace npusim::workloads {

struct DeclaredType {
  ElementType type = ElementType::floating;
  std::string format;  ///< of floating types, as precision/ names it: "fp32", "bf16", ...
};

/// Throws base::InputError ("unsupported-type") for strings, complex and unknown numbers.
DeclaredType onnx_type(std::int64_t number);

}  // namespace npusim::workloads
