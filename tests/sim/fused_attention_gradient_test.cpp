// SPDX-License-Identifier: Apache-2.0
// Values of attention's backward pass with scores computed again: every block worked out again
// here, one score, one product and one rounding at a time, with the scalar definition of the
// array's sums; against the gradient by its formula in binary64; and in training.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "base/array_file.h"
#include "base/thread_pool.h"
#include "npu_models/attention_gradient.h"
#include "npu_models/training_graph.h"
#include "sim/catalog.h"
#include "sim/numerics.h"
#include "sim/training/step_executor.h"
#include "sim/training/trainer.h"
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

using Values = std::vector<double>;

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr std::int64_t kRows = 8;  ///< of the array: K is cut there

struct Layer {
  std::int64_t batch = 2, heads = 4, kv_heads = 2, rows = 10, columns = 10;
  std::int64_t depth = 20, value_depth = 12;
  bool causal = false;
  double softcap = 0.0;
  std::optional<ElementType> mask = std::nullopt;
  Shape mask_shape = {};        ///< empty: rows x columns
  std::int64_t blind_row = -1;  ///< that a boolean mask hides every key from
};

/// To nearest even in so many significand bits; the oracle's own code, for numbers of usual size.
double bf16(double x) {
  if (x == 0.0 || !std::isfinite(x)) return x;
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, 8 - exponent)), exponent - 8);
}
double fp32(double x) {
  return static_cast<double>(static_cast<float>(x));
}

/// Values that bf16 holds, with spread.
Values spread(std::int64_t count, int seed) {
  Values values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(bf16(std::sin(static_cast<double>(i * i % 977) + 0.37 * seed) *
                          (1.0 + static_cast<double>(i % 5) / 2)));
  return values;
}

/// The array's sum of an 8-row column: FP32 chains of 8, added up in FP32.
double dot(const Values& a, const Values& b) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += kRows) {
    double chunk = 0.0;
    for (std::size_t i = begin; i < std::min<std::size_t>(a.size(), begin + kRows); ++i)
      chunk = static_cast<double>(static_cast<float>(chunk + a[i] * b[i]));
    sum = begin == 0 ? chunk : fp32(sum + chunk);
  }
  return sum;
}

struct Results {
  Values y, statistics, dq, dk, dv;
};

class Case {
 public:
  explicit Case(const Layer& layer) : l(layer) {
    const auto q = add("q", {l.batch, l.heads, l.rows, l.depth}, 1, q_);
    const auto k = add("k", {l.batch, l.kv_heads, l.columns, l.depth}, 2, k_);
    const auto v = add("v", {l.batch, l.kv_heads, l.columns, l.value_depth}, 3, v_);
    const auto dy = add("dy", {l.batch, l.heads, l.rows, l.value_depth}, 5, dy_);
    std::vector<TensorId> inputs = {q, k, v};
    if (l.mask) {
      if (l.mask_shape.empty()) l.mask_shape = {l.rows, l.columns};
      inputs.push_back(add("mask", l.mask_shape, 4, mask_, *l.mask));
      if (*l.mask == ElementType::boolean)
        for (std::size_t i = 0; i < mask_.size(); ++i) {
          const std::int64_t row =
              static_cast<std::int64_t>(i) / l.columns % l.rows;  // of masks with rows
          const bool sees = i % 7 == 0 || mask_[i] > -0.5;        // a key at least, with 10 columns
          mask_[i] = sees && row != l.blind_row ? 1.0 : 0.0;
        }
    }
    const workloads::Attributes attributes = {{"is_causal", std::int64_t{l.causal ? 1 : 0}},
                                              {"softcap", l.softcap}};
    const std::vector<TensorId> forward =
        graph.add_node(workloads::kAttentionWithStatistics, "attn", inputs, attributes, {"y", "l"});
    graph.tensors[static_cast<std::size_t>(forward[1])].stored = precision::fp32();
    inputs.resize(4, workloads::kNoTensor);
    inputs.resize(6, workloads::kNoTensor);
    inputs.insert(inputs.end(), {forward[0], forward[1], dy});
    const std::vector<TensorId> gradients = graph.add_node(
        workloads::kAttentionGradient, "gradient", inputs, attributes, {"dq", "dk", "dv"},
        workloads::TensorRole::activation_gradient, workloads::Phase::backward);
    graph.outputs = forward;
    graph.outputs.insert(graph.outputs.end(), gradients.begin(), gradients.end());
  }

