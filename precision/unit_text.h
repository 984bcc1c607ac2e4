// SPDX-License-Identifier: Apache-2.0
// Units and roundings as text: readable, and equal only for equal arithmetic. Hashes and plan
// descriptions are made of it.
#pragma once

#include <string>

#include "precision/mac_unit.h"

namespace npusim::precision {

/// "fp16", or "fp16{5,10,15,...}" when the format is not the named one; the overflow, subnormal and
/// NaN rules follow where they differ from infinity, keep, keep.
std::string describe(const Format& format);
/// "fp32 rne", "fp16 sr12 flush", ...
std::string describe(const Arithmetic& arithmetic);
/// "fp16*fp16 exact | aligned 8 F24 truncate -> fp32 rtz", everything that changes a bit.
std::string describe(const MacUnit& unit);

}  // namespace npusim::precision
