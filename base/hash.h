// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 64 bits, and a faster hash of numbers: identify configs, plans and tensors in results.
// Not for security.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace npusim::base {

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed = 14695981039346656037ULL);
/// Of the bits of `count` numbers, in order; -0 and 0 differ.
std::uint64_t hash_of(const double* values, std::size_t count, std::uint64_t seed = 0);
/// 16 lower-case hexadecimal digits.
std::string hex64(std::uint64_t value);

}  // namespace npusim::base
