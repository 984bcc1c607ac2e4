// SPDX-License-Identifier: Apache-2.0
// Recipes of FP8 and FP6 on the NPUs that declare them: what each product of a training step reads
// and what it gives, against arithmetic written down here, element by element; and what they train
// to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "npu_models/input_units.h"
#include "npu_models/npu_file.h"
#include "precision/indexed_rounding.h"
#include "sim/catalog.h"
#include "sim/matrix_engines.h"
#include "sim/training/train_all.h"
#include "workloads/training/transform.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::Tensor;
using workloads::TensorId;
using Values = std::vector<double>;

/// Three layers whose K are no multiples of any block: 200 -> 136 -> 130 -> 10, 40 samples.
constexpr const char* kLayers = R"({"schema_version": 1, "kind": "workload", "name": "layers",
"inputs": [{"name": "x", "shape": [40, 200], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": [40], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 9}}],
"initializers": [
  {"name": "w1", "shape": [136, 200], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [136], "initializer": {"kind": "normal", "stddev": 0.1}},
  {"name": "w2", "shape": [130, 136], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b2", "shape": [130], "initializer": {"kind": "normal", "stddev": 0.1}},
  {"name": "w3", "shape": [10, 130], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b3", "shape": [10], "initializer": {"kind": "zeros"}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},
  {"op": "Relu", "name": "relu1", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["relu1.out", "w2", "b2"], "attributes": {"transB": 1}},
  {"op": "Relu", "name": "relu2", "inputs": ["fc2.out"]},
  {"op": "Gemm", "name": "fc3", "inputs": ["relu2.out", "w3", "b3"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}}})";

/// The image is one window, so the convolution is a product; its K is padded to whole blocks.
constexpr const char* kConvolution = R"({"schema_version": 1, "kind": "workload", "name": "conv",
"inputs": [{"name": "x", "shape": [5, 1, 3, 3], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": [5], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 1}}],
"initializers": [{"name": "w0", "shape": [2, 1, 1, 1], "initializer": {"kind": "normal"}},
                 {"name": "w", "shape": [4, 2, 3, 3], "initializer": {"kind": "normal"}},
                 {"name": "v", "shape": [2, 4], "initializer": {"kind": "normal"}}],
"nodes": [{"op": "Conv", "name": "first", "inputs": ["x", "w0"]},
          {"op": "Conv", "name": "conv", "inputs": ["first.out", "w"]},
          {"op": "Flatten", "name": "flat", "inputs": ["conv.out"]},
          {"op": "Gemm", "name": "fc", "inputs": ["flat.out", "v"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label",
             "optimizer": {"kind": "sgd", "learning_rate": 0.1}}})";

workloads::Recipe recipe(const std::string& name) {
  return workloads::load_recipe(find_file("recipe", name));
}

workloads::Workload workload(const char* text) {
  const std::string file = ::testing::TempDir() + "/npusim_narrow_recipes.json";
  std::FILE* out = std::fopen(file.c_str(), "w");
  std::fputs(text, out);
  std::fclose(out);
  return workloads::load_workload(file);
}

/// The values of every tensor of one training step on an NPU.
class Step {
 public:
  Step(const std::string& npu, const char* text, const workloads::Recipe& recipe)
      : npu_(npu::load_npu(find_file("npu", npu))),
        mapped_(
            npu::map_graph(npu_, workloads::make_training_step(workload(text), recipe), recipe)) {
    values_.resize(graph().tensors.size());
    const std::vector<int> writer = workloads::writers(graph());
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const workloads::TensorInfo& info = graph().tensors[i];
      if (writer[i] >= 0) continue;
      values_[i] = workloads::make_values(*info.initializer, info.shape, info.type,
                                          workloads::values_name(info), 3);
      store(i);
    }
    std::map<int, const npu::GemmMapping*> products;
    for (const npu::MappedOp& op : mapped_.ops)
      if (op.gemm) products[op.node] = &*op.gemm;
    for (std::size_t n = 0; n < graph().nodes.size(); ++n) {
      const auto product = products.find(static_cast<int>(n));
      evaluate(graph().nodes[n], product == products.end() ? nullptr : product->second);
    }
  }

  const Graph& graph() const { return mapped_.graph; }
  const Node& node(const std::string& name) const {
    return *std::find_if(graph().nodes.begin(), graph().nodes.end(),
                         [&](const Node& each) { return each.name == name; });
  }
  const npu::GemmMapping& product(const std::string& name) const {
    for (const npu::MappedOp& op : mapped_.ops)
      if (op.gemm && graph().nodes[static_cast<std::size_t>(op.node)].name == name) return *op.gemm;
    throw std::out_of_range(name);
  }
  /// What a product reads: streamed and stationary operand.
  std::string operands(const std::string& name) const {
    const Node& of = node(name);
    const auto contraction =
        workloads::ops().at(of.op).contraction(workloads::NodeView(graph(), of));
    return npu::operands_of(graph(), of, *contraction, mapped_.storage).name();
  }
  const Tensor& tensor(TensorId id) const { return values_[static_cast<std::size_t>(id)]; }
  const Tensor& input(const Node& node, int i) const {
    return tensor(node.inputs[static_cast<std::size_t>(i)]);
  }
  const Tensor& output(const std::string& name) const { return tensor(node(name).outputs[0]); }
  const precision::Arithmetic& stored(TensorId id) const {
    return mapped_.storage[static_cast<std::size_t>(id)];
  }
  /// The node that writes an input of a node.
  const Node& writer(const Node& node, int i) const {
    const int found = workloads::writers(
        graph())[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(i)])];
    return graph().nodes[static_cast<std::size_t>(found)];
  }

 private:
  void store(std::size_t id) {
    if (values_[id].type != workloads::ElementType::floating) return;
    precision::round_indexed(values_[id].values.data(), values_[id].values.data(),
                             static_cast<std::int64_t>(values_[id].values.size()),
                             mapped_.storage[id], precision::derived_key({}, id), 0);
  }

  void evaluate(const Node& node, const npu::GemmMapping* product) {
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs)
      inputs.push_back(id == workloads::kNoTensor ? nullptr
                                                  : &values_[static_cast<std::size_t>(id)]);
    std::vector<Tensor> outputs;
    for (const TensorId id : node.outputs)
      outputs.emplace_back(graph().tensor(id).shape, graph().tensor(id).type);
    const precision::ParallelFor serial = precision::serial();
    const precision::Rounder fp32(precision::Arithmetic{precision::fp32()});
    const HostEngine host(serial);
    const auto run = [&](const workloads::MatrixEngine& engine) {
      workloads::Evaluation evaluation{
          workloads::NodeView(graph(), node), inputs, outputs, engine, fp32, serial};
      workloads::ops().at(node.op).forward(evaluation);
    };
    if (product == nullptr)
      run(host);
    else
      run(PlannedEngine(product->unit, product->plan, serial, {}));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto id = static_cast<std::size_t>(node.outputs[i]);
      values_[id] = std::move(outputs[i]);
      store(id);
    }
  }

  npu::NpuSpec npu_;
  npu::MappedGraph mapped_;
  std::vector<Tensor> values_;
};

