// SPDX-License-Identifier: Apache-2.0
#include "workloads/workload.h"

#include <set>
#include <tuple>

#include "workloads/onnx/load_workload.h"
#include "workloads/reader/build.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

/// The copies of a block repeat its mistakes: each place is told once. What stands before `fixed`
/// was found in the text itself and has no copies.
base::Diagnostics without_repetitions(const base::Diagnostics& all, std::size_t fixed) {
  base::Diagnostics result;
  std::set<std::tuple<std::string, int, int, std::string, std::string>> told;
  for (std::size_t i = 0; i < all.items().size(); ++i) {
    const base::Diagnostic& item = all.items()[i];
    const bool first =
        told.emplace(item.file, item.line, item.column, item.pointer, item.code).second;
    if (i < fixed || first) result.add(item);
  }
  return result;
}

/// The loss must take the logits and labels, and every op on the way needs a gradient.
void check_trainable(const Workload& workload, const WorkloadSyntax& syntax) {
  if (!workload.training || syntax.training_at->diagnostics().spoilt()) return;
  try {
    make_training_step(workload, false);
  } catch (const base::InputError& error) {
    for (const base::Diagnostic& item : error.diagnostics())
      syntax.training_at->error(
          item.code, item.message,
          item.allowed.empty() ? "a graph that can be trained" : item.allowed);
  }
}

}  // namespace

Workload load_workload(const std::string& path, const std::vector<base::Override>& overrides) {
  if (onnx::is_onnx_file(path)) return onnx::load_onnx(path, overrides);
  Workload workload;
  base::Diagnostics diagnostics;
  workload.resolved = base::load_config(path, "workload", overrides, diagnostics);
  const WorkloadSyntax syntax =
      parse_workload(base::ValueReader(workload.resolved, "", diagnostics));
  if (workload.resolved.incomplete()) diagnostics.throw_if_any();  // names of a parent are unknown
  check_names(syntax);
  const std::size_t found_in_text = diagnostics.items().size();
  const FlatNetwork network = flatten(syntax);
  workload.name = syntax.name;
  workload.description = syntax.description;
  workload.graph = build_graph(syntax, network);
  workload.training = syntax.training;
  workload.batch = network.batch;
  check_training(syntax, network);
  check_trainable(workload, syntax);
  without_repetitions(diagnostics, found_in_text).throw_if_any();
  return workload;
}

}  // namespace npusim::workloads
