// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/tensor_proto.h"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>

#include "base/element_kind.h"
#include "workloads/onnx/data_type.h"
#include "workloads/onnx/external_data.h"
#include "workloads/onnx/names.h"

namespace npusim::workloads::onnx {
namespace {

constexpr std::int64_t kExactIntegers = std::int64_t{1} << 53;

std::uint64_t unsigned_number(const std::string& text, const Place& place) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end)
    place.fail("wrong-type", "external_data: " + shown(text) + " is no byte count");
  return value;
}

ExternalRange external_range(const ::onnx::TensorProto& proto, const Place& place) {
  ExternalRange range;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") range.location = entry.value();
    if (entry.key() == "offset") range.offset = unsigned_number(entry.value(), place);
    if (entry.key() == "length") range.length = unsigned_number(entry.value(), place);
  }
  return range;
}

/// A 64-bit integer as a double; beyond 2^53 it is clamped there.
double exact_or_clamped(std::int64_t value, bool& clamped) {
  if (value >= -kExactIntegers && value <= kExactIntegers) return static_cast<double>(value);
  clamped = true;
  return static_cast<double>(value < 0 ? -kExactIntegers : kExactIntegers);
}

double exact_or_clamped(std::uint64_t value, bool& clamped) {
  if (value <= static_cast<std::uint64_t>(kExactIntegers)) return static_cast<double>(value);
  clamped = true;
  return static_cast<double>(kExactIntegers);
}

template <class T>
T load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);  // raw_data is little-endian, and so is this machine
  return value;
}

double decode(base::ElementKind kind, const char* bytes, bool& clamped) {
  if (kind == base::ElementKind::i64) return exact_or_clamped(load<std::int64_t>(bytes), clamped);
  if (kind == base::ElementKind::u64) return exact_or_clamped(load<std::uint64_t>(bytes), clamped);
  return *base::decode_element(kind, bytes);
}

void decode_raw(const std::string& bytes, std::int64_t count, TensorData& tensor,
                const Place& place) {
  if (tensor.type == DataType::string)
    place.fail("wrong-type", "strings cannot stand in raw_data", "string_data");
  const auto kind = element_kind_of(tensor.type);
  const std::size_t step = kind                                 ? base::element_bytes(*kind)
                           : tensor.type == DataType::complex64 ? 8
                                                                : 16;
  if (bytes.size() % step != 0 || bytes.size() / step != static_cast<std::size_t>(count))
    place.fail("wrong-size", "raw_data has " + std::to_string(bytes.size()) + " bytes, shape " +
                                 to_string(tensor.shape) + " of " + name_of(tensor.type) +
                                 " asks for " + std::to_string(count) + " x " +
                                 std::to_string(step));
  if (!kind) return;
  tensor.values.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tensor.values.size(); ++i)
    tensor.values[i] = decode(*kind, bytes.data() + i * step, tensor.clamped);
}

/// int32_data holds small integers by value and 16-bit floats by their bits.
double from_int32(std::int32_t word, DataType type, const Place& place) {
  const auto kind = *element_kind_of(type);
  if (kind == base::ElementKind::f16 || kind == base::ElementKind::bf16) {
    const auto bits = static_cast<std::uint16_t>(word);
    if (word < 0 || static_cast<std::int32_t>(bits) != word)
      place.fail("out-of-range", "int32_data holds " + std::to_string(word) + ", no 16 bits");
    char bytes[2];
    std::memcpy(bytes, &bits, 2);
    return *base::decode_element(kind, bytes);
  }
  std::string encoded;
  if (!base::encode_element(kind, static_cast<double>(word), encoded))
    place.fail("out-of-range",
               "int32_data holds " + std::to_string(word) + ", which is no " + name_of(type));
  return static_cast<double>(word);
}

void check_count(std::size_t have, std::int64_t want, const char* field, const TensorData& tensor,
                 const Place& place) {
  if (have != static_cast<std::size_t>(want))
    place.fail("wrong-size", std::string(field) + " has " + std::to_string(have) +
                                 " elements, shape " + to_string(tensor.shape) + " asks for " +
                                 std::to_string(want));
}

