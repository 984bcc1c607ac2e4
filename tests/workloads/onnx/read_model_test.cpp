// SPDX-License-Identifier: Apache-2.0
// Models as protobuf writes them, external data, and files made to do harm.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <limits>

#include "base/error.h"
#include "tests/base/temporary_folder.h"
#include "tests/cpu_time.h"
#include "tests/workloads/onnx/model_builder.h"
#include "workloads/onnx/read_model.h"

namespace npusim::workloads::onnx {
namespace {

namespace build = onnx_test;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::string& bytes, const std::string& folder = "") {
  try {
    parse_model(bytes, "m.onnx", folder);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string error_of(const build::Proto& model, const std::string& folder = "") {
  return error_of(build::bytes_of(model), folder);
}

build::Proto one_relu() {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2, 3});
  build::add_node(model, "Relu", {"x"}, {"y"}).set_name("relu");
  build::add_output(model, "y");
  return model;
}

TEST(OnnxModel, SaysWhatTheFileSays) {
  build::Proto proto = one_relu();
  auto& input = *proto.mutable_graph()->mutable_input(0);
  input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_param("N");
  auto& node = build::add_node(proto, "Clip", {"x", "", "high"}, {"z"});
  node.set_domain("ai.onnx");
  build::set_ints(node, "axes", {0, -1});
  build::set_float(node, "alpha", 0.25F);
  build::add_floats(proto, "high", {}, {6.0F});
  proto.add_opset_import()->set_domain("com.example");
  const Model model = parse_model(build::bytes_of(proto), "m.onnx", "");
  EXPECT_EQ(model.opsets.at(""), 13);
  EXPECT_EQ(model.opsets.count("com.example"), 1U);
  ASSERT_EQ(model.inputs.size(), 1U);
  EXPECT_EQ(model.inputs[0].type, DataType::float32);
  EXPECT_EQ(model.inputs[0].shape[0].symbol, "N");
  EXPECT_EQ(model.inputs[0].shape[1].value, 3);
  ASSERT_EQ(model.nodes.size(), 2U);
  EXPECT_EQ(model.nodes[0].name, "relu");
  EXPECT_EQ(model.nodes[1].domain, "");
  EXPECT_THAT(model.nodes[1].inputs, ElementsAre("x", "", "high"));
  EXPECT_THAT(std::get<std::vector<std::int64_t>>(model.nodes[1].attributes.at("axes")),
              ElementsAre(0, -1));
  EXPECT_EQ(std::get<double>(model.nodes[1].attributes.at("alpha")), 0.25);
  EXPECT_THAT(model.initializers.at(0).values, ElementsAre(6));
}

class ExternalData : public testing::Test {
 protected:
  build::Proto with_location(const std::string& location) const {
    build::Proto model = one_relu();
    auto& tensor = build::add_floats(model, "w", {2}, {});
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
    set(tensor, "location", location);
    return model;
  }
  static void set(::onnx::TensorProto& tensor, const std::string& key, const std::string& value) {
    auto& entry = *tensor.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  std::string model_folder() const { return folder_.file("model"); }

  test::TemporaryFolder folder_;
};

TEST_F(ExternalData, ComesFromAFileBesideTheModel) {
  const std::vector<float> values = {0.0F, 1.5F, -2.0F};
  folder_.write("model/sub/w.bin", {reinterpret_cast<const char*>(values.data()), 12});
  build::Proto model = with_location("sub/w.bin");
  set(*model.mutable_graph()->mutable_initializer(0), "offset", "4");
  set(*model.mutable_graph()->mutable_initializer(0), "length", "8");
  folder_.write("model/m.onnx", build::bytes_of(model));
  EXPECT_THAT(read_model(folder_.file("model/m.onnx")).initializers.at(0).values,
              ElementsAre(1.5, -2.0));
}

TEST_F(ExternalData, MayNotLeaveTheFolder) {
  folder_.write("secret", "12345678");
  folder_.write("model/w.bin", "12345678");
  std::filesystem::create_symlink(folder_.file("secret"), folder_.file("model/link"));
  std::filesystem::create_directory_symlink(folder_.path(), folder_.file("model/up"));
  for (const std::string& location :
       {std::string("../secret"), std::string("link"), std::string("up/secret"),
        std::string("x/../../secret"), folder_.file("secret"), std::string("/etc/passwd")})
    EXPECT_THAT(
        error_of(with_location(location), model_folder()),
        testing::AllOf(HasSubstr("/graph/initializer/0/external_data"), HasSubstr("external data")))
        << location;
  EXPECT_EQ(error_of(with_location("w.bin"), model_folder()), "no error");
}

TEST_F(ExternalData, LyingRangesAreRefused) {
  folder_.write("model/w.bin", "1234567");
  EXPECT_THAT(error_of(with_location("w.bin"), model_folder()), HasSubstr("needs 8 bytes"));
  build::Proto model = with_location("w.bin");
  set(*model.mutable_graph()->mutable_initializer(0), "offset", "18446744073709551615");
  EXPECT_THAT(error_of(model, model_folder()), HasSubstr("needs 8 bytes"));
  build::Proto negative = with_location("w.bin");
  set(*negative.mutable_graph()->mutable_initializer(0), "offset", "-1");
  EXPECT_THAT(error_of(negative, model_folder()), HasSubstr("no byte count"));
  build::Proto large = with_location("w.bin");
  large.mutable_graph()->mutable_initializer(0)->set_dims(0, 1LL << 39);
  EXPECT_THAT(error_of(large, model_folder()), HasSubstr("needs 2199023255552 bytes"));
  ASSERT_EQ(::mkfifo(folder_.file("model/pipe").c_str(), 0600), 0);
  EXPECT_THAT(error_of(with_location("pipe"), model_folder()), HasSubstr("a regular file"));
  EXPECT_THAT(error_of(with_location("none"), model_folder()), HasSubstr("No such file"));
}

TEST(OnnxModel, EveryTruncationIsAnErrorOrAModel) {
  build::Proto proto = one_relu();
  build::add_floats(proto, "w", {2}, {1, 2});
  const std::string bytes = build::bytes_of(proto);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::string error = error_of(bytes.substr(0, length));
    if (error != "no error") {
      EXPECT_THAT(error, HasSubstr("m.onnx"));
    }
  }
  EXPECT_EQ(error_of(bytes), "no error");
}

TEST(OnnxModel, OtherFilesAreNoModels) {
  EXPECT_THAT(error_of("{\"kind\": \"workload\"}"), HasSubstr("this is no ONNX model"));
  EXPECT_THAT(error_of(std::string()), HasSubstr("no opset"));
}

TEST(OnnxModel, NotANumberAttributesAreNamed) {
  build::Proto model = one_relu();
  build::set_float(*model.mutable_graph()->mutable_node(0), "alpha",
                   std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(error_of(model), HasSubstr("m.onnx: /graph/node/0/attribute/alpha: node \"relu\" "
                                         "(Relu): the attribute is not a number"));
}

TEST(OnnxModel, NamesMustBeText) {
  build::Proto model = one_relu();
  model.mutable_graph()->mutable_node(0)->set_input(0, "x\n");
  EXPECT_THAT(error_of(model), HasSubstr("/graph/node/0/input: "));
  std::string bytes = build::bytes_of(one_relu());
  bytes.replace(bytes.find("Relu"), 4, "\xC3\x28lu");
  EXPECT_THAT(error_of(bytes), HasSubstr("no printable UTF-8"));
}

TEST(OnnxModel, AttributesMayNotRepeat) {
  build::Proto model = one_relu();
  for (int i = 0; i < 2; ++i) build::set_int(*model.mutable_graph()->mutable_node(0), "axis", i);
  EXPECT_THAT(error_of(model), HasSubstr("there twice"));
}

/// 2^n bytes that parse into objects of many times that size.
TEST(OnnxModel, ManyEmptyPartsAreRefusedBeforeTheyAreMade) {
  std::string nodes;
  for (int i = 0; i < 3'000'000; ++i) nodes += std::string("\x0A\x00", 2);  // graph.node: empty
  std::string graph = "\x3A";                                               // model.graph
  for (std::size_t n = nodes.size();; n >>= 7U) {
    graph += static_cast<char>((n & 0x7FU) | (n > 0x7FU ? 0x80U : 0U));
    if (n <= 0x7FU) break;
  }
  const test::CpuTime cpu;
  EXPECT_THAT(error_of(graph + nodes), HasSubstr("more than 1000000 parts"));
  EXPECT_LT(cpu.seconds(), 1.0 * test::slow_build);
}

TEST(OnnxModel, DeepNestingIsRefused) {
  build::Proto model = one_relu();
  ::onnx::GraphProto* graph = model.mutable_graph();
  for (int i = 0; i < 60; ++i) {
    auto& attribute = *graph->add_node()->add_attribute();
    attribute.set_name("body");
    graph = attribute.mutable_g();
  }
  EXPECT_THAT(error_of(model), HasSubstr("nests them too deep"));
  // A million groups opened and never closed.
  EXPECT_THAT(error_of(std::string(1'000'000, '\x0B')), HasSubstr("no ONNX model"));
}

TEST(OnnxModel, NegativeAndUnknownDeclarationsAreRefused) {
  build::Proto negative = one_relu();
  negative.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(1)
      ->set_dim_value(-5);
  EXPECT_THAT(error_of(negative), HasSubstr("/graph/input/0/shape: tensor \"x\": dimension -5"));
  build::Proto unknown = one_relu();
  unknown.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      77);
  EXPECT_THAT(error_of(unknown), HasSubstr("unknown data type 77"));
}

}  // namespace
}  // namespace npusim::workloads::onnx
