// SPDX-License-Identifier: Apache-2.0
// Reductions, running sums, selection and counting.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "ops_support.h"

namespace npusim::workloads {
namespace {

using testing::expect_near;
using testing::expect_right_gradients;
using testing::fp32_rounder;
using testing::integers_tensor;
using testing::ints;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;
using Real = long double;

struct Case {
  const char* op;
  std::function<Real(const std::vector<Real>&)> definition;
};

Real sum_of(const std::vector<Real>& x, Real (*term)(Real)) {
  Real sum = 0;
  for (const Real value : x) sum += term(value);
  return sum;
}

std::vector<Case> cases() {
  const auto same = [](Real x) { return x; };
  const auto square = [](Real x) { return x * x; };
  return {
      {"ReduceSum", [=](const auto& x) { return sum_of(x, same); }},
      {"ReduceMean", [=](const auto& x) { return sum_of(x, same) / static_cast<Real>(x.size()); }},
      {"ReduceMax", [](const auto& x) { return *std::max_element(x.begin(), x.end()); }},
      {"ReduceMin", [](const auto& x) { return *std::min_element(x.begin(), x.end()); }},
      {"ReduceProd",
       [](const auto& x) {
         Real product = 1;
         for (const Real value : x) product *= value;
         return product;
       }},
      {"ReduceSumSquare", [=](const auto& x) { return sum_of(x, square); }},
      {"ReduceL1", [](const auto& x) { return sum_of(x, std::fabs); }},
      {"ReduceL2", [=](const auto& x) { return std::sqrt(sum_of(x, square)); }},
      {"ReduceLogSum", [=](const auto& x) { return std::log(sum_of(x, same)); }},
      {"ReduceLogSumExp", [](const auto& x) { return std::log(sum_of(x, std::exp)); }},
  };
}

Tensor positive(const Shape& shape, std::uint64_t seed) {
  Tensor x = random_tensor(shape, seed);
  for (double& value : x.values) value = std::fabs(value) + 0.25;
  return x;
}

/// Over axis 1 of a tensor of rank 3.
std::vector<double> by_definition(const Case& c, const Tensor& x) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < x.shape[0]; ++i)
    for (std::int64_t k = 0; k < x.shape[2]; ++k) {
      std::vector<Real> terms;
      for (std::int64_t j = 0; j < x.shape[1]; ++j)
        terms.push_back(x.values[static_cast<std::size_t>((i * x.shape[1] + j) * x.shape[2] + k)]);
      result.push_back(static_cast<double>(c.definition(terms)));
    }
  return result;
}

TEST(Reduce, EqualsItsDefinition) {
  const Tensor x = positive({3, 5, 2}, 1);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    const std::vector<double> expected = by_definition(c, x);
    expect_near(run_op(c.op, {x}, {{"axes", ints({1})}}), {3, 1, 2}, expected, 1e-13);
    expect_near(run_op(c.op, {x, integers_tensor({-2})}, {{"keepdims", one(0)}}), {3, 2}, expected,
                1e-13);
    std::vector<Real> all(x.values.begin(), x.values.end());
    expect_near(run_op(c.op, {x}), {1, 1, 1}, {static_cast<double>(c.definition(all))}, 1e-13);
    EXPECT_EQ(run_op(c.op, {x}, {{"noop_with_empty_axes", one(1)}}).shape, x.shape);
  }
}

TEST(Reduce, Binary32StaysWithinItsTerms) {
  const Tensor x = positive({1, 200, 1}, 2);
  for (const Case& c : cases()) {
    const double expected = by_definition(c, x)[0];
    const double got = run_op(c.op, {x}, {}, fp32_rounder()).values[0];
    EXPECT_NEAR(got, expected, std::fabs(expected) * 200 * 0x1p-24) << c.op;
  }
}

