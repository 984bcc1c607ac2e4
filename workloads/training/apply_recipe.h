// SPDX-License-Identifier: Apache-2.0
// What a recipe's rules and operand format make of a graph: formats of single tensors
// (TensorInfo::stored), inner precision of single nodes (Node::internal), and Cast nodes in front
// of products that read another format than a tensor is stored in; before the casts its autocast
// lists, after them the scales of FP8 operands.
//
// Layers are the products of the forward graph in topological order; what follows a product
// belongs to its layer, and so do the gradients of its nodes.
#pragma once

#include "workloads/recipe.h"

namespace npusim::workloads {

/// Whether the rule's ops and node names fit, its layers aside.
bool fits(const RecipeRule& rule, const Node& node);

/// Graphs of inference and of training. Without rules and operand format the graph comes back.
Graph apply_recipe(Graph graph, const Recipe& recipe);

}  // namespace npusim::workloads
