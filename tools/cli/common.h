// SPDX-License-Identifier: Apache-2.0
// Options that several commands share, each declared in one place. CLI11 itself stays in the
// sources.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/options.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace npusim::tools {

/// Set by the command that was named; called after parsing so that its exceptions reach main.
using Chosen = std::function<int()>;

void choose(CLI::App& sub, Chosen& chosen, std::function<int()> action);

/// The struct that a command's options fill; it goes to `action` when parsing is over.
template <class Arguments>
std::shared_ptr<Arguments> command(CLI::App& sub, Chosen& chosen, int (*action)(const Arguments&)) {
  auto arguments = std::make_shared<Arguments>();
  choose(sub, chosen, [arguments, action] { return action(*arguments); });
  return arguments;
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& examples);

void add_json(CLI::App& sub, CommonOptions& common);
void add_csv(CLI::App& sub, CommonOptions& common);
void add_markdown(CLI::App& sub, CommonOptions& common);
void add_html(CLI::App& sub, CommonOptions& common);
void add_quiet(CLI::App& sub, CommonOptions& common);
void add_jobs(CLI::App& sub, CommonOptions& common);
void add_overrides(CLI::App& sub, CommonOptions& common, const std::string& kinds);
void add_print_config(CLI::App& sub, CommonOptions& common);
void add_seed(CLI::App& sub, CommonOptions& common);
void add_verbose(CLI::App& sub, CommonOptions& common);

/// A file or shipped name; `many`: several after one option, or the option repeated, or a pattern.
CLI::Option* add_files(CLI::App& sub, const std::string& option, std::vector<std::string>& files,
                       const std::string& what, bool many);

}  // namespace npusim::tools
