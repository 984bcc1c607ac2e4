// SPDX-License-Identifier: Apache-2.0
// Blocks expanded, names made global, expressions evaluated: what is left is a list of tensors and
// nodes in file order, each knowing the text it came from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/reader/syntax.h"

namespace npusim::workloads {

struct FlatTensor {
  const TensorSyntax* syntax;
  std::string name;
  Shape shape;
  std::optional<Initializer> initializer;  ///< the syntax's, expressions evaluated
};

struct FlatNode {
  const NodeSyntax* syntax;  ///< of an op
  std::string name;
  Attributes attributes;
  std::vector<std::string> inputs;  ///< "" is an omitted one
  std::vector<std::string> outputs;
  bool valid = true;  ///< false: a mistake in its attributes has been reported
};

struct FlatNetwork {
  std::vector<FlatTensor> inputs;
  std::vector<FlatTensor> weights;
  std::vector<FlatNode> nodes;
  std::int64_t batch = 1;
  bool complete = false;  ///< false: it grew too large (reported) and is empty
};

/// Reports mistakes to the places they stand; a tensor whose shape is wrong is left out.
FlatNetwork flatten(const WorkloadSyntax& workload);

/// An integer or an expression; nullopt when it was wrong (reported).
class Parameters;
std::optional<std::int64_t> read_integer(const base::ValueReader& value, base::IntegerRange range,
                                         Parameters& parameters);

/// The numbers of an initializer that are expressions; mistakes are reported.
void resolve_expressions(const base::ValueReader& tensor, ElementType type, Parameters& parameters,
                         Initializer& result);

/// An attribute's value in the type its op declares; nullopt when it was wrong (reported).
std::optional<Attribute> read_attribute(const base::ValueReader& value, const AttributeSpec& spec,
                                        Parameters& parameters);

}  // namespace npusim::workloads
