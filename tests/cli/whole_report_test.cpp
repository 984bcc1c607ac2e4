// SPDX-License-Identifier: Apache-2.0
// Everything that is wrong, in one report: the whole list of messages, each with its place, pointer
// and what is allowed.
#include <gmock/gmock.h>

#include "base/array_file.h"
#include "tests/cli/child.h"

namespace npusim::cli_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A file under tests/cli/data with texts replaced.
std::string edited(const std::string& file,
                   const std::vector<std::pair<std::string, std::string>>& edits) {
  std::string text = read_text(data(file));
  for (const auto& [from, to] : edits) {
    const std::size_t where = text.find(from);
    if (where == std::string::npos) throw std::out_of_range("no " + from + " in " + file);
    text.replace(where, from.size(), to);
  }
  return text;
}

class WholeReport : public testing::Test {
 protected:
  /// Lines on stderr, file names of the folder without it.
  std::vector<std::string> report(const std::vector<std::string>& arguments) {
    const Outcome outcome = npusim(arguments, folder_.path());
    EXPECT_EQ(outcome.exit_code, 3) << outcome.out << outcome.err;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& line : lines_of(outcome.err))
      EXPECT_THAT(line, HasSubstr("; allowed: "));
    return lines_of(outcome.err);
  }
  TempFolder folder_;
};

TEST_F(WholeReport, DuplicateKeysHideNothing) {
  folder_.write("a.json", edited("tiny_npu.json",
                                 {{"\"rows\": 4", "\"rows\": 4, \"rows\": 8"},
                                  {"\"kib\": 16, \"buffers\": 2", "\"kib\": -1, \"bufers\": 2"},
                                  {"\"clock_mhz\": 500,", ""},
                                  {"\"gib\": 1", "\"gib\": 99999999999999999999"}}));
  EXPECT_THAT(
      report({"validate", "a.json"}),
      ElementsAre("a.json:13:16: /mac_array/rows: key \"rows\" appears twice in this object; "
                  "allowed: each key once",
                  "a.json:28:63: /dram/gib: integer 99999999999999999999 does not fit into 64 "
                  "bits; allowed: an integer from -2^63 to 2^63 - 1",
                  "a.json:1:1: /clock_mhz: key \"clock_mhz\" is missing; allowed: a number from "
                  "0.001 to 1e+06",
                  "a.json:27:25: /scratchpad/kib: -1 is out of range; allowed: an integer from 1 "
                  "to 1073741824",
                  "a.json:27:39: /scratchpad/bufers: unknown key \"bufers\" (did you mean "
                  "\"buffers\"?); allowed: buffers, kib, unified, banks, ports, banking, "
                  "width_bytes"));
}

// What the parent holds is not known, so no key of it is called missing.
TEST_F(WholeReport, AMissingParentHidesNothing) {
  folder_.write("b.json", R"({"schema_version": 2, "kind": "npu", "extends": "nope.json",
"name": 3,
"mac_array": {"rows": 0, "rowz": 3, "accumulator": {"latency_cycles": {"fp32": 0}}},
"operators": {"default": "host"}})");
  const std::vector<std::string> lines =
      report({"run", "--npu", "b.json", "--workload", data("tiny_mlp.json"), "--set",
              "npu.scratchpad.kib=3", "--set", "npu.mac_array.rows[0]=1"});
  EXPECT_THAT(
      lines,
      ElementsAre("b.json:1:20: /schema_version: schema version 2 is unknown; allowed: 1",
                  "b.json:1:49: /extends: no such file: nope.json; allowed: a file, relative to "
                  "this one",
                  "--set npu.mac_array.rows[0]=1: /mac_array/rows/0: nothing to override here; "
                  "allowed: nothing below a value",
                  "b.json:2:9: /name: 3 is an integer; allowed: a string",
                  "b.json:3:23: /mac_array/rows: 0 is out of range; allowed: an integer from 1 to "
                  "65536",
                  "b.json:3:80: /mac_array/accumulator/latency_cycles/fp32: 0 is out of range; "
                  "allowed: an integer from 1 to 1024",
                  HasSubstr("b.json:3:34: /mac_array/rowz: unknown key \"rowz\" (did you mean "
                            "\"rows\"?); allowed: organisation, rows, ")));
}

