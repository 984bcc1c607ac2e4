// SPDX-License-Identifier: Apache-2.0
// Functions of one argument that vector units have tables for, by name: "exp", "log", "tanh",
// "sigmoid", "erf", "gelu" (x times the normal distribution function), "silu" (x * sigmoid(x)),
// "reciprocal", "rsqrt" (1 / sqrt(x)) and "sqrt". Their values here are those of detmath.h.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace npusim::workloads {

enum class Elementary { exp, log, tanh, sigmoid, erf, gelu, silu, reciprocal, rsqrt, sqrt };
inline constexpr std::size_t kElementaryFunctions = 10;

const std::vector<std::string>& elementary_names();  ///< in the order of the enumeration
const char* name_of(Elementary function);

/// In binary64, within a few of its units in the last place.
double exact_value(Elementary function, double x);

}  // namespace npusim::workloads
