// SPDX-License-Identifier: Apache-2.0
// train: one workload on one NPU under several recipes, against FP32; advise: which one to take;
// sensitivity: which part needs which format.
#include "sim/training/train_all.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "sim/catalog.h"
#include "sim/report/report.h"
#include "sim/training/advise.h"
#include "sim/training/train_report.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/request.h"
#include "tools/sensitivity.h"

namespace npusim::tools {
namespace {

/// Lines go out as they come, so that a log can be followed and survives a kill. A disk that is
/// full does not end the training: it is said once, and in the exit code.
class LogFile {
 public:
  /// `go_on`: behind what is there.
  LogFile(std::string path, bool go_on)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), go_on ? "a" : "w")) {
    if (file_ == nullptr)
      throw base::InputError("cannot write the log " + path_ + ": " + std::strerror(errno),
                             "unwritable-file");
  }
  ~LogFile() { std::fclose(file_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  void line(const std::string& text) {
    if (!whole_) return;
    whole_ = std::fputs((text + "\n").c_str(), file_) >= 0 && std::fflush(file_) == 0;
    if (!whole_)
      note("npusim: error: cannot write the log " + path_ + ": " + std::strerror(errno) +
           "; going on without it");
  }
  bool whole() const { return whole_; }

 private:
  std::string path_;
  std::FILE* file_;
  bool whole_ = true;
};

sim::TrainRequest request_of(const TrainArguments& arguments) {
  base::Diagnostics diagnostics;
  sim::TrainRequest request;
  request.options = arguments.options;
  request.options.seed = static_cast<std::uint64_t>(arguments.common.seed);
  request.options.interrupted = interrupted;
  request.reference = arguments.reference;
  request.timing = arguments.timing;
  request.what_if = arguments.what_if;
  request.jobs = arguments.common.jobs;
  request.quiet = arguments.common.quiet;
  const auto find = [&](const char* kind, const std::string& name, std::string& file) {
    diagnostics.collect([&] { file = sim::find_file(kind, name); });
  };
  if (!arguments.npu.empty()) find("npu", arguments.npu, request.npu_file);
  find("workload", arguments.workload, request.workload_file);
  if (!arguments.cluster.empty()) find("cluster", arguments.cluster, request.cluster_file);
  for (const std::string& recipe : sim::expand_patterns(arguments.recipes)) {
    request.recipe_files.emplace_back();
    find("recipe", recipe, request.recipe_files.back());
  }
  for (const std::string& text : arguments.common.overrides)
    diagnostics.collect([&] { request.overrides.push_back(base::parse_override(text)); });
  diagnostics.throw_if_any();
  return request;
}

/// The log that was asked for, written to by `request`; nullptr: none.
std::unique_ptr<LogFile> open_log(const TrainArguments& arguments, sim::TrainRequest& request) {
  if (arguments.log.empty()) return nullptr;
  auto log = std::make_unique<LogFile>(arguments.log, !arguments.options.resume.empty());
  request.options.log = [file = log.get()](const std::string& line) { file->line(line); };
  return log;
}

/// A log that is cut off is an output that could not be written.
int exit_code(const sim::TrainResult& result, const std::unique_ptr<LogFile>& log) {
  const int code = sim::exit_code_of(result);
  return code == kOk && log && !log->whole() ? kInvalidInput : code;
}

}  // namespace

int train(const TrainArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json, files.csv, files.markdown, files.html, arguments.log});
  sim::TrainRequest request = request_of(arguments);
  if (request.recipe_files.size() != 1 &&
      !(arguments.options.checkpoint.empty() && arguments.options.resume.empty()))
    throw UsageError("--checkpoint and --resume take a single recipe, not " +
                     std::to_string(request.recipe_files.size()));
  request.fp32_step = true;
  const std::unique_ptr<LogFile> log = open_log(arguments, request);
  catch_interrupts();
  const sim::TrainResult result = sim::train_all(request);
  report_warnings(result.warnings, arguments.common.quiet);
  if (!stdout_taken(files)) print(sim::table_of(result));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(result)) + "\n", arguments.common.quiet);
  if (!files.csv.empty()) write_to(files.csv, sim::csv_of(result), arguments.common.quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, sim::markdown_of(result), arguments.common.quiet);
  if (!files.html.empty())
    write_to(files.html, sim::html_of(sim::json_of(result)), arguments.common.quiet);
  return exit_code(result, log);
}

int advise(const TrainArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  check_destinations({files.json, files.markdown, arguments.log});
  sim::TrainRequest request = request_of(arguments);
  const std::unique_ptr<LogFile> log = open_log(arguments, request);
  catch_interrupts();
  const sim::Advice advice = sim::advise(request);
  report_warnings(advice.experiment.warnings, arguments.common.quiet);
  if (!stdout_taken(files)) print(sim::text_of(advice));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(advice)) + "\n", arguments.common.quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, sim::markdown_of(advice), arguments.common.quiet);
  return exit_code(advice.experiment, log);
}

int sensitivity(const SensitivityArguments& arguments) {
  const OutputFiles& files = arguments.common.files;
  sim::SensitivityOptions options = arguments.search;
  for (const sim::Part part : {sim::Part::layer, sim::Part::op, sim::Part::role})
    if (arguments.part == sim::name_of(part)) options.parts = part;
  if (options.candidates.empty() && options.accumulators.empty())
    throw UsageError("--candidate or --accumulator is required");
  if (!options.accumulators.empty() && arguments.npu.empty())
    throw UsageError("--accumulator needs an --npu");
  check_destinations({files.json, files.csv, files.markdown, arguments.recipe});
  sim::TrainRequest request = request_of(arguments);
  catch_interrupts();
  const sim::Sensitivity result = sim::sensitivity(request, options);
  if (!stdout_taken(files)) print(sim::text_of(result));
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(result)) + "\n", arguments.common.quiet);
  if (!files.csv.empty()) write_to(files.csv, sim::csv_of(result), arguments.common.quiet);
  if (!files.markdown.empty())
    write_to(files.markdown, sim::markdown_of(result), arguments.common.quiet);
  if (!arguments.recipe.empty() && !result.interrupted)
    write_to(arguments.recipe, base::dump_json(result.recipe) + "\n", arguments.common.quiet);
  return result.interrupted ? kInterrupted : kOk;
}

}  // namespace npusim::tools
