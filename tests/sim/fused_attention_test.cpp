// SPDX-License-Identifier: Apache-2.0
// Values of attention by online softmax: every block worked out again here, one row, one score and
// one rounding at a time, with the scalar definition of the array's sums.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/array_file.h"
#include "base/thread_pool.h"
#include "npu_models/attention_mapping.h"
#include "sim/numerics.h"
#include "sim/training/step_executor.h"
#include "tests/npu_models/support.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

using npu::testing::load_shipped;
using npu::testing::uniform_recipe;
using workloads::ElementType;
using workloads::Shape;
using workloads::TensorId;
using workloads::TensorInfo;

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr std::int64_t kRows = 8;  ///< of the array: K is cut there

struct Layer {
  std::int64_t batch = 2, heads = 4, kv_heads = 2, rows = 10, columns = 10, past = 0;
  std::int64_t depth = 20, value_depth = 12;
  bool causal = false;
  double softcap = 0.0;
  std::optional<ElementType> mask = std::nullopt;
};

/// To nearest even in so many significand bits; the oracle's own code, for numbers of usual size.
double rounded(double x, int bits) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, bits - exponent)), exponent - bits);
}
double bf16(double x) {
  return rounded(x, 8);
}
double fp32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// Values that bf16 holds, with spread.
std::vector<double> spread(std::int64_t count, int seed) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(bf16(std::sin(static_cast<double>(i * i % 977) + 0.37 * seed) *
                          (1.0 + static_cast<double>(i % 5) / 2)));
  return values;
}

/// The array's sum of an 8-row column: FP32 chains of 8, added up in FP32.
double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += kRows) {
    double chunk = 0.0;
    for (std::size_t i = begin; i < std::min<std::size_t>(a.size(), begin + kRows); ++i)
      chunk = static_cast<double>(static_cast<float>(chunk + a[i] * b[i]));
    sum = begin == 0 ? chunk : fp32(sum + chunk);
  }
  return sum;
}

struct Operands {
  std::vector<double> q, k, v, past_k, past_v, mask;
};

std::int64_t at4(const Shape& shape, std::int64_t a, std::int64_t b, std::int64_t c,
                 std::int64_t d) {
  return ((a * shape[1] + b) * shape[2] + c) * shape[3] + d;
}

class Case {
 public:
  explicit Case(const Layer& layer) : l(layer) {
    const Shape q{l.batch, l.heads, l.rows, l.depth};
    const Shape k{l.batch, l.kv_heads, l.columns - l.past, l.depth};
    const Shape v{l.batch, l.kv_heads, l.columns - l.past, l.value_depth};
    std::vector<TensorId> inputs = {add("q", q, 1, values.q), add("k", k, 2, values.k),
                                    add("v", v, 3, values.v)};
    if (l.mask || l.past > 0) inputs.push_back(workloads::kNoTensor);
    if (l.mask) {
      inputs.back() = add("mask", {l.rows, l.columns}, 4, values.mask, *l.mask);
      if (*l.mask == ElementType::boolean)
        for (double& value : values.mask) value = value > 0.0 ? 1.0 : 0.0;
    }
    if (l.past > 0) {
      inputs.push_back(add("past_k", {l.batch, l.kv_heads, l.past, l.depth}, 5, values.past_k));
      inputs.push_back(
          add("past_v", {l.batch, l.kv_heads, l.past, l.value_depth}, 6, values.past_v));
    }
    graph.outputs = graph.add_node(
        "Attention", "attn", inputs,
        {{"is_causal", std::int64_t{l.causal ? 1 : 0}}, {"softcap", l.softcap}}, {"y"});
  }

  npu::MappedGraph mapped(const std::string& mapping) const {
    const npu::NpuSpec npu = load_shipped(
        "systolic128_bf16",
        {"mac_array.rows=8", "mac_array.cols=8", "vector_unit.format=fp32", "mapping=" + mapping});
    return map_graph(npu, graph, recipe());
  }
  npu::MappedGraph in_blocks(std::int64_t keys, std::int64_t queries = 4) const {
    return mapped("{\"pins\": [{\"op\": \"attn\", \"attention\": {\"keys\": " +
                  std::to_string(keys) + ", \"queries\": " + std::to_string(queries) + "}}]}");
  }
  static workloads::Recipe recipe() { return uniform_recipe(precision::bf16()); }

