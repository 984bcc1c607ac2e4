// SPDX-License-Identifier: Apache-2.0
// Reads .onnx files and single tensors (.pb). Sizes are checked against the bytes that are there
// before anything is allocated; external data may only come from files below the model's folder.
// Damaged or hostile files are base::InputError with the file and the place, as
// "/graph/node/3/attribute/axis".
#pragma once

#include <string>
#include <string_view>

#include "workloads/onnx/model.h"

namespace npusim::workloads::onnx {

Model read_model(const std::string& path);
/// `name` stands in messages; `folder` is where external data is looked for ("": none allowed).
Model parse_model(std::string_view bytes, const std::string& name, const std::string& folder);

TensorData read_tensor(const std::string& path);
TensorData parse_tensor(std::string_view bytes, const std::string& name);

}  // namespace npusim::workloads::onnx
