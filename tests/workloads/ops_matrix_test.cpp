// SPDX-License-Identifier: Apache-2.0
// Gemm and MatMul against plain loops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops_support.h"
#include "workloads/decompose.h"
#include "workloads/training/backward.h"

namespace npusim::workloads {
namespace {

using testing::contraction_of;
using ::testing::ElementsAre;
using testing::error_of;
using testing::expect_near;
using testing::expect_right_gradients;
using ::testing::HasSubstr;
using testing::one;
using testing::one_node;
using testing::random_floats;
using testing::random_tensor;
using testing::run_op;
using testing::work_of;

struct GemmCase {
  std::int64_t m, n, k, trans_a, trans_b;
  double alpha, beta;
  Shape c;  ///< {0}: none

  Shape a() const { return trans_a != 0 ? Shape{k, m} : Shape{m, k}; }
  Shape b() const { return trans_b != 0 ? Shape{n, k} : Shape{k, n}; }
  std::vector<Tensor> inputs() const {
    return {random_tensor(a(), 1), random_tensor(b(), 2), random_tensor(c, 3)};
  }
  Attributes attributes() const {
    return {{"transA", one(trans_a)}, {"transB", one(trans_b)}, {"alpha", alpha}, {"beta", beta}};
  }
  double c_at(const Tensor& values, std::int64_t i, std::int64_t j) const {
    const std::int64_t rows = c.size() == 2 ? c[0] : 1;
    const std::int64_t columns = c.empty() ? 1 : c.back();
    return values
        .values[static_cast<std::size_t>((rows == 1 ? 0 : i) * columns + (columns == 1 ? 0 : j))];
  }
  std::vector<double> naive(const std::vector<Tensor>& in) const {
    std::vector<double> y;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (std::int64_t t = 0; t < k; ++t)
          sum += in[0].values[static_cast<std::size_t>(trans_a != 0 ? t * m + i : i * k + t)] *
                 in[1].values[static_cast<std::size_t>(trans_b != 0 ? j * k + t : t * n + j)];
        y.push_back(alpha * sum + (c == Shape{0} ? 0.0 : beta * c_at(in[2], i, j)));
      }
    return y;
  }
};

std::vector<GemmCase> gemm_cases() {
  std::vector<GemmCase> cases;
  for (const std::int64_t trans_a : {0, 1})
    for (const std::int64_t trans_b : {0, 1})
      for (const Shape& c :
           {Shape{0}, Shape{5}, Shape{1, 5}, Shape{3, 1}, Shape{3, 5}, Shape{1}, Shape{}})
        for (const double alpha : {1.0, 0.75})
          for (const double beta : {1.0, -2.0})
            cases.push_back({3, 5, 4, trans_a, trans_b, alpha, beta, c});
  return cases;
}

TEST(Gemm, EqualsItsDefinition) {
  for (const GemmCase& g : gemm_cases()) {
    SCOPED_TRACE(to_string(g.c));
    const std::vector<Tensor> in = g.inputs();
    expect_near(run_op("Gemm", in, g.attributes()), {3, 5}, g.naive(in));
  }
}

TEST(Gemm, GradientsAreRight) {
  for (const GemmCase& g : gemm_cases()) {
    SCOPED_TRACE(to_string(g.c));
    expect_right_gradients("Gemm", g.inputs(), g.attributes());
  }
}

TEST(Gemm, DecomposesIntoOpsWithTheSameResult) {
  for (const GemmCase& g : gemm_cases()) {
    SCOPED_TRACE(to_string(g.c));
    const std::vector<Tensor> in = g.inputs();
    const Graph graph = one_node("Gemm", in, g.attributes());
    const Graph parts = decompose(graph, [](const Node&) { return true; }).graph;
    for (const Node& node : parts.nodes) EXPECT_NE(node.op, "Gemm");
    std::vector<Tensor> values(in.begin(), in.begin() + (g.c == Shape{0} ? 2 : 3));
    expect_near(testing::evaluate(parts, values, {})[static_cast<std::size_t>(parts.find("out"))],
                {3, 5}, g.naive(in));
  }
}

TEST(Gemm, PlainOneDecomposesIntoMatMulAndAdd) {
  const GemmCase g{3, 5, 4, 0, 0, 1.0, 1.0, {5}};
  const Graph parts = decompose(one_node("Gemm", g.inputs(), g.attributes()), [](const Node&) {
                        return true;
                      }).graph;
  std::vector<std::string> names;
  for (const Node& node : parts.nodes) names.push_back(node.op);
  EXPECT_THAT(names, ElementsAre("MatMul", "Add"));
}

TEST(Gemm, BiasAColumnEntersTheSumsOthersAreVectorWork) {
  const std::vector<Shape> column = {{3, 4}, {4, 5}, {5}};
  EXPECT_EQ(contraction_of("Gemm", column).bias_input, 2);
  EXPECT_TRUE(work_of("Gemm", column).empty());
  const std::vector<Shape> full = {{3, 4}, {4, 5}, {3, 5}};
  EXPECT_EQ(contraction_of("Gemm", full).bias_input, -1);
  EXPECT_EQ(work_of("Gemm", full), (std::map<std::string, std::int64_t>{{"add", 15}}));
  EXPECT_EQ(contraction_of("Gemm", column, {{"alpha", 0.5}}).bias_input, -1);
  EXPECT_EQ(work_of("Gemm", column, {{"alpha", 0.5}, {"beta", 2.0}}),
            (std::map<std::string, std::int64_t>{{"add", 15}, {"mul", 20}}));
}

TEST(Gemm, ScalingRoundsLikeFloats) {
  const Tensor a = random_floats({2, 1}, 1);
  const Tensor b = random_floats({1, 3}, 2);
  const Tensor c = random_floats({3}, 3);
  const Tensor y =
      run_op("Gemm", {a, b, c}, {{"alpha", 0.1}, {"beta", 0.3}}, testing::fp32_rounder());
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const double product = a.values[i] * b.values[j];  // exact: the engine of the test is FP64
      const auto scaled = static_cast<float>(static_cast<double>(0.1f) * product);
      const float expected = scaled + 0.3f * static_cast<float>(c.values[j]);
      EXPECT_EQ(y.values[i * 3 + j], static_cast<double>(expected));
    }
}

