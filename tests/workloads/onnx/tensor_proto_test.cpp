// SPDX-License-Identifier: Apache-2.0
// Every element type of ONNX through raw_data and through its typed field, and data that does not
// fit its shape.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "tests/workloads/onnx/model_builder.h"
#include "workloads/onnx/read_model.h"

namespace npusim::workloads::onnx {
namespace {

using Proto = ::onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;

Proto tensor(int type, const std::vector<std::int64_t>& shape) {
  Proto proto;
  proto.set_data_type(type);
  for (const std::int64_t extent : shape) proto.add_dims(extent);
  return proto;
}

TensorData parsed(const Proto& proto) {
  return parse_tensor(proto.SerializeAsString(), "t.pb");
}

template <class T>
std::vector<double> through_raw(int type, const std::vector<T>& values) {
  Proto proto = tensor(type, {static_cast<std::int64_t>(values.size())});
  proto.set_raw_data(
      std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
  return parsed(proto).values;
}

std::string error_of(const Proto& proto) {
  try {
    parsed(proto);
  } catch (const base::InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(OnnxTensor, RawDataOfEveryType) {
  EXPECT_THAT(through_raw<float>(Proto::FLOAT, {1.5F, -0.0F}), ElementsAre(1.5, -0.0));
  EXPECT_THAT(through_raw<double>(Proto::DOUBLE, {0.1, 1e300}), ElementsAre(0.1, 1e300));
  EXPECT_THAT(through_raw<std::uint8_t>(Proto::UINT8, {0, 255}), ElementsAre(0, 255));
  EXPECT_THAT(through_raw<std::int8_t>(Proto::INT8, {-128, 127}), ElementsAre(-128, 127));
  EXPECT_THAT(through_raw<std::uint16_t>(Proto::UINT16, {65535}), ElementsAre(65535));
  EXPECT_THAT(through_raw<std::int16_t>(Proto::INT16, {-32768}), ElementsAre(-32768));
  EXPECT_THAT(through_raw<std::int32_t>(Proto::INT32, {INT32_MIN}), ElementsAre(-2147483648.0));
  EXPECT_THAT(through_raw<std::uint32_t>(Proto::UINT32, {UINT32_MAX}), ElementsAre(4294967295.0));
  EXPECT_THAT(through_raw<std::int64_t>(Proto::INT64, {-7}), ElementsAre(-7));
  EXPECT_THAT(through_raw<std::uint64_t>(Proto::UINT64, {7}), ElementsAre(7));
  EXPECT_THAT(through_raw<std::uint8_t>(Proto::BOOL, {0, 1}), ElementsAre(0, 1));
  EXPECT_THAT(through_raw<std::uint16_t>(Proto::FLOAT16, {0x3C00, 0x0001}),
              ElementsAre(1.0, 0x1p-24));
  EXPECT_THAT(through_raw<std::uint16_t>(Proto::BFLOAT16, {0x3F80, 0xC000}),
              ElementsAre(1.0, -2.0));
}

TEST(OnnxTensor, TypedFieldsOfEveryType) {
  Proto floats = tensor(Proto::FLOAT, {2});
  floats.add_float_data(0.5F);
  floats.add_float_data(std::numeric_limits<float>::infinity());
  EXPECT_THAT(parsed(floats).values, ElementsAre(0.5, std::numeric_limits<double>::infinity()));
  Proto doubles = tensor(Proto::DOUBLE, {1});
  doubles.add_double_data(0.1);
  EXPECT_THAT(parsed(doubles).values, ElementsAre(0.1));
  Proto longs = tensor(Proto::INT64, {1});
  longs.add_int64_data(-3);
  EXPECT_THAT(parsed(longs).values, ElementsAre(-3));
  for (const int type : {Proto::UINT32, Proto::UINT64}) {
    Proto unsigned_ones = tensor(type, {1});
    unsigned_ones.add_uint64_data(4294967295U);
    EXPECT_THAT(parsed(unsigned_ones).values, ElementsAre(4294967295.0));
  }
  for (const int type :
       {Proto::INT32, Proto::INT16, Proto::INT8, Proto::UINT16, Proto::UINT8, Proto::BOOL}) {
    Proto small = tensor(type, {1});
    small.add_int32_data(1);
    EXPECT_THAT(parsed(small).values, ElementsAre(1)) << type;
  }
  Proto half = tensor(Proto::FLOAT16, {1});
  half.add_int32_data(0xC000);
  EXPECT_THAT(parsed(half).values, ElementsAre(-2));
  Proto brain = tensor(Proto::BFLOAT16, {1});
  brain.add_int32_data(0x4040);
  EXPECT_THAT(parsed(brain).values, ElementsAre(3));
}

TEST(OnnxTensor, IntegersBeyondDoubleAreClampedAndMarked) {
  Proto proto = tensor(Proto::INT64, {2});
  proto.add_int64_data(INT64_MAX);
  proto.add_int64_data(INT64_MIN);
  const TensorData data = parsed(proto);
  EXPECT_TRUE(data.clamped);
  EXPECT_THAT(data.values, ElementsAre(0x1p53, -0x1p53));
}

TEST(OnnxTensor, ScalarsAndEmptyTensors) {
  Proto scalar = tensor(Proto::FLOAT, {});
  scalar.add_float_data(3.0F);
  EXPECT_THAT(parsed(scalar).values, ElementsAre(3));
  EXPECT_TRUE(parsed(tensor(Proto::FLOAT, {0, 4})).values.empty());
}

TEST(OnnxTensor, DataThatDoesNotFitItsShapeIsRefused) {
  Proto raw = tensor(Proto::FLOAT, {3});
  raw.set_raw_data("12345678");
  raw.set_name("w");
  EXPECT_THAT(error_of(raw), HasSubstr("t.pb: /raw_data: tensor \"w\": raw_data has 8 bytes"));
  Proto typed = tensor(Proto::FLOAT, {1000000000});
  typed.add_float_data(1.0F);
  EXPECT_THAT(error_of(typed), HasSubstr("float_data has 1 elements"));
  EXPECT_THAT(error_of(tensor(Proto::FLOAT, {-1})), HasSubstr("/dims: shape [-1] has a negative"));
  EXPECT_THAT(error_of(tensor(Proto::FLOAT, {1LL << 40, 1LL << 40})), HasSubstr("2^40 elements"));
  EXPECT_THAT(error_of(tensor(99, {1})), HasSubstr("/data_type: unknown data type 99"));
  EXPECT_THAT(error_of(tensor(Proto::FLOAT, std::vector<std::int64_t>(33, 1))),
              HasSubstr("33 dimensions"));
  Proto narrow = tensor(Proto::UINT8, {1});
  narrow.add_int32_data(256);
  EXPECT_THAT(error_of(narrow), HasSubstr("256, which is no uint8"));
  Proto half = tensor(Proto::FLOAT16, {1});
  half.add_int32_data(-1);
  EXPECT_THAT(error_of(half), HasSubstr("no 16 bits"));
  Proto strings = tensor(Proto::STRING, {1});
  strings.set_raw_data("x");
  EXPECT_THAT(error_of(strings), HasSubstr("strings cannot stand in raw_data"));
}

TEST(OnnxTensor, ExternalDataIsForModelsOnly) {
  Proto proto = tensor(Proto::FLOAT, {1});
  proto.set_data_location(Proto::EXTERNAL);
  auto& entry = *proto.add_external_data();
  entry.set_key("location");
  entry.set_value("/etc/passwd");
  EXPECT_THAT(error_of(proto), HasSubstr("external data is not allowed here"));
}

}  // namespace
}  // namespace npusim::workloads::onnx
