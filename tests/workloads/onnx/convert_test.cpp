// SPDX-License-Identifier: Apache-2.0
// From a model to a graph: roles, open dimensions, old opsets, and every mistake named.
#include "workloads/onnx/convert.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/cpu_time.h"
#include "tests/workloads/onnx/model_builder.h"
#include "workloads/onnx/read_model.h"

namespace npusim::workloads::onnx {
namespace {

namespace build = onnx_test;
using testing::ElementsAre;
using testing::HasSubstr;

Converted converted(const build::Proto& model, const ConvertOptions& options = {}) {
  return convert(parse_model(build::bytes_of(model), "m.onnx", ""), options);
}

std::vector<std::string> errors_of(const build::Proto& model, const ConvertOptions& options = {}) {
  try {
    converted(model, options);
  } catch (const base::InputError& error) {
    std::vector<std::string> texts;
    for (const base::Diagnostic& item : error.diagnostics()) texts.push_back(to_string(item));
    return texts;
  }
  return {};
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op);
  return names;
}

build::Proto softmax(int opset, std::int64_t axis) {
  build::Proto model = build::make_model(opset);
  build::add_input(model, "x", {2, 3, 4});
  build::set_int(build::add_node(model, "Softmax", {"x"}, {"y"}), "axis", axis);
  build::add_output(model, "y");
  return model;
}

TEST(OnnxConvert, WeightsAreTrainedConstantsAreNot) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {1, 2, 4, 4});
  build::add_floats(model, "w", {3, 2, 1, 1}, {1, 2, 3, 4, 5, 6});
  for (const char* name : {"scale", "bias", "mean", "var"})
    build::add_floats(model, name, {3}, {1, 1, 1});
  build::add_floats(model, "half", {}, {0.5F});
  build::add_floats(model, "unused", {1}, {0});
  build::add_node(model, "Conv", {"x", "w"}, {"c"});
  build::add_node(model, "BatchNormalization", {"c", "scale", "bias", "mean", "var"}, {"b"});
  build::add_node(model, "Mul", {"b", "half"}, {"y"});
  build::add_output(model, "y");
  const Graph graph = converted(model).graph;
  const auto role = [&](const char* name) { return graph.tensor(graph.find(name)).role; };
  EXPECT_EQ(role("x"), TensorRole::input);
  EXPECT_EQ(role("w"), TensorRole::weight);
  EXPECT_EQ(role("scale"), TensorRole::weight);
  EXPECT_EQ(role("mean"), TensorRole::statistics);
  EXPECT_EQ(role("var"), TensorRole::statistics);
  EXPECT_EQ(role("half"), TensorRole::statistics);
  EXPECT_EQ(graph.find("unused"), kNoTensor);
  EXPECT_THAT(graph.tensor(graph.outputs.at(0)).shape, ElementsAre(1, 3, 4, 4));
  EXPECT_THAT(*graph.tensor(graph.find("w")).initializer->values, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(OnnxConvert, SoftmaxBefore13TakesAllDimensionsFromItsAxisTogether) {
  EXPECT_THAT(ops_of(converted(softmax(12, 1)).graph),
              ElementsAre("Flatten", "Softmax", "Reshape"));
  EXPECT_THAT(ops_of(converted(softmax(12, 2)).graph), ElementsAre("Softmax"));
  const Graph newer = converted(softmax(13, 1)).graph;
  EXPECT_THAT(ops_of(newer), ElementsAre("Softmax"));
  EXPECT_EQ(std::get<std::int64_t>(newer.nodes[0].attributes.at("axis")), 1);
  const Graph older = converted(softmax(12, 1)).graph;
  EXPECT_THAT(older.tensor(older.outputs[0]).shape, ElementsAre(2, 3, 4));
}

TEST(OnnxConvert, SqueezeBefore13HasItsAxesAsAnAttribute) {
  build::Proto model = build::make_model(11);
  build::add_input(model, "x", {1, 3, 1});
  build::set_ints(build::add_node(model, "Squeeze", {"x"}, {"y"}), "axes", {0});
  build::add_output(model, "y");
  EXPECT_THAT(converted(model).graph.tensors.back().shape, ElementsAre(3, 1));
}

TEST(OnnxConvert, OpenDimensionsNeedASize) {
  build::Proto model = softmax(13, -1);
  auto& shape = *model.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape();
  shape.mutable_dim(0)->set_dim_param("batch");
  shape.mutable_dim(1)->clear_dim_value();
  EXPECT_THAT(errors_of(model),
              ElementsAre(HasSubstr("m.onnx: /graph/input/0: input \"x\": dimension 0 is open; "
                                    "allowed: --dim batch=N")));
  ConvertOptions options;
  options.dims = {{"batch", 8}, {"x.1", 5}};
  const Converted result = converted(model, options);
  EXPECT_THAT(result.graph.tensor(result.graph.outputs[0]).shape, ElementsAre(8, 5, 4));
  EXPECT_THAT(result.input_symbols.at(0), ElementsAre("batch", "x.1", ""));
  options.dims["seq"] = 3;
  EXPECT_THAT(errors_of(model, options), ElementsAre(HasSubstr("no input has an open dimension")));
}

TEST(OnnxConvert, EveryUnknownOpIsNamedAtOnce) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2});
  build::add_node(model, "Frobnicate", {"x"}, {"a"}).set_name("first");
  build::add_node(model, "Relu", {"a"}, {"b"});
  auto& other = build::add_node(model, "Fancy", {"x"}, {"c"});
  other.set_domain("com.example");
  build::add_output(model, "b");
  EXPECT_THAT(
      errors_of(model),
      ElementsAre(HasSubstr("m.onnx: /graph/node/0: node \"first\" (Frobnicate): Frobnicate of "
                            "opset 13 is not supported"),
                  HasSubstr("/graph/node/2: node \"Fancy_2\" (Fancy): ops of domain")));
}

