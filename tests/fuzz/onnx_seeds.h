// SPDX-License-Identifier: Apache-2.0
// Small valid ONNX models to be changed.
#pragma once

#include <string>
#include <vector>

namespace npusim::fuzz {

std::vector<std::string> onnx_seeds();

}  // namespace npusim::fuzz
