// SPDX-License-Identifier: Apache-2.0
#include "sim/coverage.h"

#include <algorithm>

#include "workloads/op.h"

namespace npusim::sim {
namespace {

using npu::Support;

std::string verdict_of(Support worst, bool training) {
  switch (worst) {
    case Support::native:
    case Support::decomposed:
      return "runs";
    case Support::host:
      return "runs with fallback";
    case Support::unknown:
      return "not known";
    case Support::unsupported:
      break;
  }
  return training ? "cannot train" : "cannot run";
}

/// "Softmax: the recipe computes its steps in fp32, ... (needs wider steps inside)"
std::string reason_of(const npu::CoverageRow& row) {
  const std::string gap = npu::name_of(row.verdict.gap);
  return row.op + ": " + row.verdict.reason + (gap.empty() ? "" : " (" + gap + ")");
}

void add_reasons(Coverage& coverage) {
  for (const npu::CoverageRow& row : coverage.ops) {
    if (coverage.reasons.size() == kMostReasons) return;
    if (row.verdict.support != coverage.worst || row.verdict.support < Support::host) continue;
    const std::string reason = reason_of(row);
    if (std::find(coverage.reasons.begin(), coverage.reasons.end(), reason) ==
        coverage.reasons.end())
      coverage.reasons.push_back(reason);
  }
}

}  // namespace

Coverage cover(const npu::NpuSpec& npu, const workloads::Graph& graph,
               const workloads::Recipe& recipe, bool training, const std::vector<bool>& dynamic) {
  Coverage coverage;
  for (const Support level : {Support::native, Support::decomposed, Support::host, Support::unknown,
                              Support::unsupported})
    coverage.counts[level] = 0;
  coverage.ops = npu::coverage_of(npu, graph, recipe);
  for (std::size_t i = 0; i < coverage.ops.size(); ++i) {
    npu::Verdict& verdict = coverage.ops[i].verdict;
    if (!dynamic.empty() && dynamic[i]) verdict = npu::judge_dynamic(npu, verdict);
    const Support support = verdict.support;
    const workloads::Node& node = graph.nodes[i];
    const std::int64_t macs = workloads::ops().at(node.op).macs(workloads::NodeView(graph, node));
    ++coverage.counts[support];
    coverage.worst = std::max(coverage.worst, support);
    coverage.macs += macs;
    if (!npu::cannot_run(verdict) && !verdict.stand_ins.empty()) ++coverage.hypothetical;
    if (support <= Support::decomposed) coverage.macs_on_npu += macs;
  }
  coverage.verdict = coverage.hypothetical > 0 && coverage.worst < Support::unknown
                         ? "runs hypothetically"
                         : verdict_of(coverage.worst, training);
  add_reasons(coverage);
  return coverage;
}

std::vector<bool> nodes_that_change(const workloads::Graph& graph, const workloads::Graph& other) {
  const auto changes = [&](workloads::TensorId id) {
    if (id == workloads::kNoTensor) return false;
    const workloads::TensorId twin = other.find(graph.tensor(id).name);
    return twin == workloads::kNoTensor || other.tensor(twin).shape != graph.tensor(id).shape;
  };
  std::vector<bool> result;
  for (const workloads::Node& node : graph.nodes)
    result.push_back(std::any_of(node.inputs.begin(), node.inputs.end(), changes) ||
                     std::any_of(node.outputs.begin(), node.outputs.end(), changes));
  return result;
}

void refuse(Coverage& coverage, const std::string& reason, bool training) {
  if (coverage.worst >= Support::unknown) return;
  coverage.verdict = verdict_of(Support::unsupported, training);
  coverage.reasons.insert(coverage.reasons.begin(), reason);
  if (coverage.reasons.size() > kMostReasons) coverage.reasons.pop_back();
}

}  // namespace npusim::sim
