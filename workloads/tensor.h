// SPDX-License-Identifier: Apache-2.0
// Tensor values and shapes. Every element is held as a double: it carries each supported format's
// values exactly (integers to 2^53), so references and emulated tensors are one type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace npusim::workloads {

using Shape = std::vector<std::int64_t>;

/// ONNX's element types. All floating ones are `floating`: what they are stored in is the recipe's
/// choice (TensorInfo::format keeps what the model declares). int64 and uint64 are exact to 2^53.
enum class ElementType {
  floating,
  boolean,
  int4,
  int8,
  int16,
  int32,
  int64,
  uint4,
  uint8,
  uint16,
  uint32,
  uint64,
};
const char* name_of(ElementType type);  ///< "float", "bool", "int8", ...
bool is_integer(ElementType type);      ///< booleans are none
double lowest_of(ElementType type);     ///< integers and booleans; exact in binary64
double highest_of(ElementType type);    ///< the same; of 64-bit types the binary64 next below

/// Truncated to an integer and taken modulo 2^bits (a boolean: 0 or 1); NaN and infinities give 0.
/// Beyond 2^53 the result has binary64's precision. Floating values stay.
double wrapped(double value, ElementType type);
/// Rounded to nearest even and limited to the type's range; NaN gives 0. Floating values stay.
double saturated(double value, ElementType type);

/// Number of elements. Throws base::InputError on overflow beyond 2^40.
std::int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  ///< "[1, 64, 56, 56]"

struct Tensor {
  Shape shape;
  ElementType type = ElementType::floating;
  std::vector<double> values;  ///< row-major

  Tensor() = default;
  explicit Tensor(Shape s, ElementType t = ElementType::floating);
};

}  // namespace npusim::workloads
