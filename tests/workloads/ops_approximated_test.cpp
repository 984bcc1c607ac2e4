// SPDX-License-Identifier: Apache-2.0
// Ops on a machine that takes functions from tables: which ops use which function, and the values
// of the composite ones step by step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::random_tensor;

double to_float(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// The same value whatever the argument: nothing that uses it can be right by chance.
Approximation constant(Elementary function, double value) {
  Approximation a;
  a.function = function;
  a.kind = PieceKind::table;
  a.coefficient_format = precision::fp32();
  a.breakpoints = {0.0, 1.0};
  a.coefficients = {value};
  return a;
}

/// Coarse enough to be seen: eight linear pieces behind the function's own reduction.
Approximation coarse(Elementary function) {
  Approximation a;
  a.function = function;
  a.reduction = reductions_of(function)[1];
  a.coefficient_format = precision::fp32();
  const bool powers = a.reduction == Reduction::exponent;
  const Interval all = powers ? reduced_interval(function) : Interval{0.0, 4.0};
  std::vector<double> values;
  for (int i = 0; i <= 8; ++i) {
    a.breakpoints.push_back(all.low + (all.high - all.low) * i / 8);
    values.push_back(piece_value(function, a.reduction, a.breakpoints.back()));
  }
  a.coefficients = interpolation(a.breakpoints, values);
  for (double& c : a.coefficients) c = to_float(c);
  a.terms = 2;
  return a;
}

Approximations only(Approximation approximation) {
  Approximations all;
  all.set(std::move(approximation));
  return all;
}

struct OpCase {
  const char* op;
  std::vector<Tensor> inputs;
  Attributes attributes;
  std::set<Elementary> uses;
};

std::vector<OpCase> cases() {
  using E = Elementary;
  const Tensor x = random_tensor({4, 6}, 1);
  const Tensor dy = random_tensor({4, 6}, 2);
  Tensor positive = random_tensor({4, 6}, 3);
  for (double& value : positive.values) value = 1.5 + value;
  const Tensor row = random_tensor({6}, 4), labels = testing::labels_tensor({0, 5, 2, 3});
  const Attribute last = std::int64_t{-1};
  const Attribute tanh_form = std::string("tanh"), alpha = 1.702;
  const Tensor sequence = random_tensor({2, 1, 3}, 5), w = random_tensor({1, 8, 3}, 6),
               r = random_tensor({1, 8, 2}, 7);
  return {
      {"Exp", {x}, {}, {E::exp}},
      {"Log", {positive}, {}, {E::log}},
      {"LogGradient", {dy, positive}, {}, {E::reciprocal}},
      {"Sqrt", {positive}, {}, {E::sqrt}},
      {"Reciprocal", {positive}, {}, {E::reciprocal}},
      {"Div", {x, positive}, {}, {E::reciprocal}},
      {"Tanh", {x}, {}, {E::tanh}},
      {"TanhGradient", {dy, x}, {}, {E::tanh}},
      {"Erf", {x}, {}, {E::erf}},
      {"ErfGradient", {dy, x}, {}, {E::exp}},
      {"Sigmoid", {x}, {}, {E::sigmoid, E::exp, E::reciprocal}},
      {"SigmoidGradient", {dy, x}, {}, {E::sigmoid, E::exp, E::reciprocal}},
      {"Gelu", {x}, {}, {E::gelu, E::erf}},
      {"Gelu", {x}, {{"approximate", tanh_form}}, {E::gelu, E::tanh}},
      {"GeluGradient", {dy, x}, {}, {E::erf, E::exp}},
      {"Swish", {x}, {}, {E::silu, E::sigmoid, E::exp, E::reciprocal}},
      {"Swish", {x}, {{"alpha", alpha}}, {E::sigmoid, E::exp, E::reciprocal}},
      {"Mish", {x}, {}, {E::tanh, E::exp, E::log}},
      {"Softplus", {x}, {}, {E::exp, E::log}},
      {"Elu", {x}, {}, {E::exp}},
      {"Softsign", {x}, {}, {E::reciprocal}},
      {"HardSigmoid", {x}, {}, {}},
      {"Relu", {x}, {}, {}},
      {"Softmax", {x}, {{"axis", last}}, {E::exp, E::reciprocal}},
      {"LogSoftmax", {x}, {{"axis", last}}, {E::exp, E::log}},
      {"SoftmaxCrossEntropyLoss", {x, labels}, {}, {E::exp, E::log}},
      {"LayerNormalization", {x, row, row}, {}, {E::rsqrt, E::sqrt, E::reciprocal}},
      {"RMSNormalization", {x, row}, {}, {E::rsqrt, E::sqrt, E::reciprocal}},
      {"ReduceL2", {x}, {}, {E::sqrt}},
      {"ReduceLogSumExp", {x}, {}, {E::exp, E::log}},
      {"ReduceMean", {x}, {}, {}},
      {"LpNormalization", {x}, {}, {E::sqrt, E::reciprocal}},
      {"MatMul", {x, random_tensor({6, 3}, 8)}, {}, {}},
      {"LSTM",
       {sequence, w, r},
       {{"hidden_size", std::int64_t{2}}},
       {E::sigmoid, E::tanh, E::exp, E::reciprocal}},
  };
}

TEST(Approximated, EachOpUsesTheFunctionsInIt) {
  for (const OpCase& c : cases()) {
    const Tensor exact = testing::run_op(c.op, c.inputs, c.attributes, testing::fp32_rounder());
    for (std::size_t f = 0; f < kElementaryFunctions; ++f) {
      const auto function = static_cast<Elementary>(f);
      const Approximations table = only(constant(function, 0.34375));
      std::atomic<std::uint32_t> used{0};
      const Tensor y =
          testing::run_op(c.op, c.inputs, c.attributes, {testing::fp32_rounder(), &table, &used});
      const bool wanted = c.uses.count(function) > 0;
      EXPECT_EQ(y.values != exact.values, wanted) << c.op << " " << name_of(function);
      EXPECT_EQ(used.load(), wanted ? 1U << f : 0U) << c.op << " " << name_of(function);
    }
  }
}

TEST(Approximated, SoftmaxIsItsStepsWithTheTables) {
  Approximations tables;
  tables.set(coarse(Elementary::exp));
  tables.set(coarse(Elementary::reciprocal));
  const precision::Rounder fp32 = testing::fp32_rounder();
  const Tensor x = testing::random_floats({3, 7}, 11);
  const Tensor y = testing::run_op("Softmax", {x}, {}, {fp32, &tables});
  const Approximation& exp = *tables.find(Elementary::exp);
  const Approximation& reciprocal = *tables.find(Elementary::reciprocal);
  double moved = 0.0;
  for (std::size_t row = 0; row < 3; ++row) {
    const double* in = x.values.data() + row * 7;
    const double max = *std::max_element(in, in + 7);
    double sum = 0.0;
    for (int i = 0; i < 7; ++i) sum = to_float(sum + exp(to_float(in[i] - max), fp32));
    for (int i = 0; i < 7; ++i) {
      const double e = exp(to_float(in[i] - max), fp32);
      const double expected = to_float(e * reciprocal(sum, fp32));
      EXPECT_EQ(y.values[row * 7 + static_cast<std::size_t>(i)], expected);
      moved = std::max(moved, std::fabs(expected - std::exp(in[i] - max) / sum) / expected);
    }
  }
  EXPECT_GT(moved, 1e-4) << "the tables are too good to be seen";
}

TEST(Approximated, LayerNormalizationTakesTheRootFromTheTable) {
  const Approximations tables = only(coarse(Elementary::rsqrt));
  const precision::Rounder fp32 = testing::fp32_rounder();
  const Tensor x = testing::random_floats({2, 8}, 12);
  Tensor scale({8});
  for (double& value : scale.values) value = 1.0;
  const std::vector<Tensor> y =
      testing::run_op_outputs("LayerNormalization", {x, scale}, {}, 3, {fp32, &tables});
  for (std::size_t row = 0; row < 2; ++row) {
    const double* in = x.values.data() + row * 8;
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < 8; ++i) sum = to_float(sum + in[i]);
    const double mean = to_float(sum / 8);
    for (int i = 0; i < 8; ++i) {
      const double d = to_float(in[i] - mean);
      squares = to_float(squares + to_float(d * d));
    }
    const double inner = to_float(to_float(squares / 8) + to_float(1e-5));
    const double inverse = (*tables.find(Elementary::rsqrt))(inner, fp32);
    EXPECT_EQ(y[2].values[row], inverse);
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(y[0].values[row * 8 + static_cast<std::size_t>(i)],
                to_float(to_float(in[i] - mean) * inverse));
  }
}