// ---- arithmetic of the test's own ----

/// A narrow format by its three numbers.
struct Narrow {
  int fraction_bits, min_exponent;
  double largest;
};
constexpr Narrow kE4M3{3, -6, 448.0};
constexpr Narrow kE5M2{2, -14, 57344.0};
constexpr Narrow kE3M2{2, -2, 28.0};
constexpr Narrow kE6M9{9, -30, 4290772992.0};

/// To nearest, ties to even; saturates.
double nearest(long double x, const Narrow& to) {
  if (x == 0.0L) return 0.0;
  const int exponent = std::max(std::ilogb(x), to.min_exponent);
  const long double quantum = std::ldexp(1.0L, exponent - to.fraction_bits);
  const long double rounded = std::nearbyint(x / quantum) * quantum;
  return static_cast<double>(std::clamp<long double>(rounded, -to.largest, to.largest));
}

int exponent_of(double x, const Narrow& format) {
  return std::max(std::ilogb(x), format.min_exponent);
}

double truncated(double x, int significand_bits) {
  if (x == 0.0) return 0.0;
  const int shift = significand_bits - 1 - std::ilogb(x);
  return std::ldexp(std::trunc(std::ldexp(x, shift)), -shift);
}

struct Product {
  double value;
  int exponent;
};

