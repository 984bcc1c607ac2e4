// SPDX-License-Identifier: Apache-2.0
// FP8 training with a scale a tensor: the operands of products that read or make weights are
// multiplied by their scale and stored in FP8, the product's FP32 result is multiplied by both
// inverse scales, and its bias is added after that. Everything else stays as the recipe says. Rules
// of Transformer Engine (common/recipe, commit d0067d0):
//   current  scale = largest / amax of the tensor itself
//   delayed  scale = largest / amax / 2^margin, from the history of amax of the steps before; the
//            first step has scale 1. Each step puts its own amax into slot 0, takes the largest of
//            all slots (most_recent: of slot 0), rolls the slots towards 0, the newest to the end,
//            and clears slot 0. An amax that is 0 or not finite keeps the scale; a scale that
//            overflows becomes FP32's largest number.
// Weights and activations take one format, gradients another (HYBRID: E4M3 and E5M2); both
// saturate. Weights and activations are quantised once for the forward and the backward product.
// Products of two activations (attention) are left alone, as there.
#pragma once

#include <cstdint>

#include "precision/format.h"
#include "workloads/graph.h"

namespace npusim::workloads {

struct OperandScaling {
  enum class Kind { current, delayed };
  Kind kind = Kind::current;
  precision::Format forward, gradients;
  double margin = 0.0;
  std::int64_t history = 1024;
  bool most_recent = false;
};

/// A graph of inference reads the scales that training has left; it does not change them.
Graph scale_operands(const Graph& graph, const OperandScaling& scaling);

}  // namespace npusim::workloads
