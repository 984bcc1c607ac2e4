// SPDX-License-Identifier: Apache-2.0
// The three errors, on a two-product chain small enough to work out again here with code of its
// own.
#include "sim/numerics.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <vector>

#include "base/array_file.h"
#include "workloads/op.h"

namespace npusim::sim {
namespace {

constexpr int kInner = 24;

/// Round to nearest even at 11 significand bits, for magnitudes in [2^-14, 2^15]: the oracle's own
/// code.
double half(double x) {
  if (x == 0.0) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, 11 - exponent)), exponent - 11);
}

/// Fused FP16 chain; the sums of these tests are exact in double before the rounding.
double half_dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum = half(sum + a[i] * b[i]);
  return sum;
}

double exact_dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

class TwoProducts : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/npusim_numerics_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    for (int i = 0; i < kInner; ++i) {
      x_.push_back(0.1 * (i % 7 - 3) + 0.03);
      for (int j = 0; j < kInner; ++j) w_.push_back(0.05 * ((i * 5 + j * 3) % 11 - 5) + 0.01);
      v_.push_back(0.07 * (i % 5 - 2) + 0.02);
    }
    add("x", {1, kInner}, x_, workloads::TensorRole::input);
    add("w", {kInner, kInner}, w_, workloads::TensorRole::weight);
    add("v", {kInner, 1}, v_, workloads::TensorRole::weight);
    graph_.inputs = {0};
    const auto h = graph_.add_node("MatMul", "first", {0, 1}, {}, {"h"});
    const auto y = graph_.add_node("MatMul", "second", {h[0], 2}, {}, {"y"});
    graph_.outputs = {y[0]};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void add(const std::string& name, const workloads::Shape& shape,
           const std::vector<double>& values, workloads::TensorRole role) {
    workloads::TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = role;
    info.initializer = workloads::Initializer{};
    graph_.add_tensor(info);
    base::ArrayData array;
    array.kind = base::ElementKind::f64;
    array.shape = shape;
    array.values = values;
    files_[name] = folder_ + "/" + name + ".npy";
    base::write_npy(files_[name], array);
  }

  npu::MappedGraph mapped() const {
    npu::MappedGraph result;
    result.graph = graph_;
    const precision::Arithmetic fp16{precision::fp16(), precision::Rounding::rne};
    result.storage.assign(graph_.tensors.size(), fp16);
    result.on_chip.assign(graph_.tensors.size(), false);
    for (int i = 0; i < 2; ++i) {
      npu::MappedOp op;
      op.node = i;
      op.engine = npu::Engine::matrix;
      op.gemm.emplace();
      op.gemm->unit.a = op.gemm->unit.b = precision::fp16();
      op.gemm->unit.stages = {{0, precision::Combine::chain, fp16}};
      op.gemm->plan.dims = {{"K", kInner}};
      result.ops.push_back(op);
    }
    return result;
  }

  Numerics execute_mapped() const {
    NumericOptions options;
    options.files = files_;
    workloads::Recipe recipe;
    recipe.internal = precision::fp32();
    return execute(mapped(), recipe, options, precision::serial());
  }

  std::vector<double> column(const std::vector<double>& matrix, int j) const {
    std::vector<double> values;
    for (int i = 0; i < kInner; ++i)
      values.push_back(matrix[static_cast<std::size_t>(i * kInner + j)]);
    return values;
  }
  static std::vector<double> rounded(std::vector<double> values) {
    for (double& value : values) value = half(value);
    return values;
  }
  /// The first product over all columns with a given dot.
  template <class Dot>
  std::vector<double> first(const std::vector<double>& x, const std::vector<double>& w,
                            const Dot& dot) const {
    std::vector<double> h;
    for (int j = 0; j < kInner; ++j) h.push_back(dot(x, column(w, j)));
    return h;
  }

  std::string folder_;
  std::vector<double> x_, w_, v_;
  workloads::Graph graph_;
  std::map<std::string, std::string> files_;
};

TEST_F(TwoProducts, LocalPropagatedAndTotalErrorsAreWhatTheirNamesSay) {
  const Numerics numerics = execute_mapped();
  const std::vector<double> xr = rounded(x_);
  const std::vector<double> wr = rounded(w_);
  const std::vector<double> vr = rounded(v_);
  const std::vector<double> h = first(xr, wr, half_dot);
  const double y = half_dot(h, vr);
  const double local = exact_dot(h, vr);
  const double propagated = exact_dot(first(xr, wr, exact_dot), vr);
  const double total = exact_dot(first(x_, w_, exact_dot), v_);
  ASSERT_EQ(numerics.by_op.size(), 2u);
  const OpError& second = numerics.by_op[1];
  EXPECT_NEAR(second.local.max_abs, std::fabs(y - local), 1e-15);
  EXPECT_NEAR(second.propagated.max_abs, std::fabs(y - propagated), 1e-14);
  EXPECT_NEAR(second.total.max_abs, std::fabs(y - total), 1e-14);
  EXPECT_NE(second.local.max_abs, second.propagated.max_abs);
  EXPECT_NE(second.propagated.max_abs, second.total.max_abs);
  EXPECT_NEAR(numerics.outputs[0].error.max_abs, std::fabs(y - total), 1e-14);
  EXPECT_NEAR(numerics.outputs_propagated[0].error.max_abs, std::fabs(y - propagated), 1e-14);
}

