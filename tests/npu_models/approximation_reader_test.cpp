// SPDX-License-Identifier: Apache-2.0
// Section vector_unit.approximations of an NPU file: what is read, and every mistake in its place.
#include "npu_models/approximation_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "npu_models/npu_file.h"
#include "npu_models/numeric_hash.h"
#include "tests/npu_models/support.h"

namespace npusim::npu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using workloads::Approximation;
using workloads::Elementary;

struct Read {
  std::shared_ptr<const workloads::Approximations> approximations;
  std::vector<base::Diagnostic> mistakes;
};

Read read(const std::string& section) {
  const base::JsonValue document =
      base::parse_json("{\"approximations\": " + section + "}", "unit.json");
  base::Diagnostics diagnostics;
  base::ObjectReader object(base::ValueReader(document, "", diagnostics));
  Read result;
  result.approximations = read_approximations(object);
  result.mistakes = diagnostics.items();
  return result;
}

Approximation function(const std::string& section, Elementary which) {
  const Read result = read(section);
  EXPECT_TRUE(result.mistakes.empty()) << base::to_string(result.mistakes.front());
  return *result.approximations->find(which);
}

TEST(ApproximationReader, TakesTablesOfSteps) {
  const Approximation given = function(
      R"({"tanh": {"kind": "table", "breakpoints": [-1, 0, 0.5, 1], "values": [-0.6, 0.2, 0.7]}})",
      Elementary::tanh);
  EXPECT_THAT(given.coefficients, ElementsAre(double(-0.6F), double(0.2F), double(0.7F)));
  const precision::Rounder exact;
  EXPECT_EQ(given(-0.25, exact), double(-0.6F));
  EXPECT_EQ(given(0.0, exact), double(0.2F));
  EXPECT_EQ(given(5.0, exact), double(0.7F)) << "clamped";
  // Without values: the function in the middle of each segment.
  const Approximation own = function(
      R"({"reciprocal": {"kind": "table", "breakpoints": {"from": 1, "to": 3, "segments": 2}}})",
      Elementary::reciprocal);
  EXPECT_THAT(own.coefficients, ElementsAre(double(1.0F / 1.5F), 0.4F));
}

TEST(ApproximationReader, InterpolatesValuesRoundedToTheirFormat) {
  const Approximation a = function(
      R"({"exp": {"kind": "piecewise_linear", "breakpoints": [0, 1, 4], "values": [1, 2.71828, 54.598],
                  "coefficient_format": "bf16", "below": "exact", "above": "extrapolate"}})",
      Elementary::exp);
  // bf16(1.71828) and bf16(2.71828) = 1.71875, 2.71875; bf16(17.293240) = 17.25.
  EXPECT_THAT(a.coefficients, ElementsAre(1.0, 1.71875, 2.71875, 17.25));
  EXPECT_EQ(a.below, workloads::Beyond::exact);
  EXPECT_EQ(a.above, workloads::Beyond::extrapolate);
  EXPECT_EQ(a(2.0, {}), 2.71875 + 17.25);
}

TEST(ApproximationReader, TakesPolynomialsInTheDistanceOrTheArgument) {
  const std::string text =
      R"({"silu": {"kind": "piecewise_polynomial", "reduction": "symmetry", "breakpoints": [0, 2, 4],
                   "coefficients": [[0, 0.5, 0.25], [1.75, 1, 0]], "origin": "ORIGIN"}})";
  const auto with = [&](const std::string& origin) {
    std::string changed = text;
    changed.replace(changed.find("ORIGIN"), 6, origin);
    return function(changed, Elementary::silu);
  };
  EXPECT_EQ(with("segment")(3.0, {}), 2.75);
  EXPECT_EQ(with("zero")(3.0, {}), 4.75);
  EXPECT_EQ(with("segment")(-1.0, {}), 0.75 - 1.0);
}

std::string all_of(const std::vector<base::Diagnostic>& mistakes) {
  std::string text;
  for (const base::Diagnostic& mistake : mistakes) text += base::to_string(mistake) + "\n";
  return text;
}

