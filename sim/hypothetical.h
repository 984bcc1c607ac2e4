// SPDX-License-Identifier: Apache-2.0
// Which ops of a run are hypothetical (--what-if; npu_models/what_if.h), for everything that a
// result is written as.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "npu_models/mapping.h"

namespace npusim::sim {

/// A node that runs in formats which its NPU does not declare.
struct HypotheticalOp {
  std::string node, op;
  std::string row;  ///< the node whose cycles it is part of: its own, or that it is fused behind
  std::vector<npu::StandIn> stand_ins;
};
using HypotheticalOps = std::vector<HypotheticalOp>;

/// In execution order; empty where nothing is hypothetical.
HypotheticalOps hypothetical_ops(const npu::MappedGraph& mapped);
/// Adds nodes that are not there yet.
void add_new(const HypotheticalOps& from, HypotheticalOps& to);

/// "hypothetical: operands in bf16 as fp16 (3 ops), ..." without end of line; "" for no op.
std::string text_of(const HypotheticalOps& ops);
/// " (hypothetical)" or "": behind a status.
const char* mark_of(const HypotheticalOps& ops);
/// {"stand_ins": [...], "ops": [...]}.
base::JsonValue json_of(const HypotheticalOps& ops);

/// What a row of ops says of one: texts of its stand-ins. `by_row`: fused ones with their row.
std::map<std::string, std::vector<std::string>> labels_of(const HypotheticalOps& ops, bool by_row);

}  // namespace npusim::sim
