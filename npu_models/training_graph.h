// SPDX-License-Identifier: Apache-2.0
// The training step as one NPU takes it. Attention whose backward pass the mapping fuses stays one
// op, and its gradient is another that computes the scores again; all other attention is trained by
// its parts, whose weights the step keeps. One stays whole when
//   - the NPU file asks for it (mapping.fused_attention_backward, or a pin's attention.backward);
//   - it reads and writes no cache, its mask is not trained, and the gradients of queries, keys and
//     values are all wanted (frozen weights want none);
//   - all its parts in the step, those of the backward pass too, are native;
//   - the recipe has nothing to say of the parts: no format of operands, no rule that fits one of
//     them or counts layers;
//   - both ops fit in blocks (attention_mapping.h, attention_gradient.h).
#pragma once

#include <string>
#include <vector>

#include "npu_models/mapping.h"
#include "workloads/workload.h"

namespace npusim::npu {

struct AttentionInParts {
  std::string node, reason;
};

struct TrainingGraph {
  workloads::Graph graph;
  std::vector<AttentionInParts> in_parts;  ///< that the NPU file wants whole
};

/// workloads::make_training_step with what the mapping wants. With a reference attention is whole
/// only where it is so there. Throws base::InputError at a pin that asks for what cannot be.
TrainingGraph training_graph(const NpuSpec& npu, const workloads::Workload& workload,
                             const workloads::Recipe& recipe,
                             const MappedGraph* reference = nullptr);

}  // namespace npusim::npu
