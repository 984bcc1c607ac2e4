// SPDX-License-Identifier: Apache-2.0
// Every mistake of a workload file is found at once and told at its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cpu_time.h"
#include "workload_text.h"

namespace npusim::workloads {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message;
using testing::mistakes;

/// A workload around one list of nodes over x [2, 3] and w [4, 3].
std::string with_nodes(const std::string& nodes, const std::string& more = "") {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [2, 3]}],
"initializers": [{"name": "w", "shape": [4, 3], "initializer": {"kind": "zeros"}}],)" +
         more + R"(
"nodes": [
)" + nodes +
         R"(
], "outputs": ["y"]})";
}

const char* const kY = R"({"op": "Relu", "name": "y", "inputs": ["x"], "outputs": ["y"]})";

TEST(WorkloadErrors, TheBaseOfTheseTestsIsRight) {
  EXPECT_THAT(mistakes(with_nodes(kY)), IsEmpty());
}

TEST(WorkloadErrors, AllAtOnceEachAtItsPlace) {
  EXPECT_THAT(
      mistakes(R"({"schema_version": 1, "kind": "workload", "name": "t",
"parameters": {"batch": 3.7},
"inputs": [{"name": "x", "shape": ["bathc", -1]}],
"initializers": [{"name": "w", "shape": [4], "initializer": {"kind": "kaiming_normal"}}],
"nodes": [
  {"op": "Rellu", "name": "a", "inputs": ["x"]},
  {"op": "Relu", "name": "b", "inputs": ["nowhere"], "atributes": {}},
  {"op": "Relu", "name": "b", "inputs": ["w"], "attributes": {"axis": 1}}
],
"outputs": ["b.out", "w"]})"),
      ::testing::UnorderedElementsAre(
          "2: /parameters/batch: not-an-integer", "3: /inputs/0/shape/0: unknown-parameter",
          "3: /inputs/0/shape/1: out-of-range", "4: /initializers/0/initializer: wrong-initializer",
          "6: /nodes/0/op: unknown-value", "7: /nodes/1/inputs/0: unknown-tensor",
          "7: /nodes/1/atributes: unknown-key", "8: /nodes/2: duplicate-node",
          "8: /nodes/2: duplicate-tensor", "8: /nodes/2/attributes/axis: unknown-attribute",
          "10: /outputs/1: not-written"));
}

TEST(WorkloadErrors, SuggestsNames) {
  EXPECT_THAT(message(with_nodes(R"({"op": "Rellu", "name": "y", "inputs": ["x"]})")),
              HasSubstr("did you mean \"Relu\"?"));
  EXPECT_THAT(message(with_nodes(R"({"op": "Gemm", "name": "y", "inputs": ["x", "w"],
"outputs": ["y"], "attributes": {"trasnB": 1}})")),
              HasSubstr("did you mean \"transB\"?"));
  EXPECT_THAT(message(with_nodes(R"({"op": "Relu", "name": "hidden", "inputs": ["x"]},
{"op": "Relu", "name": "y", "inputs": ["hiden.out"], "outputs": ["y"]})")),
              HasSubstr("did you mean \"hidden.out\"?"));
}

TEST(WorkloadErrors, InternalOpsCannotBeNamed) {
  EXPECT_THAT(mistakes(with_nodes(R"({"op": "Sgd", "name": "y", "inputs": ["x", "x"],
"outputs": ["y"]})")),
              ElementsAre("5: /nodes/0/op: unknown-value"));
}

TEST(WorkloadErrors, ShapeMismatchStandsAtTheNodeAndIsToldOnce) {
  const std::string text = with_nodes(R"({"op": "Gemm", "name": "fc", "inputs": ["x", "w"]},
{"op": "Relu", "name": "y", "inputs": ["fc.out"], "outputs": ["y"]})");
  EXPECT_EQ(mistakes(text).size(), 1U);
  EXPECT_THAT(mistakes(text).front(), HasSubstr("5: /nodes/0: "));
  EXPECT_THAT(message(text), HasSubstr("Gemm \"fc\""));
  EXPECT_THAT(message(text), HasSubstr("[4, 3]"));
}

TEST(WorkloadErrors, MistakesInARepeatedBlockAreToldOnce) {
  EXPECT_THAT(mistakes(with_nodes(R"({"block": "b", "name": "s", "repeat": 5, "inputs": ["x"],
"outputs": ["y"]})",
                                  R"("blocks": {"b": {"inputs": ["x"], "outputs": ["y"], "nodes": [
{"op": "Gemm", "name": "g", "inputs": ["x", "x"], "outputs": ["y"]}]}},)")),
              ElementsAre(HasSubstr("4: /blocks/b/nodes/0: ")));
}