TEST(Reduce, TermsAreAddedInTheOrderOfMemory) {
  const precision::Rounder fp32 = testing::fp32_rounder();
  const Tensor x = testing::random_floats({9, 7, 5, 64}, 3);
  for (const auto& axes : {std::vector<std::int64_t>{0, 2, 3}, {1}, {0, 3}, {1, 2}, {3}, {0}}) {
    const Tensor y = testing::run_op("ReduceSum", {x}, {{"axes", axes}}, fp32);
    std::vector<double> sums(y.values.size(), 0.0);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      const std::size_t at[] = {i / 2240, i / 320 % 7, i / 64 % 5, i % 64};
      const std::size_t extent[] = {9, 7, 5, 64};
      std::size_t to = 0;
      for (std::int64_t d = 0; d < 4; ++d)
        if (std::find(axes.begin(), axes.end(), d) == axes.end()) to = to * extent[d] + at[d];
      sums[to] = fp32(sums[to] + x.values[i]);
    }
    EXPECT_EQ(y.values, sums);
  }
}

TEST(Reduce, GradientsAreRight) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    expect_right_gradients(c.op, {positive({3, 4, 2}, 3)}, {{"axes", ints({1})}});
    expect_right_gradients(c.op, {positive({2, 3}, 4)}, {{"keepdims", one(0)}});
    expect_right_gradients(c.op, {positive({2, 3, 2}, 5), integers_tensor({0, -1})},
                           {{"keepdims", one(0)}});
  }
}

TEST(Reduce, ProductGradientSurvivesAZero) {
  const Tensor x = typed_tensor({3}, ElementType::floating, {2, 0, 3});
  expect_right_gradients("ReduceProd", {x});
}

TEST(ShapeGradients, HaveGradientsThemselves) {
  expect_right_gradients("ReduceToShape", {random_tensor({2, 3, 4}, 1)}, {{"shape", ints({3, 1})}});
  expect_right_gradients("ExpandToShape", {random_tensor({3}, 2)},
                         {{"kept", ints({3, 1})}, {"shape", ints({3, 5})}, {"divisor", 5.0}});
  expect_right_gradients("Scale", {random_tensor({3}, 3)}, {{"factor", -2.5}});
}

TEST(Reduce, IntegersStayIntegers) {
  const Tensor x = typed_tensor({3}, ElementType::int32, {16777217, 1, -5});
  const Tensor y = run_op("ReduceSum", {x}, {}, fp32_rounder());
  EXPECT_EQ(y.type, ElementType::int32);
  EXPECT_EQ(y.values[0], 16777213.0);
  expect_near(run_op("ReduceMax", {typed_tensor({2}, ElementType::int8, {-7, -3})}), {1}, {-3},
              0.0);
  EXPECT_THROW(run_op("ReduceL2", {x}), base::InputError);
}

TEST(ReduceLogSumExp, DoesNotOverflow) {
  const Tensor x = typed_tensor({2}, ElementType::floating, {1000, 1000});
  expect_near(run_op("ReduceLogSumExp", {x}), {1}, {1000 + std::log(2.0)}, 1e-12);
}

TEST(CumSum, RunsBothWays) {
  const Tensor x = typed_tensor({5}, ElementType::floating, {1, 2, 3, 4, 5});
  const Tensor axis = typed_tensor({}, ElementType::int32, {0});
  const auto with = [](std::int64_t exclusive, std::int64_t reverse) {
    return Attributes{{"exclusive", one(exclusive)}, {"reverse", one(reverse)}};
  };
  expect_near(run_op("CumSum", {x, axis}), {5}, {1, 3, 6, 10, 15}, 0.0);
  expect_near(run_op("CumSum", {x, axis}, with(1, 0)), {5}, {0, 1, 3, 6, 10}, 0.0);
  expect_near(run_op("CumSum", {x, axis}, with(0, 1)), {5}, {15, 14, 12, 9, 5}, 0.0);
  expect_near(run_op("CumSum", {x, axis}, with(1, 1)), {5}, {14, 12, 9, 5, 0}, 0.0);
  for (const std::int64_t flags : {0, 1, 2, 3})
    expect_right_gradients("CumSum", {random_tensor({3, 4}, 1), integers_tensor({1})},
                           with(flags & 1, flags >> 1));
}

