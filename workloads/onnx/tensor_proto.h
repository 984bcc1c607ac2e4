// SPDX-License-Identifier: Apache-2.0
// The values of a TensorProto, from raw_data, its typed fields or an external file. For .cpp files
// that include the protobuf headers.
#pragma once

#include <string>

#include "workloads/onnx/model.h"
#include "workloads/onnx/place.h"

namespace onnx {
class TensorProto;
}

namespace npusim::workloads::onnx {

/// What every tensor must be: a known type, dimensions that are not negative and no more than 2^40
/// elements, exactly as much data as the shape asks for. `folder`: see read_model.h.
TensorData decode_tensor(const ::onnx::TensorProto& proto, const Place& place,
                         const std::string& folder);

}  // namespace npusim::workloads::onnx