  /// Both ops in blocks, those of the forward pass 4 queries and 3 keys.
  npu::MappedGraph in_blocks(std::int64_t queries, std::int64_t keys,
                             const precision::Format& format = precision::bf16()) const {
    const npu::NpuSpec npu = load_shipped(
        "systolic128_bf16",
        {"mac_array.rows=8", "mac_array.cols=8", "vector_unit.format=fp32",
         "mac_array.inputs=[{\"format\": \"" + format.name + "\"}]",
         "mapping={\"pins\": [{\"op\": \"attn\", \"attention\": {\"queries\": 4, \"keys\": 3}}, "
         "{\"op\": \"gradient\", \"attention\": {\"queries\": " +
             std::to_string(queries) + ", \"keys\": " + std::to_string(keys) + "}}]}"});
    return map_graph(npu, graph, uniform_recipe(format));
  }

  std::vector<std::pair<const char*, const Values*>> inputs() const {
    std::vector<std::pair<const char*, const Values*>> all = {
        {"q", &q_}, {"k", &k_}, {"v", &v_}, {"dy", &dy_}};
    if (l.mask) all.emplace_back("mask", &mask_);
    return all;
  }

  /// Before they are stored, where every bit of the vector unit still shows; y as stored.
  Results run(const npu::MappedGraph& mapped) const {
    const precision::ParallelFor serial = precision::serial();
    StepExecutor executor(mapped, precision::fp32(), 0, serial);
    for (const auto& [name, values] : inputs()) executor.load(mapped.graph.find(name), *values);
    std::map<std::string, Values> seen;
    executor.run(
        0,
        [&](const workloads::Node&, TensorId id, const Values& before,
            const workloads::Tensor& after) {
          const std::string& name = mapped.graph.tensor(id).name;
          seen[name] = name == "y" ? after.values : before;
          return true;
        },
        std::vector<char>(mapped.graph.tensors.size(), 1));
    return {seen.at("y"), seen.at("l"), seen.at("dq"), seen.at("dk"), seen.at("dv")};
  }

  /// The definition for blocks of so many stacked queries and keys; hidden ones are gone through.
  Results by_hand(std::int64_t queries, std::int64_t keys, const Values& y) const {
    Results r;
    r.y = y;
    r.dq.assign(q_.size(), 0.0);
    r.dk.assign(k_.size(), 0.0);
    r.dv.assign(v_.size(), 0.0);
    r.statistics.resize(static_cast<std::size_t>(l.batch * l.heads * l.rows));
    for (std::int64_t b = 0; b < l.batch; ++b)
      for (std::int64_t kv = 0; kv < l.kv_heads; ++kv) hand_group(b, kv, queries, keys, r);
    const double scale = fp32(1.0 / std::sqrt(static_cast<double>(l.depth)));
    for (Values* scaled : {&r.dq, &r.dk})
      for (double& value : *scaled) value = fp32(value * scale);
    return r;
  }

  /// By the formula of softmax's gradient, in binary64, without statistics or blocks.
  Results exact() const {
    Results r;
    r.dq.assign(q_.size(), 0.0);
    r.dk.assign(k_.size(), 0.0);
    r.dv.assign(v_.size(), 0.0);
    const double scale = 1.0 / std::sqrt(static_cast<double>(l.depth));
    for (std::int64_t b = 0; b < l.batch; ++b)
      for (std::int64_t h = 0; h < l.heads; ++h)
        for (std::int64_t row = 0; row < l.rows; ++row) {
          const std::int64_t group = b * l.kv_heads + h / (l.heads / l.kv_heads);
          const std::int64_t at = (b * l.heads + h) * l.rows + row;
          const Values q = part(q_, at, l.depth), dy = part(dy_, at, l.value_depth);
          const std::int64_t seen = l.causal ? row + 1 : l.columns;
          Values p, dp;
          double total = 0.0, mean = 0.0;
          for (std::int64_t c = 0; c < seen; ++c) {
            const Values k = part(k_, group * l.columns + c, l.depth);
            const Values v = part(v_, group * l.columns + c, l.value_depth);
            double score = 0.0, gradient = 0.0;
            for (std::size_t x = 0; x < q.size(); ++x) score += q[x] * k[x];
            for (std::size_t x = 0; x < dy.size(); ++x) gradient += dy[x] * v[x];
            p.push_back(std::exp(score * scale + shift(b, h, row, c)));
            dp.push_back(gradient);
            total += p.back();
          }
          for (std::size_t c = 0; c < p.size(); ++c) mean += (p[c] /= total) * dp[c];
          for (std::size_t c = 0; c < p.size(); ++c) {
            const std::int64_t key = group * l.columns + static_cast<std::int64_t>(c);
            const Values k = part(k_, key, l.depth);
            const double ds = p[c] * (dp[c] - mean) * scale;
            for (std::int64_t x = 0; x < l.depth; ++x) {
              r.dq[index(at * l.depth + x)] += ds * k[index(x)];
              r.dk[index(key * l.depth + x)] += ds * q[index(x)];
            }
            for (std::int64_t x = 0; x < l.value_depth; ++x)
              r.dv[index(key * l.value_depth + x)] += p[c] * dy[index(x)];
          }
        }
    return r;
  }

