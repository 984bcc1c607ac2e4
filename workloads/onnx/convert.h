// SPDX-License-Identifier: Apache-2.0
// An ONNX model as an op graph: nodes in the form of the newest opset (modernise.h), shapes
// inferred, initializers with their values. Opset 7 and up; ops whose meaning did not change since
// older ones are taken too.
//
// Floating initializers are weights, those that BatchNormalization reads as mean and variance, and
// scalars, integers and the values of Constant nodes are statistics: kept, not trained.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "workloads/graph.h"
#include "workloads/onnx/model.h"

namespace npusim::workloads::onnx {

struct ConvertOptions {
  /// Sizes of symbolic dimensions; one without a symbol goes by "<input>.<axis>".
  std::map<std::string, std::int64_t> dims;
  /// Graph inputs whose values are given: their shape and type are the declared ones.
  std::map<std::string, TensorData> inputs;
  /// Unsupported nodes become ops of type Opaque: timing only. Their outputs must be declared.
  bool allow_unsupported = false;
  /// Shape arithmetic and constant fills become initializers: nodes whose results are known before
  /// the run and are integers, booleans, single numbers or one value all over.
  bool fold_constants = true;
};

struct Converted {
  Graph graph;
  /// Per graph input and axis: the symbol, or "".
  std::vector<std::vector<std::string>> input_symbols;
  std::vector<std::string> opaque;  ///< "node (op): why", of nodes that became Opaque
};

/// Throws base::InputError with every node that cannot be taken. Codes that start with
/// "unsupported-" name what this build does not know; all others are mistakes of the model.
Converted convert(const Model& model, const ConvertOptions& options);

}  // namespace npusim::workloads::onnx
