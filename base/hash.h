// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 64 bits: identifies configs and plans in results. Not for security.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace npusim::base {

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed = 14695981039346656037ULL);
/// 16 lower-case hexadecimal digits.
std::string hex64(std::uint64_t value);

}  // namespace npusim::base
