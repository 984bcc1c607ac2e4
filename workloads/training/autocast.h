// SPDX-License-Identifier: Apache-2.0
// Which format each op of a network computes in under a framework's autocast: lists of ops that
// take the low format, of ops that stay in FP32, and a rule for all others.
//   inputs    PyTorch (aten/src/ATen/autocast_mode.h): an op on no list computes in the widest type
//             of its inputs
//   grappler  TensorFlow (auto_mixed_precision_lists.h): an op on the deny list and what follows it
//             up to the next op of the low list stays in FP32; the rest takes the low format where
//             it stands between ops of the low list, and ops without numeric effect beside one
// The graph's gradients compute in the format of their forward op, as PyTorch's autograd does.
// Vector ops read operands as they are stored: a cast of their inputs that loses bits is not
// modelled.
#pragma once

#include <string>
#include <vector>

#include "precision/format.h"
#include "workloads/graph.h"

namespace npusim::workloads {

struct Autocast {
  enum class Others { inputs, grappler };
  precision::Format format;        ///< the low one
  std::vector<std::string> low;    ///< ops that compute in it
  std::vector<std::string> fp32;   ///< ops that compute in FP32
  std::vector<std::string> clear;  ///< grappler: ops without numeric effect
  Others others = Others::inputs;
};

/// Sets TensorInfo::stored of activations and gradients that have none yet.
void apply_autocast(Graph& graph, const Autocast& autocast);

}  // namespace npusim::workloads