  Layer l;
  workloads::Graph graph;
  Values q_, k_, v_, dy_, mask_;

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  static Values part(const Values& from, std::int64_t row, std::int64_t width) {
    return {from.begin() + row * width, from.begin() + (row + 1) * width};
  }

  TensorId add(const std::string& name, const Shape& shape, int seed, Values& to,
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

  /// What the mask has for a score, its shape broadcast from behind.
  double mask_at(std::int64_t batch, std::int64_t head, std::int64_t row,
                 std::int64_t column) const {
    const std::int64_t place[] = {batch, head, row, column};
    std::int64_t from = 0;
    for (std::size_t i = 0; i < l.mask_shape.size(); ++i)
      from =
          from * l.mask_shape[i] + (l.mask_shape[i] > 1 ? place[4 - l.mask_shape.size() + i] : 0);
    return mask_[index(from)];
  }
  /// What is added to a score; of a causal mask nothing.
  double shift(std::int64_t batch, std::int64_t head, std::int64_t row, std::int64_t column) const {
    if (!l.mask) return 0.0;
    const double value = mask_at(batch, head, row, column);
    if (*l.mask == ElementType::boolean) return value != 0.0 ? 0.0 : kNever;
    return value;
  }

  /// Masked score, and the slope of the cap.
  std::pair<double, double> masked(double sum, std::int64_t batch, std::int64_t head,
                                   std::int64_t row, std::int64_t column) const {
    double score = fp32(sum * fp32(1.0 / std::sqrt(static_cast<double>(l.depth))));
    double slope = 1.0;
    if (l.softcap != 0.0) {
      const double tanh = fp32(workloads::det_tanh(fp32(score / l.softcap)));
      score = fp32(l.softcap * tanh);
      slope = fp32(1.0 - fp32(tanh * tanh));
    }
    if (l.causal && column > row) return {kNever, slope};
    if (!l.mask) return {score, slope};
    const double value = mask_at(batch, head, row, column);
    if (*l.mask == ElementType::boolean) return {value != 0.0 ? score : kNever, slope};
    return {fp32(score + value), slope};
  }

  /// Maximum and sum over blocks of three keys, as the forward pass takes them.
  double statistics_of(const Values& q, std::int64_t batch, std::int64_t head,
                       std::int64_t row) const {
    const std::int64_t group = batch * l.kv_heads + head / (l.heads / l.kv_heads);
    double max = kNever, sum = 0.0;
    for (std::int64_t k0 = 0; k0 < l.columns; k0 += 3) {
      Values s;
      double next = max, block = 0.0;
      for (std::int64_t c = k0; c < std::min(l.columns, k0 + 3); ++c) {
        s.push_back(
            masked(dot(q, part(k_, group * l.columns + c, l.depth)), batch, head, row, c).first);
        next = std::max(next, s.back());
      }
      if (next == kNever) continue;
      for (const double score : s)
        block = fp32(block + fp32(workloads::det_exp(fp32(score - next))));
      sum = fp32(fp32(sum * fp32(workloads::det_exp(fp32(max - next)))) + block);
      max = next;
    }
    return fp32(max + fp32(workloads::det_log(sum)));
  }

  void hand_group(std::int64_t b, std::int64_t kv, std::int64_t queries, std::int64_t keys,
                  Results& r) const {
    const std::int64_t share = l.heads / l.kv_heads, stacked = share * l.rows;
    const std::int64_t group = b * l.kv_heads + kv, row0 = group * stacked;
    Values dots, statistics;
    for (std::int64_t i = 0; i < stacked; ++i) {
      double sum = 0.0;
      const Values dy = part(dy_, row0 + i, l.value_depth), y = part(r.y, row0 + i, l.value_depth);
      for (std::size_t x = 0; x < y.size(); ++x) sum = fp32(sum + fp32(dy[x] * y[x]));
      dots.push_back(sum);
      statistics.push_back(
          statistics_of(part(q_, row0 + i, l.depth), b, kv * share + i / l.rows, i % l.rows));
      r.statistics[index(row0 + i)] = statistics.back();
    }
    for (std::int64_t k0 = 0; k0 < l.columns; k0 += keys)
      for (std::int64_t i0 = 0; i0 < stacked; i0 += queries) {
        const std::int64_t k1 = std::min(l.columns, k0 + keys),
                           i1 = std::min(stacked, i0 + queries);
        std::vector<Values> p, ds;  // by row of the block
        for (std::int64_t i = i0; i < i1; ++i) {
          p.emplace_back();
          ds.emplace_back();
          for (std::int64_t c = k0; c < k1; ++c) {
            const std::int64_t key = group * l.columns + c;
            const auto [score, slope] =
                masked(dot(part(q_, row0 + i, l.depth), part(k_, key, l.depth)), b,
                       kv * share + i / l.rows, i % l.rows, c);
            const double weight = fp32(workloads::det_exp(fp32(score - statistics[index(i)])));
            const double by_weight =
                dot(part(dy_, row0 + i, l.value_depth), part(v_, key, l.value_depth));
            double by_score = fp32(weight * fp32(by_weight - dots[index(i)]));
            if (l.softcap != 0.0) by_score = fp32(by_score * slope);
            p.back().push_back(bf16(weight));
            ds.back().push_back(bf16(by_score));
          }
        }
        const auto column = [&](const std::vector<Values>& from, std::int64_t c) {
          Values values;
          for (const Values& row : from) values.push_back(row[index(c - k0)]);
          return values;
        };
        const auto across = [&](const Values& from, std::int64_t first, std::int64_t last,
                                std::int64_t width, std::int64_t x) {
          Values values;
          for (std::int64_t i = first; i < last; ++i) values.push_back(from[index(i * width + x)]);
          return values;
        };
        const auto add = [](double& sum, double product) { sum = fp32(sum + product); };
        for (std::int64_t c = k0; c < k1; ++c) {
          const std::int64_t key = group * l.columns + c;
          for (std::int64_t x = 0; x < l.value_depth; ++x)
            add(r.dv[index(key * l.value_depth + x)],
                dot(column(p, c), across(dy_, row0 + i0, row0 + i1, l.value_depth, x)));
          for (std::int64_t x = 0; x < l.depth; ++x)
            add(r.dk[index(key * l.depth + x)],
                dot(column(ds, c), across(q_, row0 + i0, row0 + i1, l.depth, x)));
        }
        for (std::int64_t i = i0; i < i1; ++i)
          for (std::int64_t x = 0; x < l.depth; ++x)
            add(r.dq[index((row0 + i) * l.depth + x)],
                dot(ds[index(i - i0)],
                    across(k_, group * l.columns + k0, group * l.columns + k1, l.depth, x)));
      }
  }
};

void expect_same(const Values& y, const Values& expected, const char* what) {
  ASSERT_EQ(y.size(), expected.size()) << what;
  int wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool both_nan = std::isnan(y[i]) && std::isnan(expected[i]);
    if (!both_nan && y[i] != expected[i] && ++wrong <= 3) {
      ADD_FAILURE() << what << " " << i << ": " << y[i] << ", by hand " << expected[i];
    }
  }
  EXPECT_EQ(wrong, 0) << what;
}