TEST(OnnxConvert, AModelOfMistakesTellsTheFirstHundredInTime) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2});
  for (int i = 0; i < 100'000; ++i)
    build::add_node(model, i % 2 == 0 ? "Frobnicate" : "Relu", {i % 2 == 0 ? "x" : "nowhere"},
                    {"t" + std::to_string(i)});
  build::add_output(model, "t0");
  const test::CpuTime cpu;
  const std::vector<std::string> errors = errors_of(model);
  EXPECT_LT(cpu.seconds(), 1.0 * test::slow_build);
  ASSERT_EQ(errors.size(), 101U);
  EXPECT_THAT(errors.back(), HasSubstr("there may be more mistakes"));
}

TEST(OnnxConvert, UnknownOpsMayStandForTimingWhenTheirShapesAreDeclared) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2, 3});
  build::add_node(model, "Frobnicate", {"x"}, {"a"}).set_name("odd");
  build::add_node(model, "Relu", {"a"}, {"y"});
  build::add_output(model, "y");
  ConvertOptions options;
  options.allow_unsupported = true;
  EXPECT_THAT(errors_of(model, options), ElementsAre(HasSubstr("must have a declared shape")));
  auto& declared = *model.mutable_graph()->add_value_info();
  declared.set_name("a");
  auto& type = *declared.mutable_type()->mutable_tensor_type();
  type.set_elem_type(::onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_value(5);
  const Converted result = converted(model, options);
  EXPECT_THAT(ops_of(result.graph), ElementsAre("Opaque", "Relu"));
  EXPECT_THAT(result.graph.tensor(result.graph.outputs[0]).shape, ElementsAre(5));
  EXPECT_THAT(result.opaque, ElementsAre(HasSubstr("Frobnicate of opset 13")));
}