  /// The output before it is stored, where every bit of the vector unit still shows.
  std::vector<double> run(const npu::MappedGraph& mapped) const {
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(mapped, precision::fp32(), 0, serial);
    const auto load = [&](const char* name, const std::vector<double>& of) {
      if (!of.empty()) executor.load(mapped.graph.find(name), of);
    };
    load("q", values.q);
    load("k", values.k);
    load("v", values.v);
    load("mask", values.mask);
    load("past_k", values.past_k);
    load("past_v", values.past_v);
    std::vector<double> unrounded;
    const TensorId y = mapped.graph.outputs.front();
    executor.run(
        0,
        [&](const workloads::Node&, TensorId id, const std::vector<double>& before,
            const workloads::Tensor&) {
          if (id == y) unrounded = before;
          return true;
        },
        std::vector<char>(mapped.graph.tensors.size(), 1));
    return unrounded;
  }

  /// Key and value rows of a head with the past in front.
  std::vector<double> row_of(const std::vector<double>& past, const std::vector<double>& fresh,
                             std::int64_t width, std::int64_t b, std::int64_t h,
                             std::int64_t column) const {
    const bool old = column < l.past;
    const std::vector<double>& from = old ? past : fresh;
    const std::int64_t length = old ? l.past : l.columns - l.past;
    const std::int64_t first =
        at4({l.batch, l.kv_heads, length, width}, b, h, old ? column : column - l.past, 0);
    return {from.begin() + first, from.begin() + first + width};
  }

  double masked(double score, std::int64_t row, std::int64_t column) const {
    const double scale = fp32(1.0 / std::sqrt(static_cast<double>(l.depth)));
    score = fp32(score * scale);
    if (l.softcap != 0.0)
      score = fp32(l.softcap * fp32(workloads::det_tanh(fp32(score / l.softcap))));
    if (l.causal && column > row + l.past) return kNever;
    if (!l.mask) return score;
    const double value = values.mask[static_cast<std::size_t>(row * l.columns + column)];
    if (*l.mask == ElementType::boolean) return value != 0.0 ? score : kNever;
    return fp32(score + value);
  }

  /// The definition, row by row; every block of keys is gone through, hidden or not.
  std::vector<double> by_hand(std::int64_t keys) const {
    std::vector<double> y;
    for (std::int64_t b = 0; b < l.batch; ++b)
      for (std::int64_t h = 0; h < l.heads; ++h)
        for (std::int64_t row = 0; row < l.rows; ++row)
          for (double value : hand_row(keys, b, h, row)) y.push_back(value);
    return y;
  }

  std::vector<double> exact() const {
    std::vector<double> y;
    for (std::int64_t b = 0; b < l.batch; ++b)
      for (std::int64_t h = 0; h < l.heads; ++h)
        for (std::int64_t row = 0; row < l.rows; ++row) {
          const std::int64_t first = at4({l.batch, l.heads, l.rows, l.depth}, b, h, row, 0);
          std::vector<double> sums(static_cast<std::size_t>(l.value_depth), 0.0);
          double total = 0.0;
          for (std::int64_t column = 0; column < l.columns; ++column) {
            const std::vector<double> key =
                row_of(values.past_k, values.k, l.depth, b, kv(h), column);
            const std::vector<double> value =
                row_of(values.past_v, values.v, l.value_depth, b, kv(h), column);
            if (l.causal && column > row + l.past) continue;
            double score = 0.0;
            for (std::int64_t i = 0; i < l.depth; ++i)
              score +=
                  values.q[static_cast<std::size_t>(first + i)] * key[static_cast<std::size_t>(i)];
            const double weight = std::exp(score / std::sqrt(static_cast<double>(l.depth)));
            total += weight;
            for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * value[i];
          }
          for (const double sum : sums) y.push_back(sum / total);
        }
    return y;
  }

  Layer l;
  workloads::Graph graph;
  Operands values;

 private:
  std::int64_t kv(std::int64_t head) const { return head / (l.heads / l.kv_heads); }