void expect_same(const Results& results, const Results& expected) {
  expect_same(results.statistics, expected.statistics, "statistics");
  expect_same(results.dq, expected.dq, "dq");
  expect_same(results.dk, expected.dk, "dk");
  expect_same(results.dv, expected.dv, "dv");
}

double distance(const Values& y, const Values& reference) {
  double off = 0.0, all = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    off += (y[i] - reference[i]) * (y[i] - reference[i]);
    all += reference[i] * reference[i];
  }
  return std::sqrt(off / all);
}

TEST(FusedAttentionGradientValues, AreThoseOfEveryBlockByHand) {
  Layer plain, causal, capped, one_head;
  causal.causal = true;
  capped.softcap = 1.5;
  capped.columns = 23;
  one_head.heads = one_head.kv_heads = 1;
  one_head.rows = 7;
  one_head.columns = 5;
  for (const Layer& layer : {plain, causal, capped, one_head}) {
    const Case c(layer);
    for (const auto& [queries, keys] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {1, 1}, {4, 3}, {8, 9}, {9, 8}, {64, 64}}) {
      SCOPED_TRACE(std::to_string(layer.columns) + " columns, blocks of " +
                   std::to_string(queries) + " x " + std::to_string(keys));
      const Results results = c.run(c.in_blocks(queries, keys));
      expect_same(results, c.by_hand(queries, keys, results.y));
    }
  }
}

