// SPDX-License-Identifier: Apache-2.0
// import, onnx-test and .onnx files as workloads, through the binary.
#include <gmock/gmock.h>

#include "base/array_file.h"
#include "tests/cli/child.h"
#include "tests/workloads/onnx/model_builder.h"

namespace npusim::cli_test {
namespace {

namespace build = onnx_test;
using testing::HasSubstr;

/// Conv, BatchNormalization, Relu, Flatten, Gemm: every value an exact binary fraction.
build::Proto small_network() {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {2, 2, 4, 4});
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("N");
  std::vector<float> filter, matrix;
  for (int i = 0; i < 3 * 2 * 3 * 3; ++i) filter.push_back(static_cast<float>(i % 7 - 3) / 8.0F);
  for (int i = 0; i < 5 * 48; ++i) matrix.push_back(static_cast<float>(i % 11 - 5) / 16.0F);
  build::add_floats(model, "conv/w", {3, 2, 3, 3}, filter);
  build::add_floats(model, "scale", {3}, {1.0F, 0.5F, 2.0F});
  build::add_floats(model, "shift", {3}, {0.25F, 0.0F, -0.5F});
  build::add_floats(model, "mean", {3}, {0.0F, 0.125F, 0.25F});
  build::add_floats(model, "var", {3}, {1.0F, 1.0F, 4.0F});
  build::add_floats(model, "matrix", {5, 48}, matrix);
  build::set_ints(build::add_node(model, "Conv", {"x", "conv/w"}, {"c"}), "pads", {1, 1, 1, 1});
  build::add_node(model, "BatchNormalization", {"c", "scale", "shift", "mean", "var"}, {"b"});
  build::add_node(model, "Relu", {"b"}, {"r"});
  build::add_node(model, "Flatten", {"r"}, {"f"});
  build::set_int(build::add_node(model, "Gemm", {"f", "matrix"}, {"y"}), "transB", 1);
  build::add_output(model, "y");
  return model;
}

class OnnxCli : public testing::Test {
 protected:
  std::string model() { return folder_.write("net.onnx", build::bytes_of(small_network())); }

  base::ArrayData run(const std::string& workload, const std::string& dump,
                      const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {
        "run",     "--npu",       "systolic128_bf16", "--workload",     workload,
        "--input", "x=" + input_, "--no-timing",      "--dump-outputs", folder_.path(dump)};
    command.insert(command.end(), more.begin(), more.end());
    run_program({"mkdir", "-p", folder_.path(dump)});
    const Outcome outcome = npusim(command);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return base::read_npy(folder_.path(dump) + "/y.npy");
  }

  void write_input() {
    base::ArrayData x{base::ElementKind::f32, {2, 2, 4, 4}, {}};
    for (int i = 0; i < 64; ++i) x.values.push_back((i % 9 - 4) / 4.0);
    input_ = folder_.path("x.npy");
    base::write_npy(input_, x);
  }

  TempFolder folder_;
  std::string input_;
};

TEST_F(OnnxCli, ImportedModelsGiveTheSameOutputs) {
  const std::string onnx = model();
  const std::string json = folder_.path("net.json");
  const Outcome imported = npusim({"import", onnx, "-o", json, "--dim", "N=2"});
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_THAT(imported.err, HasSubstr("net.safetensors"));
  EXPECT_EQ(npusim({"validate", json}).exit_code, 0);
  write_input();
  const base::ArrayData direct = run(onnx, "direct", {"--set", "workload.parameters.N=2"});
  const base::ArrayData round_trip = run(json, "json");
  ASSERT_EQ(direct.shape, (std::vector<std::int64_t>{2, 5}));
  EXPECT_EQ(direct.values, round_trip.values);
  EXPECT_NE(direct.values[0], 0.0);
}

TEST_F(OnnxCli, OpenDimensionsAreAskedFor) {
  const Outcome outcome = npusim({"import", model(), "-o", folder_.path("net.json")});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("--dim N=N"));
  EXPECT_FALSE(exists(folder_.path("net.json")));
  EXPECT_FALSE(exists(folder_.path("net.safetensors")));
  EXPECT_EQ(npusim({"import", model(), "-o", folder_.path("a.json"), "--dim", "N"}).exit_code, 2);
  EXPECT_EQ(npusim({"import", model(), "-o", folder_.path("a.onnx")}).exit_code, 2);
}

TEST_F(OnnxCli, ModelsAreWorkloadsForCoverageValidateAndDescribe) {
  const std::string onnx = model();
  const std::vector<std::string> size = {"--set", "workload.parameters.N=4"};
  const Outcome coverage = npusim({"coverage", "--npu", "systolic128_bf16", "--workload", onnx,
                                   size[0], size[1], "--require", "native"});
  EXPECT_EQ(coverage.exit_code, 0) << coverage.err;
  EXPECT_THAT(coverage.out, HasSubstr("net"));
  const Outcome run = npusim(
      {"run", "--npu", "systolic128_bf16", "--workload", onnx, size[0], size[1], "--json", "-"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\"parameters\": {"));
  build::Proto fixed = small_network();
  fixed.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(2);
  const std::string file = folder_.write("fixed.onnx", build::bytes_of(fixed));
  EXPECT_EQ(npusim({"validate", file}).exit_code, 0);
  EXPECT_THAT(npusim({"describe", file}).out, HasSubstr("Gemm"));
}

