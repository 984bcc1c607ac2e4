// SPDX-License-Identifier: Apache-2.0
// The command line. Only this file and cli/ know CLI11.
#include "tools/cli.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "sim/version.h"
#include "tools/cli/define.h"
#include "tools/completion.h"
#include "tools/exit_code.h"
#include "tools/output.h"

namespace npusim::tools {
namespace {

/// Options as typed, in the order of --help.
std::vector<CommandNames> commands_of(const CLI::App& app) {
  std::vector<CommandNames> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_group().empty()) continue;  // hidden: processes start it, not people
    CommandNames command{sub->get_name(), sub->get_description(), {}};
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_snames()) command.options.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) command.options.push_back("--" + name);
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

void define_completion(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "completion", "Completion of commands, options and names for a shell",
                  "npusim completion bash > ~/.local/share/bash-completion/completions/npusim");
  auto shell = std::make_shared<std::string>();
  sub.add_option("shell", *shell, "bash, zsh or fish: the script goes to stdout")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  sub.callback([shell, &app, &chosen] {
    chosen = [shell, &app] {
      print(completion_script(*shell, commands_of(app)));
      return kOk;
    };
  });
}

void define_commands(CLI::App& app, Chosen& chosen) {
  for (const auto define : {define_run,          define_compare,   define_coverage,
                            define_memory,       define_report,    define_diff,
                            define_check,        define_validate,  define_validate_timing,
                            define_list,         define_describe,  define_formats,
                            define_quantize,     define_dot,       define_explain,
                            define_import,       define_onnx_test, define_train,
                            define_advise,       define_sweep,     define_merge,
                            define_sweep_worker, define_completion})
    define(app, chosen);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "npusim runs JSON-described workloads on JSON-described NPUs: cycles, numeric error and op "
      "coverage "
      "from one description.",
      "npusim");
  app.set_version_flag("--version",
                       std::string("npusim ") + sim::version() + " (" + sim::git_id() + ")");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 1 a check failed, 2 usage, 3 invalid config or workload, or an output\n"
      "            that cannot be written, 4 simulation failed, 5 internal error, 130 interrupted\n"
      "            (results so far are kept).\n"
      "npusim COMMAND --help shows the options of a command and an example.");
  Chosen chosen;
  define_commands(app, chosen);
  define_sensitivity(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return chosen();
}

}  // namespace npusim::tools