void expect_near(const Results& results, const Results& exact, double bound) {
  EXPECT_LT(distance(results.dq, exact.dq), bound);
  EXPECT_LT(distance(results.dk, exact.dk), bound);
  EXPECT_LT(distance(results.dv, exact.dv), bound);
}

TEST(FusedAttentionGradientValues, MasksHideAndShift) {
  for (const ElementType type : {ElementType::boolean, ElementType::floating})
    for (const Shape& shape :
         std::vector<Shape>{{}, {1, 10}, {4, 10, 10}, {4, 1, 10}, {2, 1, 10, 10}, {2, 4, 10, 10}}) {
      SCOPED_TRACE(workloads::to_string(shape));
      Layer layer;
      layer.mask = type;
      layer.mask_shape = shape;
      const Case c(layer);
      const Results results = c.run(c.in_blocks(6, 4));
      expect_same(results, c.by_hand(6, 4, results.y));
      expect_near(results, c.exact(), 2e-2);
      layer.mask.reset();
      EXPECT_GT(distance(results.dq, Case(layer).exact().dq), 0.1) << "without the mask";
    }
}

// Its softmax is 0 / 0, in parts as in blocks, and keys and values add it up.
TEST(FusedAttentionGradientValues, ARowThatSeesNoKeyIsNotANumber) {
  Layer layer;
  layer.mask = ElementType::boolean;
  layer.mask_shape = {10, 10};
  layer.blind_row = 3;
  const Case c(layer);
  const Results results = c.run(c.in_blocks(6, 4));
  expect_same(results, c.by_hand(6, 4, results.y));
  for (std::size_t i = 0; i < results.dq.size(); ++i)
    EXPECT_EQ(std::isnan(results.dq[i]), i / 20 % 10 == 3) << i;
  for (const Values* of : {&results.dk, &results.dv})
    for (const double value : *of) EXPECT_TRUE(std::isnan(value));
}

TEST(FusedAttentionGradientValues, BothExtentsOfABlockAreInTheBits) {
  Layer layer;
  layer.rows = layer.columns = 40;
  const Case c(layer);
  const Results first = c.run(c.in_blocks(8, 8));
  const Results more_queries = c.run(c.in_blocks(16, 8)), more_keys = c.run(c.in_blocks(8, 16));
  EXPECT_EQ(first.dq, more_queries.dq) << "each row by itself";
  EXPECT_NE(first.dk, more_queries.dk);
  EXPECT_NE(first.dv, more_queries.dv);
  EXPECT_NE(first.dq, more_keys.dq);
  EXPECT_EQ(first.dv, more_keys.dv) << "each key by itself";
}

TEST(FusedAttentionGradientValues, AreNearTheFormulaInWideFormatsAndInBf16) {
  for (const bool causal : {false, true}) {
    Layer layer;
    layer.rows = layer.columns = 48;
    layer.causal = causal;
    const Case c(layer);
    const Results exact = c.exact();
    for (const bool wide : {true, false}) {
      const Results results =
          c.run(c.in_blocks(16, 16, wide ? precision::fp32() : precision::bf16()));
      const double bound = wide ? 2e-6 : 1e-2;
      expect_near(results, exact, bound);
      if (!wide) {
        EXPECT_GT(distance(results.dv, exact.dv), 1e-4) << "weights are rounded to bf16";
      }
    }
  }
}