void decode_typed(const ::onnx::TensorProto& proto, std::int64_t count, TensorData& tensor,
                  const Place& place) {
  const auto take = [&](const auto& field, const char* name, const auto& convert) {
    check_count(static_cast<std::size_t>(field.size()), count, name, tensor, place);
    tensor.values.reserve(static_cast<std::size_t>(count));
    for (const auto element : field) tensor.values.push_back(convert(element));
  };
  const auto as_double = [](auto element) { return static_cast<double>(element); };
  const auto clamped = [&](auto element) { return exact_or_clamped(element, tensor.clamped); };
  switch (tensor.type) {
    case DataType::float32:
      return take(proto.float_data(), "float_data", as_double);
    case DataType::float64:
      return take(proto.double_data(), "double_data", as_double);
    case DataType::int64:
      return take(proto.int64_data(), "int64_data",
                  [&](std::int64_t element) { return clamped(element); });
    case DataType::uint32:
    case DataType::uint64:
      return take(proto.uint64_data(), "uint64_data", [&](std::uint64_t element) {
        if (tensor.type == DataType::uint32 && element > UINT32_MAX)
          place.fail("out-of-range",
                     "uint64_data holds " + std::to_string(element) + ", which is no uint32");
        return clamped(element);
      });
    case DataType::string:
      return check_count(static_cast<std::size_t>(proto.string_data_size()), count, "string_data",
                         tensor, place);
    case DataType::complex64:
      return check_count(static_cast<std::size_t>(proto.float_data_size()), 2 * count, "float_data",
                         tensor, place);
    case DataType::complex128:
      return check_count(static_cast<std::size_t>(proto.double_data_size()), 2 * count,
                         "double_data", tensor, place);
    default:
      return take(proto.int32_data(), "int32_data",
                  [&](std::int32_t element) { return from_int32(element, tensor.type, place); });
  }
}

std::int64_t checked_count(const Shape& shape, const Place& place) {
  try {
    return element_count(shape);
  } catch (const base::InputError& error) {
    place.fail(error.diagnostics().front().code, error.diagnostics().front().message);
  }
}

}  // namespace

TensorData decode_tensor(const ::onnx::TensorProto& proto, const Place& outer,
                         const std::string& folder) {
  TensorData tensor;
  check_name(proto.name(), outer.at("name"));
  tensor.name = proto.name();
  const Place place = tensor.name.empty() ? outer : outer.named("tensor " + shown(tensor.name));
  const auto type = data_type_of(proto.data_type());
  if (!type)
    place.at("data_type")
        .fail("unknown-type", "unknown data type " + std::to_string(proto.data_type()), "1 to 16");
  tensor.type = *type;
  if (proto.dims_size() > kMostDimensions)
    place.at("dims").fail("too-large", "has " + std::to_string(proto.dims_size()) + " dimensions",
                          "at most " + std::to_string(kMostDimensions));
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  const std::int64_t count = checked_count(tensor.shape, place.at("dims"));
  if (proto.has_segment()) place.at("segment").fail("unsupported-segment", "segments are not read");
  if (proto.data_location() == ::onnx::TensorProto::EXTERNAL) {
    const Place at = place.at("external_data");
    const auto kind = element_kind_of(tensor.type);
    if (!kind) at.fail("wrong-type", std::string("external ") + name_of(tensor.type) + " data");
    const std::uint64_t bytes = base::element_bytes(*kind) * static_cast<std::uint64_t>(count);
    decode_raw(read_external(external_range(proto, at), folder, bytes, at), count, tensor, at);
  } else if (proto.has_raw_data()) {
    decode_raw(proto.raw_data(), count, tensor, place.at("raw_data"));
  } else {
    decode_typed(proto, count, tensor, place);
  }
  return tensor;
}

}  // namespace npusim::workloads::onnx
