// SPDX-License-Identifier: Apache-2.0
// Recurrent ops against their equations, one step and unit at a time; attention against its
// definition and against its decomposition; rotary embedding.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ops_support.h"
#include "workloads/decompose.h"
#include "workloads/training/backward.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using testing::error_of;
using testing::expect_near;
using ::testing::HasSubstr;
using testing::one;
using testing::random_tensor;
using testing::run_op;
using testing::run_op_outputs;
using testing::typed_tensor;

constexpr int kSteps = 4, kBatch = 2, kInputs = 3, kHidden = 2;

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// Weights of one direction.
struct Weights {
  Tensor w, r, b;
  explicit Weights(int gates)
      : w(random_tensor({1, gates * kHidden, kInputs}, 1)),
        r(random_tensor({1, gates * kHidden, kHidden}, 2)),
        b(random_tensor({1, 2 * gates * kHidden}, 3)) {}
  double from_x(int row, const double* x) const {
    double sum = b.values[static_cast<std::size_t>(row)];
    for (int i = 0; i < kInputs; ++i)
      sum += w.values[static_cast<std::size_t>(row * kInputs + i)] * x[i];
    return sum;
  }
  double from_h(int row, const double* h) const {
    double sum = b.values[b.values.size() / 2 + static_cast<std::size_t>(row)];
    for (int i = 0; i < kHidden; ++i)
      sum += r.values[static_cast<std::size_t>(row * kHidden + i)] * h[i];
    return sum;
  }
};

struct State {
  double h[kHidden] = {};
  double c[kHidden] = {};
};
using Step = void (*)(const Weights&, const double* x, State&);

void rnn_step(const Weights& k, const double* x, State& s) {
  const State old = s;
  for (int i = 0; i < kHidden; ++i) s.h[i] = std::tanh(k.from_x(i, x) + k.from_h(i, old.h));
}

void lstm_step(const Weights& k, const double* x, State& s) {
  const State old = s;
  for (int i = 0; i < kHidden; ++i) {
    const auto gate = [&](int g) {
      return k.from_x(g * kHidden + i, x) + k.from_h(g * kHidden + i, old.h);
    };
    s.c[i] = sigmoid(gate(2)) * old.c[i] + sigmoid(gate(0)) * std::tanh(gate(3));
    s.h[i] = sigmoid(gate(1)) * std::tanh(s.c[i]);
  }
}

void gru_step(const Weights& k, const double* x, State& s) {
  const State old = s;
  double reset[kHidden];
  for (int i = 0; i < kHidden; ++i)
    reset[i] = old.h[i] * sigmoid(k.from_x(kHidden + i, x) + k.from_h(kHidden + i, old.h));
  for (int i = 0; i < kHidden; ++i) {
    const double z = sigmoid(k.from_x(i, x) + k.from_h(i, old.h));
    const double fresh = std::tanh(k.from_x(2 * kHidden + i, x) + k.from_h(2 * kHidden + i, reset));
    s.h[i] = (1.0 - z) * fresh + z * old.h[i];
  }
}

/// Y of shape (steps, 1, batch, hidden); reverse walks the steps backwards.
std::vector<double> walked(Step step, const Weights& weights, const Tensor& x, bool reverse) {
  std::vector<double> y(kSteps * kBatch * kHidden);
  for (int b = 0; b < kBatch; ++b) {
    State state;
    for (int i = 0; i < kSteps; ++i) {
      const int t = reverse ? kSteps - 1 - i : i;
      step(weights, x.values.data() + (t * kBatch + b) * kInputs, state);
      std::copy_n(state.h, kHidden, y.begin() + (t * kBatch + b) * kHidden);
    }
  }
  return y;
}

