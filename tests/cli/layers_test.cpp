// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> arguments_with(const std::string& layers) {
  return {"run",       "--npu",         "systolic128_bf16", "--workload",
          "small_gpt", "--no-numerics", "--layers",         layers};
}

std::string timing_with(const std::string& layers) {
  std::vector<std::string> arguments = arguments_with(layers);
  arguments.insert(arguments.end(), {"--mode", "training", "--json", "-"});
  const Outcome outcome = npusim(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const JsonValue document = base::parse_json(outcome.out, "stdout");
  return base::dump_json(at(document, "/runs/0/timing"));
}

TEST(Layers, RepeatedGivesTheNumbersOfApartAndSaysSo) {
  const std::string apart = timing_with("apart");
  EXPECT_EQ(timing_with("repeated"), apart);
  EXPECT_THAT(apart, HasSubstr(R"("layers": "apart")"));
  EXPECT_THAT(timing_with("together"), Not(HasSubstr(R"("layers")")));
  EXPECT_THAT(npusim(arguments_with("repeated")).out, HasSubstr("layers apart"));
  EXPECT_EQ(npusim(arguments_with("merged")).exit_code, 2);
  std::vector<std::string> untimed = {"run", "--npu", "systolic128_bf16", "--workload", "mlp"};
  untimed.insert(untimed.end(), {"--no-timing", "--layers", "repeated"});
  EXPECT_EQ(npusim(untimed).exit_code, 2);
}

}  // namespace
}  // namespace npusim::cli_test