TEST(ApproximationReader, MistakesAreNamedTogetherEachInItsPlace) {
  const Read result = read(R"({
    "exp": {"kind": "piecewise_linear", "breakpoints": [0, 1, 1, 0.5]},
    "log": {"kind": "piecewise_linear", "breakpoints": [0, 1]},
    "tanh": {"kind": "piecewise_linear", "breakpoints": [0, 1, 2], "values": [0, 1]},
    "sigmoid": {"kind": "table", "breakpoints": [0, 1, 2], "values": [0.5, 0.7, 0.9]},
    "erf": {"kind": "piecewise_polynomial", "breakpoints": [0, 1, 2], "coefficients": [[0, 1], [1]]},
    "gelu": {"kind": "piecewise_polynomial", "breakpoints": [0, 1, 2], "coefficients": [[0, 1]]},
    "silu": {"kind": "spline", "breakpoints": [0, 1]},
    "reciprocal": {"kind": "piecewise_linear", "reduction": "exponent", "breakpoints": [1, 1.5]},
    "rsqrt": {"kind": "piecewise_linear", "reduction": "symmetry", "breakpoints": [1, 4]},
    "sqrt": {"kind": "piecewise_linear", "breakpoints": [1, 4], "values": [70000, 1],
             "coefficient_format": "fp16"},
    "cosine": {}
  })");
  const std::string text = all_of(result.mistakes);
  for (const char* expected :
       {"/approximations/exp/breakpoints/2", "/approximations/exp/breakpoints/3",
        "breakpoints must increase", "/approximations/log: ", "2 values for 3 breakpoints",
        "3 values: one a breakpoint", "3 values for 3 breakpoints", "2 values: one a segment",
        "/approximations/erf/coefficients/1", "1 list for 3 breakpoints", "piecewise_polynomial",
        "reciprocal is looked up from 1 to 2", "none, exponent", "not finite in fp16", "cosine"})
    EXPECT_THAT(text, HasSubstr(expected)) << text;
  EXPECT_EQ(result.mistakes.size(), 12U) << text;
  for (const base::Diagnostic& mistake : result.mistakes) {
    EXPECT_GT(mistake.line, 0);
    EXPECT_THAT(mistake.pointer, HasSubstr("/approximations/"));
  }
}

TEST(ApproximationReader, RefusesWhatHasNoMeaning) {
  const char* const wrong[] = {
      R"({"exp": {"kind": "table", "breakpoints": [0, 1], "above": "extrapolate"}})",
      R"({"exp": {"kind": "table", "breakpoints": [0]}})",
      R"({"exp": {"kind": "table", "breakpoints": {"from": 1, "to": 0, "segments": 2}}})",
      R"({"exp": {"kind": "table", "breakpoints": {"from": 1, "to": 1.0000000000000002, "segments": 2}}})",
      R"({"exp": {"kind": "table", "breakpoints": {"from": -1e308, "to": 1e308, "segments": 1}}})",
      R"({"exp": {"kind": "table", "breakpoints": {"from": 0, "to": 1, "segments": 0}}})",
      R"({"exp": {"kind": "table", "breakpoints": {"from": 0, "to": 1, "segments": 65537}}})",
      R"({"exp": {"kind": "table", "breakpoints": ["0", 1]}})",
      R"({"exp": {"kind": "table", "breakpoints": [0, 1], "coefficients": [[1]]}})",
      R"({"exp": {"kind": "table", "breakpoints": [0, 1], "origin": "zero"}})",
      R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1], "coefficients": [[1]],
                  "values": [1, 2]}})",
      R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1], "coefficients": [[]]}})",
      R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1], "coefficients": 1}})",
      R"({"exp": {"kind": "piecewise_polynomial", "breakpoints": [0, 1],
                  "coefficients": [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]}})",
      R"({"exp": {"kind": "table", "reduction": "exponent", "breakpoints": [0, 1], "above": "exact"}})",
      R"({"tanh": {"kind": "table", "reduction": "symmetry", "breakpoints": [0, 1], "below": "exact"}})",
      R"({"tanh": {"kind": "table", "reduction": "symmetry", "breakpoints": [-1, 1]}})",
      R"({"tanh": {"kind": "table", "breakpoints": [0, 1], "coefficient_format": "fp17"}})",
      R"({"tanh": {"breakpoints": [0, 1]}})",
      R"({"tanh": {"kind": "table"}})",
      R"({"tanh": 3})",
      R"([])"};
  for (const char* section : wrong) EXPECT_EQ(read(section).mistakes.size(), 1U) << section;
}

