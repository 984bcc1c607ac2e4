// SPDX-License-Identifier: Apache-2.0
// Every mistake a config can hold: named with file, line, column and pointer, all at once, exit
// code 3, nothing on stdout and no output file left.
#include <gmock/gmock.h>

#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// tiny_npu.json or tiny_mlp.json with one line replaced.
std::string with(const std::string& file, const std::string& from, const std::string& to) {
  std::string text = read_text(data(file));
  const std::size_t where = text.find(from);
  if (where == std::string::npos) throw std::out_of_range("no " + from + " in " + file);
  return text.replace(where, from.size(), to);
}

/// "line:column" of the first occurrence.
std::string place_of(const std::string& text, const std::string& part) {
  const std::size_t where = text.find(part);
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(where), '\n');
  const std::size_t start = where == 0 ? std::string::npos : text.rfind('\n', where - 1);
  return std::to_string(line) + ":" +
         std::to_string(start == std::string::npos ? where + 1 : where - start);
}

class BadInput : public testing::Test {
 protected:
  Outcome run(const std::string& npu, const std::string& workload) {
    const Outcome outcome = npusim({"run", "--npu", npu, "--workload", workload, "--json",
                                    folder_.path("out.json"), "--csv", folder_.path("out.csv")});
    EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(exists(folder_.path("out.json")));
    EXPECT_FALSE(exists(folder_.path("out.csv")));
    return outcome;
  }

  void expect_npu(const std::string& from, const std::string& to, const std::string& bad_value,
                  const std::string& pointer, const std::string& says) {
    const std::string text = with("tiny_npu.json", from, to);
    const std::string file = folder_.write("npu.json", text);
    const Outcome outcome = run(file, data("tiny_mlp.json"));
    EXPECT_THAT(outcome.err,
                StartsWith(file + ":" + place_of(text, bad_value) + ": " + pointer + ": "));
    EXPECT_THAT(outcome.err, HasSubstr(says));
  }

  void expect_workload(const std::string& from, const std::string& to, const std::string& pointer,
                       const std::string& says) {
    const std::string file = folder_.write("workload.json", with("tiny_mlp.json", from, to));
    const Outcome outcome = run(data("tiny_npu.json"), file);
    EXPECT_THAT(outcome.err, StartsWith(file + ":"));
    EXPECT_THAT(outcome.err, HasSubstr(": " + pointer));
    EXPECT_THAT(outcome.err, HasSubstr(says));
  }

  TempFolder folder_;
};

TEST_F(BadInput, UnknownKeyGetsASuggestion) {
  expect_npu("\"rows\": 4", "\"rowz\": 4, \"rows\": 4", "4, \"rows\"", "/mac_array/rowz", "rows");
}

TEST_F(BadInput, DuplicateKey) {
  expect_npu("\"rows\": 4", "\"rows\": 4, \"rows\": 8", "\"rows\": 8", "/mac_array/rows", "twice");
}

TEST_F(BadInput, WrongType) {
  expect_npu("\"rows\": 4", "\"rows\": \"four\"", "\"four\"", "/mac_array/rows", "\"four\"");
}

TEST_F(BadInput, FractionForAnInteger) {
  expect_npu("\"rows\": 4", "\"rows\": 3.7", "3.7", "/mac_array/rows", "3.7");
}

TEST_F(BadInput, NegativeSize) {
  expect_npu("\"kib\": 16", "\"kib\": -1", "-1", "/scratchpad/kib", "-1");
}

TEST_F(BadInput, MisspeltChoice) {
  expect_npu("\"systolic\"", "\"sistolic\"", "\"sistolic\"", "/mac_array/organisation", "systolic");
}

TEST_F(BadInput, UnknownFormat) {
  expect_npu("\"format\": \"fp32\",\n      \"latency", "\"format\": \"fp33\",\n      \"latency",
             "\"fp33\"", "/mac_array/accumulator/format", "fp33");
}

TEST_F(BadInput, ArrayLargerThanItsBuffers) {
  expect_npu("\"rows\": 4", "\"rows\": 40000", "16, \"buffers\"", "/scratchpad/kib", "array");
}

TEST_F(BadInput, SyntaxErrorNamesItsPlace) {
  const std::string file = folder_.write("npu.json", "{\n  \"schema_version\": 1,\n  oops\n}\n");
  EXPECT_THAT(run(file, data("tiny_mlp.json")).err, StartsWith(file + ":3:3: "));
}