/// running + products: all cut `bits` below the largest exponent, summed as integers, the result
/// cut to a significand.
double aligned(double running, const std::vector<Product>& products, int bits, int significand_bits,
               int lowest) {
  int largest = lowest;
  if (running != 0.0) largest = std::max(largest, std::ilogb(running));
  for (const Product& p : products)
    if (p.value != 0.0) largest = std::max(largest, p.exponent);
  const auto cut = [&](double x) {
    return static_cast<long long>(std::trunc(std::ldexp(x, bits - largest)));
  };
  long long sum = cut(running);
  for (const Product& p : products) sum += cut(p.value);
  return truncated(std::ldexp(static_cast<double>(sum), largest - bits), significand_bits);
}

/// A matrix as the rows along K of an operand.
struct Rows {
  const Tensor* values;
  bool k_first;
  std::int64_t rows() const { return values->shape[k_first ? 1 : 0]; }
  std::int64_t k() const { return values->shape[k_first ? 0 : 1]; }
  double at(std::int64_t row, std::int64_t i) const {
    const std::int64_t index = k_first ? i * values->shape[1] + row : row * values->shape[1] + i;
    return values->values[static_cast<std::size_t>(index)];
  }
};

bool is_set(const Node& node, const char* attribute) {
  return std::get<std::int64_t>(node.attributes.at(attribute)) != 0;
}

/// y[i][j] of a product node against `expected(i, j)`, rounded as it is stored; every seventh.
template <class Expected>
void expect_product(const Step& step, const Node& node, std::int64_t columns,
                    const Expected& expected) {
  const Tensor& y = step.tensor(node.outputs[0]);
  for (std::size_t at = 0; at < y.values.size(); at += 7) {
    const auto i = static_cast<std::int64_t>(at) / columns;
    const auto j = static_cast<std::int64_t>(at) % columns;
    const double stored = precision::round_to(expected(i, j), step.stored(node.outputs[0]));
    ASSERT_EQ(y.values[at], stored) << node.name << " at " << i << ", " << j;
  }
}

// ---- E4M3 by E5M2 ----

/// What an H100 makes of up to 32 FP8 products.
double h100_sum(const std::vector<std::pair<double, double>>& pairs, const Narrow& a,
                const Narrow& b) {
  std::vector<Product> products;
  for (const auto& [x, y] : pairs)
    products.push_back({x * y, x * y == 0.0 ? 0 : exponent_of(x, a) + exponent_of(y, b)});
  return aligned(0.0, products, 13, 14, -133);
}

