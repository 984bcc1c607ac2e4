// SPDX-License-Identifier: Apache-2.0
// ONNX's element types and what they are here.
#pragma once

#include <cstdint>
#include <optional>

#include "base/array_file.h"
#include "workloads/onnx/model.h"

namespace npusim::workloads::onnx {

/// nullopt for a number that ONNX 1.12 does not define (and for undefined).
std::optional<DataType> data_type_of(std::int64_t number);

bool is_integer(DataType type);

/// How an element of raw_data or a .safetensors is held; nullopt for strings and complex numbers.
std::optional<base::ElementKind> element_kind_of(DataType type);

}  // namespace npusim::workloads::onnx
