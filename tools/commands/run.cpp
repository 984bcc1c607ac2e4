// SPDX-License-Identifier: Apache-2.0
// run and compare: the same work, one triple or a matrix of them.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "sim/catalog.h"
#include "sim/explain_mapping.h"
#include "sim/run.h"
#include "sim/writers/writers.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/request.h"
#include "workloads/initializer_text.h"

namespace npusim::tools {
namespace {

std::map<std::string, std::string> parse_inputs(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> inputs;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      throw UsageError("--input " + text + ": expected NAME=F.npy");
    if (!inputs.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      throw UsageError("--input names " + text.substr(0, equals) + " twice");
  }
  return inputs;
}

void check_parts(const RunArguments& arguments) {
  if (arguments.numerics) return;
  if (!arguments.dump_outputs.empty())
    throw UsageError("--dump-outputs needs the values that --no-numerics leaves out");
  if (!arguments.inputs.empty() || !arguments.weights.empty())
    throw UsageError("--input and --weights have no effect with --no-numerics");
}

/// "BEGIN:END" in whole cycles, BEGIN first.
void read_window(const char* option, const std::string& text, std::int64_t& begin,
                 std::int64_t& end) {
  if (text.empty()) return;
  const std::size_t colon = text.find(':');
  const auto read = [&](const std::string& part, std::int64_t& cycle) {
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), cycle);
    return error == std::errc() && stop == part.data() + part.size() && cycle >= 0;
  };
  const bool good = colon != std::string::npos && read(text.substr(0, colon), begin) &&
                    read(text.substr(colon + 1), end) && begin < end;
  if (!good) throw UsageError(option + (" " + text) + ": expected BEGIN:END, as 0:1000");
}

void read_trace(const RunArguments& arguments, npu::SimulationOptions& simulation) {
  read_window("--trace-cycles", arguments.trace_cycles, simulation.trace_begin_cycle,
              simulation.trace_end_cycle);
  if (arguments.trace.empty()) {
    if (!arguments.trace_cycles.empty()) throw UsageError("--trace-cycles needs --trace");
    return;
  }
  if (!arguments.timing) throw UsageError("--trace shows the timing that --no-timing leaves out");
  if (std::filesystem::path(arguments.trace).extension() != ".json")
    throw UsageError("--trace " + arguments.trace + ": expected F.json");
  simulation.trace = arguments.trace;
}

npu::SimulationOptions simulation_of(const RunArguments& arguments) {
  npu::SimulationOptions simulation;
  const bool elements = arguments.fidelity == "pe";
  simulation.fidelity = elements ? npu::Fidelity::pe : npu::Fidelity::tile;
  if (arguments.layers != "together") {
    if (!arguments.timing)
      throw UsageError("--layers is about the timing that --no-timing leaves out");
    simulation.layers = arguments.layers == "apart" ? npu::Layers::apart : npu::Layers::repeated;
  }
  read_window("--vcd-cycles", arguments.vcd_cycles, simulation.waveform_begin_cycle,
              simulation.waveform_end_cycle);
  read_trace(arguments, simulation);
  if (arguments.vcd.empty()) {
    if (!arguments.vcd_cycles.empty()) throw UsageError("--vcd-cycles needs --vcd");
    return simulation;
  }
  if (!elements || !arguments.timing)
    throw UsageError("--vcd shows clocked elements: it needs --fidelity pe, and timing");
  const std::filesystem::path path = arguments.vcd;
  if (path.extension() != ".vcd") throw UsageError("--vcd " + arguments.vcd + ": expected F.vcd");
  simulation.waveform = arguments.vcd;
  return simulation;
}

/// The folder of --dump-outputs appears with its first file only: not when a config is invalid.
void prepare_folder(const std::string& folder, std::size_t runs) {
  if (folder.empty()) return;
  if (runs != 1) throw UsageError("--dump-outputs takes a single run");
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw base::InputError("cannot make the folder " + folder + ": " + failed.message(),
                           "unwritable-file");
}

sim::ComparisonOptions comparison_of(const RunArguments& arguments) {
  sim::ComparisonOptions options;
  options.base = arguments.base;
  if (!arguments.pareto.empty()) options.pareto.clear();
  const std::vector<std::string>& names = sim::metric_names();
  for (const std::string& name : arguments.pareto)
    options.pareto.push_back(
        static_cast<sim::Metric>(std::find(names.begin(), names.end(), name) - names.begin()));
  return options;
}

