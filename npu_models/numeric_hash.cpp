// SPDX-License-Identifier: Apache-2.0
#include "npu_models/numeric_hash.h"

#include "base/hash.h"
#include "precision/unit_text.h"

namespace npusim::npu {

std::string numeric_hash(const MappedGraph& mapped) {
  std::uint64_t value = base::fnv1a("");
  for (const workloads::Node& node : mapped.graph.nodes)
    value = base::fnv1a("\n" + node.name + " " + node.op, value);
  for (const MappedOp& op : mapped.ops) {
    std::string text = "\n" + std::to_string(op.node) + " " + name_of(op.engine);
    if (op.gemm) text += " " + precision::describe(op.gemm->unit) + " " + describe_plan(*op.gemm);
    if (op.attention)
      text +=
          " " + precision::describe(op.attention->scores.unit) + " " + describe_plan(*op.attention);
    if (op.attention_gradient)
      text += " " + precision::describe(op.attention_gradient->scores.unit) + " " +
              describe_plan(*op.attention_gradient);
    value = base::fnv1a(text, value);
  }
  for (const precision::Arithmetic& arithmetic : mapped.storage)
    value = base::fnv1a(precision::describe(arithmetic) + ";", value);
  if (mapped.approximations) value = base::fnv1a(mapped.approximations->text(), value);
  return base::hex64(value);
}

}  // namespace npusim::npu