TEST_F(OnnxCli, UnsupportedNodesRunOnTheHostWhenAllowed) {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {4, 8});
  build::add_node(model, "Frobnicate", {"x"}, {"a"}).set_name("odd");
  build::add_node(model, "Relu", {"a"}, {"y"});
  build::add_output(model, "y");
  auto& declared = *model.mutable_graph()->add_value_info();
  declared.set_name("a");
  auto& type = *declared.mutable_type()->mutable_tensor_type();
  type.set_elem_type(::onnx::TensorProto::FLOAT);
  for (const int extent : {4, 8}) type.mutable_shape()->add_dim()->set_dim_value(extent);
  const std::string onnx = folder_.write("odd.onnx", build::bytes_of(model));
  const std::string json = folder_.path("odd.json");
  const Outcome refused = npusim({"import", onnx, "-o", json});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, HasSubstr(onnx + ": /graph/node/0: node \"odd\" (Frobnicate)"));
  const Outcome allowed = npusim({"import", onnx, "-o", json, "--allow-unsupported"});
  ASSERT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_THAT(allowed.err, HasSubstr("timing only: "));
  EXPECT_EQ(npusim({"validate", json}).exit_code, 0);
  const Outcome coverage = npusim({"coverage", "--npu", "nvdla_fp16", "--workload", json, "-v"});
  EXPECT_THAT(coverage.out, HasSubstr("host"));
  EXPECT_THAT(coverage.out, HasSubstr("Frobnicate"));
  const std::vector<std::string> command = {"run", "--npu", "nvdla_fp16", "--workload", json};
  const Outcome values = npusim(command);
  EXPECT_EQ(values.exit_code, 3);
  EXPECT_THAT(values.err, HasSubstr("Frobnicate cannot be computed"));
  std::vector<std::string> timing = command;
  timing.emplace_back("--no-numerics");
  const Outcome timed = npusim(timing);
  EXPECT_EQ(timed.exit_code, 0) << timed.err;
}

class OnnxTestCommand : public OnnxCli {
 protected:
  /// y = x + x with a data set whose output is off by `error`.
  void write_case(const std::string& name, float error, const std::string& op = "Add") {
    build::Proto model = build::make_model(13);
    build::add_input(model, "x", {2});
    build::add_node(model, op, {"x", "x"}, {"y"});
    build::add_output(model, "y");
    const std::string data_set = name + "/test_data_set_0";
    run_program({"mkdir", "-p", folder_.path(data_set)});
    folder_.write(name + "/model.onnx", build::bytes_of(model));
    folder_.write(data_set + "/input_0.pb", tensor({1.0F, 2.0F}));
    folder_.write(data_set + "/output_0.pb", tensor({2.0F, 4.0F + error}));
  }
  static std::string tensor(const std::vector<float>& values) {
    ::onnx::TensorProto proto;
    proto.set_data_type(::onnx::TensorProto::FLOAT);
    proto.add_dims(static_cast<std::int64_t>(values.size()));
    for (const float value : values) proto.add_float_data(value);
    return proto.SerializeAsString();
  }
};

TEST_F(OnnxTestCommand, PrintsOneLineACaseAndTotals) {
  write_case("cases/good", 0.0F);
  write_case("cases/near", 0.0039F);
  write_case("cases/unknown", 0.0F, "Frobnicate");
  const Outcome outcome = npusim({"onnx-test", folder_.path("cases"), "-v", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out,
            "PASS good\nPASS near\nUNSUPPORTED unknown\nPASS 2 FAIL 0 UNSUPPORTED 1\n");
  EXPECT_THAT(outcome.err, HasSubstr("unknown: node \"Frobnicate_0\" (Frobnicate)"));
}

TEST_F(OnnxTestCommand, WrongValuesAndDamagedFilesFail) {
  write_case("wrong", 0.0041F);
  write_case("damaged", 0.0F);
  folder_.write("damaged/model.onnx", "not a model");
  write_case("short", 0.0F);
  folder_.write("short/test_data_set_0/output_0.pb", tensor({2.0F}));
  const Outcome outcome = npusim(
      {"onnx-test", folder_.path("wrong"), folder_.path("damaged"), folder_.path("short"), "-v"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "FAIL damaged\nFAIL short\nFAIL wrong\nPASS 0 FAIL 3 UNSUPPORTED 0\n");
  EXPECT_THAT(outcome.err, HasSubstr("wrong: output y: element 1 is 4.000000, expected 4.004100"));
  EXPECT_THAT(outcome.err, HasSubstr("short: output y: shape [2], expected [1]"));
}

TEST_F(OnnxTestCommand, FoldersWithoutCasesAreAMistake) {
  EXPECT_EQ(npusim({"onnx-test", folder_.path()}).exit_code, 3);
}

}  // namespace
}  // namespace npusim::cli_test
