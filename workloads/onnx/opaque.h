// SPDX-License-Identifier: Apache-2.0
// The op of type Opaque: a node that this build does not know, imported for timing. It has the
// shapes it declares and no values; it runs on the host, whatever it is.
#pragma once

#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads::onnx {

/// Attributes of an Opaque node that stands for `op_type`.
Attributes opaque_attributes(const std::string& op_type, const std::vector<OutputSpec>& outputs);

}  // namespace npusim::workloads::onnx