TEST_F(TwoProducts, FirstOpReceivesRoundedInputsSoLocalEqualsPropagated) {
  const Numerics numerics = execute_mapped();
  EXPECT_EQ(numerics.by_op[0].local.max_abs, numerics.by_op[0].propagated.max_abs);
}

TEST_F(TwoProducts, FirstNonFiniteOpIsNamed) {
  for (int i = 0; i < kInner; ++i)  // every product is positive: the sum passes 65504
    for (int j = 0; j < kInner; ++j)
      w_[static_cast<std::size_t>(i * kInner + j)] =
          x_[static_cast<std::size_t>(i)] > 0 ? 60000.0 : -60000.0;
  base::ArrayData array;
  array.kind = base::ElementKind::f64;
  array.shape = {kInner, kInner};
  array.values = w_;
  base::write_npy(files_["w"], array);
  EXPECT_EQ(execute_mapped().first_nonfinite_op, "first");
}

TEST_F(TwoProducts, DumpedOutputHasTheComputedBits) {
  NumericOptions options;
  options.files = files_;
  options.dump_folder = folder_;
  workloads::Recipe recipe;
  recipe.internal = precision::fp32();
  execute(mapped(), recipe, options, precision::serial());
  const base::ArrayData y = base::read_npy(folder_ + "/y.npy");
  EXPECT_EQ(y.values.at(0), half_dot(first(rounded(x_), rounded(w_), half_dot), rounded(v_)));
}

/// Outputs y = x of one op, one beside the other: what changes is the element that the test
/// changes.
class BitsHash : public ::testing::Test {
 protected:
  static constexpr std::int64_t kCount = 3 * 4099;  // no power of two, several blocks of work
  static constexpr std::int64_t kPart = 4099;
  BitsHash() : folder_(make_folder()), values_(static_cast<std::size_t>(kCount), 1.0) {
    workloads::TensorInfo x;
    x.name = "x";
    x.shape = {kCount};
    x.initializer = workloads::Initializer{};
    mapped_.graph.add_tensor(x);
    mapped_.graph.outputs = mapped_.graph.add_node(
        "Split", "split", {0}, {{"num_outputs", std::int64_t{3}}}, {"first", "second", "third"});
    mapped_.storage.assign(mapped_.graph.tensors.size(),
                           {precision::fp16(), precision::Rounding::rne});
    mapped_.on_chip.assign(mapped_.graph.tensors.size(), false);
  }
  ~BitsHash() override { std::filesystem::remove_all(folder_); }

  static std::string make_folder() {
    char name[] = "/tmp/npusim_numerics_XXXXXX";
    return mkdtemp(name);
  }

  /// Of the op, and of all outputs.
  std::pair<std::uint64_t, std::uint64_t> hashes() {
    base::write_npy(folder_ + "/x.npy", {base::ElementKind::f64, {kCount}, values_});
    NumericOptions options;
    options.files["x"] = folder_ + "/x.npy";
    const Numerics numerics = execute(mapped_, workloads::Recipe{}, options, precision::serial());
    return {numerics.by_op.at(0).bits_hash, numerics.output_bits_hash};
  }

  std::string folder_;
  npu::MappedGraph mapped_;
  std::vector<double> values_;
};

TEST_F(BitsHash, EveryElementOfEveryOutputCounts) {
  std::set<std::uint64_t> of_op, of_outputs;
  const auto add = [&] {
    const auto [op, outputs] = hashes();
    of_op.insert(op);
    of_outputs.insert(outputs);
  };
  add();
  std::vector<std::int64_t> changed;
  for (std::int64_t part = 0; part < 3; ++part)
    for (const std::int64_t at :
         {std::int64_t{0}, std::int64_t{1}, kPart / 2, kPart / 2 + 1, kPart - 2, kPart - 1})
      changed.push_back(part * kPart + at);
  for (const std::int64_t at : changed) {
    double& value = values_[static_cast<std::size_t>(at)];
    value = 1.0 + 0x1p-10;  // the next number of FP16: one bit
    add();
    value = 1.0;
  }
  EXPECT_EQ(of_op.size(), 1 + changed.size());
  EXPECT_EQ(of_outputs.size(), 1 + changed.size());
  // The sign of a zero is a bit too, and the order of elements counts.
  values_[7] = 0.0;
  add();
  values_[7] = -0.0;
  add();
  std::swap(values_[7], values_[8]);
  add();
  EXPECT_EQ(of_op.size(), 4 + changed.size());
  values_[8] = 1.0;
  values_[7] = 1.0;
  const std::size_t known = of_op.size();
  add();
  EXPECT_EQ(of_op.size(), known) << "the same values have the same hash";
}

