// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace npusim::workloads {

/// True for convolutions, their gradients, transposes and phases of these.
bool convolves(const std::string& op);

/// True for ops whose products name the n side first, which is then operand a of a MAC unit
/// (MatrixEngine::multiply): convolutions, their gradients and transposes (ops/convolve.h).
bool names_n_side_first(const std::string& op);

}  // namespace npusim::workloads