TEST(NarrowRecipes, HybridFp8MultipliesEitherFormatOnEitherSide) {
  const Step step("nvidia_h100", kConvolution, recipe("fp8_current_scaling"));
  const auto formats = [&](const char* name) { return step.operands(name); };
  EXPECT_EQ(formats("conv"), "fp8_e4m3");
  EXPECT_EQ(formats("conv.dx"), "fp8_e5m2 x fp8_e4m3");  // gradients stream, weights stay
  EXPECT_EQ(formats("conv.dw"), "fp8_e4m3 x fp8_e5m2");  // images stream, gradients stay
  EXPECT_EQ(formats("fc.da"), "fp8_e5m2 x fp8_e4m3");
  EXPECT_EQ(formats("fc.db"), "fp8_e5m2 x fp8_e4m3");  // dy^T by x
  // A convolution hands its n side over first, so its unit's operand a is that side's.
  EXPECT_EQ(step.product("conv.dx").unit.a.name, "fp8_e4m3");
  EXPECT_EQ(step.product("conv.dw").unit.a.name, "fp8_e5m2");
  EXPECT_EQ(step.product("fc.da").unit.a.name, "fp8_e5m2");

  // fc.da = dy (5 x 2) by v (2 x 4); fc.db = dy^T by flat.out (5 x 4).
  for (const char* name : {"fc.da", "fc.db"}) {
    const Node& node = step.node(name);
    const Rows a{&step.input(node, 0), is_set(node, "transA")};
    const Rows b{&step.input(node, 1), !is_set(node, "transB")};
    ASSERT_LE(a.k(), 32);
    const Tensor& y = step.tensor(node.outputs[0]);
    for (std::int64_t i = 0; i < a.rows(); ++i)
      for (std::int64_t j = 0; j < b.rows(); ++j) {
        std::vector<std::pair<double, double>> pairs;
        for (std::int64_t t = 0; t < a.k(); ++t) pairs.emplace_back(a.at(i, t), b.at(j, t));
        EXPECT_EQ(y.values[static_cast<std::size_t>(i * b.rows() + j)],
                  h100_sum(pairs, kE5M2, kE4M3))
            << name;
      }
  }
  // conv.dw[k][tap] = sum over images of dy[n][k] * image[n][tap].
  const Node& dw = step.node("conv.dw");
  const Tensor& dy = step.input(dw, 0);
  const Tensor& image = step.input(dw, 1);
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t tap = 0; tap < 18; ++tap) {
      std::vector<std::pair<double, double>> pairs;
      for (std::size_t n = 0; n < 5; ++n)
        pairs.emplace_back(dy.values[n * 4 + k], image.values[n * 18 + tap]);
      EXPECT_EQ(step.output("conv.dw").values[k * 18 + tap], h100_sum(pairs, kE5M2, kE4M3));
    }
  // conv.dx[n][c][pixel] = sum over k of dy[n][k] * w[k][c][pixel]: one window.
  const Node& dx = step.node("conv.dx");
  const Tensor& gradient = step.input(dx, 0);
  const Tensor& w = step.input(dx, 1);
  for (std::size_t n = 0; n < 5; ++n)
    for (std::size_t at = 0; at < 18; ++at) {
      std::vector<std::pair<double, double>> pairs;
      for (std::size_t k = 0; k < 4; ++k)
        pairs.emplace_back(gradient.values[n * 4 + k], w.values[k * 18 + at]);
      EXPECT_EQ(step.output("conv.dx").values[n * 18 + at], h100_sum(pairs, kE5M2, kE4M3));
    }
}

// ---- blocks with scales ----

/// Elements and scales of a matrix in tiles: the scale is `scale(amax)`, the element the nearest to
/// x / scale.
template <class Scale>
void expect_tiles(const Step& step, const Node& product, int operand, const Narrow& element,
                  std::int64_t tile_rows, std::int64_t tile_columns, const Scale& scale) {
  const Node& cast = step.writer(product, operand);
  ASSERT_EQ(cast.op, "QuantizeBlocks") << product.name;
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(cast.attributes.at("tile")),
            (std::vector<std::int64_t>{tile_rows, tile_columns}))
      << product.name << " operand " << operand;
  const Tensor& x = step.input(cast, 0);
  const Tensor& elements = step.tensor(cast.outputs[0]);
  const Tensor& scales = step.tensor(cast.outputs[1]);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const std::int64_t across = (columns + tile_columns - 1) / tile_columns;
  ASSERT_EQ(scales.shape, (workloads::Shape{(rows + tile_rows - 1) / tile_rows, across}));
  std::vector<double> amax(scales.values.size(), 0.0);
  const auto tile_of = [&](std::int64_t r, std::int64_t c) {
    return static_cast<std::size_t>(r / tile_rows * across + c / tile_columns);
  };
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      double& top = amax[tile_of(r, c)];
      top = std::max(top, std::fabs(x.values[static_cast<std::size_t>(r * columns + c)]));
    }
  for (std::size_t i = 0; i < amax.size(); ++i)
    ASSERT_EQ(scales.values[i], amax[i] > 0.0 ? scale(amax[i]) : scales.values[i]) << product.name;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<std::size_t>(r * columns + c);
      const double own = scales.values[tile_of(r, c)];
      const double expected =
          amax[tile_of(r, c)] > 0.0
              ? nearest(static_cast<long double>(x.values[at]) / static_cast<long double>(own),
                        element)
              : 0.0;
      ASSERT_EQ(elements.values[at], expected) << product.name << " " << r << ", " << c;
    }
}