TEST(Gemm, RefusesWhatDoesNotMultiply) {
  EXPECT_THAT(error_of("Gemm", {{3, 4}, {5, 6}}), AllOf(HasSubstr("[3, 4]"), HasSubstr("[5, 6]")));
  EXPECT_THAT(error_of("Gemm", {{3, 4, 1}, {4, 6}}), HasSubstr("rank 2"));
  EXPECT_THAT(error_of("Gemm", {{3, 4}, {4, 6}, {5}}), HasSubstr("[5]"));
  EXPECT_THAT(error_of("Gemm", {{3, 4}, {4, 6}, {2, 3, 6}}), HasSubstr("[2, 3, 6]"));
}

/// The Gemm nodes that the gradients of y = op(x, w) add, as "role:dimension".
std::vector<std::string> products(const std::string& op, bool weight_first) {
  Graph graph;
  TensorInfo x;
  x.name = "x";
  x.shape = {4, 4};
  TensorInfo w = x;
  w.name = "w";
  w.role = TensorRole::weight;
  const TensorId x_id = graph.add_tensor(x);
  const TensorId w_id = graph.add_tensor(w);
  const TensorId h = graph.add_node("Relu", "h", {w_id}, {}, {"h"})[0];
  const TensorId a = graph.add_node("Add", "a", {x_id, h}, {}, {"a"})[0];
  const std::vector<TensorId> sides =
      weight_first ? std::vector<TensorId>{w_id, a} : std::vector<TensorId>{a, w_id};
  const TensorId y = graph.add_node(op, "y", sides, {}, {"y"})[0];
  const TensorId loss = graph.add_node("ReduceSum", "loss", {y}, {{"keepdims", one(0)}}, {"l"})[0];
  add_backward(graph, loss, {w_id});
  std::vector<std::string> result;
  for (const Node& node : graph.nodes) {
    const auto contraction = ops().at(node.op).contraction(NodeView(graph, node));
    if (!contraction || node.phase != Phase::backward) continue;
    const std::string role = name_of(graph.tensor(node.outputs[0]).role);
    result.push_back(std::string(name_of(contraction->role)) + ":" + contraction->dims[0].name +
                     ":" + role);
  }
  return result;
}

TEST(Gemm, GradientProductsSayWhatTheyAre) {
  const std::string dgrad = std::string("dgrad:K:") + name_of(TensorRole::activation_gradient);
  const std::string wgrad = std::string("wgrad:N:") + name_of(TensorRole::weight_gradient);
  for (const char* op : {"Gemm", "MatMul"}) {
    EXPECT_THAT(products(op, false), ElementsAre(dgrad, wgrad)) << op;
    EXPECT_THAT(products(op, true), ElementsAre(wgrad, dgrad)) << op;
  }
}

struct MatMulCase {
  Shape a, b, y;
};

std::vector<MatMulCase> matmul_cases() {
  return {{{3, 4}, {4, 5}, {3, 5}},
          {{2, 3, 4}, {4, 5}, {2, 3, 5}},
          {{2, 3, 4}, {2, 4, 5}, {2, 3, 5}},
          {{3, 4}, {2, 4, 5}, {2, 3, 5}},
          {{2, 1, 3, 4}, {3, 4, 2}, {2, 3, 3, 2}},
          {{1, 3, 4}, {2, 4, 5}, {2, 3, 5}}};
}