TEST(Recurrent, FollowsItsEquations) {
  const Tensor x = random_tensor({kSteps, kBatch, kInputs}, 4);
  struct Case {
    const char* op;
    int gates;
    Step step;
  };
  for (const Case& c :
       {Case{"RNN", 1, rnn_step}, Case{"LSTM", 4, lstm_step}, Case{"GRU", 3, gru_step}})
    for (const bool reverse : {false, true}) {
      SCOPED_TRACE(c.op);
      const Weights k(c.gates);
      const std::vector<double> expected = walked(c.step, k, x, reverse);
      const Attributes attributes = {{"direction", std::string(reverse ? "reverse" : "forward")}};
      const std::vector<Tensor> y = run_op_outputs(c.op, {x, k.w, k.r, k.b}, attributes, 2);
      expect_near(y[0], {kSteps, 1, kBatch, kHidden}, expected, 1e-14);
      const auto last = static_cast<std::size_t>(reverse ? 0 : kSteps - 1) * kBatch * kHidden;
      for (std::size_t i = 0; i < kBatch * kHidden; ++i)
        EXPECT_EQ(y[1].values[i], y[0].values[last + i]);
    }
}

TEST(Recurrent, BothDirectionsAreTwoOfOne) {
  const Tensor x = random_tensor({kSteps, kBatch, kInputs}, 4);
  const Weights k(4);
  Tensor w({2, 4 * kHidden, kInputs}), r({2, 4 * kHidden, kHidden}), b({2, 8 * kHidden});
  for (const auto& [to, from] :
       {std::pair<Tensor*, const Tensor*>{&w, &k.w}, {&r, &k.r}, {&b, &k.b}})
    for (std::size_t i = 0; i < to->values.size(); ++i)
      to->values[i] = from->values[i % from->values.size()];
  const Tensor y = run_op("LSTM", {x, w, r, b}, {{"direction", std::string("bidirectional")}});
  const std::vector<double> forward = walked(lstm_step, k, x, false);
  const std::vector<double> back = walked(lstm_step, k, x, true);
  for (std::size_t t = 0; t < kSteps; ++t)
    for (std::size_t i = 0; i < kBatch * kHidden; ++i) {
      EXPECT_NEAR(y.values[(t * 2) * kBatch * kHidden + i], forward[t * kBatch * kHidden + i],
                  1e-14);
      EXPECT_NEAR(y.values[(t * 2 + 1) * kBatch * kHidden + i], back[t * kBatch * kHidden + i],
                  1e-14);
    }
}

