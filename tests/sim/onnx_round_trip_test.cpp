// SPDX-License-Identifier: Apache-2.0
// A model of many element types gives the same values as itself and through the two files that
// import writes.
#include <gmock/gmock.h>

#include "base/whole_file.h"
#include "sim/graph_values.h"
#include "tests/base/temporary_folder.h"
#include "tests/workloads/onnx/model_builder.h"
#include "workloads/onnx/convert.h"
#include "workloads/onnx/load_workload.h"
#include "workloads/onnx/read_model.h"
#include "workloads/onnx/write_workload.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

namespace build = onnx_test;
namespace onnx = workloads::onnx;
using Proto = ::onnx::TensorProto;

const precision::ParallelFor kSerial = [](std::int64_t count,
                                          const std::function<void(std::int64_t)>& body) {
  for (std::int64_t i = 0; i < count; ++i) body(i);
};

/// (x * half-precision w) with rows gathered, a long integer constant added to an integer input, a
/// comparison, and an output that is a constant.
build::Proto mixed_model() {
  build::Proto model = build::make_model(13);
  build::add_input(model, "x", {4, 80});
  build::add_input(model, "n", {80}, Proto::INT32);
  auto& w = build::add_floats(model, "w", {80}, {});
  w.set_data_type(Proto::FLOAT16);
  for (int i = 0; i < 80; ++i) w.add_int32_data(0x3C00 + 16 * i);
  auto& long_list = build::add_integers(model, "list", {80}, {});
  long_list.set_data_type(Proto::INT32);
  for (int i = 0; i < 80; ++i) long_list.add_int32_data(i - 40);
  build::add_integers(model, "rows", {2}, {3, -1});
  build::add_floats(model, "third", {}, {1.0F / 3.0F});
  build::set_int(build::add_node(model, "Cast", {"w"}, {"w32"}), "to", Proto::FLOAT);
  build::add_node(model, "Mul", {"x", "w32"}, {"xw"});
  build::add_node(model, "Gather", {"xw", "rows"}, {"picked"});
  build::add_node(model, "Mul", {"picked", "third"}, {"y"});
  build::add_node(model, "Add", {"n", "list"}, {"sum"});
  build::add_node(model, "Less", {"sum", "n"}, {"less"});
  for (const char* name : {"y", "sum", "less", "list"}) build::add_output(model, name);
  return model;
}

TEST(OnnxRoundTrip, GivesTheValuesOfTheModelItself) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write("mixed.onnx", build::bytes_of(mixed_model()));
  const workloads::Workload direct = workloads::load_workload(file);
  const onnx::WorkloadFiles files = onnx::write_workload(onnx::convert(onnx::read_model(file), {}),
                                                         "mixed", "a test", "mixed.safetensors");
  folder.write("mixed.safetensors", files.safetensors);
  const workloads::Workload imported =
      workloads::load_workload(folder.write("mixed.json", files.workload));
  const auto expected = declared_output_values(direct.graph, kSerial);
  const auto values = declared_output_values(imported.graph, kSerial);
  ASSERT_EQ(values.size(), 4U);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(values[i].shape, expected[i].shape) << i;
    EXPECT_EQ(values[i].type, expected[i].type) << i;
    EXPECT_EQ(values[i].values, expected[i].values) << i;
  }
  EXPECT_NE(values[0].values[0], 0.0);
  EXPECT_EQ(values[3].values[0], -40.0);
  EXPECT_EQ(imported.batch, 4);
}

}  // namespace
}  // namespace npusim::sim