std::vector<double> naive_matmul(const MatMulCase& c, const Tensor& a, const Tensor& b) {
  const std::int64_t m = c.a[c.a.size() - 2];
  const std::int64_t k = c.a.back();
  const std::int64_t n = c.b.back();
  // Offset of the operand's matrix for the batch index of y, dimension by dimension from the right.
  const auto offset = [&](const Shape& shape, std::int64_t index) {
    std::int64_t result = 0;
    std::int64_t stride = 1;
    for (std::size_t d = 2; d < c.y.size(); ++d) {
      const std::int64_t extent = c.y[c.y.size() - 1 - d];
      const std::int64_t own = d < shape.size() ? shape[shape.size() - 1 - d] : 1;
      if (own != 1) result += index % extent * stride;
      stride *= own;
      index /= extent;
    }
    return result;
  };
  std::vector<double> y;
  for (std::int64_t batch = 0; batch < element_count(c.y) / (m * n); ++batch)
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0.0;
        for (std::int64_t t = 0; t < k; ++t)
          sum += a.values[static_cast<std::size_t>(offset(c.a, batch) * m * k + i * k + t)] *
                 b.values[static_cast<std::size_t>(offset(c.b, batch) * k * n + t * n + j)];
        y.push_back(sum);
      }
  return y;
}

TEST(MatMul, EqualsItsDefinition) {
  for (const MatMulCase& c : matmul_cases()) {
    SCOPED_TRACE(to_string(c.a) + to_string(c.b));
    const Tensor a = random_tensor(c.a, 1);
    const Tensor b = random_tensor(c.b, 2);
    expect_near(run_op("MatMul", {a, b}), c.y, naive_matmul(c, a, b));
  }
}

TEST(MatMul, GradientsAreRight) {
  for (const MatMulCase& c : matmul_cases()) {
    SCOPED_TRACE(to_string(c.a) + to_string(c.b));
    expect_right_gradients("MatMul", {random_tensor(c.a, 1), random_tensor(c.b, 2)});
  }
}

/// The last two dimensions swapped, element by element.
Tensor swapped(const Tensor& x) {
  Tensor y = x;
  const std::size_t rank = x.shape.size();
  std::swap(y.shape[rank - 1], y.shape[rank - 2]);
  const std::int64_t rows = x.shape[rank - 2];
  const std::int64_t columns = x.shape[rank - 1];
  for (std::int64_t i = 0; i < element_count(x.shape); ++i) {
    const std::int64_t matrix = i / (rows * columns) * rows * columns;
    const std::int64_t row = i % (rows * columns) / columns;
    y.values[static_cast<std::size_t>(matrix + i % columns * rows + row)] =
        x.values[static_cast<std::size_t>(i)];
  }
  return y;
}

TEST(MatMul, OperandsMayBeStoredTransposed) {
  for (const MatMulCase& c : matmul_cases()) {
    if (c.a.size() < 2 || c.b.size() < 2) continue;
    SCOPED_TRACE(to_string(c.a) + to_string(c.b));
    const Tensor a = random_tensor(c.a, 1);
    const Tensor b = random_tensor(c.b, 2);
    for (const std::int64_t trans_a : {0, 1})
      for (const std::int64_t trans_b : {0, 1}) {
        const std::vector<Tensor> stored = {trans_a != 0 ? swapped(a) : a,
                                            trans_b != 0 ? swapped(b) : b};
        const Attributes how = {{"transA", trans_a}, {"transB", trans_b}};
        expect_near(run_op("MatMul", stored, how), c.y, naive_matmul(c, a, b));
        expect_right_gradients("MatMul", stored, how);
      }
  }
  EXPECT_THAT(error_of("MatMul", {{4}, {4, 6}}, {{"transA", std::int64_t{1}}}),
              HasSubstr("a vector is not transposed"));
}

TEST(MatMul, ContractionFoldsRowsThatShareOneMatrix) {
  const Contraction shared = contraction_of("MatMul", {{2, 3, 4}, {4, 5}});
  EXPECT_EQ(shared.groups, 1);
  EXPECT_EQ(shared.m, 6);
  const Contraction batched = contraction_of("MatMul", {{2, 3, 4}, {2, 4, 5}});
  EXPECT_EQ(batched.groups, 2);
  EXPECT_EQ(batched.m, 3);
  for (const MatMulCase& c : matmul_cases())
    EXPECT_EQ(contraction_of("MatMul", {c.a, c.b}).macs(), element_count(c.y) * c.a.back());
}

TEST(MatMul, VectorsAreARowOrAColumn) {
  const Tensor a = random_tensor({2, 3}, 1), b = random_tensor({3}, 2);
  const std::vector<double> expected = {
      a.values[0] * b.values[0] + a.values[1] * b.values[1] + a.values[2] * b.values[2],
      a.values[3] * b.values[0] + a.values[4] * b.values[1] + a.values[5] * b.values[2]};
  expect_near(run_op("MatMul", {a, b}), {2}, expected);
  expect_near(run_op("MatMul", {b, run_op("Transpose", {a})}), {2}, expected);
  EXPECT_EQ(run_op("MatMul", {b, b}).shape, Shape{});
}

TEST(MatMul, RefusesWhatDoesNotMultiply) {
  EXPECT_THAT(error_of("MatMul", {{3, 4}, {5, 6}}),
              AllOf(HasSubstr("[3, 4]"), HasSubstr("[5, 6]")));
  EXPECT_THAT(error_of("MatMul", {{2, 3, 4}, {3, 4, 6}}), HasSubstr("broadcast"));
  EXPECT_THAT(error_of("MatMul", {{}, {4, 6}}), HasSubstr("rank 1"));
}

}  // namespace
}  // namespace npusim::workloads