/// Two copies of a constant array, stored stochastically; their outputs one after the other.
class StochasticStores : public ::testing::Test {
 protected:
  static constexpr std::int64_t kCount = 200000;  // several blocks of work
  void SetUp() override {
    char name[] = "/tmp/npusim_numerics_XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    base::write_npy(folder_ + "/in.npy",
                    {base::ElementKind::f64,
                     {kCount},
                     std::vector<double>(static_cast<std::size_t>(kCount), 1.0 + 0x1p-9)});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<double> stored(std::uint64_t seed, const precision::ParallelFor& parallel) {
    npu::MappedGraph mapped;
    NumericOptions options;
    options.seed = seed;
    options.dump_folder = folder_;
    for (const char* name : {"x0", "x1"}) {
      workloads::TensorInfo x;
      x.name = name;
      x.shape = {kCount};
      x.initializer = workloads::Initializer{};
      const auto id = mapped.graph.add_tensor(x);
      options.files[name] = folder_ + "/in.npy";
      mapped.graph.outputs.push_back(mapped.graph.add_node("Relu", std::string("relu_") + name,
                                                           {id}, {}, {std::string("y") + name})[0]);
    }
    mapped.storage.assign(mapped.graph.tensors.size(),
                          {precision::bf16(), precision::Rounding::sr, 8});
    mapped.on_chip.assign(mapped.graph.tensors.size(), false);
    workloads::Recipe recipe;
    recipe.internal = precision::fp32();
    execute(mapped, recipe, options, parallel);
    std::vector<double> all = base::read_npy(folder_ + "/yx0.npy").values;
    for (const double y : base::read_npy(folder_ + "/yx1.npy").values) all.push_back(y);
    return all;
  }

  std::string folder_;
};

TEST_F(StochasticStores, DependOnSeedTensorAndElementOnly) {
  const std::vector<double> y = stored(1, precision::serial());
  double up = 0.0;
  for (const double x : y) {
    ASSERT_TRUE(x == 1.0 || x == 1.0 + 0x1p-7);
    up += x > 1.0 ? 1.0 : 0.0;
  }
  EXPECT_NEAR(up / static_cast<double>(y.size()), 0.25, 0.005);
  const auto backwards = [](std::int64_t tasks, const std::function<void(std::int64_t)>& body) {
    for (std::int64_t i = tasks; i-- > 0;) body(i);
  };
  EXPECT_EQ(stored(1, backwards), y);
  EXPECT_NE(stored(2, precision::serial()), y);
  const auto half = y.begin() + kCount;
  EXPECT_FALSE(std::equal(y.begin(), half, half));
}

TEST(NumericsMemory, CountsHeldAndPassingTensors) {
  workloads::Graph graph;
  workloads::TensorInfo x;
  x.name = "x";
  x.shape = {10};
  x.initializer = workloads::Initializer{};
  graph.add_tensor(x);
  const auto a = graph.add_node("Relu", "a", {0}, {}, {"ya"});
  const auto b = graph.add_node("Relu", "b", {a[0]}, {}, {"yb"});
  graph.outputs = {b[0]};
  // Node b: ya and yb in three evaluations, and one more copy of yb for the local reference. At
  // node a, x is there only rounded and unrounded.
  EXPECT_EQ(numeric_bytes(graph), 10.0 * 8 * (3 + 3 + 1));
}

TEST(NumericsMemory, TensorsBeyondMemoryAreRefusedWithBothFigures) {
  npu::MappedGraph mapped;
  workloads::TensorInfo x;
  x.name = "x";
  x.shape = {std::int64_t{1} << 38};
  x.initializer = workloads::Initializer{};
  mapped.graph.add_tensor(x);
  const auto y = mapped.graph.add_node("Relu", "a", {0}, {}, {"y"});
  mapped.graph.outputs = {y[0]};
  EXPECT_THROW(execute(mapped, workloads::Recipe{}, {}, precision::serial()), base::InputError);
}

}  // namespace
}  // namespace npusim::sim
