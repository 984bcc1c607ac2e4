// SPDX-License-Identifier: Apache-2.0
// Rewrites a node of an older opset into the newest form, and into the form that this build's op
// takes where ONNX has had both (an attribute or an input). The tables in modernise.cpp follow the
// version history in onnx/docs/Changelog.md of ONNX 1.12.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workloads/graph.h"
#include "workloads/onnx/model.h"
#include "workloads/onnx/place.h"

namespace npusim::workloads::onnx {

/// A node of the graph to be, tensors by name.
struct Step {
  std::string name;
  std::string op;
  std::vector<std::string> inputs, outputs;  ///< "" is an omitted one
  Attributes attributes;
};

/// What a rewrite may ask about the graph so far, and add to it.
class GraphSoFar {
 public:
  virtual ~GraphSoFar() = default;
  virtual const Shape& shape_of(const std::string& tensor) const = 0;
  /// Values known before the run; nullptr when they are not.
  virtual const Tensor* known(const std::string& tensor) = 0;
  /// Adds a constant and returns its name (`name`, made unique).
  virtual std::string add_constant(const std::string& name, const Tensor& values) = 0;
};

/// Steps in order; the last ones write the node's outputs. Fails at `place` with an "unsupported-"
/// code for what this build has no op for.
std::vector<Step> modernise(const NodeDef& node, std::int64_t opset, GraphSoFar& graph,
                            const Place& place);

}  // namespace npusim::workloads::onnx
