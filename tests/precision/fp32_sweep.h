// SPDX-License-Identifier: Apache-2.0
// Binary32 numbers of both signs, every `stride`-th code of them (1: all), rounded to a format by
// round_array and compared with the look-up reference or with the CPU's own conversion.
#pragma once

#include <cstdint>

#include "precision/rounding.h"
#include "rules.h"

namespace npusim::precision::fp32_sweep {

/// The deterministic modes by round_array.
rules::Disagreements against_reference(const Format& format, std::uint64_t stride);

/// Stochastic rounding with 1, 9 and 20 random bits by round_to, a pseudo-random word each.
rules::Disagreements stochastic_against_reference(const Format& format, std::uint64_t stride);

bool has_f16c();
/// To FP16 in the four modes of VCVTPS2PH; has_f16c() must hold.
rules::Disagreements against_f16c(std::uint64_t stride);

}  // namespace npusim::precision::fp32_sweep
