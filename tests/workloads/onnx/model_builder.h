// SPDX-License-Identifier: Apache-2.0
// Small ONNX models for tests, written through protobuf.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

namespace npusim::onnx_test {

using Proto = ::onnx::ModelProto;

/// A model of the default domain without a graph's content.
Proto make_model(int opset);
void add_input(Proto& model, const std::string& name, const std::vector<std::int64_t>& shape,
               int type = ::onnx::TensorProto::FLOAT);
void add_output(Proto& model, const std::string& name);
::onnx::NodeProto& add_node(Proto& model, const std::string& op,
                            const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs);
void set_ints(::onnx::NodeProto& node, const std::string& name,
              const std::vector<std::int64_t>& values);
void set_int(::onnx::NodeProto& node, const std::string& name, std::int64_t value);
void set_float(::onnx::NodeProto& node, const std::string& name, float value);
::onnx::TensorProto& add_floats(Proto& model, const std::string& name,
                                const std::vector<std::int64_t>& shape,
                                const std::vector<float>& values);
::onnx::TensorProto& add_integers(Proto& model, const std::string& name,
                                  const std::vector<std::int64_t>& shape,
                                  const std::vector<std::int64_t>& values);
std::string bytes_of(const Proto& model);

}  // namespace npusim::onnx_test
