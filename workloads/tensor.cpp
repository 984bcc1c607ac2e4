// SPDX-License-Identifier: Apache-2.0
#include "workloads/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace npusim::workloads {
namespace {

struct TypeFacts {
  const char* name;
  int bits;  ///< 0: no integer
  bool is_signed;
};

const TypeFacts& facts_of(ElementType type) {
  static const std::array<TypeFacts, 12> kFacts = {{{"float", 0, true},
                                                    {"bool", 0, false},
                                                    {"int4", 4, true},
                                                    {"int8", 8, true},
                                                    {"int16", 16, true},
                                                    {"int32", 32, true},
                                                    {"int64", 64, true},
                                                    {"uint4", 4, false},
                                                    {"uint8", 8, false},
                                                    {"uint16", 16, false},
                                                    {"uint32", 32, false},
                                                    {"uint64", 64, false}}};
  return kFacts.at(static_cast<std::size_t>(type));
}

}  // namespace

const char* name_of(ElementType type) {
  return facts_of(type).name;
}

bool is_integer(ElementType type) {
  return facts_of(type).bits > 0;
}

double lowest_of(ElementType type) {
  const TypeFacts& facts = facts_of(type);
  return facts.is_signed ? -std::ldexp(1.0, facts.bits - 1) : 0.0;
}

double highest_of(ElementType type) {
  const TypeFacts& facts = facts_of(type);
  if (facts.bits == 0) return 1.0;
  const int bits = facts.is_signed ? facts.bits - 1 : facts.bits;
  const double end = std::ldexp(1.0, bits);
  return bits > 53 ? std::nextafter(end, 0.0) : end - 1.0;
}

double wrapped(double value, ElementType type) {
  if (type == ElementType::floating) return value;
  if (type == ElementType::boolean) return value == 0.0 ? 0.0 : 1.0;
  if (!std::isfinite(value)) return 0.0;
  value = std::trunc(value);
  const TypeFacts& facts = facts_of(type);
  const double modulus = std::ldexp(1.0, facts.bits);
  const double end = facts.is_signed ? modulus / 2 : modulus;
  if (value >= lowest_of(type) && value < end) return value + 0.0;
  value = std::fmod(value, modulus);
  if (value >= end) value -= modulus;
  if (value < lowest_of(type)) value += modulus;
  return value + 0.0;
}

double saturated(double value, ElementType type) {
  if (type == ElementType::floating) return value;
  if (value != value) return 0.0;
  return std::min(std::max(std::nearbyint(value) + 0.0, lowest_of(type)), highest_of(type));
}

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