TEST_F(WholeReport, AParentThatIsNoJsonHidesNothing) {
  folder_.write("parent.json", "{\"schema_version\": 1, \"kind\": }");
  folder_.write("r.json", R"({"schema_version": 1, "kind": "recipe", "extends": "parent.json",
"rounding": "nearest"})");
  const std::vector<std::string> lines = report({"validate", "r.json"});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], testing::StartsWith("parent.json:1:31: "));
  EXPECT_THAT(lines[0], HasSubstr("; allowed: JSON"));
  EXPECT_THAT(lines[1], testing::StartsWith("r.json:2:13: /rounding: unknown value \"nearest\""));
}

TEST_F(WholeReport, MissingAndWrongDataFilesHideNothing) {
  base::write_npy(folder_.path("wrong.npy"), {base::ElementKind::f32, {4}, {0, 0, 0, 0}});
  folder_.write("cut.npy", read_text(folder_.path("wrong.npy")).substr(0, 140));
  folder_.write(
      "w.json",
      edited("tiny_mlp.json",
             {{"\"description\": \"Two", "\"description\": \"x\", \"description\": \"Two"},
              {R"({"kind": "uniform", "low": -0.1, "high": 0.1})",
               R"({"kind": "file", "path": "missing.npy"})"},
              {R"([3], "initializer": {"kind": "zeros"})",
               R"([3], "initializer": {"kind": "file", "path": "wrong.npy"})"},
              {R"([3, 8], "initializer": {"kind": "kaiming_normal"})",
               R"([3, 8], "initializer": {"kind": "file", "path": "cut.npy"})"},
              {"\"inputs\": [\"fc1.out\"]", "\"inputs\": [\"fc1.uot\"]"},
              {"\"initializer\": {\"kind\": \"normal\"}", "\"initializer\": {\"mean\": 1}"},
              {"\"learning_rate\": 0.1", "\"learning_rate\": -1"},
              {"{\"batch\": 4}", "{\"batch\": 4, \"unneeded\": 3}"}}));
  EXPECT_THAT(
      report({"validate", "w.json"}),
      ElementsAre(
          "w.json:5:23: /description: key \"description\" appears twice in this object; allowed: "
          "each key once",
          HasSubstr("w.json:8:58: /inputs/0/initializer/kind: key \"kind\" is missing; allowed: "
                    "constant, zeros, ones, "),
          "w.json:14:80: /initializers/1/initializer/path: no such file: missing.npy; allowed: a "
          ".npy or .safetensors file, relative to this one",
          "w.json:29:51: /training/optimizer/learning_rate: -1 is out of range; allowed: a number "
          "from 0.0 to 1e+30",
          "w.json:20:48: /nodes/1/inputs/0: unknown tensor \"fc1.uot\" (did you mean "
          "\"fc1.out\"?); allowed: an input, an initializer or another node's output",
          "w.json:6:42: /parameters/unneeded: nothing uses the parameter \"unneeded\"; allowed: a "
          "parameter that an expression names",
          "w.json:15:85: /initializers/2/initializer/path: cut.npy: at byte 128: the shape does "
          "not match the 12 bytes of data that follow; allowed: a whole .npy or .safetensors file",
          "w.json:16:80: /initializers/3/initializer/path: wrong.npy: shape [4], but tensor "
          "fc2.bias is [3]; allowed: a tensor of shape [3]"));
}

TEST_F(WholeReport, ATensorThatASafetensorsFileLacks) {
  std::string bytes(8, '\0');
  const std::string header = R"({"fc2_bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})";
  bytes[0] = static_cast<char>(header.size());
  folder_.write("w.safetensors", bytes + header + std::string(12, '\0'));
  folder_.write("w.json",
                edited("tiny_mlp.json",
                       {{R"([3], "initializer": {"kind": "zeros"})",
                         R"([3], "initializer": {"kind": "file", "path": "w.safetensors"})"}}));
  EXPECT_THAT(report({"validate", "w.json"}),
              ElementsAre("w.json:16:80: /initializers/3/initializer/path: w.safetensors holds no "
                          "tensor \"fc2.bias\" (did you mean \"fc2_bias\"?); allowed: fc2_bias"));
}

