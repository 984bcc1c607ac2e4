// SPDX-License-Identifier: Apache-2.0
#include "tools/completion.h"

#include <fmt/format.h>

namespace npusim::tools {
namespace {

struct NamedOption {
  const char* option;
  const char* kind;  ///< of `npusim list`
};
constexpr NamedOption kNamed[] = {{"--npu", "npu"},         {"--workload", "workload"},
                                  {"--recipe", "recipe"},   {"--scenario", "scenario"},
                                  {"--cluster", "cluster"}, {"--unit", "mac_unit"}};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// Names of a kind: the second column of `npusim list`, below its two lines of header.
std::string list_command(const std::string& kind) {
  return fmt::format("npusim list {} --quiet 2>/dev/null | awk 'NR > 2 {{ print $2 }}'", kind);
}

std::string bash(const std::vector<CommandNames>& commands) {
  std::vector<std::string> names;
  for (const CommandNames& command : commands) names.push_back(command.name);
  std::string text =
      "# bash completion of npusim\n"
      "_npusim() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" options= "
      "i\n";
  text += fmt::format(
      "  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W '{} --help --version' -- "
      "\"$word\")); "
      "return; fi\n",
      joined(names));
  text += "  case \"${COMP_WORDS[1]}\" in\n";
  for (const CommandNames& command : commands)
    text += fmt::format("    {}) options='{}' ;;\n", command.name, joined(command.options));
  text += "  esac\n  case \"$before\" in\n";
  for (const NamedOption& named : kNamed)
    text += fmt::format(
        "    {}) COMPREPLY=($(compgen -W \"$({})\" -- \"$word\") $(compgen -f -- \"$word\")); "
        "return "
        ";;\n",
        named.option, list_command(named.kind));
  return text +
         "  esac\n"
         "  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
         "  else COMPREPLY=($(compgen -f -- \"$word\")); fi\n"
         "}\n"
         "complete -o filenames -F _npusim npusim\n";
}

std::string fish(const std::vector<CommandNames>& commands) {
  std::string text = "# fish completion of npusim\n";
  for (const CommandNames& command : commands) {
    text += fmt::format("complete -c npusim -n __fish_use_subcommand -f -a {} -d '{}'\n",
                        command.name, command.description);
    for (const std::string& option : command.options) {
      std::string more;
      for (const NamedOption& named : kNamed)
        if (option == named.option)
          more = fmt::format(
              " -x -a '(npusim list {} --quiet 2>/dev/null | awk \"NR > 2 {{ print \\$2 }}\")'",
              named.kind);
      const bool is_long = option.rfind("--", 0) == 0;
      text += fmt::format("complete -c npusim -n '__fish_seen_subcommand_from {}' -{} {}{}\n",
                          command.name, is_long ? "l" : "s", option.substr(is_long ? 2 : 1), more);
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandNames>& commands) {
  if (shell == "fish") return fish(commands);
  const std::string script = bash(commands);
  return shell == "zsh" ? "#compdef npusim\nautoload -U +X bashcompinit && bashcompinit\n" + script
                        : script;
}

}  // namespace npusim::tools
