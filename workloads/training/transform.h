// SPDX-License-Identifier: Apache-2.0
// From a forward graph to one training step: loss, backward by reverse accumulation (fan-out sums),
// unscaling and clipping of the gradients, and the optimizer's update. Timing and numerics both run
// the resulting graph.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "workloads/recipe.h"
#include "workloads/training/update.h"
#include "workloads/workload.h"

namespace npusim::workloads {

/// Graph outputs: the loss, running statistics, the updated weights in the order of the weights,
/// then optimizer states and (with loss scaling) whether all gradients were finite. An output
/// NAME.next is what tensor NAME is in the next step.
/// With TrainingSpec::micro_batches, each has inputs of its own (NAME, NAME.batch1, ...), the loss
/// is the mean of theirs, gradients are added up in their order and running statistics go from one
/// to the next. With recompute_segments, activations are computed again (recompute.h).
/// master_copies: weights are kept as master_weight tensors, cast to working weights at the start
/// of the step and updated there. Throws base::InputError naming an op without a gradient.
Graph make_training_step(const Workload& workload, bool master_copies);
Graph make_training_step(const Workload& workload, const StepOptions& options);
/// The step as a recipe wants it: its rules and casts applied too. `whole_attention`: as in
/// StepOptions.
Graph make_training_step(const Workload& workload, const Recipe& recipe,
                         const std::set<std::string>& whole_attention = {});

/// By tensor of the forward graph: whether its value depends on weights that are trained, so that
/// its gradient is wanted.
std::vector<char> depends_on_training(const Workload& workload);

/// Behind the names of what a micro-batch copies; nothing for the first.
std::string micro_batch_suffix(std::int64_t index);

StepOptions step_options(const Workload& workload, const Recipe& recipe);

}  // namespace npusim::workloads
