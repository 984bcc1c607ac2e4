// SPDX-License-Identifier: Apache-2.0
// An ONNX model as plain data: what the file says, checked for being well formed, nothing inferred.
// Names follow onnx.proto3 of ONNX 1.12 (IR version 8). Subgraphs, functions, sparse and sequence
// values are known by kind only: nodes that need them are unsupported.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "workloads/tensor.h"

namespace npusim::workloads::onnx {

/// TensorProto.DataType, with its numbers.
enum class DataType : int {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
};
const char* name_of(DataType type);  ///< "float", "int64", ... as ONNX writes them

/// More dimensions than anybody needs; what shapes are copied into stays small.
inline constexpr int kMostDimensions = 32;

struct TensorData {
  std::string name;
  DataType type = DataType::undefined;
  Shape shape;
  /// Row-major, exact; empty for strings and complex numbers, which are not kept.
  std::vector<double> values;
  /// Some integer lies beyond 2^53 and stands as that bound: good for an index, not for a value.
  bool clamped = false;
};

/// A value that is known by kind only: "graph", "sparse_tensor", "type_proto", ...
struct OpaqueValue {
  std::string kind;
};

using AttributeValue =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                 std::vector<std::string>, TensorData, OpaqueValue>;

struct NodeDef {
  std::string name;  ///< may be empty
  std::string op;
  std::string domain;
  std::vector<std::string> inputs, outputs;  ///< "" is an omitted one
  std::map<std::string, AttributeValue> attributes;
};

/// A dimension of a declared value: a number, a symbol or neither.
struct Dimension {
  std::int64_t value = -1;  ///< -1: unknown
  std::string symbol;
};

struct ValueDef {
  std::string name;
  DataType type = DataType::undefined;  ///< undefined: no tensor (a sequence, an optional) or none
  bool has_shape = false;
  std::vector<Dimension> shape;
};

struct Model {
  std::string file;  ///< as the user named it, for messages
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  ///< domain -> version; "ai.onnx" is ""
  std::string producer;                        ///< "pytorch 1.9", or ""
  std::string graph_name;
  std::vector<NodeDef> nodes;
  std::vector<TensorData> initializers;
  std::vector<ValueDef> inputs;  ///< those with an initializer are not left out
  std::vector<ValueDef> outputs;
  std::vector<ValueDef> declared;  ///< types and shapes of values inside the graph, if it says so
};

}  // namespace npusim::workloads::onnx
