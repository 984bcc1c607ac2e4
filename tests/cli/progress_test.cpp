// SPDX-License-Identifier: Apache-2.0
// Progress within one run, seen on a pseudo-terminal, and an interrupt in the middle of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <regex>
#include <thread>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// npusim with a terminal as its stderr.
class TerminalChild {
 public:
  explicit TerminalChild(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), npusim_binary());
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) return;
    const std::string terminal = ptsname(master_);
    std::vector<char*> words;
    for (std::string& word : arguments) words.push_back(word.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    setpgid(0, 0);
    const int none = open("/dev/null", O_RDWR);
    const int error = open(terminal.c_str(), O_RDWR | O_NOCTTY);
    if (none < 0 || error < 0) _exit(127);
    dup2(none, STDIN_FILENO);
    dup2(none, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    execv(words[0], words.data());
    _exit(127);
  }
  ~TerminalChild() {
    if (pid_ > 0 && !ended_) {
      kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (master_ >= 0) close(master_);
  }
  TerminalChild(const TerminalChild&) = delete;
  TerminalChild& operator=(const TerminalChild&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& shown() const { return shown_; }

  /// Reads until the pattern was shown; false when the program ended (or hung) without.
  bool shows(const std::string& pattern) {
    const std::regex wanted(pattern);
    while (!std::regex_search(shown_, wanted))
      if (!read_some()) return false;
    return true;
  }
  int exit_code() {
    while (read_some()) {
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  bool read_some() {
    pollfd ready{master_, POLLIN, 0};
    constexpr int kHangs = 300'000;  // milliseconds
    if (poll(&ready, 1, kHangs) <= 0) return false;
    char buffer[4096];
    const ssize_t got = read(master_, buffer, sizeof buffer);  // fails when the terminal is let go
    if (got <= 0) return false;
    shown_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  int master_ = -1;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string shown_;
};

/// A run of one triple that was interrupted and says so, with two numbers "N of M" in its reason.
void expect_interrupted(const std::string& file, const std::string& reason) {
  const base::JsonValue document = base::parse_json_file(file);
  ASSERT_EQ(at(document, "/runs").items().size(), 1U);
  EXPECT_EQ(at(document, "/runs/0/status").string(), "interrupted");
  const std::string error = at(document, "/runs/0/error").string();
  std::smatch numbers;
  ASSERT_TRUE(std::regex_search(error, numbers, std::regex(reason))) << error;
  EXPECT_LT(std::stoll(numbers[1]), std::stoll(numbers[2])) << error;
  EXPECT_EQ(at(document, "/runs/0/numerics").kind(), base::JsonValue::Kind::null);
}

const char* const kErased = "\r\x1b[K";

TEST(ProgressInARun, TimingShowsItsShareAndStopsAtAnInterrupt) {
  const TempFolder folder;
  // Some millions of tiles.
  TerminalChild child({"run", "--npu", "systolic_8x8_fp32", "--workload", "gpt3_175b", "--set",
                       "workload.parameters.sequence=64", "--set", "npu.dram.gib=10000",
                       "--no-numerics", "--json", folder.path("r.json")});
  ASSERT_TRUE(child.shows("simulating timing: [0-9]+ %, [^\r]* left  0 of 1 runs"))
      << child.shown();
  kill(-child.pid(), SIGINT);
  EXPECT_EQ(child.exit_code(), 130) << child.shown();
  EXPECT_THAT(child.shown(), HasSubstr(kErased));
  expect_interrupted(folder.path("r.json"),
                     "interrupted while simulating: ([0-9]+) of ([0-9]+) tiles and ops done");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"r.json"});
}

const std::vector<std::string> kLongNumerics = {"run",
                                                "--npu",
                                                "nvdla_fp16",
                                                "--workload",
                                                "resnet50",
                                                "--set",
                                                "workload.parameters.batch=4",
                                                "--jobs",
                                                "1",
                                                "--json"};

TEST(ProgressInARun, NumericsShowsItsShareAndStopsAtTheNextOp) {
  const TempFolder folder;
  std::vector<std::string> arguments = kLongNumerics;
  arguments.push_back(folder.path("r.json"));
  TerminalChild child(arguments);
  ASSERT_TRUE(child.shows("computing numerics: [0-9]+ %, [^\r]* left  nvdla_fp16 resnet50 "))
      << child.shown();
  kill(child.pid(), SIGINT);
  EXPECT_EQ(child.exit_code(), 130) << child.shown();
  expect_interrupted(folder.path("r.json"),
                     "interrupted while computing numerics: ([0-9]+) of ([0-9]+) ops done");
  const base::JsonValue document = base::parse_json_file(folder.path("r.json"));
  EXPECT_GT(at(document, "/runs/0/timing/cycles").integer(), 0) << "what was done is kept";
}

TEST(ProgressInARun, IsSilentWithoutATerminal) {
  const TempFolder folder;
  std::vector<std::string> arguments = kLongNumerics;
  arguments.insert(arguments.begin(), npusim_binary());
  arguments.push_back(folder.path("r.json"));
  Child child(arguments);
  std::this_thread::sleep_for(std::chrono::milliseconds(1800));
  kill(child.pid(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_THAT(outcome.err, Not(HasSubstr("%")));
}

}  // namespace
}  // namespace npusim::cli_test
