// SPDX-License-Identifier: Apache-2.0
// The CPU's own VDPBF16PS, where it has one.
#pragma once

#include <array>
#include <cstdint>

namespace npusim::precision::hardware {

/// 16 lanes. A pair of BF16 codes is one word, element 0 in the low half.
using Pairs = std::array<std::uint32_t, 16>;
using Sums = std::array<float, 16>;

bool has_vdpbf16ps();
/// One instruction: sums + a . b, lane by lane.
Sums vdpbf16ps(const Sums& sums, const Pairs& a, const Pairs& b);

}  // namespace npusim::precision::hardware