TEST_F(WholeReport, RulesAcrossSectionsAreToldBesideAnUnknownKey) {
  folder_.write("n.json", edited("tiny_npu.json", {{"\"rows\": 4", "\"rows\": 40000"},
                                                   {"\"launch_cycles\"", "\"lunch_cycles\""}}));
  const std::vector<std::string> lines = report({"validate", "n.json"});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0], HasSubstr(": /lunch_cycles: unknown key"));
  EXPECT_THAT(lines[1], HasSubstr(": /scratchpad/kib: the operands of one pass"));
}

TEST_F(WholeReport, NamesOverridesAndFilesTogether) {
  folder_.write("w.json", edited("tiny_mlp.json", {{"\"Relu\"", "\"Rel\""}}));
  EXPECT_THAT(
      report({"compare",       "--npu",      data("tiny_npu.json"),
              "cube",          "--workload", "w.json",
              "--recipe",      "fp61",       "--set",
              "npu.mac_array", "--set",      "npu.mac_arry.rows=3",
              "--set",         "foo.x=1",    "--set",
              "unit.x=1",      "--set",      "workload.parameters.bach=2",
              "--json",        "o.json"}),
      ElementsAre(
          HasSubstr("npusim: no shipped npu is named \"cube\"; allowed: a file, or one of: "),
          HasSubstr("npusim: no shipped recipe is named \"fp61\" (did you mean \"fp16\"?); "
                    "allowed: a file, or one of: apex_o0, "),
          "--set npu.mac_array: '=' is missing; allowed: such as npu.clock_mhz=500",
          "--set foo.x=1: the path starts with \"foo\"; allowed: npu, workload, recipe, unit, "
          "cluster",
          "--set unit.x=1: a run has no unit file; allowed: a path that starts with npu, workload "
          "or recipe",
          HasSubstr("--set npu.mac_arry.rows=3: /mac_arry: nothing to override here; allowed: "
                    "schema_version, kind, name, "),
          HasSubstr("w.json:20:12: /nodes/1/op: unknown value \"Rel\" (did you mean \"Relu\"?); "
                    "allowed: "),
          "--set workload.parameters.bach=2: /parameters/bach: nothing uses the parameter "
          "\"bach\"; allowed: a parameter that an expression names"));
  EXPECT_FALSE(exists(folder_.path("o.json")));
}

TEST_F(WholeReport, JsonHoldsTheSameMistakes) {
  folder_.write("a.json", edited("tiny_npu.json", {{"\"rows\": 4", "\"rows\": 4, \"rows\": 8"},
                                                   {"\"kib\": 16", "\"kib\": -1"},
                                                   {"\"lanes\": 4,", ""}}));
  folder_.write("b.json", R"({"schema_version": 1, "kind": "recepe"})");
  const Outcome outcome = npusim({"validate", "a.json", "b.json", "--json", "-"}, folder_.path());
  EXPECT_EQ(outcome.exit_code, 3);
  const base::JsonValue document = base::parse_json(outcome.out, "stdout");
  EXPECT_FALSE(at(document, "/valid").boolean());
  std::vector<std::string> errors;
  for (const base::JsonValue& error : at(document, "/errors").items()) {
    errors.push_back(
        at(error, "/file").string() + ":" + std::to_string(at(error, "/line").integer()) + ":" +
        std::to_string(at(error, "/column").integer()) + ": " + at(error, "/pointer").string() +
        ": " + at(error, "/message").string() + "; allowed: " + at(error, "/allowed").string());
  }
  EXPECT_EQ(errors, lines_of(outcome.err));
  EXPECT_EQ(errors.size(), 4U);
}