TEST(ApproximationReader, EveryMutationIsReadOrRefused) {
  const std::string seed =
      R"({"exp": {"kind": "piecewise_linear", "reduction": "exponent", "breakpoints": {"from": 0, "to": 1, "segments": 4}},
          "tanh": {"kind": "table", "breakpoints": [-1, 0, 1.5], "values": [-0.5, 0.25], "below": "exact"},
          "log": {"kind": "piecewise_polynomial", "reduction": "exponent", "breakpoints": [1, 1.5, 2],
                  "coefficients": [[0, 1], [0.4, 0.6]], "origin": "zero", "coefficient_format": "fp16"}})";
  const std::vector<std::string> tokens = {"0",    "-1",  "1e308", "-1e308",   "1e-320", "null",
                                           "[]",   "{}",  "\"\"",  "[[",       "65536",  "exact",
                                           "zero", "exp", "table", "fp4_e2m1", ", "};
  std::uint64_t state = 7;
  const auto below = [&](std::size_t limit) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % limit;
  };
  int good = 0, refused = 0;
  for (int run = 0; run < 4000; ++run) {
    std::string text = seed;
    for (std::size_t n = below(3) + 1; n > 0; --n) {
      const std::size_t at = below(text.size());
      if (below(2) == 0)
        text.replace(at, below(4), tokens[below(tokens.size())]);
      else
        text[at] = "0123456789.,-[]{}\"e "[below(20)];
    }
    try {
      const Read result = read(text);
      result.mistakes.empty() ? ++good : ++refused;
      if (!result.mistakes.empty() || !result.approximations) continue;
      for (std::size_t f = 0; f < workloads::kElementaryFunctions; ++f)
        if (const Approximation* a = result.approximations->find(static_cast<Elementary>(f)))
          for (const double x : {-1e300, -1.0, 0.0, 0.75, 1.0, 1e300}) (*a)(x, {});
    } catch (const base::InputError&) {
      ++refused;  // no JSON
    }
  }
  EXPECT_GT(good, 25);
  EXPECT_GT(refused, 1000);
}

TEST(ApproximationReader, HashesHoldTheTables) {
  const std::string table =
      R"(vector_unit.approximations={"exp": {"kind": "table", "breakpoints": [0, 1], "values": [1]}})";
  std::string other = table;
  other.replace(other.find("[1]"), 3, "[2]");
  workloads::Graph graph;
  workloads::TensorInfo x;
  x.name = "x";
  x.shape = {4};
  x.role = workloads::TensorRole::input;
  graph.inputs = {graph.add_tensor(x)};
  graph.outputs = graph.add_node("Exp", "exp", {0}, {}, {"y"});
  const auto hashes = [&](const std::vector<std::string>& settings) {
    const NpuSpec npu = testing::load_shipped("systolic_32x32_fp32", settings);
    const MappedGraph mapped = map_graph(npu, graph, testing::uniform_recipe(precision::bf16()));
    return std::pair(mapped.hash(), numeric_hash(mapped));
  };
  const auto exact = hashes({}), one = hashes({table}), two = hashes({other});
  EXPECT_NE(exact.first, one.first);
  EXPECT_NE(one.first, two.first);
  EXPECT_NE(exact.second, one.second);
  EXPECT_NE(one.second, two.second);
  EXPECT_EQ(one, hashes({table}));
}

}  // namespace
}  // namespace npusim::npu
