// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/design_space.h"
#include "sim/sweep/metrics.h"
#include "sim/writers/text_table.h"
#include "tools/describe/describe.h"
#include "tools/describe/page.h"

namespace npusim::tools {
namespace {

std::string number(double value) {
  return base::dump_json(base::JsonValue::make_real(value), -1);
}

std::string values_of(const sim::Axis& axis) {
  if (axis.values.empty())
    return number(axis.from) + " to " + number(axis.to) +
           (axis.logarithmic ? ", evenly in the logarithm" : "");
  std::string text;
  for (const base::JsonValue& value : axis.values)
    text += (text.empty() ? "" : ", ") + base::dump_json(value, -1);
  return text;
}

std::string role_of(const sim::Sweep& sweep, std::size_t metric) {
  std::string text;
  for (const std::size_t objective : sweep.objectives)
    if (objective == metric)
      text = sim::sweep_metrics()[metric].less_is_better ? "objective: less" : "objective: more";
  for (const sim::Constraint& constraint : sweep.constraints) {
    if (constraint.metric != metric) continue;
    if (constraint.at_most)
      text += (text.empty() ? "" : ", ") + ("at most " + number(*constraint.at_most));
    if (constraint.at_least)
      text += (text.empty() ? "" : ", ") + ("at least " + number(*constraint.at_least));
  }
  return text;
}

}  // namespace

std::string describe_sweep(const std::string& file) {
  const sim::Sweep sweep = sim::load_sweep(file);
  Page page("sweep " + sweep.name);
  page.fact("file", file);
  page.fact("NPU", sweep.request.npu_file);
  page.fact("workload", sweep.request.workload_file);
  page.fact("mode", sim::name_of(sweep.request.mode));
  page.fact("points", std::to_string(sim::DesignSpace(sweep).size()));
  sim::TextTable axes;
  for (const char* header : {"path", "values"}) axes.column(header);
  for (const sim::Axis& axis : sweep.axes)
    for (const std::string& path : axis.paths) axes.row({path, values_of(axis)});
  page.table("Axes", axes);
  sim::TextTable metrics;
  for (const char* header : {"metric", "is", "in this sweep"}) metrics.column(header);
  for (std::size_t m = 0; m < sim::sweep_metrics().size(); ++m)
    metrics.row(
        {sim::sweep_metrics()[m].name, sim::sweep_metrics()[m].description, role_of(sweep, m)});
  page.table("Metrics that constraints and objectives may name", metrics);
  return page.text();
}

}  // namespace npusim::tools