TEST(FusedAttentionGradientValues, OfARunAreThoseOfAStepForAnyNumberOfThreads) {
  char folder[] = "/tmp/npusim_attention_gradient_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  Layer layer;
  layer.causal = true;
  const Case c(layer);
  const npu::MappedGraph mapped = c.in_blocks(4, 3);
  NumericOptions options;
  options.dump_folder = folder;
  for (const auto& [name, values] : c.inputs()) {
    base::ArrayData array;
    array.kind = base::ElementKind::f64;
    array.shape = c.graph.tensor(c.graph.find(name)).shape;
    array.values = *values;
    options.files[name] = std::string(folder) + "/" + name + "_in.npy";
    base::write_npy(options.files[name], array);
  }
  base::ThreadPool pool(3);
  const Numerics numerics =
      execute(mapped, uniform_recipe(precision::bf16()), options,
              [&](std::int64_t count, const std::function<void(std::int64_t)>& body) {
                pool.parallel_for(count, body);
              });
  const Results results = c.run(mapped);
  for (const auto& [name, values] : std::vector<std::pair<std::string, const Values*>>{
           {"dq", &results.dq}, {"dk", &results.dk}, {"dv", &results.dv}}) {
    Values stored = *values;
    for (double& value : stored) value = bf16(value);
    EXPECT_EQ(base::read_npy(std::string(folder) + "/" + name + ".npy").values, stored) << name;
  }
  ASSERT_EQ(numerics.by_op.size(), 2U);
  EXPECT_EQ(numerics.by_op.back().plan, npu::describe_plan(*mapped.ops.back().attention_gradient));
  EXPECT_LT(numerics.by_op.back().local.rel_fro.value_or(1.0), 1e-2);
  std::filesystem::remove_all(folder);
}

constexpr const char* kBoth = "{\"fused_attention\": true, \"fused_attention_backward\": true}";

workloads::Workload small_gpt() {
  std::vector<base::Override> small;
  for (const char* setting : {"batch=4", "sequence=16", "hidden=32", "heads=2", "layers=1"})
    small.push_back(base::parse_override("workload.parameters." + std::string(setting)).override);
  return workloads::load_workload(find_file("workload", "small_gpt"), small);
}

TrainOptions short_training() {
  TrainOptions options;
  options.data = "markov";
  options.train_samples = 32;
  options.test_samples = 8;
  options.epochs = 1;
  options.seed = 3;
  return options;
}

TEST(FusedAttentionGradientTraining, StepsLearnAsThoseInParts) {
  const workloads::Workload workload = small_gpt();
  const workloads::Recipe recipe = workloads::load_recipe(find_file("recipe", "bf16_fp32_master"));
  const TrainOptions options = short_training();
  const auto trained = [&](const std::string& mapping, int threads) {
    const npu::NpuSpec npu = load_shipped("systolic128_bf16", {"mapping=" + mapping});
    base::ThreadPool pool(threads);
    TrainRun run;
    train(
        workload, recipe, map_training(npu, workload, recipe), open_data(workload, options),
        options,
        [&pool](std::int64_t count, const std::function<void(std::int64_t)>& body) {
          pool.parallel_for(count, body);
        },
        run);
    return run;
  };
  const TrainRun parts = trained("{}", 1), fused = trained(kBoth, 1), threads = trained(kBoth, 3);
  ASSERT_EQ(fused.steps.size(), 8U);
  ASSERT_EQ(parts.steps.size(), 8U);
  EXPECT_EQ(fused.weights_hash, threads.weights_hash);
  EXPECT_NE(fused.weights_hash, parts.weights_hash);
  for (std::size_t i = 0; i < fused.steps.size(); ++i)
    EXPECT_NEAR(fused.steps[i].loss, parts.steps[i].loss, 0.02) << "step " << i;
  EXPECT_LT(fused.steps.back().loss, fused.steps.front().loss);
}

TEST(FusedAttentionGradientTraining, ActivationsComputedAgainAndMicroBatches) {
  workloads::Workload workload = small_gpt();
  const workloads::Recipe recipe = workloads::load_recipe(find_file("recipe", "bf16_fp32_master"));
  const npu::NpuSpec npu = load_shipped("systolic128_bf16", {std::string("mapping=") + kBoth});
  TrainOptions options = short_training();
  const auto weights = [&](const char* op, int times) {
    const TrainMappings mappings = map_training(npu, workload, recipe);
    int found = 0;
    for (const workloads::Node& node : mappings.step.graph.nodes) found += node.op == op ? 1 : 0;
    EXPECT_EQ(found, times) << op;
    TrainRun run;
    train(workload, recipe, mappings, open_data(workload, options), options, precision::serial(),
          run);
    return run;
  };
  for (const std::int64_t batches : {1, 2}) {
    SCOPED_TRACE(batches);
    const int n = static_cast<int>(batches);
    workload.training->micro_batches = batches;
    workload.training->recompute_segments = 0;
    const TrainRun kept = weights("AttentionWithStatistics", n);
    workload.training->recompute_segments = 6;
    const TrainRun again = weights("AttentionWithStatistics", 2 * n);
    EXPECT_EQ(again.weights_hash, kept.weights_hash);
    weights("AttentionGradient", n);
    EXPECT_LT(kept.steps.back().loss, kept.steps.front().loss);
  }
}

}  // namespace
}  // namespace npusim::sim