  TensorId add(const std::string& name, const Shape& shape, int seed, std::vector<double>& to,
               ElementType type = ElementType::floating) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.type = type;
    info.role = workloads::TensorRole::input;
    info.initializer = workloads::Initializer{};
    to = spread(workloads::element_count(shape), seed);
    graph.inputs.push_back(graph.add_tensor(info));
    return graph.inputs.back();
  }

  std::vector<double> hand_row(std::int64_t keys, std::int64_t b, std::int64_t h,
                               std::int64_t row) const {
    const std::int64_t first = at4({l.batch, l.heads, l.rows, l.depth}, b, h, row, 0);
    const std::vector<double> q(values.q.begin() + first, values.q.begin() + first + l.depth);
    std::vector<double> o(static_cast<std::size_t>(l.value_depth), 0.0);
    double max = kNever, sum = 0.0;
    for (std::int64_t k0 = 0; k0 < l.columns; k0 += keys) {
      const std::int64_t k1 = std::min(l.columns, k0 + keys);
      std::vector<double> s;
      double next = max;
      for (std::int64_t column = k0; column < k1; ++column) {
        s.push_back(masked(dot(q, row_of(values.past_k, values.k, l.depth, b, kv(h), column)), row,
                           column));
        next = std::max(next, s.back());
      }
      double rescale = 1.0, block = 0.0;
      std::vector<double> weights(s.size(), 0.0);
      if (next != kNever) {
        rescale = fp32(workloads::det_exp(fp32(max - next)));
        for (std::size_t i = 0; i < s.size(); ++i) {
          const double weight = fp32(workloads::det_exp(fp32(s[i] - next)));
          block = fp32(block + weight);
          weights[i] = bf16(weight);
        }
        sum = fp32(fp32(sum * rescale) + block);
        max = next;
      }
      for (std::size_t i = 0; i < o.size(); ++i) {
        std::vector<double> column;
        for (std::int64_t key = k0; key < k1; ++key)
          column.push_back(row_of(values.past_v, values.v, l.value_depth, b, kv(h), key)[i]);
        o[i] = fp32(fp32(o[i] * rescale) + dot(weights, column));
      }
    }
    for (double& value : o) value = fp32(value / sum);
    return o;
  }
};

void expect_same(const std::vector<double>& y, const std::vector<double>& expected) {
  ASSERT_EQ(y.size(), expected.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(expected[i]))
      EXPECT_TRUE(std::isnan(y[i])) << i;
    else
      EXPECT_EQ(y[i], expected[i]) << i;
  }
}

double distance(const std::vector<double>& y, const std::vector<double>& reference) {
  double off = 0.0, all = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    off += (y[i] - reference[i]) * (y[i] - reference[i]);
    all += reference[i] * reference[i];
  }
  return std::sqrt(off / all);
}

TEST(FusedAttentionValues, AreThoseOfEveryBlockByHand) {
  Layer plain, causal, decoding, capped;
  causal.causal = true;
  decoding.causal = true;
  decoding.rows = 2;
  decoding.past = 17;
  decoding.columns = 19;
  capped.softcap = 1.5;
  capped.columns = 23;
  for (const Layer& layer : {plain, causal, decoding, capped}) {
    const Case c(layer);
    for (const std::int64_t keys : {1, 3, 8, 9, 64}) {
      SCOPED_TRACE(std::to_string(layer.columns) + " columns, blocks of " + std::to_string(keys));
      expect_same(c.run(c.in_blocks(keys)), c.by_hand(keys));
    }
  }
}

TEST(FusedAttentionValues, MasksHideAndShift) {
  for (const ElementType type : {ElementType::boolean, ElementType::floating}) {
    Layer layer;
    layer.mask = type;
    const Case c(layer);
    for (const std::int64_t keys : {2, 5}) expect_same(c.run(c.in_blocks(keys)), c.by_hand(keys));
  }
}