TEST(Approximated, FunctionsOfOtherFunctionsTakeTheirs) {
  Approximations tables;
  for (const Elementary f : {Elementary::exp, Elementary::reciprocal, Elementary::erf})
    tables.set(coarse(f));
  const precision::Rounder fp32 = testing::fp32_rounder();
  const auto table = [&](Elementary f, double x) { return (*tables.find(f))(x, fp32); };
  const Tensor x = testing::random_floats({64}, 13);
  const Tensor sigmoid = testing::run_op("Sigmoid", {x}, {}, {fp32, &tables});
  const Tensor gelu = testing::run_op("Gelu", {x}, {}, {fp32, &tables});
  const Tensor elu = testing::run_op("Elu", {x}, {}, {fp32, &tables});
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double v = x.values[i];
    const double e = table(Elementary::exp, -std::fabs(v));
    const double inverse = table(Elementary::reciprocal, 1.0 + e);
    // What lies between the functions is binary64, rounded once at the end.
    EXPECT_EQ(sigmoid.values[i], to_float(v < 0 ? e * inverse : inverse));
    EXPECT_EQ(gelu.values[i],
              to_float(0.5 * v * (1.0 + table(Elementary::erf, v * 0.70710678118654752))));
    EXPECT_EQ(elu.values[i], to_float(v < 0 ? table(Elementary::exp, v) - 1.0 : v));
  }
}

TEST(Approximated, GivenStatisticsOfBatchNormalizationAreFoldedExactly) {
  const Approximations tables = only(constant(Elementary::rsqrt, 0.34375));
  const Tensor x = random_tensor({2, 3, 2, 2}, 14);
  Tensor of_channels({3});
  of_channels.values = {0.5, 1.5, 2.5};
  const std::vector<Tensor> inputs = {x, of_channels, of_channels, of_channels, of_channels};
  EXPECT_EQ(
      testing::run_op("BatchNormalization", inputs, {}, testing::fp32_rounder()).values,
      testing::run_op("BatchNormalization", inputs, {}, {testing::fp32_rounder(), &tables}).values);
}

}  // namespace
}  // namespace npusim::workloads
