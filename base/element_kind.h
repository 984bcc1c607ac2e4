// SPDX-License-Identifier: Apache-2.0
// Element types of tensor files: their size, and the little-endian bytes of a value as an exact
// double. Not for arithmetic: rounding belongs to precision/, here a value either fits or is
// refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/array_file.h"

namespace npusim::base {

std::size_t element_bytes(ElementKind kind);

/// nullopt for an integer beyond 2^53, which double may not hold.
std::optional<double> decode_element(ElementKind kind, const char* bytes);

/// Appends the bytes; false (and nothing appended) when `kind` cannot hold the value exactly. A NaN
/// becomes the quiet NaN of the kind with its sign.
bool encode_element(ElementKind kind, double value, std::string& out);

}  // namespace npusim::base