TEST_F(BadInput, AllMistakesOfAllFilesAtOnce) {
  std::string npu = with("tiny_npu.json", "\"rows\": 4", "\"rows\": 3.7");
  npu.replace(npu.find("\"kib\": 16"), 9, "\"kib\": -1");
  npu.replace(npu.find("\"launch_cycles\""), 15, "\"lunch_cycles\"");
  const std::string npu_file = folder_.write("npu.json", npu);
  const std::string workload_file =
      folder_.write("workload.json", with("tiny_mlp.json", "\"op\": \"Relu\"", "\"op\": \"Rel\""));
  const std::string err = run(npu_file, workload_file).err;
  EXPECT_EQ(lines_of(err).size(), 4u) << err;
  for (const char* pointer : {"/mac_array/rows", "/scratchpad/kib", "/lunch_cycles", "/nodes/1/op"})
    EXPECT_THAT(err, HasSubstr(std::string(": ") + pointer + ": "));
}

TEST_F(BadInput, MissingFileAndUnknownName) {
  EXPECT_THAT(run("/no/such/npu.json", data("tiny_mlp.json")).err, HasSubstr("/no/such/npu.json"));
  const std::string err = run("systolic128_bf61", data("tiny_mlp.json")).err;
  EXPECT_THAT(err, HasSubstr("did you mean \"systolic128_bf16\""));
}

TEST_F(BadInput, PatternWithoutMatch) {
  EXPECT_THAT(run(folder_.path("*.json"), data("tiny_mlp.json")).err, HasSubstr("*.json"));
}

TEST_F(BadInput, CyclicExtends) {
  const std::string header = "{\"schema_version\": 1, \"kind\": \"npu\", \"extends\": ";
  folder_.write("b.json", header + "\"a.json\"}");
  const std::string file = folder_.write("a.json", header + "\"b.json\"}");
  EXPECT_THAT(run(file, data("tiny_mlp.json")).err, HasSubstr("/extends: "));
}

TEST_F(BadInput, MissingParent) {
  const std::string file = folder_.write(
      "a.json", "{\"schema_version\": 1, \"kind\": \"npu\",\n \"extends\": \"gone.json\"}");
  EXPECT_THAT(run(file, data("tiny_mlp.json")).err, StartsWith(file + ":2:13: /extends: "));
}

TEST_F(BadInput, MistakeInAnInheritedValuePointsIntoTheParent) {
  const std::string text = with("tiny_npu.json", "\"rows\": 4", "\"rows\": 0");
  const std::string parent = folder_.write("parent.json", text);
  const std::string child = folder_.write(
      "child.json", "{\"schema_version\": 1, \"kind\": \"npu\", \"extends\": \"parent.json\"}");
  EXPECT_THAT(
      run(child, data("tiny_mlp.json")).err,
      StartsWith(parent + ":" + place_of(text, "0,\n    \"cols\"") + ": /mac_array/rows: "));
}

TEST_F(BadInput, WrongKindOfFile) {
  EXPECT_THAT(run(data("tiny_mlp.json"), data("tiny_mlp.json")).err, HasSubstr("/kind: "));
}

TEST_F(BadInput, CyclicGraph) {
  expect_workload("[\"x\", \"fc1.weight\", \"fc1.bias\"]",
                  "[\"relu1.out\", \"fc1.weight\", \"fc1.bias\"]", "/nodes", "fc1");
}

TEST_F(BadInput, ShapeMismatch) {
  expect_workload("\"shape\": [8, 12]", "\"shape\": [8, 13]", "/nodes/0", "13");
}

TEST_F(BadInput, UnknownTensorAndOp) {
  expect_workload("\"relu1.out\", \"fc2.weight\"", "\"relu9.out\", \"fc2.weight\"",
                  "/nodes/2/inputs/0", "relu9.out");
  expect_workload("\"op\": \"Relu\"", "\"op\": \"Relo\"", "/nodes/1/op", "Relu");
}

TEST_F(BadInput, UnknownOverridePath) {
  for (const std::string override : {"npu.mac_array.rowz=8", "npu.no.such=1", "gpu.rows=8",
                                     "npu.mac_array.rows", "workload.batsch=8"}) {
    const Outcome outcome = npusim({"run", "--npu", data("tiny_npu.json"), "--workload",
                                    data("tiny_mlp.json"), "--set", override});
    EXPECT_EQ(outcome.exit_code, 3) << override;
    EXPECT_THAT(outcome.err, HasSubstr("--set " + override)) << override;
    EXPECT_EQ(outcome.out, "") << override;
  }
}

TEST_F(BadInput, TrainingWithoutATrainingSection) {
  std::string text = read_text(data("tiny_mlp.json"));
  const std::size_t comma = text.rfind("],\n  \"training\"");
  const std::string file = folder_.write("w.json", text.substr(0, comma) + "]\n}\n");
  const Outcome outcome =
      npusim({"run", "--npu", data("tiny_npu.json"), "--workload", file, "--mode", "training"});
  EXPECT_EQ(outcome.exit_code, 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("training"));
}

}  // namespace
}  // namespace npusim::cli_test
