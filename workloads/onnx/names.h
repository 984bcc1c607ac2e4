// SPDX-License-Identifier: Apache-2.0
// Text from an ONNX file may hold anything. What becomes a name must be UTF-8 without control
// characters; what goes into a message is cut and cleaned.
#pragma once

#include <string>

#include "workloads/onnx/place.h"

namespace npusim::workloads::onnx {

/// Fails at `place` for anything but UTF-8 without control characters, or beyond 4096 bytes.
void check_name(const std::string& name, const Place& place);

/// The name in quotes as a message may show it.
std::string shown(const std::string& name);

}  // namespace npusim::workloads::onnx
