// SPDX-License-Identifier: Apache-2.0
// A workload file as written: keys, types and op names checked, names not yet resolved, expressions
// not yet evaluated. Each part keeps its place in the file for later errors.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/object_reader.h"
#include "workloads/op.h"
#include "workloads/workload.h"

namespace npusim::workloads {

/// A name and where it is written.
struct NameAt {
  std::string name;
  base::ValueReader at;
};

struct TensorSyntax {
  base::ValueReader at;
  std::string name;
  std::vector<base::ValueReader> shape;
  ElementType type = ElementType::floating;
  TensorRole role = TensorRole::input;
  std::optional<Initializer> initializer;
  std::string format;  ///< of the declared type; empty for float and for integers
};

struct NodeSyntax {
  base::ValueReader at;
  std::string name;
  const Op* op = nullptr;       ///< nullptr: a block (or an unknown op, already reported)
  std::optional<NameAt> block;  ///< of an instance
  std::vector<NameAt> inputs;
  std::optional<std::vector<NameAt>> outputs;
  std::vector<NameAt> settings;  ///< attributes of an op, parameters of a block
  std::optional<base::ValueReader> repeat;
};

struct BlockSyntax {
  base::ValueReader at;
  std::string name;
  std::vector<NameAt> parameters;  ///< defaults
  std::vector<NameAt> inputs;
  std::vector<NameAt> outputs;
  std::vector<TensorSyntax> initializers;
  std::vector<NodeSyntax> nodes;
};

struct WorkloadSyntax {
  std::string name;
  std::string description;
  std::vector<NameAt> parameters;
  std::vector<TensorSyntax> inputs;
  std::vector<BlockSyntax> blocks;
  BlockSyntax body;  ///< initializers, nodes and outputs of the network itself
  std::optional<base::ValueReader> training_at;
  std::optional<TrainingSpec> training;

  const BlockSyntax* block(const std::string& block_name) const;
  /// Names of the tensors a node writes, as its body calls them: given, or "<node>.out" (a block
  /// with several outputs: "<node>.<output>").
  std::vector<std::string> outputs_of(const NodeSyntax& node) const;
};

/// Reports mistakes to the diagnostics of `root` and leaves out what it could not understand.
WorkloadSyntax parse_workload(const base::ValueReader& root);

/// Checks names within each body: unknown blocks, tensors and block parameters, names used twice.
void check_names(const WorkloadSyntax& workload);

/// The "initializer" object of a tensor.
std::optional<Initializer> parse_initializer(const base::ValueReader& value, ElementType type,
                                             std::size_t rank);

/// The "training" object.
TrainingSpec parse_training(const base::ValueReader& value);

}  // namespace npusim::workloads
