// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/common.h"

#include <CLI/CLI.hpp>

namespace npusim::tools {

void choose(CLI::App& sub, Chosen& chosen, std::function<int()> action) {
  sub.callback([&chosen, action = std::move(action)] { chosen = action; });
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& examples) {
  CLI::App& sub = *app.add_subcommand(name, what);
  sub.footer("Example:\n  " + examples);
  return sub;
}

void add_json(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--json", common.files.json, "Write JSON to this file ('-': stdout, and no table)")
      ->type_name("FILE");
}

void add_csv(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--csv", common.files.csv, "Write CSV to this file ('-': stdout)")
      ->type_name("FILE");
}

void add_markdown(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--markdown", common.files.markdown, "Write Markdown to this file ('-': stdout)")
      ->type_name("FILE");
}

void add_html(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--html", common.files.html,
                 "Write a report with charts to this file: one page that needs no network")
      ->type_name("FILE");
}

void add_quiet(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("--quiet", common.quiet, "Nothing on stderr but errors");
}

void add_jobs(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--jobs", common.jobs,
                 "Processes and threads (0: one per core); results are the same")
      ->type_name("N")
      ->check(CLI::Range(0, 1024));
}

void add_overrides(CLI::App& sub, CommonOptions& common, const std::string& kinds) {
  sub.add_option(
         "--set", common.overrides,
         "Override a value in every file of a kind, as npu.mac_array.rows=64; paths start with " +
             kinds + " (repeatable)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

void add_print_config(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("--print-config", common.print_config,
               "Print the resolved configs with the origin of each value, and stop");
}

void add_seed(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--seed", common.seed, "Seed of generated weights and inputs (default 0)")
      ->type_name("N")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
}

void add_verbose(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("-v,--verbose", common.verbose, "Also print each run op by op");
}

CLI::Option* add_files(CLI::App& sub, const std::string& option, std::vector<std::string>& files,
                       const std::string& what, bool many) {
  CLI::Option* added = sub.add_option(option, files, what)->type_name("FILE|NAME");
  if (!many) added->expected(1);
  return added;
}

}  // namespace npusim::tools
