// SPDX-License-Identifier: Apache-2.0
#include "sim/hypothetical.h"

#include <algorithm>

namespace npusim::sim {
namespace {

using base::JsonValue;

/// Each with the number of its ops, as first met.
std::vector<std::pair<npu::StandIn, std::int64_t>> counted(const HypotheticalOps& ops) {
  std::vector<std::pair<npu::StandIn, std::int64_t>> all;
  for (const HypotheticalOp& op : ops)
    for (const npu::StandIn& stand_in : op.stand_ins) {
      const auto known = std::find_if(all.begin(), all.end(),
                                      [&](const auto& each) { return each.first == stand_in; });
      if (known == all.end())
        all.emplace_back(stand_in, 1);
      else
        ++known->second;
    }
  return all;
}

JsonValue json_of(const npu::StandIn& stand_in) {
  JsonValue object = JsonValue::make_object();
  object.set("role", npu::name_of(stand_in.role));
  object.set("format", stand_in.wanted);
  object.set("as", stand_in.declared);
  return object;
}

}  // namespace

HypotheticalOps hypothetical_ops(const npu::MappedGraph& mapped) {
  if (mapped.stand_ins.empty()) return {};
  HypotheticalOps ops;
  const auto add = [&](int node, int row) {
    const auto found = mapped.stand_ins.find(node);
    if (found == mapped.stand_ins.end()) return;
    const auto& nodes = mapped.graph.nodes;
    const workloads::Node& of = nodes[static_cast<std::size_t>(node)];
    ops.push_back({of.name, of.op, nodes[static_cast<std::size_t>(row)].name, found->second});
  };
  for (const npu::MappedOp& op : mapped.ops) {
    add(op.node, op.node);
    for (const int fused : op.epilogue) add(fused, op.node);
  }
  return ops;
}

void add_new(const HypotheticalOps& from, HypotheticalOps& to) {
  for (const HypotheticalOp& op : from)
    if (std::none_of(to.begin(), to.end(),
                     [&](const HypotheticalOp& known) { return known.node == op.node; }))
      to.push_back(op);
}

std::string text_of(const HypotheticalOps& ops) {
  std::string text;
  for (const auto& [stand_in, count] : counted(ops))
    text += (text.empty() ? "hypothetical: " : ", ") + npu::text_of(stand_in) + " (" +
            std::to_string(count) + (count == 1 ? " op)" : " ops)");
  return text;
}

const char* mark_of(const HypotheticalOps& ops) {
  return ops.empty() ? "" : " (hypothetical)";
}

base::JsonValue json_of(const HypotheticalOps& ops) {
  JsonValue stand_ins = JsonValue::make_array();
  for (const auto& [stand_in, count] : counted(ops)) {
    JsonValue item = json_of(stand_in);
    item.set("ops", count);
    stand_ins.push_back(std::move(item));
  }
  JsonValue list = JsonValue::make_array();
  for (const HypotheticalOp& op : ops) {
    JsonValue item = JsonValue::make_object();
    item.set("node", op.node);
    item.set("op", op.op);
    JsonValue of_op = JsonValue::make_array();
    for (const npu::StandIn& stand_in : op.stand_ins) of_op.push_back(json_of(stand_in));
    item.set("stand_ins", std::move(of_op));
    list.push_back(std::move(item));
  }
  JsonValue object = JsonValue::make_object();
  object.set("stand_ins", std::move(stand_ins));
  object.set("ops", std::move(list));
  return object;
}

std::map<std::string, std::vector<std::string>> labels_of(const HypotheticalOps& ops, bool by_row) {
  std::map<std::string, std::vector<std::string>> labels;
  for (const HypotheticalOp& op : ops) {
    std::vector<std::string>& texts = labels[by_row ? op.row : op.node];
    for (const npu::StandIn& stand_in : op.stand_ins) {
      std::string text = npu::text_of(stand_in);
      if (std::find(texts.begin(), texts.end(), text) == texts.end())
        texts.push_back(std::move(text));
    }
  }
  return labels;
}

}  // namespace npusim::sim