double fp32_scale(double amax) {
  return static_cast<double>(static_cast<float>(amax / 448.0));
}

/// 2^(floor(log2 amax) - exponent of the largest element).
double e8m0_scale(double amax, int largest) {
  return std::ldexp(1.0, std::ilogb(amax) - largest);
}

/// Of an operand of a BlockScaledMatMul, of K value i of a row.
struct ScaledRows {
  Rows elements, scales;
  std::int64_t block, across;
  double scale(std::int64_t row, std::int64_t i) const {
    return scales.at(row / across, i / block);
  }
};

ScaledRows scaled_rows(const Step& step, const Node& node, int operand) {
  const bool swapped = is_set(node, operand == 0 ? "transA" : "transB");
  const bool k_first = operand == 0 ? swapped : !swapped;
  const auto& tile =
      std::get<std::vector<std::int64_t>>(node.attributes.at(operand == 0 ? "tile_a" : "tile_b"));
  return {{&step.input(node, operand), k_first},
          {&step.input(node, operand + 2), k_first},
          tile[k_first ? 0 : 1],
          tile[k_first ? 1 : 0]};
}

TEST(NarrowRecipes, BlockScaledFp8IsQuantisedAlongEachProductsOwnK) {
  const Step step("nvidia_h100", kLayers, recipe("fp8_block_scaling"));
  const std::vector<std::string> products = {"fc1", "fc2", "fc2.da", "fc1.db", "fc2.db"};
  for (const std::string& name : products) {
    EXPECT_EQ(step.node(name).op, "BlockScaledMatMul") << name;
    EXPECT_EQ(step.product(name).unit.name, "deepseek_h800_fp8_e4m3_blocks_fp32") << name;
  }
  for (const char* name : {"fc3", "fc3.da", "fc3.db"})  // the last layer
    EXPECT_EQ(step.operands(name), "bf16") << name;
  // Activations and gradients in tiles of 128 along K, weights in 128 x 128.
  expect_tiles(step, step.node("fc2"), 0, kE4M3, 1, 128, fp32_scale);
  expect_tiles(step, step.node("fc2"), 1, kE4M3, 128, 128, fp32_scale);
  expect_tiles(step, step.node("fc2.da"), 0, kE4M3, 1, 128, fp32_scale);
  expect_tiles(step, step.node("fc2.da"), 1, kE4M3, 128, 128, fp32_scale);
  expect_tiles(step, step.node("fc2.db"), 0, kE4M3, 128, 1, fp32_scale);
  expect_tiles(step, step.node("fc2.db"), 1, kE4M3, 128, 1, fp32_scale);
  // One copy of the weights does for both directions.
  EXPECT_EQ(step.node("fc2").inputs[1], step.node("fc2.da").inputs[1]);
}

TEST(NarrowRecipes, BlockScaledFp8IsPromotedEvery128TermsTimesBothScales) {
  const Step step("nvidia_h100", kLayers, recipe("fp8_block_scaling"));
  for (const char* name : {"fc1", "fc2", "fc2.da", "fc1.db", "fc2.db"}) {
    const Node& node = step.node(name);
    const ScaledRows a = scaled_rows(step, node, 0);
    const ScaledRows b = scaled_rows(step, node, 1);
    const std::int64_t k = a.elements.k();
    expect_product(step, node, b.elements.rows(), [&](std::int64_t i, std::int64_t j) {
      float sum = 0.0F;
      for (std::int64_t block = 0; block < k; block += 128) {
        double running = 0.0;
        for (std::int64_t at = block; at < std::min(k, block + 128); at += 32) {
          std::vector<Product> products;
          for (std::int64_t t = at; t < std::min(k, at + 32); ++t) {
            const double x = a.elements.at(i, t), y = b.elements.at(j, t);
            products.push_back(
                {x * y, x * y == 0.0 ? 0 : exponent_of(x, kE4M3) + exponent_of(y, kE4M3)});
          }
          running = aligned(running, products, 13, 14, -133);
        }
        const float scale = static_cast<float>(a.scale(i, block) * b.scale(j, block));
        sum = std::fma(scale, static_cast<float>(running), sum);
      }
      return static_cast<double>(sum);
    });
  }
}