TEST(ArgMax, FindsTheFirstOrTheLast) {
  const Tensor x = typed_tensor({2, 3}, ElementType::floating, {2, 2, 1, 3, 10, 10});
  const Tensor y = run_op("ArgMax", {x}, {{"axis", one(1)}});
  EXPECT_EQ(y.type, ElementType::int64);
  expect_near(y, {2, 1}, {0, 1}, 0.0);
  expect_near(run_op("ArgMax", {x}, {{"axis", one(1)}, {"select_last_index", one(1)}}), {2, 1},
              {1, 2}, 0.0);
  expect_near(run_op("ArgMin", {x}, {{"axis", one(-1)}, {"keepdims", one(0)}}), {2}, {2, 0}, 0.0);
}

TEST(TopK, SortsAndKeepsTheOrderOfEqualOnes) {
  const Tensor x = typed_tensor({2, 4}, ElementType::floating, {0, 3, 3, 1, 7, 5, 6, 4});
  const std::vector<Tensor> y = run_op_outputs("TopK", {x, integers_tensor({3})}, {}, 2);
  expect_near(y[0], {2, 3}, {3, 3, 1, 7, 6, 5}, 0.0);
  expect_near(y[1], {2, 3}, {1, 2, 3, 0, 2, 1}, 0.0);
  const std::vector<Tensor> least =
      run_op_outputs("TopK", {x}, {{"k", one(1)}, {"axis", one(0)}, {"largest", one(0)}}, 2);
  expect_near(least[0], {1, 4}, {0, 3, 3, 1}, 0.0);
  EXPECT_THROW(run_op_outputs("TopK", {x, integers_tensor({5})}, {}, 2), base::InputError);
  expect_right_gradients("TopK", {random_tensor({3, 6}, 1), integers_tensor({2})}, {}, 2);
}

TEST(Hardmax, MarksTheFirstMaximum) {
  const Tensor x = typed_tensor({2, 3}, ElementType::floating, {1, 4, 4, 3, 1, 2});
  expect_near(run_op("Hardmax", {x}), {2, 3}, {0, 1, 0, 1, 0, 0}, 0.0);
}

TEST(OneHot, PutsTheNewAxisWhereItIsTold) {
  const Tensor at = typed_tensor({3}, ElementType::int64, {1, -1, 5});
  const Tensor values = typed_tensor({2}, ElementType::floating, {0.5, 2});
  expect_near(run_op("OneHot", {at, integers_tensor({3}), values}), {3, 3},
              {0.5, 2, 0.5, 0.5, 0.5, 2, 0.5, 0.5, 0.5}, 0.0);
  expect_near(run_op("OneHot", {at, integers_tensor({2}), values}, {{"axis", one(0)}}), {2, 3},
              {0.5, 0.5, 0.5, 2, 2, 0.5}, 0.0);
}

TEST(NonZero, ListsIndicesByColumn) {
  const Tensor x = typed_tensor({2, 2}, ElementType::boolean, {1, 0, 1, 1});
  expect_near(run_op("NonZero", {x}), {2, 3}, {0, 1, 1, 0, 0, 1}, 0.0);
}

TEST(Unique, CountsAndPlaces) {
  const Tensor x = typed_tensor({6}, ElementType::floating, {2, 1, 1, 3, 4, 3});
  const std::vector<Tensor> sorted = run_op_outputs("Unique", {x}, {}, 4);
  expect_near(sorted[0], {4}, {1, 2, 3, 4}, 0.0);
  expect_near(sorted[1], {4}, {1, 0, 3, 4}, 0.0);
  expect_near(sorted[2], {6}, {1, 0, 0, 2, 3, 2}, 0.0);
  expect_near(sorted[3], {4}, {2, 1, 2, 1}, 0.0);
  expect_near(run_op_outputs("Unique", {x}, {{"sorted", one(0)}}, 1)[0], {4}, {2, 1, 3, 4}, 0.0);
  const Tensor rows = typed_tensor({3, 2}, ElementType::floating, {1, 0, 1, 0, 0, 3});
  expect_near(run_op_outputs("Unique", {rows}, {{"axis", one(0)}}, 1)[0], {2, 2}, {0, 3, 1, 0},
              0.0);
}

}  // namespace
}  // namespace npusim::workloads
