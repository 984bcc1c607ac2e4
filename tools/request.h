// SPDX-License-Identifier: Apache-2.0
// Steps that run, compare and coverage share: options to requests, results to files.
#pragma once

#include <vector>

#include "sim/comparison.h"
#include "sim/run.h"
#include "tools/options.h"

namespace npusim::tools {

/// Seed, jobs, quiet, overrides and the interrupt flag.
sim::RunOptions options_of(const CommonOptions& common);

/// What a command line selects. Throws base::InputError with every wrong name and override, and
/// what is wrong in the files beside them.
struct Prepared {
  std::vector<sim::RunRequest> requests;
  sim::RunOptions options;
};
Prepared prepare(const sim::Selection& selection, const CommonOptions& common);

/// JSON, CSV, Markdown and HTML of a result where they were asked for; `comparison`: with the runs
/// held against each other.
void write_files(const sim::Result& result, const OutputFiles& files, const std::string& markdown,
                 bool quiet, const sim::ComparisonOptions* comparison = nullptr);

/// True when a file option took stdout: the table then goes nowhere.
bool stdout_taken(const OutputFiles& files);

/// Rows that failed, for people who look at stderr only.
void report_problems(const sim::Result& result);

/// "npusim: warning: ..." on stderr, unless quiet.
void report_warnings(const std::vector<std::string>& warnings, bool quiet);

/// --print-config: validates everything that would run, then prints each file once; returns 0.
int print_configs(const std::vector<sim::RunRequest>& requests, const sim::RunOptions& options);

}  // namespace npusim::tools