void expect_mx(const char* name, const Narrow& element, int largest_exponent,
               const std::string& unit) {
  const Step step("cube16_mx", kLayers, recipe(name));
  const auto scale = [&](double amax) { return e8m0_scale(amax, largest_exponent); };
  for (const char* product : {"fc1", "fc2", "fc3", "fc2.da", "fc3.da", "fc1.db", "fc2.db"}) {
    const Node& node = step.node(product);
    ASSERT_EQ(node.op, "BlockScaledMatMul") << product;
    EXPECT_EQ(step.product(product).unit.name, unit);
    const bool a_by_columns = is_set(node, "transA"), b_by_columns = !is_set(node, "transB");
    expect_tiles(step, node, 0, element, a_by_columns ? 32 : 1, a_by_columns ? 1 : 32, scale);
    expect_tiles(step, node, 1, element, b_by_columns ? 32 : 1, b_by_columns ? 1 : 32, scale);
    const ScaledRows a = scaled_rows(step, node, 0);
    const ScaledRows b = scaled_rows(step, node, 1);
    const std::int64_t k = a.elements.k();
    expect_product(step, node, b.elements.rows(), [&](std::int64_t i, std::int64_t j) {
      double running = 0.0;
      for (std::int64_t block = 0; block < k; block += 32) {
        std::vector<Product> products;
        for (std::int64_t t = block; t < std::min(k, block + 32); ++t) {
          const double x = a.elements.at(i, t), y = b.elements.at(j, t);
          const double scales = a.scale(i, t) * b.scale(j, t);
          products.push_back({x * y * scales, x * y == 0.0 ? 0
                                                           : exponent_of(x, element) +
                                                                 exponent_of(y, element) +
                                                                 std::ilogb(scales)});
        }
        running = aligned(running, products, 25, 24, -126);
      }
      return running;
    });
  }
  // A weight has a copy by rows and one by columns, each from what is stored.
  EXPECT_NE(step.node("fc2").inputs[1], step.node("fc2.da").inputs[1]);
}

TEST(NarrowRecipes, Mxfp8ReadsBlocksOf32AlongEachProductsOwnK) {
  expect_mx("mxfp8", kE4M3, 8, "nvidia_b200_mxfp8_e4m3_fp32");
}

TEST(NarrowRecipes, Mxfp6ReadsBlocksOf32AlongEachProductsOwnK) {
  expect_mx("mxfp6", kE3M2, 4, "nvidia_b200_mxfp6_e3m2_fp32");
}

// ---- Wang et al. ----

