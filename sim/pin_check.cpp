// SPDX-License-Identifier: Apache-2.0
#include "sim/pin_check.h"

#include <algorithm>

#include "base/name_pattern.h"
#include "base/object_reader.h"
#include "npu_models/attention_pin.h"
#include "workloads/op.h"

namespace npusim::sim {
namespace {

constexpr std::size_t kMostNames = 8;

std::string list_of(const std::set<std::string>& names) {
  std::vector<std::string> first(names.begin(), names.end());
  const bool more = first.size() > kMostNames;
  if (more) first.resize(kMostNames);
  return base::one_of(first) + (more ? " and more" : "");
}

std::string warning_of(const npu::MappingPin& pin, const std::set<std::string>& products) {
  base::Diagnostic mistake = pin.place;
  mistake.pointer += "/op";
  mistake.code = "unknown-name";
  mistake.message = "no product is named \"" + pin.op + "\"";
  const std::string near =
      base::did_you_mean(pin.op, std::vector<std::string>(products.begin(), products.end()));
  if (!near.empty()) mistake.message += " (did you mean \"" + near + "\"?)";
  mistake.message += ": the pin has no effect";
  mistake.allowed = list_of(products);
  return base::to_string(mistake);
}

}  // namespace

void PinCheck::look(const npu::NpuSpec& npu, const npu::MappedGraph* mapped) {
  if (npu.mapping.pins.empty()) return;
  Seen& seen = seen_[base::dump_json(npu.resolved, -1)];
  seen.npu = &npu;
  if (mapped == nullptr) {
    seen.all_mapped = false;
    return;
  }
  for (const npu::MappedOp& op : mapped->ops) {
    const workloads::Node& node = mapped->graph.nodes[static_cast<std::size_t>(op.node)];
    const bool attention = op.attention || op.attention_gradient;
    if (workloads::ops().at(node.op).op_class() != workloads::OpClass::matrix && !attention)
      continue;
    seen.products.insert(node.name);
    if (attention) seen.products.insert(npu::original_name(node.name));
    seen.products.insert(op.origin);
  }
}

std::vector<std::string> PinCheck::warnings() const {
  std::vector<std::string> all;
  for (const auto& [file, seen] : seen_) {
    if (!seen.all_mapped) continue;
    for (const npu::MappingPin& pin : seen.npu->mapping.pins)
      if (std::none_of(seen.products.begin(), seen.products.end(),
                       [&](const std::string& name) { return base::fits_pattern(pin.op, name); }))
        all.push_back(warning_of(pin, seen.products));
  }
  return all;
}

}  // namespace npusim::sim