TEST(OnnxConvert, BrokenGraphsAreRefused) {
  build::Proto unknown = build::make_model(13);
  build::add_node(unknown, "Relu", {"nowhere"}, {"y"});
  build::add_output(unknown, "y");
  EXPECT_THAT(errors_of(unknown), ElementsAre(HasSubstr("reads \"nowhere\", which nothing")));
  build::Proto twice = softmax(13, -1);
  build::add_node(twice, "Relu", {"x"}, {"y"});
  EXPECT_THAT(errors_of(twice), ElementsAre(HasSubstr("tensor \"y\" exists already")));
  build::Proto nothing = softmax(13, -1);
  build::add_output(nothing, "z");
  EXPECT_THAT(errors_of(nothing), ElementsAre(HasSubstr("output \"z\" is written by no node")));
  build::Proto huge = build::make_model(13);
  build::add_input(huge, "x", {1LL << 30, 1LL << 30});
  EXPECT_THAT(errors_of(huge), ElementsAre(HasSubstr("2^40 elements")));
  build::Proto wrong = softmax(13, 7);
  EXPECT_THAT(errors_of(wrong), ElementsAre(HasSubstr("axis 7 is outside shape [2, 3, 4]")));
}

TEST(OnnxConvert, ConstantsBecomeTensors) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {4});
  auto& node = build::add_node(model, "Constant", {}, {"c"});
  auto& value = *node.add_attribute();
  value.set_name("value");
  value.set_type(::onnx::AttributeProto::TENSOR);
  value.mutable_t()->set_data_type(::onnx::TensorProto::FLOAT);
  value.mutable_t()->add_float_data(2.0F);
  build::add_node(model, "Mul", {"x", "c"}, {"y"});
  build::add_output(model, "y");
  const Graph graph = converted(model).graph;
  EXPECT_THAT(ops_of(graph), ElementsAre("Mul"));
  EXPECT_EQ(graph.tensor(graph.find("c")).role, TensorRole::statistics);
}

TEST(OnnxConvert, ShapeArithmeticAndFillsBecomeInitializers) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2, 3, 4});
  build::add_integers(model, "zero", {1}, {0});
  build::add_integers(model, "minus", {1}, {-1});
  build::add_integers(model, "wide", {2}, {12, 5});
  build::add_node(model, "Shape", {"x"}, {"shape"});
  build::add_node(model, "Gather", {"shape", "zero"}, {"batch"});
  build::add_node(model, "Concat", {"batch", "minus"}, {"to"}).add_attribute()->set_name("axis");
  model.mutable_graph()->mutable_node(2)->mutable_attribute(0)->set_type(
      ::onnx::AttributeProto::INT);
  build::add_node(model, "Reshape", {"x", "to"}, {"flat"});
  build::add_node(model, "ConstantOfShape", {"wide"}, {"w"});
  build::add_node(model, "MatMul", {"flat", "w"}, {"y"});
  build::add_output(model, "y");
  const Graph folded = converted(model).graph;
  EXPECT_THAT(ops_of(folded), ElementsAre("Reshape", "MatMul"));
  EXPECT_THAT(*folded.tensor(folded.find("to")).initializer->values, ElementsAre(2, -1));
  EXPECT_EQ(folded.tensor(folded.find("w")).role, TensorRole::weight);
  EXPECT_EQ(folded.parameter_count(), 60);
  ConvertOptions options;
  options.fold_constants = false;
  EXPECT_EQ(converted(model, options).graph.nodes.size(), 6U);
}

TEST(OnnxConvert, IndicesBeyond2To53AreFineElsewhereTheyAreNot) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {4}, ::onnx::TensorProto::INT64);
  build::add_integers(model, "c", {1}, {INT64_MAX});
  build::add_node(model, "Add", {"x", "c"}, {"y"});
  build::add_output(model, "y");
  EXPECT_THAT(errors_of(model), ElementsAre(HasSubstr("tensor \"c\": holds an integer beyond")));
}

}  // namespace
}  // namespace npusim::workloads::onnx
