// SPDX-License-Identifier: Apache-2.0
#include "tools/request.h"

#include <algorithm>

#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/report/report.h"
#include "sim/run_parts.h"
#include "sim/writers/writers.h"
#include "tools/config_listing.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace npusim::tools {

std::vector<base::ParsedOverride> parse_overrides(const std::vector<std::string>& texts,
                                                  base::Diagnostics& diagnostics) {
  std::vector<base::ParsedOverride> overrides;
  for (const std::string& text : texts)
    diagnostics.collect([&] { overrides.push_back(base::parse_override(text)); });
  return overrides;
}

sim::RunOptions options_of(const CommonOptions& common, base::Diagnostics& diagnostics) {
  sim::RunOptions options;
  options.seed = static_cast<std::uint64_t>(common.seed);
  options.jobs = common.jobs;
  options.quiet = common.quiet;
  options.overrides = parse_overrides(common.overrides, diagnostics);
  options.interrupted = interrupted;
  return options;
}

sim::RunOptions options_of(const CommonOptions& common) {
  base::Diagnostics diagnostics;
  sim::RunOptions options = options_of(common, diagnostics);
  diagnostics.throw_if_any();
  return options;
}

Prepared prepare(const sim::Selection& selection, const CommonOptions& common) {
  base::Diagnostics diagnostics;
  Prepared prepared;
  prepared.requests = sim::requests_of(selection, diagnostics);
  prepared.options = options_of(common, diagnostics);
  // Something is wrong already: what else is wrong in the files belongs into the same report.
  if (!diagnostics.empty())
    diagnostics.collect([&] { sim::coverage_all(prepared.requests, prepared.options); });
  diagnostics.throw_if_any();
  return prepared;
}

void write_files(const sim::Result& result, const OutputFiles& files, const std::string& markdown,
                 bool quiet, const sim::ComparisonOptions* comparison) {
  const sim::ComparisonOptions options =
      comparison != nullptr ? *comparison : sim::ComparisonOptions();
  base::JsonValue document;
  if (!files.json.empty() || !files.html.empty()) {
    document = sim::json_of(result);
    if (comparison != nullptr) document.set("comparison", sim::json_of(result, options));
  }
  if (!files.json.empty()) write_to(files.json, base::dump_json(document) + "\n", quiet);
  if (!files.csv.empty()) write_to(files.csv, sim::csv_of(result, options), quiet);
  write_to(files.markdown, markdown, quiet);
  if (!files.html.empty()) write_to(files.html, sim::html_of(document), quiet);
}

bool stdout_taken(const OutputFiles& files) {
  return files.json == kStdout || files.csv == kStdout || files.markdown == kStdout ||
         files.html == kStdout;
}

void report_problems(const sim::Result& result) {
  for (const sim::RunResult& run : result.runs)
    if (run.status != sim::Status::ok)
      note("npusim: " + run.npu + " " + run.workload + " " + run.mode + " " + run.recipe + ": " +
           sim::name_of(run.status) + (run.error.empty() ? "" : ": " + run.error));
}

void report_warnings(const std::vector<std::string>& warnings, bool quiet) {
  if (quiet) return;
  for (const std::string& text : warnings) note("npusim: warning: " + text);
}

int print_configs(const std::vector<sim::RunRequest>& requests, const sim::RunOptions& options) {
  sim::coverage_all(requests, options);
  ConfigListing listing;
  const auto add = [&](const std::string& kind, const std::string& file) {
    listing.add(kind, file, sim::overrides_of(options.overrides, kind));
  };
  if (!options.cluster_file.empty()) add("cluster", options.cluster_file);
  for (const sim::RunRequest& request : requests) {
    add("npu", request.npu_file);
    add("workload", request.workload_file);
    if (!request.recipe_file.empty()) {
      add("recipe", request.recipe_file);
      continue;
    }
    const npu::NpuSpec spec =
        npu::load_npu(request.npu_file, sim::overrides_of(options.overrides, "npu"));
    add("recipe", sim::find_file("recipe", spec.default_recipe));
  }
  print(listing.text());
  return kOk;
}

}  // namespace npusim::tools
