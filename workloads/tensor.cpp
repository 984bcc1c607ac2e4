// SPDX-License-Identifier: Apache-2.0
#include "workloads/tensor.h"

#include <fmt/format.h>

#include "base/error.h"

namespace npusim::workloads {

std::int64_t element_count(const Shape& shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      throw base::InputError("shape " + to_string(shape) + " has a negative dimension",
                             "negative-dimension");
    empty = empty || extent == 0;
  }
  if (empty) return 0;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent > kMost / count)
      throw base::InputError("shape " + to_string(shape) + " has more than 2^40 elements",
                             "too-large");
    count *= extent;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Tensor::Tensor(Shape s, ElementType t)
    : shape(std::move(s)), type(t), values(static_cast<std::size_t>(element_count(shape))) {}

}  // namespace npusim::workloads