/// The op replaced by its parts, and the values of its inputs there.
struct ByParts {
  Graph graph;
  std::vector<Tensor> values;
  ByParts(const std::string& op, const std::vector<Tensor>& inputs, const Attributes& attributes,
          int outputs = 1) {
    Graph whole = testing::one_node(op, inputs, attributes, outputs);
    whole.outputs = whole.nodes[0].outputs;
    graph = decompose(whole, [](const Node&) { return true; }).graph;
    values.resize(graph.tensors.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (const TensorId id = graph.find("in" + std::to_string(i)); id != kNoTensor)
        values[static_cast<std::size_t>(id)] = inputs[i];
  }
  Tensor output(std::size_t i) const {
    return testing::evaluate(graph, values, {})[static_cast<std::size_t>(graph.outputs[i])];
  }
};

struct Variant {
  const char* op;
  int gates;
  Attributes attributes;
};

std::vector<Variant> variants() {
  const std::string both = "bidirectional", back = "reverse";
  return {{"RNN", 1, {}},
          {"RNN",
           1,
           {{"direction", both},
            {"activations", std::string("Affine,ScaledTanh")},
            {"activation_alpha", std::vector<double>{0.5, 1.5}},
            {"activation_beta", std::vector<double>{0.25, 0.75}}}},
          {"GRU", 3, {{"direction", back}}},
          {"GRU", 3, {{"linear_before_reset", one(1)}, {"layout", one(1)}}},
          {"LSTM", 4, {{"direction", both}, {"layout", one(1)}}},
          {"LSTM", 4, {{"clip", 0.5}, {"input_forget", one(1)}}},
          {"LSTM", 4, {{"activations", std::string("hardsigmoid,Elu,Softsign")}}}};
}

std::vector<Tensor> inputs_of(const Variant& v) {
  const auto stated = v.attributes.find("direction");
  const bool both =
      stated != v.attributes.end() && std::get<std::string>(stated->second) == "bidirectional";
  const bool batch_first = v.attributes.count("layout") != 0;
  const std::int64_t d = both ? 2 : 1, rows = v.gates * kHidden;
  const Shape state = batch_first ? Shape{kBatch, d, kHidden} : Shape{d, kBatch, kHidden};
  std::vector<Tensor> inputs = {
      random_tensor(batch_first ? Shape{kBatch, kSteps, kInputs} : Shape{kSteps, kBatch, kInputs},
                    1),
      random_tensor({d, rows, kInputs}, 2),
      random_tensor({d, rows, kHidden}, 3),
      random_tensor({d, 2 * rows}, 4),
      Tensor({0}),
      random_tensor(state, 5)};
  if (v.gates == 4) {
    inputs.push_back(random_tensor(state, 6));
    inputs.push_back(random_tensor({d, 3 * kHidden}, 7));
  }
  return inputs;
}

TEST(Recurrent, EqualsItsDecomposition) {
  for (const Variant& v : variants()) {
    SCOPED_TRACE(v.op);
    const std::vector<Tensor> inputs = inputs_of(v);
    const int outputs = v.gates == 4 ? 3 : 2;
    const ByParts parts(v.op, inputs, v.attributes, outputs);
    const std::vector<Tensor> whole = run_op_outputs(v.op, inputs, v.attributes, outputs);
    for (std::size_t i = 0; i < whole.size(); ++i)
      expect_near(parts.output(i), whole[i].shape, whole[i].values, 1e-14);
    EXPECT_EQ(parts.graph.mac_count(), testing::one_node(v.op, inputs, v.attributes).mac_count());
  }
}

TEST(Recurrent, GradientsOfItsPartsAreRight) {
  for (const Variant& v : variants()) {
    SCOPED_TRACE(v.op);
    testing::expect_right_gradients(v.op, inputs_of(v), v.attributes);
  }
}

TEST(Attention, GradientsOfItsPartsAreRight) {
  testing::expect_right_gradients(
      "Attention",
      {random_tensor({2, 3, 8}, 1), random_tensor({2, 3, 4}, 2), random_tensor({2, 3, 6}, 3)},
      {{"q_num_heads", one(4)}, {"kv_num_heads", one(2)}, {"softcap", 2.0}, {"is_causal", one(1)}});
}

TEST(Attention, GradientsWithScoresComputedAgainAreRight) {
  const Tensor mask = typed_tensor({3, 3}, ElementType::boolean, {1, 0, 1, 1, 1, 0, 0, 1, 1});
  for (const bool packed : {true, false}) {
    const std::vector<Tensor> inputs =
        packed ? std::vector<Tensor>{random_tensor({2, 3, 8}, 1), random_tensor({2, 3, 4}, 2),
                                     random_tensor({2, 3, 6}, 3)}
               : std::vector<Tensor>{random_tensor({2, 4, 3, 2}, 1), random_tensor({2, 2, 3, 2}, 2),
                                     random_tensor({2, 2, 3, 3}, 3)};
    const Attributes heads =
        packed ? Attributes{{"q_num_heads", one(4)}, {"kv_num_heads", one(2)}} : Attributes{};
    const auto expect = [&](const char* attribute, const Attribute& value, bool masked) {
      Attributes attributes = heads;
      attributes[attribute] = value;
      std::vector<Tensor> all = inputs;
      if (masked) all.push_back(mask);
      testing::expect_right_gradients("AttentionWithStatistics", all, attributes, 2);
    };
    expect("is_causal", one(1), false);
    expect("softcap", 2.0, false);
    expect("scale", 0.7, true);
  }
}

/// Statistics tell the softmax without its sums: exp(score - l) of a row add up to one.
TEST(Attention, KeepsTheLogarithmOfEachRowsSum) {
  const Tensor q = random_tensor({1, 2, 3, 4}, 1), k = random_tensor({1, 2, 5, 4}, 2);
  const std::vector<Tensor> results =
      run_op_outputs("AttentionWithStatistics", {q, k, random_tensor({1, 2, 5, 4}, 3)}, {}, 2);
  expect_near(results[0], {1, 2, 3, 4},
              run_op("Attention", {q, k, random_tensor({1, 2, 5, 4}, 3)}).values, 1e-15);
  ASSERT_EQ(results[1].shape, (Shape{1, 2, 3}));
  for (std::size_t row = 0; row < 6; ++row) {
    double sum = 0.0;
    for (std::size_t column = 0; column < 5; ++column) {
      double score = 0.0;
      for (std::size_t i = 0; i < 4; ++i)
        score += q.values[row * 4 + i] * k.values[(row / 3 * 5 + column) * 4 + i];
      sum += std::exp(score / 2.0);
    }
    EXPECT_NEAR(results[1].values[row], std::log(sum), 1e-14);
  }
}

TEST(Attention, AMaskThatIsTrainedHasNoGradientThere) {
  Graph graph = testing::one_node("AttentionWithStatistics",
                                  {random_tensor({1, 1, 2, 2}, 1), random_tensor({1, 1, 2, 2}, 2),
                                   random_tensor({1, 1, 2, 2}, 3), random_tensor({2, 2}, 4)},
                                  {}, 2);
  const TensorId loss = graph.add_node("ReduceSum", "loss", {graph.nodes[0].outputs[0]},
                                       {{"keepdims", one(0)}}, {"loss"})[0];
  EXPECT_THROW(add_backward(graph, loss, {graph.nodes[0].inputs[3]}), base::InputError);
}

TEST(Recurrent, TrainsByItsParts) {
  Workload workload;
  Graph& graph = workload.graph;
  const auto tensor = [&](const char* name, const Shape& shape, TensorRole role,
                          ElementType type = ElementType::floating) {
    TensorInfo info;
    info.name = name;
    info.shape = shape;
    info.role = role;
    info.type = type;
    return graph.add_tensor(std::move(info));
  };
  const TensorId x = tensor("x", {kSteps, kBatch, kInputs}, TensorRole::input);
  const TensorId labels = tensor("labels", {kBatch}, TensorRole::label, ElementType::int64);
  const TensorId w = tensor("w", {1, 4 * kHidden, kInputs}, TensorRole::weight);
  const TensorId r = tensor("r", {1, 4 * kHidden, kHidden}, TensorRole::weight);
  graph.inputs = {x, labels};
  const TensorId h = graph.add_node("LSTM", "lstm", {x, w, r}, {}, {"y", "h"})[1];
  const TensorId logits = graph.add_node("Squeeze", "squeeze", {h}, {}, {"logits"})[0];
  graph.outputs = {logits};
  workload.training = TrainingSpec{};
  workload.training->logits = "logits";
  workload.training->labels = "labels";
  const Graph step = make_training_step(workload, true);
  EXPECT_NE(step.find("w.master.next"), kNoTensor);
  EXPECT_NE(step.find("r.master.next"), kNoTensor);
}

TEST(Recurrent, StopsAtTheLengthOfASequence) {
  const Tensor x = random_tensor({kSteps, kBatch, kInputs}, 4);
  const Weights k(1);
  const Tensor lengths = typed_tensor({2}, ElementType::int32, {4, 2});
  const std::vector<Tensor> y = run_op_outputs("RNN", {x, k.w, k.r, k.b, lengths}, {}, 2);
  const std::vector<double> full = walked(rnn_step, k, x, false);
  for (int i = 0; i < kHidden; ++i) {
    const auto at = [&](int t) { return static_cast<std::size_t>((t * kBatch + 1) * kHidden + i); };
    EXPECT_EQ(y[0].values[at(2)], 0.0);
    EXPECT_NEAR(y[1].values[static_cast<std::size_t>(kHidden + i)], full[at(1)], 1e-14);
  }
}

TEST(Recurrent, CountsItsMacs) {
  const Weights k(4);
  const Graph graph =
      testing::one_node("LSTM", {random_tensor({kSteps, kBatch, kInputs}, 4), k.w, k.r}, {});
  EXPECT_EQ(graph.mac_count(), kSteps * kBatch * 4 * kHidden * (kInputs + kHidden));
  EXPECT_THAT(error_of("LSTM", {{4, 2, 3}, {1, 8, 4}, {1, 8, 2}}), HasSubstr("do not fit"));
}

struct Heads {
  int batch = 2, heads = 4, kv_heads = 2, rows = 3, columns = 5, depth = 2, value_depth = 3;
};

/// Softmax of masked scores, times V.
std::vector<double> attended(const Heads& s, const Tensor& q, const Tensor& k, const Tensor& v,
                             double scale, int past, bool causal) {
  std::vector<double> y;
  for (int b = 0; b < s.batch; ++b)
    for (int h = 0; h < s.heads; ++h) {
      const int kv = b * s.kv_heads + h / (s.heads / s.kv_heads);
      for (int i = 0; i < s.rows; ++i) {
        std::vector<double> p;
        double sum = 0.0;
        for (int j = 0; j < s.columns; ++j) {
          double score = 0.0;
          for (int d = 0; d < s.depth; ++d)
            score +=
                q.values[static_cast<std::size_t>(((b * s.heads + h) * s.rows + i) * s.depth + d)] *
                k.values[static_cast<std::size_t>((kv * s.columns + j) * s.depth + d)];
          p.push_back(causal && j > i + past ? 0.0 : std::exp(score * scale));
          sum += p.back();
        }
        for (int d = 0; d < s.value_depth; ++d) {
          double value = 0.0;
          for (int j = 0; j < s.columns; ++j)
            value += p[static_cast<std::size_t>(j)] / sum *
                     v.values[static_cast<std::size_t>((kv * s.columns + j) * s.value_depth + d)];
          y.push_back(value);
        }
      }
    }
  return y;
}

TEST(Attention, SharesKeysAmongGroupsOfHeads) {
  const Heads s;
  const Tensor q = random_tensor({s.batch, s.heads, s.rows, s.depth}, 1);
  const Tensor k = random_tensor({s.batch, s.kv_heads, s.columns, s.depth}, 2);
  const Tensor v = random_tensor({s.batch, s.kv_heads, s.columns, s.value_depth}, 3);
  const Shape y = {s.batch, s.heads, s.rows, s.value_depth};
  expect_near(run_op("Attention", {q, k, v}), y,
              attended(s, q, k, v, 1.0 / std::sqrt(2.0), 0, false), 1e-14);
  expect_near(run_op("Attention", {q, k, v}, {{"is_causal", one(1)}, {"scale", 0.5}}), y,
              attended(s, q, k, v, 0.5, 0, true), 1e-14);
  EXPECT_THAT(error_of("Attention", {{1, 3, 2, 2}, {1, 2, 2, 2}, {1, 2, 2, 2}}),
              HasSubstr("do not share"));
}

TEST(Attention, GoesOnFromItsCache) {
  const Heads s;
  const Tensor q = random_tensor({s.batch, s.heads, s.rows, s.depth}, 1);
  const Tensor k = random_tensor({s.batch, s.kv_heads, s.columns, s.depth}, 2);
  const Tensor v = random_tensor({s.batch, s.kv_heads, s.columns, s.value_depth}, 3);
  const auto part = [&](const Tensor& x, std::int64_t from, std::int64_t to) {
    return run_op("Slice", {x},
                  {{"axes", testing::ints({2})},
                   {"starts", testing::ints({from})},
                   {"ends", testing::ints({to})}});
  };
  const std::vector<Tensor> y = run_op_outputs(
      "Attention", {q, part(k, 2, 5), part(v, 2, 5), Tensor({0}), part(k, 0, 2), part(v, 0, 2)},
      {{"is_causal", one(1)}}, 3);
  expect_near(y[0], {s.batch, s.heads, s.rows, s.value_depth},
              attended(s, q, k, v, 1.0 / std::sqrt(2.0), 2, true), 1e-14);
  EXPECT_EQ(y[1].values, k.values);
  EXPECT_EQ(y[2].values, v.values);
}

TEST(Attention, EqualsItsDecomposition) {
  const Tensor q = random_tensor({2, 3, 8}, 1), k = random_tensor({2, 3, 4}, 2);
  const Tensor v = random_tensor({2, 3, 6}, 3);
  const Tensor mask = typed_tensor({3, 3}, ElementType::boolean, {1, 1, 0, 1, 1, 1, 0, 1, 1});
  const Attributes attributes = {
      {"q_num_heads", one(4)}, {"kv_num_heads", one(2)}, {"softcap", 2.0}};
  for (const std::int64_t causal : {0, 1}) {
    Attributes all = attributes;
    all["is_causal"] = one(causal);
    Tensor visible = mask;
    if (causal == 1) visible.values[0] = 1;
    const std::vector<Tensor> inputs = {q, k, v, visible};
    Graph graph = testing::one_node("Attention", inputs, all);
    graph.outputs = graph.nodes[0].outputs;
    const Graph parts = decompose(graph, [](const Node&) { return true; }).graph;
    EXPECT_GT(parts.nodes.size(), 8U);
    EXPECT_EQ(parts.mac_count(), graph.mac_count());
    std::vector<Tensor> values(parts.tensors.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      values[static_cast<std::size_t>(parts.find("in" + std::to_string(i)))] = inputs[i];
    const Tensor y = run_op("Attention", inputs, all);
    const std::vector<Tensor> by_parts = testing::evaluate(parts, values, {});
    expect_near(by_parts[static_cast<std::size_t>(parts.outputs[0])], y.shape, y.values, 1e-14);
  }
}

TEST(RotaryEmbedding, TurnsPairs) {
  const double pi = std::acos(-1.0);
  const Tensor x = typed_tensor({1, 1, 1, 4}, ElementType::floating, {1, 2, 3, 4});
  const Tensor c = typed_tensor({1, 1, 2}, ElementType::floating, {std::cos(pi / 2), std::cos(pi)});
  const Tensor s = typed_tensor({1, 1, 2}, ElementType::floating, {std::sin(pi / 2), std::sin(pi)});
  expect_near(run_op("RotaryEmbedding", {x, c, s}), {1, 1, 1, 4}, {-3, -2, 1, -4}, 1e-15);
  expect_near(run_op("RotaryEmbedding", {x, c, s}, {{"interleaved", one(1)}}), {1, 1, 1, 4},
              {-2, 1, -3, -4}, 1e-15);
}

TEST(RotaryEmbedding, LooksPositionsUp) {
  const Tensor x = random_tensor({2, 3, 8}, 1);
  const Tensor c = random_tensor({5, 2}, 2), s = random_tensor({5, 2}, 3);
  const Tensor positions = typed_tensor({2, 3}, ElementType::int64, {0, 1, 2, 2, 3, 4});
  const Attributes attributes = {{"num_heads", one(2)}};
  const Tensor y = run_op("RotaryEmbedding", {x, c, s, positions}, attributes);
  const std::size_t row = 4;  // batch 1, step 1, position 3
  for (std::size_t head = 0; head < 2; ++head)
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t at = row * 8 + head * 4 + i;
      EXPECT_NEAR(y.values[at], c.values[6 + i] * x.values[at] - s.values[6 + i] * x.values[at + 2],
                  1e-15);
    }
  testing::expect_right_gradients("RotaryEmbedding", {x, c, s, positions}, attributes, 1, 1);
  EXPECT_THROW(testing::expect_right_gradients("RotaryEmbedding", {x, c, s, positions}, attributes),
               base::InputError);
}

}  // namespace
}  // namespace npusim::workloads
