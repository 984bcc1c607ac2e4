// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/data_type.h"

#include "base/error.h"

namespace npusim::workloads::onnx {

const char* name_of(DataType type) {
  static const char* const kNames[] = {"undefined",  "float",   "uint8",  "int8",   "uint16",
                                       "int16",      "int32",   "int64",  "string", "bool",
                                       "float16",    "double",  "uint32", "uint64", "complex64",
                                       "complex128", "bfloat16"};
  return kNames[static_cast<std::size_t>(type)];
}

std::optional<DataType> data_type_of(std::int64_t number) {
  if (number < static_cast<int>(DataType::float32) || number > static_cast<int>(DataType::bfloat16))
    return std::nullopt;
  return static_cast<DataType>(number);
}

bool is_integer(DataType type) {
  switch (type) {
    case DataType::uint8:
    case DataType::int8:
    case DataType::uint16:
    case DataType::int16:
    case DataType::int32:
    case DataType::int64:
    case DataType::uint32:
    case DataType::uint64:
      return true;
    default:
      return false;
  }
}

std::optional<base::ElementKind> element_kind_of(DataType type) {
  using base::ElementKind;
  switch (type) {
    case DataType::float32:
      return ElementKind::f32;
    case DataType::uint8:
      return ElementKind::u8;
    case DataType::int8:
      return ElementKind::i8;
    case DataType::uint16:
      return ElementKind::u16;
    case DataType::int16:
      return ElementKind::i16;
    case DataType::int32:
      return ElementKind::i32;
    case DataType::int64:
      return ElementKind::i64;
    case DataType::boolean:
      return ElementKind::boolean;
    case DataType::float16:
      return ElementKind::f16;
    case DataType::float64:
      return ElementKind::f64;
    case DataType::uint32:
      return ElementKind::u32;
    case DataType::uint64:
      return ElementKind::u64;
    case DataType::bfloat16:
      return ElementKind::bf16;
    case DataType::undefined:
    case DataType::string:
    case DataType::complex64:
    case DataType::complex128:
      return std::nullopt;
  }
  throw base::InternalError("unknown DataType");
}

}  // namespace npusim::workloads::onnx