TEST_F(WholeReport, SuitesAreCheckedAsFarAsTheFilesTheyName) {
  folder_.write("s.json", R"({"schema_version": 1, "kind": "suite", "name": "s", "runs": [
  {"name": "a", "npu": "systolic128_bf16", "workload": "mlp", "numerics": false,
   "baseline": "a.json", "set": ["npu.clock_mzh=3", "npu.mac_array.rows=0",
   "npu.mac_arry.rows=3", "foo.x=1", "workload.parameters.batch=2"]},
  {"name": "a", "npu": "cube", "workload": "no.json", "recipe": "fp61",
   "baseline": "a.json", "mode": "trainin"},
  {"name": "c", "npu": "bad.json", "workload": "mlp", "numerics": false}],
 "tolerances": [{"metric": "/timing/**/energy_mj", "relative": 0.1},
  {"metric": "/timings/energy_mj"}, {"metric": "/timing/cycles"},
  {"metric": "/coverage/native", "relativ": 1}]})");
  folder_.write("bad.json", edited("tiny_npu.json", {{"\"rows\": 4", "\"rows\": -4"}}));
  EXPECT_THAT(
      report({"validate", "s.json"}),
      ElementsAre(
          "s.json:4:27: /runs/0/set/3: foo.x=1: the path starts with \"foo\"; allowed: npu, "
          "workload, recipe, unit, cluster",
          "s.json:3:16: /runs/0/baseline: no such file: ./a.json; allowed: an existing baseline "
          "(`npusim check --update` writes it)",
          HasSubstr("s.json:4:4: /runs/0/set/2: npu.mac_arry.rows=3: /mac_arry: nothing to "
                    "override here; allowed: schema_version, "),
          "s.json:3:53: /runs/0/set/1: npu.mac_array.rows=0: /mac_array/rows: 0 is out of range; "
          "allowed: an integer from 1 to 65536",
          HasSubstr("s.json:3:34: /runs/0/set/0: npu.clock_mzh=3: /clock_mzh: unknown key "
                    "\"clock_mzh\" (did you mean \"clock_mhz\"?); allowed: schema_version, "),
          HasSubstr("s.json:5:24: /runs/1/npu: no shipped npu is named \"cube\"; allowed: "),
          HasSubstr("s.json:5:44: /runs/1/workload: workload file ./no.json does not exist; "),
          HasSubstr("s.json:5:65: /runs/1/recipe: no shipped recipe is named \"fp61\""),
          "s.json:6:34: /runs/1/mode: unknown value \"trainin\" (did you mean \"training\"?); "
          "allowed: inference, training",
          HasSubstr("s.json:6:16: /runs/1/baseline: no such file: ./a.json; "),
          "s.json:5:12: /runs/1/name: run 0 is named \"a\" too; allowed: a name of its own for "
          "each run",
          "s.json:6:16: /runs/1/baseline: run 0 has this baseline too; allowed: a baseline of its "
          "own for each run",
          "s.json:7:3: /runs/2/baseline: key \"baseline\" is missing; allowed: a file, relative to "
          "this one",
          HasSubstr("bad.json:13:13: /mac_array/rows: -4 is out of range; "),
          HasSubstr("s.json:9:14: /tolerances/1/metric: \"/timings/energy_mj\" matches no real "
                    "number of a run of this suite; allowed: a pointer into a run"),
          HasSubstr("s.json:9:48: /tolerances/2/metric: \"/timing/cycles\" matches no real number"),
          HasSubstr("s.json:10:14: /tolerances/3/metric: \"/coverage/native\" matches no real"),
          HasSubstr("s.json:10:45: /tolerances/3/relativ: unknown key")));
}

TEST_F(WholeReport, WeightsAndInputsAreCheckedBeforeTheRun) {
  base::write_npy(folder_.path("x.npy"), {base::ElementKind::f32, {2}, {0, 0}});
  std::string bytes(8, '\0');
  const std::string header = R"({"fc1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  bytes[0] = static_cast<char>(header.size());
  folder_.write("w.safetensors", bytes + header + std::string(4, '\0'));
  EXPECT_THAT(
      report({"run", "--npu", data("tiny_npu.json"), "--workload", data("tiny_mlp.json"),
              "--weights", "w.safetensors", "--input", "x=x.npy", "--input", "y=x.npy", "--json",
              "o.json"}),
      ElementsAre(
          "--input x: x.npy: shape [2], but tensor x is [4, 12]; allowed: a tensor of shape "
          "[4, 12]",
          "--input y: workload tiny_mlp has no graph input of that name; allowed: x, labels",
          "--weights: w.safetensors: shape [1], but tensor fc1.weight is [8, 12]; allowed: a "
          "tensor of shape [8, 12]",
          "--weights: w.safetensors holds no tensor \"fc1.bias\"; allowed: fc1.weight",
          "--weights: w.safetensors holds no tensor \"fc2.weight\" (did you mean "
          "\"fc1.weight\"?); allowed: fc1.weight"));
  EXPECT_FALSE(exists(folder_.path("o.json")));
}

}  // namespace
}  // namespace npusim::cli_test
