// SPDX-License-Identifier: Apache-2.0
#include "sim/check.h"

#include "sim/catalog.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/request.h"
#include "tools/shard.h"

namespace npusim::tools {
namespace {

/// What --update rewrote: differences are news here, not failures.
std::string update_text(const sim::CheckReport& report) {
  std::string text;
  for (const sim::CheckRow& row : report.rows) {
    if (!row.error.empty()) {
      text += "FAIL " + row.name + "\n  " + row.error + "\n";
      continue;
    }
    text +=
        "updated " + row.name + " (" + std::to_string(row.violations.size()) + " values changed)\n";
    for (const sim::Violation& v : row.violations)
      text += "  " + v.pointer + ": was " + v.baseline + ", now " + v.current + "\n";
  }
  return text;
}

/// "2/3": runs 2, 5, 8, ... of the suite.
void keep_shard(sim::Suite& suite, const std::string& shard) {
  const auto [first, step] = parse_shard(shard);
  std::vector<sim::SuiteRun> kept;
  for (std::size_t i = first; i < suite.runs.size(); i += step)
    kept.push_back(std::move(suite.runs[i]));
  suite.runs = std::move(kept);
}

bool all_ran(const sim::CheckReport& report) {
  for (const sim::CheckRow& row : report.rows)
    if (!row.error.empty()) return false;
  return true;
}

}  // namespace

int check(const CheckArguments& arguments) {
  const CommonOptions& common = arguments.common;
  const OutputFiles& files = common.files;
  check_destinations({files.json, files.markdown, arguments.junit});
  sim::Suite suite = sim::load_suite(sim::find_file("suite", arguments.suite));
  keep_shard(suite, arguments.shard);
  const sim::RunOptions options = options_of(common);
  catch_interrupts();
  const sim::CheckReport report = sim::check_suite(suite, options, arguments.update);
  const bool passed = arguments.update ? all_ran(report) : report.passed();
  const std::string text =
      arguments.update ? update_text(report) : sim::text_of(report, arguments.bisect_op);
  if (!stdout_taken(files) && arguments.junit != kStdout)
    print(text);
  else if (!passed)
    note(text);
  if (!files.json.empty())
    write_to(files.json, base::dump_json(sim::json_of(report)) + "\n", common.quiet);
  if (!files.markdown.empty()) write_to(files.markdown, sim::markdown_of(report), common.quiet);
  if (!arguments.junit.empty()) write_to(arguments.junit, sim::junit_of(report), common.quiet);
  if (interrupted()) return kInterrupted;
  return passed ? kOk : kCheckFailed;
}

}  // namespace npusim::tools
