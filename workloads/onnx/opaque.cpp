// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/opaque.h"

namespace npusim::workloads::onnx {

Attributes opaque_attributes(const std::string& op_type, const std::vector<OutputSpec>& outputs) {
  std::vector<std::int64_t> shapes;
  std::string types;
  for (const OutputSpec& output : outputs) {
    shapes.push_back(static_cast<std::int64_t>(output.shape.size()));
    shapes.insert(shapes.end(), output.shape.begin(), output.shape.end());
    types += (types.empty() ? "" : " ") + std::string(name_of(output.type));
  }
  return {{"op_type", op_type}, {"output_shapes", shapes}, {"output_types", types}};
}

}  // namespace npusim::workloads::onnx