TEST(NarrowRecipes, WangFp8SumsChunksOf64InTheirOwnSixteenBits) {
  const workloads::Recipe r = recipe("wang_fp8_chunk64");
  const Step step("systolic64_fp8_chunked", kLayers, r);
  for (const char* name : {"fc2", "fc2.da", "fc2.db"})
    EXPECT_EQ(step.operands(name), "fp8_e5m2") << name;
  for (const char* name : {"fc1", "fc1.db", "fc3", "fc3.da", "fc3.db"})
    EXPECT_EQ(step.operands(name), "e6m9") << name;
  for (const char* name : {"fc2", "fc2.da", "fc2.db"}) {
    const Node& node = step.node(name);
    for (const int operand : {0, 1}) {  // each the nearest (1,5,2) number of what is stored
      const Node& cast = step.writer(node, operand);
      ASSERT_EQ(cast.op, "Cast");
      const Values& from = step.input(cast, 0).values;
      for (std::size_t i = 0; i < from.size(); ++i)
        ASSERT_EQ(step.input(node, operand).values[i], nearest(from[i], kE5M2));
    }
    const Rows a{&step.input(node, 0), is_set(node, "transA")};
    const Rows b{&step.input(node, 1), !is_set(node, "transB")};
    const Tensor* const bias = node.inputs.size() > 2 ? &step.input(node, 2) : nullptr;
    expect_product(step, node, b.rows(), [&](std::int64_t i, std::int64_t j) {
      double sum = bias != nullptr ? bias->values[static_cast<std::size_t>(j)] : 0.0;
      for (std::int64_t chunk = 0; chunk < a.k(); chunk += 64) {
        double own = 0.0;
        for (std::int64_t t = chunk; t < std::min(a.k(), chunk + 64); ++t)
          own = nearest(
              static_cast<long double>(own) + static_cast<long double>(a.at(i, t) * b.at(j, t)),
              kE6M9);
        sum = nearest(static_cast<long double>(sum) + static_cast<long double>(own), kE6M9);
      }
      return sum;
    });
  }
}

/// w.next and momentum are (1,6,9) numbers next to the exact update, each of the two in proportion.
TEST(NarrowRecipes, WangFp8UpdatesWeightsWithStochasticRounding) {
  const workloads::Recipe r = recipe("wang_fp8_chunk64");
  const workloads::Workload layers = workload(kLayers);
  const Graph graph = workloads::make_training_step(layers, r);
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(graph, r);
  int weights = 0;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const workloads::TensorRole role = graph.tensors[i].role;
    const bool updated =
        role == workloads::TensorRole::weight || role == workloads::TensorRole::optimizer_state;
    if (graph.tensors[i].stored) continue;
    if (updated) {
      ++weights;
      EXPECT_EQ(storage[i].format.name, "e6m9") << graph.tensors[i].name;
      EXPECT_EQ(storage[i].rounding, precision::Rounding::sr) << graph.tensors[i].name;
    } else if (role == workloads::TensorRole::activation) {
      EXPECT_EQ(storage[i].rounding, precision::Rounding::rne) << graph.tensors[i].name;
    }
  }
  EXPECT_GE(weights, 18);  // six parameters: old, new and momentum
}

// ---- training ----

struct Trained {
  const char* npu;
  const char* recipe;
  double most_above_fp32;  ///< loss of the test set, relative
};

class TrainsLeNet : public ::testing::TestWithParam<Trained> {};

TEST_P(TrainsLeNet, CloseToFp32) {
  TrainRequest request;
  request.npu_file = find_file("npu", GetParam().npu);
  request.workload_file = find_file("workload", "lenet5");
  request.recipe_files = {find_file("recipe", GetParam().recipe)};
  request.options.data = "digits";
  request.options.train_samples = 1920;
  request.options.test_samples = 320;
  request.options.epochs = 1;
  request.options.seed = 1;
  request.timing = false;
  request.jobs = 2;
  const TrainResult result = train_all(request);
  const TrainRun& run = result.runs.at(0);
  ASSERT_EQ(run.status, TrainStatus::ok) << run.error;
  const double before = result.reference.evaluations.front().loss;
  const double fp32 = result.reference.evaluations.back().loss;
  const double loss = run.evaluations.back().loss;
  EXPECT_LT(fp32, 0.5 * before);
  EXPECT_LT(loss, (1.0 + GetParam().most_above_fp32) * fp32) << "FP32: " << fp32;
  EXPECT_NE(run.weights_hash, result.reference.weights_hash);
}

INSTANTIATE_TEST_SUITE_P(
    NarrowRecipes, TrainsLeNet,
    ::testing::Values(Trained{"nvidia_h100", "fp8_block_scaling", 0.1},
                      Trained{"cube16_mx", "mxfp8", 0.1}, Trained{"cube16_mx", "mxfp6", 0.1},
                      Trained{"systolic64_fp8_chunked", "wang_fp8_chunk64", 0.2}),
    [](const auto& each) { return std::string(each.param.recipe); });

}  // namespace
}  // namespace npusim::sim
