// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx_types.h"

#include "base/error.h"

namespace npusim::workloads {

DeclaredType onnx_type(std::int64_t number) {
  switch (number) {
    case 1:
      return {ElementType::floating, "fp32"};
    case 2:
      return {ElementType::uint8, ""};
    case 3:
      return {ElementType::int8, ""};
    case 4:
      return {ElementType::uint16, ""};
    case 5:
      return {ElementType::int16, ""};
    case 6:
      return {ElementType::int32, ""};
    case 7:
      return {ElementType::int64, ""};
    case 9:
      return {ElementType::boolean, ""};
    case 10:
      return {ElementType::floating, "fp16"};
    case 11:
      return {ElementType::floating, "fp64"};
    case 12:
      return {ElementType::uint32, ""};
    case 13:
      return {ElementType::uint64, ""};
    case 16:
      return {ElementType::floating, "bf16"};
    case 17:
      return {ElementType::floating, "fp8_e4m3"};
    case 18:
      return {ElementType::floating, "fp8_e4m3fnuz"};
    case 19:
      return {ElementType::floating, "fp8_e5m2"};
    case 20:
      return {ElementType::floating, "fp8_e5m2fnuz"};
    case 21:
      return {ElementType::uint4, ""};
    case 22:
      return {ElementType::int4, ""};
    default:
      throw base::InputError("ONNX element type " + std::to_string(number) +
                                 " is not supported: floating, integer and boolean ones are",
                             "unsupported-type");
  }
}

}  // namespace npusim::workloads