TEST(WorkloadErrors, WrongAttributeTypes) {
  EXPECT_THAT(mistakes(with_nodes(R"({"op": "Gemm", "name": "y", "inputs": ["x", "w"],
"outputs": ["y"], "attributes": {
"transB": 1.5,
"alpha": "big",
"transA": [1]}})")),
              ElementsAre("7: /nodes/0/attributes/transB: not-an-integer",
                          "8: /nodes/0/attributes/alpha: wrong-type",
                          "9: /nodes/0/attributes/transA: wrong-type"));
}

TEST(WorkloadErrors, CyclicGraphNamesItsNodes) {
  const std::string text = with_nodes(R"({"op": "Relu", "name": "a", "inputs": ["b.out"]},
{"op": "Relu", "name": "b", "inputs": ["a.out"]},)" +
                                      std::string(kY));
  EXPECT_THAT(mistakes(text), ElementsAre(HasSubstr("cyclic-graph")));
  EXPECT_THAT(message(text), HasSubstr("a needs b needs a"));
}

TEST(WorkloadErrors, CyclicAndUnknownBlocks) {
  const std::string blocks = R"("blocks": {
"a": {"inputs": ["x"], "outputs": ["i.out"], "nodes": [{"block": "b", "name": "i", "inputs": ["x"]}]},
"b": {"inputs": ["x"], "outputs": ["i.out"], "nodes": [{"block": "a", "name": "i", "inputs": ["x"]}]}
},)";
  EXPECT_THAT(mistakes(with_nodes(R"({"block": "a", "name": "y", "inputs": ["x"],
"outputs": ["y"]})",
                                  blocks)),
              ElementsAre("5: /blocks/b/nodes/0/block: cyclic-block"));
  EXPECT_THAT(mistakes(with_nodes(R"({"block": "c", "name": "y", "inputs": ["x"],
"outputs": ["y"]})",
                                  blocks)),
              ElementsAre("8: /nodes/0/block: unknown-block"));
}

TEST(WorkloadErrors, BlockUseMustFitTheBlock) {
  const std::string blocks = R"("blocks": {"b": {"parameters": {"n": 1}, "inputs": ["x"],
"outputs": ["r.out"], "nodes": [{"op": "Relu", "name": "r", "inputs": ["x"]}]}},)";
  EXPECT_THAT(mistakes(with_nodes(R"({"block": "b", "name": "y", "inputs": ["x", "x"],
"outputs": ["y", "z"], "parameters": {"m": 2}, "repeat": 0})",
                                  blocks)),
              ::testing::UnorderedElementsAre("6: /nodes/0: wrong-input-count",
                                              "6: /nodes/0: wrong-output-count",
                                              "7: /nodes/0/parameters/m: unknown-parameter",
                                              "7: /nodes/0/repeat: out-of-range"));
}

TEST(WorkloadErrors, ExactlyOneOfOpAndBlock) {
  EXPECT_THAT(mistakes(with_nodes(R"({"name": "y", "inputs": ["x"], "outputs": ["y"]})")),
              ElementsAre("5: /nodes/0: missing-key"));
}

TEST(WorkloadErrors, UnusedParameterIsAMisspelling) {
  EXPECT_THAT(mistakes(with_nodes(kY, R"("parameters": {"batch": 1},)")),
              ElementsAre("3: /parameters/batch: unused-parameter"));
  EXPECT_THAT(message(with_nodes(kY, R"("parameters": {},)"), {"workload.parameters.batch=4"}),
              HasSubstr("--set workload.parameters.batch=4"));
}

