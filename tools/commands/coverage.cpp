// SPDX-License-Identifier: Apache-2.0
#include "npu_models/capability.h"
#include "sim/run.h"
#include "sim/writers/writers.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/request.h"

namespace npusim::tools {
namespace {

npu::Support level_of(const std::string& name) {
  for (const npu::Support level : {npu::Support::native, npu::Support::decomposed})
    if (name == npu::name_of(level)) return level;
  return npu::Support::host;
}

/// Ops below the required level (hypothetical ones are below all), one line each on stderr; true
/// when there are none.
bool meets(const sim::Result& result, const std::string& required) {
  const npu::Support level = level_of(required);
  bool met = true;
  for (const sim::RunResult& run : result.runs)
    for (const npu::CoverageRow& row : run.coverage->ops) {
      const bool hypothetical = !row.verdict.stand_ins.empty();
      if (row.verdict.support <= level && !hypothetical) continue;
      met = false;
      if (hypothetical) {
        note("gap: " + run.npu + " " + run.workload + " " + run.mode + " " + run.recipe + ": " +
             row.node + " (" + row.op + ") is hypothetical, " +
             npu::text_of(row.verdict.stand_ins.front()) + ", required " + required);
        continue;
      }
      note("gap: " + run.npu + " " + run.workload + " " + run.mode + " " + run.recipe + ": " +
           row.node + " (" + row.op + ") is " + npu::name_of(row.verdict.support) + ", required " +
           required + (row.verdict.reason.empty() ? "" : ": " + row.verdict.reason));
    }
  return met;
}

}  // namespace

int coverage(const CoverageArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const OutputFiles& files = common.files;
  check_destinations({files.json, files.csv, files.markdown, files.html});
  auto [requests, options] = prepare(arguments.selection, common);
  if (common.print_config) return print_configs(requests, options);
  options.numerics = false;
  options.dynamic = arguments.dynamic;
  options.what_if = arguments.what_if;
  const sim::Result result =
      arguments.time ? sim::run_all(requests, options) : sim::coverage_all(requests, options);
  if (!stdout_taken(files)) print(sim::coverage_table_of(result, arguments.details));
  write_files(result, files,
              files.markdown.empty() ? "" : sim::coverage_markdown_of(result, arguments.details),
              common.quiet);
  report_warnings(result.warnings, common.quiet);
  if (!arguments.require.empty() && !meets(result, arguments.require)) return kCheckFailed;
  return kOk;
}

}  // namespace npusim::tools
