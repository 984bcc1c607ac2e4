// SPDX-License-Identifier: Apache-2.0
// Values that are known before any run. Shapes are static, so whatever decides a shape (Reshape's
// shape, Slice's starts, TopK's k) must be known when its node is added. One mechanism: a node
// whose inputs are all known and small runs its own `forward` at once, in binary64, floating
// results rounded to their declared format (float: binary32).
//
// Known are tensors with an initializer of kind values, constant or file (trained weights of kind
// constant are not: they change), whatever follows from shapes alone, and whatever was computed
// from known ones. Products of the MAC array are not computed, nor anything of a backward pass.
#pragma once

#include "workloads/graph.h"

namespace npusim::workloads {

/// Tensors with more elements are never held as known values.
inline constexpr std::int64_t kMostKnownElements = std::int64_t{1} << 14;

/// Sets TensorInfo::known from the tensor's initializer when that gives fixed values and few. May
/// read a file (base::InputError as make_values).
void learn_values(Graph& graph, TensorId id);

/// Computes the outputs of a node that is about to be added, if all it reads is known.
void fold_constants(Graph& graph, const Node& node);

}  // namespace npusim::workloads
