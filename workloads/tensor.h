// SPDX-License-Identifier: Apache-2.0
// Tensor values and shapes. Every element is held as a double: it carries each supported format's
// values exactly (integers to 2^53), so references and emulated tensors are one type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace npusim::workloads {

using Shape = std::vector<std::int64_t>;

enum class ElementType { floating, int64, boolean };

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