TEST(WorkloadErrors, SizesThatDoNotFitAreRefused) {
  EXPECT_THAT(mistakes(R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [
{"name": "a", "shape": [1099511627776, 2]},
{"name": "b", "shape": ["1099511627776*1099511627776"]},
{"name": "c", "shape": [9223372036854775807]},
{"name": "d", "shape": [0]}],
"nodes": [], "outputs": ["y"]})"),
              ElementsAre("7: /outputs/0: unknown-tensor", "3: /inputs/0: too-large",
                          "4: /inputs/1/shape/0: overflow", "5: /inputs/2/shape/0: out-of-range",
                          "6: /inputs/3/shape/0: out-of-range"));
}

TEST(WorkloadErrors, HugeRepetitionEndsQuickly) {
  std::string blocks = R"("blocks": {)";
  for (int i = 0; i < 10; ++i)
    blocks += R"("b)" + std::to_string(i) +
              R"(": {"inputs": ["x"], "outputs": ["i.out"], "nodes": [{"block": "b)" +
              std::to_string(i + 1) + R"(", "name": "i", "repeat": 1000, "inputs": ["x"]}]},)";
  blocks += R"("b10": {"inputs": ["x"], "outputs": ["r.out"],
"nodes": [{"op": "Relu", "name": "r", "inputs": ["x"]}]}},)";
  const test::CpuTime cpu;
  EXPECT_THAT(message(with_nodes(R"({"block": "b0", "name": "y", "inputs": ["x"],
"outputs": ["y"]})",
                                 blocks)),
              HasSubstr("more than 200000"));
  EXPECT_LT(cpu.seconds(), 10.0 * test::slow_build);
}

TEST(WorkloadErrors, LabelsAndInitialisersMustFit) {
  EXPECT_THAT(mistakes(R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [
{"name": "l", "shape": [2], "type": "int8", "role": "label"},
{"name": "m", "shape": [2], "type": "int64", "initializer": {"kind": "normal"}},
{"name": "n", "shape": [2], "type": "int64", "initializer": {"kind": "constant", "value": 0.5}},
{"name": "o", "shape": [2], "initializer": {"kind": "uniform", "low": 2, "high": 1}},
{"name": "p", "shape": [2], "initializer": {"kind": "uniform", "lo": 2}},
{"name": "q", "shape": [2], "initializer": {"kind": "unifrom"}},
{"name": "x", "shape": [2]}],
"nodes": [{"op": "Relu", "name": "r", "inputs": ["x"]}], "outputs": ["r.out"]})"),
              ElementsAre("3: /inputs/0: wrong-type", "4: /inputs/1/initializer: wrong-initializer",
                          "5: /inputs/2/initializer/value: wrong-type",
                          "6: /inputs/3/initializer: out-of-range",
                          "7: /inputs/4/initializer/lo: unknown-key",
                          "8: /inputs/5/initializer/kind: unknown-value"));
}

TEST(WorkloadErrors, TrainingMustNameLogitsAndLabels) {
  const std::string training = R"("training": {
"logits": "yy",
"labels": "x",
"optimizer": {"kind": "eve"}},)";
  EXPECT_THAT(
      mistakes(with_nodes(kY, training)),
      ElementsAre("6: /training/optimizer/kind: unknown-value",
                  "4: /training/logits: unknown-tensor", "5: /training/labels: unknown-tensor"));
}

TEST(WorkloadErrors, WrongKindAndHeader) {
  EXPECT_THAT(message(R"({"schema_version": 1, "kind": "recipe", "name": "t"})"),
              HasSubstr("workload"));
  EXPECT_THAT(mistakes(R"({"schema_version": 1, "kind": "workload"})"),
              ElementsAre("1: /name: missing-key", "1: /inputs: missing-key",
                          "1: /nodes: missing-key", "1: /outputs: missing-key"));
}

TEST(WorkloadErrors, NodesOfAnotherTypeAreToldOnce) {
  EXPECT_THAT(mistakes(with_nodes("3," + std::string(kY))), ElementsAre("5: /nodes/0: wrong-type"));
}

}  // namespace
}  // namespace npusim::workloads
