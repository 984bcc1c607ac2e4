// SPDX-License-Identifier: Apache-2.0
// What the process does beside computing: signals, dying workers, working folder, installation.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "tests/cli/child.h"
#include "tests/source_dir.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;

/// Long enough, on any machine, to be met at work in timing and in numerics.
const std::vector<std::string> kLongRun = {"run",
                                           "--npu",
                                           "nvdla_fp16",
                                           "--workload",
                                           "resnet50",
                                           "--set",
                                           "workload.parameters.batch=16"};

std::vector<std::string> command(std::vector<std::string> arguments,
                                 const std::vector<std::string>& more) {
  arguments.insert(arguments.begin(), npusim_binary());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

void pause_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// The first worker process of a child, or 0 when it ended without one being seen.
pid_t worker_of(pid_t parent) {
  const std::string file =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  for (int i = 0; i < 50000; ++i) {
    std::ifstream children(file);
    if (!children) return 0;
    pid_t worker = 0;
    if (children >> worker) return worker;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return 0;
}

TEST(Interrupt, OnceKeepsWhatThereIs) {
  TempFolder folder;
  Child child(command(kLongRun, {"--json", folder.path("r.json")}));
  // A worker means that signals are caught; its end, that numerics has begun.
  const pid_t worker = worker_of(child.pid());
  ASSERT_GT(worker, 0);
  while (kill(worker, 0) == 0) pause_ms(1);
  pause_ms(50);
  kill(-child.pid(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  const base::JsonValue document = base::parse_json_file(folder.path("r.json"));
  EXPECT_EQ(at(document, "/runs/0/status").string(), "interrupted");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"r.json"});
}

TEST(Interrupt, DuringTimingEndsAllRuns) {
  TempFolder folder;
  std::vector<std::string> arguments = kLongRun;
  arguments[0] = "compare";
  arguments.insert(arguments.begin() + 2, "systolic128_bf16");
  Child child(command(arguments, {"--jobs", "1", "--json", folder.path("r.json")}));
  ASSERT_GT(worker_of(child.pid()), 0);
  kill(-child.pid(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  const base::JsonValue document = base::parse_json_file(folder.path("r.json"));
  ASSERT_EQ(at(document, "/runs").items().size(), 2u);
  for (const base::JsonValue& run : at(document, "/runs").items())
    EXPECT_EQ(at(run, "/status").string(), "interrupted");
}

TEST(Interrupt, TwiceEndsAtOnce) {
  TempFolder folder;
  Child child(command(kLongRun, {"--json", folder.path("r.json")}));
  ASSERT_GT(worker_of(child.pid()), 0);
  for (int i = 0; i < 50; ++i) {
    kill(-child.pid(), SIGINT);
    pause_ms(2);
  }
  EXPECT_EQ(child.wait().exit_code, 130);
  if (exists(folder.path("r.json"))) base::parse_json_file(folder.path("r.json"));  // whole
}

TEST(Worker, ThatDiesIsAFailedRowAndExitCodeFour) {
  if (!exists("/proc/self/task")) GTEST_SKIP() << "no /proc";
  TempFolder folder;
  Child child(command(kLongRun, {"--no-numerics", "--json", folder.path("r.json")}));
  const pid_t worker = worker_of(child.pid());
  ASSERT_GT(worker, 0);
  kill(worker, SIGKILL);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("failed"));
  const base::JsonValue document = base::parse_json_file(folder.path("r.json"));
  EXPECT_EQ(at(document, "/runs/0/status").string(), "failed");
  EXPECT_THAT(at(document, "/runs/0/error").string(), HasSubstr("signal 9"));
  EXPECT_EQ(at(document, "/runs/0/timing").kind(), base::JsonValue::Kind::null);
}

TEST(Data, IsFoundThroughTheEnvironment) {
  const std::string source = test::source_dir();
  Child good({npusim_binary(), "list", "npu"}, "/", {"NPUSIM_DATA_DIR=" + source});
  EXPECT_EQ(good.wait().exit_code, 0);
  Child bad({npusim_binary(), "list", "npu"}, "/", {"NPUSIM_DATA_DIR=/tmp"});
  const Outcome outcome = bad.wait();
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("NPUSIM_DATA_DIR"));
}

TEST(Install, WorksFromAnyPrefixAndFolder) {
  TempFolder prefix;
  const Outcome installed =
      run_program({NPUSIM_CMAKE, "--install", NPUSIM_BUILD_DIR, "--prefix", prefix.path("usr")});
  ASSERT_EQ(installed.exit_code, 0) << installed.err;
  const std::string binary = prefix.path("usr/bin/npusim");
  const Outcome listed = run_program({binary, "list", "npu", "--json", "-"}, "/");
  ASSERT_EQ(listed.exit_code, 0) << listed.err;
  const base::JsonValue entries = base::parse_json(listed.out, "-");
  ASSERT_GE(entries.items().size(), 3u);
  EXPECT_THAT(at(entries, "/0/file").string(), HasSubstr(prefix.path("usr")));
  const Outcome run =
      run_program({binary, "run", "--npu", "cube16_fp16", "--workload", "mlp"}, prefix.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(prefix.names(), std::vector<std::string>{"usr"});
}

}  // namespace
}  // namespace npusim::cli_test
