// SPDX-License-Identifier: Apache-2.0
#include "tests/workloads/onnx/model_builder.h"

namespace npusim::onnx_test {

Proto make_model(int opset) {
  Proto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("small");
  return model;
}

void add_input(Proto& model, const std::string& name, const std::vector<std::int64_t>& shape,
               int type) {
  auto& input = *model.mutable_graph()->add_input();
  input.set_name(name);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape();
  for (const std::int64_t extent : shape) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

void add_output(Proto& model, const std::string& name) {
  auto& output = *model.mutable_graph()->add_output();
  output.set_name(name);
  output.mutable_type()->mutable_tensor_type()->set_elem_type(::onnx::TensorProto::FLOAT);
}

::onnx::NodeProto& add_node(Proto& model, const std::string& op,
                            const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs) {
  auto& node = *model.mutable_graph()->add_node();
  node.set_op_type(op);
  for (const std::string& name : inputs) node.add_input(name);
  for (const std::string& name : outputs) node.add_output(name);
  return node;
}

void set_ints(::onnx::NodeProto& node, const std::string& name,
              const std::vector<std::int64_t>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute.add_ints(value);
}

void set_int(::onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void set_float(::onnx::NodeProto& node, const std::string& name, float value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(::onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
}

::onnx::TensorProto& add_floats(Proto& model, const std::string& name,
                                const std::vector<std::int64_t>& shape,
                                const std::vector<float>& values) {
  auto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : shape) tensor.add_dims(extent);
  for (const float value : values) tensor.add_float_data(value);
  return tensor;
}

::onnx::TensorProto& add_integers(Proto& model, const std::string& name,
                                  const std::vector<std::int64_t>& shape,
                                  const std::vector<std::int64_t>& values) {
  auto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(::onnx::TensorProto::INT64);
  for (const std::int64_t extent : shape) tensor.add_dims(extent);
  for (const std::int64_t value : values) tensor.add_int64_data(value);
  return tensor;
}

std::string bytes_of(const Proto& model) {
  return model.SerializeAsString();
}

}  // namespace npusim::onnx_test
