// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kCommands = {
    "run",      "compare",  "coverage",        "memory",     "report",     "diff",
    "check",    "validate", "validate-timing", "list",       "describe",   "formats",
    "quantize", "dot",      "explain",         "import",     "onnx-test",  "train",
    "advise",   "sweep",    "merge",           "completion", "sensitivity"};

TEST(Usage, HelpListsExactlyTheCommandsThatWork) {
  const Outcome help = npusim({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  std::vector<std::string> listed;
  bool within = false;
  for (const std::string& line : lines_of(help.out)) {
    if (within && line.rfind("  ", 0) == 0 && line.size() > 2 && line[2] != ' ')
      listed.push_back(line.substr(2, line.find(' ', 2) - 2));
    if (line == "Subcommands:") within = true;
  }
  EXPECT_EQ(listed, kCommands) << help.out;
  EXPECT_THAT(help.out, HasSubstr("Exit codes"));
}

TEST(Usage, EveryCommandHasHelpWithAnExample) {
  for (const std::string& command : kCommands) {
    const Outcome help = npusim({command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Example:\n  npusim " + command)) << command;
  }
}

TEST(Usage, OptionsStandInTheHelpOfTheCommandsThatTakeThem) {
  const auto commands_with = [](const std::string& text) {
    std::vector<std::string> found;
    for (const std::string& command : kCommands) {
      std::string words;  // help is wrapped
      for (const std::string& line : lines_of(npusim({command, "--help"}).out)) {
        const std::size_t first = line.find_first_not_of(' ');
        if (first != std::string::npos) words += line.substr(first) + " ";
      }
      if (words.find(text) != std::string::npos) found.push_back(command);
    }
    return found;
  };
  EXPECT_THAT(commands_with("--what-if"),
              testing::UnorderedElementsAre("run", "compare", "coverage", "train", "advise",
                                            "sensitivity"));
  EXPECT_EQ(commands_with("with --cluster also cluster"), commands_with("--cluster FILE|NAME"));
}

TEST(Usage, VersionNamesProgramVersionAndGitId) {
  const Outcome version = npusim({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out,
              testing::MatchesRegex("npusim [0-9]+\\.[0-9]+\\.[0-9]+ \\([0-9a-z+-]+\\)\n"));
}

TEST(Usage, MistakesInTheCommandLineExitWithTwo) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"simulate"},
      {"run"},
      {"run", "--npu", "cube16_fp16"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--frobnicate"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--mode", "guessing"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--seed", "-1"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--jobs", "many"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--scenario", "cnn_training"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--json", "-", "--csv", "-"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--json", "/tmp/o", "--csv",
       "/tmp/../tmp/o"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--input", "x"},
      {"run", "--npu", "cube16_fp16", "--workload", "mlp", "--no-numerics", "--dump-outputs", "d"},
      {"coverage", "--npu", "cube16_fp16", "--workload", "mlp", "--require", "everything"},
      {"quantize", "--format", "fp16", "-i", "x.npy"},
      {"quantize", "--format", "fp16", "--rounding", "up", "-i", "x.npy", "-o", "y.npy"},
      {"check"},
      {"validate"},
  };
  for (const std::vector<std::string>& arguments : mistakes) {
    const Outcome outcome = npusim(arguments);
    const std::string shown = testing::PrintToString(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << shown << "\n" << outcome.err;
    EXPECT_EQ(outcome.out, "") << shown;
    EXPECT_NE(outcome.err, "") << shown;
  }
}

TEST(Usage, AnUnwritableDestinationIsFoundBeforeTheWork) {
  const Outcome outcome = npusim({"compare", "--npu", "systolic128_bf16", "cube16_fp16",
                                  "--workload", "resnet50", "--json", "/no/such/folder/r.json"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("/no/such/folder"));
  EXPECT_EQ(outcome.out, "");
}

TEST(Usage, AFullStandardOutputIsAnError) {
  const Outcome outcome = run_program({"sh", "-c", npusim_binary() + " formats > /dev/full"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("standard output"));
}

}  // namespace
}  // namespace npusim::cli_test
