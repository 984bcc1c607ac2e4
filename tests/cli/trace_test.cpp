// SPDX-License-Identifier: Apache-2.0
// run --trace: the file against the result of the same run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "child.h"

namespace npusim::cli_test {
namespace {

using base::JsonValue;

struct Traced {
  JsonValue result, trace;
};

Traced traced(const std::vector<std::string>& more = {}) {
  const std::string folder = ::testing::TempDir();
  const std::string trace = folder + "npusim_trace.json";
  const std::string result = folder + "npusim_traced_result.json";
  std::vector<std::string> arguments = {"run",  "--npu",         "systolic128_bf16", "--workload",
                                        "mlp",  "--mode",        "training",         "--json",
                                        result, "--no-numerics", "--trace",          trace};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = npusim(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return {base::parse_json(read_text(result), result), base::parse_json(read_text(trace), trace)};
}

const std::string& kind_of(const JsonValue& event) {
  return event.find("ph")->string();
}

double time_of(const JsonValue& event, const char* key) {
  return event.find(key)->number();
}

TEST(Trace, EventsAddUpToTheResult) {
  const Traced run = traced();
  std::map<std::int64_t, double> ends;
  std::int64_t bytes = 0;
  double busy_us = 0.0;
  std::map<std::string, double> counters;
  for (const JsonValue& event : at(run.trace, "/traceEvents").items()) {
    if (kind_of(event) == "C") {
      counters[event.find("name")->string()] = at(event, "/args/value").number();
      continue;
    }
    if (kind_of(event) != "X") continue;
    const std::int64_t track = event.find("tid")->integer();
    EXPECT_GE(time_of(event, "ts"), ends[track] - 1e-6) << "events of a track do not overlap";
    ends[track] = time_of(event, "ts") + time_of(event, "dur");
    const JsonValue* moved = event.find("args")->find("bytes");
    if (moved != nullptr) bytes += moved->integer();
    if (track == 3) busy_us += time_of(event, "dur");
  }
  const JsonValue& timing = at(run.result, "/runs/0/timing");
  EXPECT_EQ(bytes, at(timing, "/dram_bytes").integer());
  std::int64_t array_cycles = at(timing, "/busy_cycles").integer();
  for (const char* overhead : {"preload", "fill_drain", "accumulate"})
    array_cycles += at(timing, std::string("/stall_cycles/") + overhead).integer();
  const double clock = at(run.trace, "/otherData/clock_mhz").number();
  EXPECT_NEAR(busy_us * clock, static_cast<double>(array_cycles), 1e-3);
  EXPECT_EQ(counters.size(), 6U);
  EXPECT_EQ(counters.at("accumulator memory, bytes of an array"), 0.0) << "all is given back";
  EXPECT_EQ(counters.at("scratchpad, streamed slots"), 0.0);
}

TEST(Trace, AWindowKeepsWhatTouchesIt) {
  const Traced all = traced();
  const Traced part = traced({"--trace-cycles", "20000:30000"});
  const double clock = at(all.trace, "/otherData/clock_mhz").number();
  std::size_t kept = 0, wanted = 0;
  const auto touches = [&](const JsonValue& event) {
    const double begin = time_of(event, "ts") * clock;
    return begin < 30000 && begin + time_of(event, "dur") * clock > 20000;
  };
  for (const JsonValue& event : at(part.trace, "/traceEvents").items()) {
    if (kind_of(event) != "X") continue;
    ++kept;
    EXPECT_TRUE(touches(event));
  }
  for (const JsonValue& event : at(all.trace, "/traceEvents").items())
    wanted += kind_of(event) == "X" && touches(event) ? 1 : 0;
  EXPECT_EQ(kept, wanted);
  EXPECT_GT(kept, 0U);
  EXPECT_EQ(base::dump_json(at(part.result, "/runs/0/timing")),
            base::dump_json(at(all.result, "/runs/0/timing")));
}

TEST(Trace, OptionsThatDoNotGoTogetherAreUsageErrors) {
  const auto code = [](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"run", "--npu", "systolic128_bf16", "--workload", "mlp"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return npusim(arguments).exit_code;
  };
  EXPECT_EQ(code({"--trace-cycles", "0:5"}), 2);
  EXPECT_EQ(code({"--trace", "x.txt"}), 2);
  EXPECT_EQ(code({"--trace", "x.json", "--no-timing"}), 2);
  EXPECT_EQ(code({"--trace", "x.json", "--trace-cycles", "5:5"}), 2);
}

}  // namespace
}  // namespace npusim::cli_test
