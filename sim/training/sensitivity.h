// SPDX-License-Identifier: Apache-2.0
// Which part of a network needs which precision, by trying: each layer, op or tensor role is put
// alone into each candidate format (or the whole network onto a candidate accumulator), trained for
// the same steps from the same seed, and ranked by what that did to the loss. Then the cheapest
// assignment within a bound: parts are lowered one after the other, those first that cost the least
// loss a byte saved, each into its narrowest candidate with which the bound still holds; what does
// not hold, or saves nothing, is taken back. This is a greedy search: it need not find the cheapest
// of all assignments, but its result was trained as it stands.
//
// Cost: bytes that the ops of a training step read and write, at the width of each tensor's format;
// casts in front of products are not counted, they go with the op that wrote what they read. Of an
// accumulator: its width.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/training/train_all.h"
#include "workloads/recipe.h"

namespace npusim::sim {

enum class Part {
  layer,        ///< one product of the forward graph with its gradients: operands and results
  op,           ///< all nodes of one op, their parts and gradients: results
  role,         ///< weights, activations, gradients, ... of the whole network
  accumulator,  ///< of the NPU's array
};
const char* name_of(Part part);

struct SensitivityOptions {
  Part parts = Part::layer;
  std::vector<std::string> candidates;    ///< formats, in any order
  std::vector<std::string> accumulators;  ///< need an NPU
  double accuracy_points = 0.5;           ///< that the assignment may lose against the base
  double loss_share = 0.02;               ///< of the base's loss likewise
};

/// One trained assignment against the base.
struct SensitivityRow {
  Part part = Part::layer;
  std::string name, candidate;
  TrainStatus status = TrainStatus::ok;
  std::string error;
  double loss = 0.0, accuracy = 0.0, agreement = 0.0;  ///< on the test samples, at the end
  double loss_change = 0.0, accuracy_change = 0.0;     ///< candidate - base
  double bytes = 0.0;                                  ///< cost
  bool same = false;  ///< nothing of the step is stored otherwise than in the base: not trained
  HypotheticalOps hypothetical = {};  ///< with --what-if
};

struct Sensitivity {
  std::string npu;  ///< empty: the reference machine
  std::string workload, base;
  SensitivityRow base_row;
  std::vector<SensitivityRow> rows;    ///< most harmful first; those that did not run at the end
  std::vector<SensitivityRow> same;    ///< parts without anything to lower
  std::vector<SensitivityRow> chosen;  ///< parts of the assignment, in the order they were taken
  SensitivityRow assignment;           ///< all of them together
  base::JsonValue recipe;              ///< that says so, for `train`
  bool interrupted = false;
};

/// `request` has one recipe, the base; an empty npu_file stands for a machine that computes
/// everything as the recipe says, products as FP32 chains. Throws base::InputError.
Sensitivity sensitivity(const TrainRequest& request, const SensitivityOptions& options);

base::JsonValue json_of(const Sensitivity& result);
std::string text_of(const Sensitivity& result);
std::string markdown_of(const Sensitivity& result);
std::string csv_of(const Sensitivity& result);

}  // namespace npusim::sim