/// Names of NPUs are known once their files are read.
void check_name(const sim::Result& result, const std::string& option, const std::string& base) {
  std::set<std::string> names;
  for (const sim::RunResult& run : result.runs) names.insert(run.npu);
  if (base.empty() || names.count(base) != 0) return;
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  throw UsageError(option + " " + base + " is none of the NPUs compared: " + known);
}

/// What --pin-mapping could not pin, and why: the first op, or with -v all of them.
std::string pinned_text(const sim::RunResult& run, bool all) {
  if (!run.pinned) return {};
  const auto& free = run.pinned->free;
  std::string text = "\n" + run.npu + " " + run.workload + " " + run.mode + ": " +
                     std::to_string(run.pinned->ops) + " products mapped as on " +
                     run.pinned->reference + ", " + std::to_string(free.size()) + " not";
  for (std::size_t i = 0; i < free.size() && (all || i == 0); ++i)
    text += "\n  " + free[i].first + ": " + free[i].second;
  return text + "\n";
}

std::string narration(const sim::Result& result, const sim::ComparisonOptions& comparison,
                      bool verbose) {
  std::string text = sim::table_of(result, comparison);
  for (const sim::RunResult& run : result.runs) text += pinned_text(run, verbose);
  if (!verbose) return text;
  for (const sim::RunResult& run : result.runs) {
    text += "\n";
    if (result.runs.size() > 1) text += run.npu + " " + run.workload + " " + run.mode + "\n";
    text += sim::op_table_of(run);
    if (run.numerics) text += "\n" + sim::numerics_table_of(run);
  }
  return text;
}

int run_requests(const RunArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const OutputFiles& files = common.files;
  check_parts(arguments);
  const std::map<std::string, std::string> inputs = parse_inputs(arguments.inputs);
  const npu::SimulationOptions simulation = simulation_of(arguments);
  check_destinations(
      {files.json, files.csv, files.markdown, files.html, arguments.vcd, arguments.trace});
  if (arguments.explain_mapping && stdout_taken(files))
    throw UsageError("--explain-mapping prints a table, but an output goes to stdout");
  auto [requests, options] = prepare(arguments.selection, common);
  if (!arguments.cluster.empty())
    options.cluster_file = sim::find_file("cluster", arguments.cluster);
  if (common.print_config) return print_configs(requests, options);
  options.what_if = arguments.what_if;
  options.timing = arguments.timing;
  options.numerics = arguments.numerics;
  options.simulation = simulation;
  if (!arguments.vcd.empty() && requests.size() != 1) throw UsageError("--vcd takes a single run");
  if (!arguments.trace.empty() && requests.size() != 1)
    throw UsageError("--trace takes a single run");
  options.weights = arguments.weights;
  options.max_numeric_macs = arguments.max_numeric_macs;
  if (!arguments.activations.empty())
    options.activations = workloads::initializer_of_text(arguments.activations, "--activations");
  options.inputs = inputs;
  options.dump_outputs = arguments.dump_outputs;
  if (!options.dump_outputs.empty()) sim::coverage_all(requests, options);
  prepare_folder(options.dump_outputs, requests.size());
  const sim::ComparisonOptions comparison = comparison_of(arguments);
  options.pin_mapping = arguments.pin_mapping;
  if (!comparison.base.empty() || !options.pin_mapping.empty()) {
    const sim::Result known = sim::coverage_all(requests, options);
    check_name(known, "--base", comparison.base);
    check_name(known, "--pin-mapping", options.pin_mapping);
  }
  catch_interrupts();
  const sim::Result result = sim::run_all(requests, options);
  if (!stdout_taken(files)) {
    print(narration(result, comparison, common.verbose));
    if (arguments.explain_mapping)
      for (const std::string& table : sim::explain_mappings(requests, options)) print("\n" + table);
  }
  write_files(result, files, files.markdown.empty() ? "" : sim::markdown_of(result, comparison),
              common.quiet, result.runs.size() > 1 ? &comparison : nullptr);
  report_warnings(result.warnings, common.quiet);
  report_problems(result);
  return sim::exit_code_of(result);
}

}  // namespace

int run(const RunArguments& arguments) {
  return run_requests(arguments);
}

int compare(const RunArguments& arguments) {
  return run_requests(arguments);
}

}  // namespace npusim::tools
