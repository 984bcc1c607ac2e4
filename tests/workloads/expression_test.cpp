// SPDX-License-Identifier: Apache-2.0
#include "workloads/reader/expression.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error.h"

namespace npusim::workloads {
namespace {

std::int64_t value_of(const std::string& text) {
  Parameters parameters;
  parameters.define("batch", 8);
  parameters.define("mid", 64);
  return evaluate(text, parameters);
}

std::string code_of(const std::string& text) {
  try {
    value_of(text);
  } catch (const base::InputError& error) {
    return error.diagnostics().front().code;
  }
  return "no error";
}

TEST(Expression, FollowsPrecedence) {
  EXPECT_EQ(value_of("7"), 7);
  EXPECT_EQ(value_of("batch"), 8);
  EXPECT_EQ(value_of("1 + 2*3"), 7);
  EXPECT_EQ(value_of("(1+2)*3"), 9);
  EXPECT_EQ(value_of("20-5-4"), 11);
  EXPECT_EQ(value_of("mid/2/4"), 8);
  EXPECT_EQ(value_of("-mid + -(-2)"), -62);
  EXPECT_EQ(value_of("  batch * 4 "), 32);
  EXPECT_EQ(value_of("2*-3"), -6);
}

TEST(Expression, RefusesWhatIsNotExact) {
  EXPECT_EQ(code_of("mid/3"), "division");
  EXPECT_EQ(code_of("mid/0"), "division");
  EXPECT_EQ(code_of("9223372036854775807+1"), "overflow");
  EXPECT_EQ(code_of("9223372036854775808"), "overflow");
  EXPECT_EQ(code_of("4611686018427387904*2"), "overflow");
  EXPECT_EQ(code_of("(-9223372036854775807-1)/-1"), "overflow");
  EXPECT_EQ(code_of("-(-9223372036854775807-1)"), "overflow");
  EXPECT_EQ(value_of("-9223372036854775807-1"), std::numeric_limits<std::int64_t>::min());
}

TEST(Expression, RefusesWhatItCannotRead) {
  for (const char* text : {"", " ", "1+", "(1", "1)", "1 2", "2x", "1.5", "1$2", "+1", "1//2", "*"})
    EXPECT_EQ(code_of(text), "bad-expression") << text;
  EXPECT_EQ(code_of("bathc*2"), "unknown-parameter");
}

TEST(Expression, SurvivesDeepNesting) {
  EXPECT_EQ(code_of(std::string(1000000, '(')), "bad-expression");
  EXPECT_EQ(code_of(std::string(1000000, '-') + "1"), "bad-expression");
}

TEST(Expression, InnerScopeHidesOuter) {
  Parameters outer;
  outer.define("in", 3);
  outer.define("batch", 2);
  Parameters inner(&outer);
  inner.define("in", 5);
  EXPECT_EQ(evaluate("in*batch", inner), 10);
  EXPECT_FALSE(outer.used("in"));
  EXPECT_TRUE(outer.used("batch"));
}

/// A random expression as text together with its value, computed beside it in 128 bits.
struct Sample {
  std::string text;
  long long value;
};

Sample sample(int depth) {
  const int choice = depth == 0 ? 0 : *rc::gen::inRange(0, 5);
  if (choice <= 0) {
    const int number = *rc::gen::inRange(0, 50);
    return {std::to_string(number), number};
  }
  const Sample a = sample(depth - 1);
  const Sample b = sample(depth - 1);
  if (choice == 1) return {"(" + a.text + "+" + b.text + ")", a.value + b.value};
  if (choice == 2) return {"(" + a.text + " - " + b.text + ")", a.value - b.value};
  if (choice == 3) return {"(" + a.text + ")*(" + b.text + ")", a.value * b.value};
  return {"-(" + a.text + ")", -a.value};
}

RC_GTEST_PROP(ExpressionProperty, AgreesWithDirectEvaluation, ()) {
  const Sample expression = sample(4);
  RC_ASSERT(value_of(expression.text) == expression.value);
}

}  // namespace
}  // namespace npusim::workloads
