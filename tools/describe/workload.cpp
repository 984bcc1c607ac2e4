// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "sim/check.h"
#include "sim/scenario.h"
#include "tools/describe/describe.h"
#include "tools/describe/page.h"
#include "workloads/op.h"
#include "workloads/recipe.h"
#include "workloads/workload.h"

namespace npusim::tools {
namespace {

using workloads::Graph;

sim::TextTable tensor_table(const Graph& graph) {
  sim::TextTable table;
  for (const char* header : {"", "tensor", "shape", "type"}) table.column(header);
  const auto add = [&](const char* side, const std::vector<workloads::TensorId>& ids) {
    for (const workloads::TensorId id : ids) {
      const workloads::TensorInfo& info = graph.tensor(id);
      table.row({side, info.name, workloads::to_string(info.shape), workloads::name_of(info.type)});
    }
  };
  add("input", graph.inputs);
  add("output", graph.outputs);
  return table;
}

sim::TextTable op_table(const Graph& graph) {
  struct Row {
    std::int64_t nodes = 0, macs = 0;
  };
  std::map<std::string, Row> rows;
  for (const workloads::Node& node : graph.nodes) {
    Row& row = rows[node.op];
    ++row.nodes;
    const auto contraction = workloads::ops().at(node.op).contraction({graph, node});
    if (contraction) row.macs += contraction->macs();
  }
  sim::TextTable table;
  table.column("op");
  table.column("nodes", true);
  table.column("MACs", true);
  for (const auto& [op, row] : rows) table.row({op, grouped(row.nodes), grouped(row.macs)});
  return table;
}

std::string parameters_text(const base::JsonValue& resolved) {
  const base::JsonValue* parameters = resolved.find("parameters");
  if (parameters == nullptr || !parameters->is_object()) return {};
  std::vector<std::string> texts;
  for (const auto& [name, value] : parameters->members())
    texts.push_back(name + " = " + base::dump_json(value, -1));
  return joined(texts);
}

}  // namespace

std::string describe_workload(const std::string& file) {
  const workloads::Workload workload = workloads::load_workload(file);
  const Graph& graph = workload.graph;
  Page page("workload " + workload.name, workload.description);
  page.fact("file", file);
  page.fact("parameters", parameters_text(workload.resolved));
  page.fact("nodes", grouped(static_cast<std::int64_t>(graph.nodes.size())));
  page.fact("weights", grouped(graph.parameter_count()) + " parameters");
  page.fact("MACs", grouped(graph.mac_count()) + " (forward)");
  page.fact("training",
            workload.training
                ? fmt::format("{} of {}, {} with learning rate {:.6g}, weight decay {:.6g}",
                              workload.training->loss, workload.training->logits,
                              workloads::name_of(workload.training->optimizer.kind),
                              workload.training->optimizer.learning_rate,
                              workload.training->optimizer.weight_decay)
                : "not described: inference only");
  page.table("Tensors", tensor_table(graph));
  page.table("Ops", op_table(graph));
  return page.text();
}

std::string describe_recipe(const std::string& file) {
  const workloads::Recipe recipe = workloads::load_recipe(file);
  Page page("recipe " + recipe.name, recipe.description);
  page.fact("file", file);
  page.fact("accumulator", recipe.accumulator ? recipe.accumulator->name : "the NPU's default");
  page.fact("inside vector ops", recipe.internal.name);
  page.fact("rounding when stored",
            precision::name_of(recipe.rounding) +
                (recipe.random_bits > 0 ? fmt::format(", {} random bits", recipe.random_bits)
                                        : std::string()));
  sim::TextTable table;
  table.column("tensors");
  table.column("stored as");
  const auto row = [&](const char* role, const precision::Format& format) {
    table.row({role, arithmetic_text({format, recipe.rounding})});
  };
  row("weights", recipe.weights);
  row("activations", recipe.activations);
  row("activation gradients", recipe.activation_gradients);
  row("weight gradients", recipe.weight_gradients);
  row("optimizer state", recipe.optimizer_state);
  row("statistics", recipe.statistics);
  row("loss", recipe.loss);
  if (recipe.master_weights)
    row("master weights", *recipe.master_weights);
  else
    table.row({"master weights", "none: the optimizer updates the weights themselves"});
  page.table("Formats", table);
  return page.text();
}

std::string describe_scenario(const std::string& file) {
  const sim::Scenario scenario = sim::load_scenario(file);
  Page page("scenario " + scenario.name, scenario.description);
  page.fact("file", file);
  page.fact("mode", sim::name_of(scenario.mode));
  page.fact("recipe", scenario.recipe_file.empty() ? "each NPU's default" : scenario.recipe_file);
  page.fact("workloads", joined(scenario.workload_files));
  return page.text();
}

std::string describe_suite(const std::string& file) {
  const sim::Suite suite = sim::load_suite(file);
  Page page("suite " + suite.name);
  page.fact("file", file);
  sim::TextTable runs;
  for (const char* header : {"run", "NPU", "workload", "mode", "baseline"}) runs.column(header);
  for (const sim::SuiteRun& run : suite.runs)
    runs.row({run.name, run.request.npu_file, run.request.workload_file,
              sim::name_of(run.request.mode), run.baseline_file});
  page.table("Runs", runs);
  sim::TextTable tolerances;
  tolerances.column("metric");
  tolerances.column("absolute", true);
  tolerances.column("relative", true);
  for (const sim::Tolerance& tolerance : suite.tolerances)
    tolerances.row({tolerance.metric, fmt::format("{:.6g}", tolerance.absolute),
                    fmt::format("{:.6g}", tolerance.relative)});
  page.table("Tolerances (everything else is compared exactly)", tolerances);
  return page.text();
}

}  // namespace npusim::tools