TEST(FusedAttentionValues, ARowThatSeesNothingAtFirstOrAtAllIsRight) {
  Layer layer;
  layer.mask = ElementType::boolean;
  Case c(layer);
  for (std::size_t column = 0; column < 10; ++column) {
    c.values.mask[column] = column >= 7 ? 1.0 : 0.0;  // row 0: nothing in the first blocks
    c.values.mask[10 + column] = 0.0;                 // row 1: nothing at all
  }
  const std::vector<double> y = c.run(c.in_blocks(3));
  expect_same(y, c.by_hand(3));
  EXPECT_TRUE(std::isfinite(y[0]));
  EXPECT_TRUE(std::isnan(y[static_cast<std::size_t>(c.l.value_depth)]));
}

TEST(FusedAttentionValues, ABlockOfNansIsNoHiddenOne) {
  Case c(Layer{});
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  std::fill_n(c.values.k.begin(), 3 * c.l.depth, nan);  // keys 0 to 2 of the first head
  const std::vector<double> y = c.run(c.in_blocks(3));
  EXPECT_TRUE(std::isnan(y.front()));
  EXPECT_TRUE(std::isfinite(y.back()));
}

TEST(FusedAttentionValues, BlocksOfKeysAreInTheBitsBlocksOfQueriesAreNot) {
  Layer layer;
  layer.columns = 40;
  const Case c(layer);
  const std::vector<double> eights = c.run(c.in_blocks(8));
  EXPECT_NE(eights, c.run(c.in_blocks(16)));
  EXPECT_EQ(eights, c.run(c.in_blocks(8, 20)));
  EXPECT_EQ(eights, c.run(c.in_blocks(8, 1)));
}

TEST(FusedAttentionValues, AreNearTheExactOnesAndNoWorseThanTheParts) {
  for (const bool causal : {false, true}) {
    Layer layer;
    layer.rows = layer.columns = 48;
    layer.causal = causal;
    const Case c(layer);
    const std::vector<double> exact = c.exact();
    const double fused = distance(c.run(c.in_blocks(16)), exact);
    const double parts = distance(c.run(c.mapped("{}")), exact);
    EXPECT_LT(fused, 3e-3);  // weights are rounded to bf16
    EXPECT_GT(fused, 1e-4);
    EXPECT_LT(fused, parts) << "scores and weights of the parts go through bf16 in DRAM";
  }
}

TEST(FusedAttentionValues, EqualThePartsWhereNothingRounds) {
  Layer layer;
  layer.columns = 16;
  Case c(layer);
  for (double& q : c.values.q) q = 0.0;  // every weight is 1 / 16
  for (std::size_t i = 0; i < c.values.v.size(); ++i)
    c.values.v[i] = static_cast<double>(static_cast<int>(i % 7) - 3);
  const std::vector<double> parts = c.run(c.mapped("{}"));
  for (const std::int64_t keys : {1, 4, 16}) EXPECT_EQ(c.run(c.in_blocks(keys)), parts);
}

TEST(FusedAttentionValues, OfARunAreThoseOfAStepForAnyNumberOfThreads) {
  char folder[] = "/tmp/npusim_attention_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  Layer layer;
  layer.causal = true;
  const Case c(layer);
  const npu::MappedGraph mapped = c.in_blocks(3);
  NumericOptions options;
  options.dump_folder = folder;
  const auto give = [&](const char* name, const std::vector<double>& values) {
    base::ArrayData array;
    array.kind = base::ElementKind::f64;
    array.shape = c.graph.tensor(c.graph.find(name)).shape;
    array.values = values;
    options.files[name] = std::string(folder) + "/" + name + "_in.npy";
    base::write_npy(options.files[name], array);
  };
  give("q", c.values.q);
  give("k", c.values.k);
  give("v", c.values.v);
  base::ThreadPool pool(3);
  const Numerics numerics =
      execute(mapped, Case::recipe(), options,
              [&](std::int64_t count, const std::function<void(std::int64_t)>& body) {
                pool.parallel_for(count, body);
              });
  std::vector<double> stored = c.run(mapped);
  for (double& value : stored) value = bf16(value);
  EXPECT_EQ(base::read_npy(std::string(folder) + "/y.npy").values, stored);
  ASSERT_EQ(numerics.by_op.size(), 1U);
  EXPECT_EQ(numerics.by_op.front().plan, npu::describe_plan(*mapped.ops.front().attention));
  EXPECT_LT(numerics.by_op.front().local.rel_fro.value_or(1.0), 5e-3);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace npusim::sim
