// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/child.h"
#include "tests/source_dir.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace npusim::cli_test {
namespace {

namespace fs = std::filesystem;

void redirect(const std::string& file, int descriptor) {
  const int opened = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (opened < 0 || dup2(opened, descriptor) < 0) _exit(127);
  close(opened);
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "npusim_cli_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TempFolder::path(const std::string& name) const {
  return name.empty() ? path_ : path_ + "/" + name;
}

std::string TempFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name), std::ios::binary) << text;
  return path(name);
}

std::vector<std::string> TempFolder::names() const {
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(path_))
    names.push_back(item.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

Child::Child(const std::vector<std::string>& command, const std::string& folder,
             const std::vector<std::string>& environment) {
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ > 0) return;
  // A group of its own: a test can interrupt it and its workers as a terminal does.
  setpgid(0, 0);
  redirect(streams_.path("out"), STDOUT_FILENO);
  redirect(streams_.path("err"), STDERR_FILENO);
  redirect("/dev/null", STDIN_FILENO);
  unsetenv("NPUSIM_DATA_DIR");
  for (const std::string& setting : environment) putenv(const_cast<char*>(setting.c_str()));
  if (chdir(folder.c_str()) != 0) _exit(127);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

Outcome Child::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  Outcome outcome;
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.out = read_text(streams_.path("out"));
  outcome.err = read_text(streams_.path("err"));
  return outcome;
}

Outcome run_program(const std::vector<std::string>& command, const std::string& folder) {
  return Child(command, folder).wait();
}

Outcome npusim(std::vector<std::string> arguments, const std::string& folder) {
  arguments.insert(arguments.begin(), npusim_binary());
  return run_program(arguments, folder);
}

std::string npusim_binary() {
  return NPUSIM_BINARY;
}

std::string data(const std::string& name) {
  return test::source_dir() + "/tests/cli/data/" + name;
}

std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

bool exists(const std::string& path) {
  return fs::exists(path);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

const base::JsonValue& at(const base::JsonValue& document, const std::string& pointer) {
  const base::JsonValue* value = &document;
  std::istringstream tokens(pointer.substr(std::min<std::size_t>(1, pointer.size())));
  for (std::string token; std::getline(tokens, token, '/');) {
    const base::JsonValue* next = nullptr;
    if (value->is_object()) next = value->find(token);
    if (value->is_array()) next = &value->items().at(std::stoul(token));
    if (next == nullptr) throw std::out_of_range("no " + token + " in " + pointer);
    value = next;
  }
  return *value;
}

}  // namespace npusim::cli_test
