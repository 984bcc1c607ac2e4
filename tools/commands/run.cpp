// SPDX-License-Identifier: Apache-2.0
// run and compare: the same work, one triple or a matrix of them.
#include <filesystem>
#include <map>

#include "sim/run.h"
#include "sim/writers/writers.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/request.h"

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

std::string narration(const sim::Result& result, bool verbose) {
  std::string text = sim::table_of(result);
  if (!verbose) return text;
  for (const sim::RunResult& run : result.runs) {
    text += "\n";
    if (result.runs.size() > 1) text += run.npu + " " + run.workload + " " + run.mode + "\n";
    text += sim::op_table_of(run);
  }
  return text;
}

int run_requests(const RunArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const OutputFiles& files = common.files;
  check_parts(arguments);
  const std::map<std::string, std::string> inputs = parse_inputs(arguments.inputs);
  check_destinations({files.json, files.csv, files.markdown});
  auto [requests, options] = prepare(arguments.selection, common);
  if (common.print_config) return print_configs(requests, options);
  options.timing = arguments.timing;
  options.numerics = arguments.numerics;
  options.weights = arguments.weights;
  options.inputs = inputs;
  options.dump_outputs = arguments.dump_outputs;
  if (!options.dump_outputs.empty()) sim::coverage_all(requests, options);
  prepare_folder(options.dump_outputs, requests.size());
  catch_interrupts();
  const sim::Result result = sim::run_all(requests, options);
  if (!stdout_taken(files)) print(narration(result, common.verbose));
  write_files(result, files, files.markdown.empty() ? "" : sim::markdown_of(result), common.quiet);
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
