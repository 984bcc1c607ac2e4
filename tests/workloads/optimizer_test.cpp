// SPDX-License-Identifier: Apache-2.0
// Every optimizer over several updates of one weight, against its published rule written out here
// in FP64 with the C library's functions; clipping; learning rates over time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "evaluate_graph.h"
#include "workload_text.h"
#include "workloads/training/transform.h"

namespace npusim::workloads {
namespace {

using testing::evaluate_graph;
using testing::initial_values;
using testing::read_text;
using testing::Values;

std::string network(const std::string& training) {
  return R"({"schema_version": 1, "kind": "workload", "name": "t",
"inputs": [{"name": "x", "shape": [6, 5], "initializer": {"kind": "normal"}},
           {"name": "labels", "shape": [6], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "low": 0, "high": 2}}],
"initializers": [{"name": "w", "shape": [3, 5], "initializer": {"kind": "normal", "stddev": 0.5}}],
"nodes": [{"op": "Gemm", "name": "fc", "inputs": ["x", "w"], "outputs": ["logits"],
           "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "labels", )" +
         training + "}}";
}

using Vector = std::vector<double>;

// Learning rates as the graph holds them: in binary32.
constexpr double kTenth = 0.1f, kHundredth = 0.01f, kFiftieth = 0.02f, kTwentieth = 0.05f;
constexpr double kSmall = 0.003f;

/// A rule sees the weight, its gradient and its states, and the number of the update from 1.
struct Rule {
  Vector w, m, v;
  virtual ~Rule() = default;
  virtual void update(const Vector& g, int t) = 0;
  void start(const Vector& weight) {
    w = weight;
    m.assign(w.size(), 0.0);
    v.assign(w.size(), 0.0);
  }
};

/// Runs five steps of the graph by hand-carried states and holds each against the rule.
void expect_follows(const std::string& optimizer, Rule& rule) {
  const Graph graph = make_training_step(read_text(network("\"optimizer\": " + optimizer)), false);
  Values values = initial_values(graph, 3);
  const TensorId w = graph.find("w");
  const TensorId count = graph.find(kUpdateCount);
  const TensorId gradient = graph.find("fc.db.out");
  ASSERT_NE(gradient, kNoTensor);
  rule.start(values[static_cast<std::size_t>(w)].values);
  for (int t = 1; t <= 5; ++t) {
    evaluate_graph(graph, values);
    rule.update(values[static_cast<std::size_t>(gradient)].values, t);
    std::map<TensorId, TensorId> carried = {{graph.find("w.next"), w}};
    for (const char* state : {"w.state.0", "w.state.1"})
      if (graph.find(state) != kNoTensor)
        carried[graph.find(std::string(state) + ".next")] = graph.find(state);
    for (const auto& [from, to] : carried)
      values[static_cast<std::size_t>(to)].values = values[static_cast<std::size_t>(from)].values;
    if (count != kNoTensor) values[static_cast<std::size_t>(count)].values[0] += 1.0;
    for (std::size_t i = 0; i < rule.w.size(); ++i)
      EXPECT_NEAR(values[static_cast<std::size_t>(w)].values[i], rule.w[i],
                  1e-9 * (1.0 + std::fabs(rule.w[i])))
          << optimizer << " update " << t << " element " << i;
  }
}

TEST(Optimizer, SgdWithMomentumNesterovAndDecay) {
  struct Sgd final : Rule {
    bool nesterov = false;
    void update(const Vector& g, int t) override {
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double d = g[i] + 0.01 * w[i];
        m[i] = t == 1 ? d : 0.9 * m[i] + 0.75 * d;
        w[i] -= kTenth * (nesterov ? d + 0.9 * m[i] : m[i]);
      }
    }
  } rule;
  const std::string common =
      R"({"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9, "dampening": 0.25, "weight_decay": 0.01)";
  expect_follows(common + "}", rule);
  rule.nesterov = true;
  expect_follows(common + R"(, "nesterov": true})", rule);
}

TEST(Optimizer, Adam) {
  struct Adam final : Rule {
    void update(const Vector& g, int t) override {
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double d = g[i] + 0.02 * w[i];
        m[i] = 0.8 * m[i] + 0.2 * d;
        v[i] = 0.95 * v[i] + 0.05 * d * d;
        const double rate = kHundredth * std::sqrt(1 - std::pow(0.95, t)) / (1 - std::pow(0.8, t));
        w[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-4);
      }
    }
  } rule;
  expect_follows(R"({"kind": "adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95,
                     "epsilon": 1e-4, "weight_decay": 0.02})",
                 rule);
}

struct AdamWRule : Rule {
  double ratio(double g, std::size_t i, int t) {
    m[i] = 0.9 * m[i] + 0.1 * g;
    v[i] = 0.99 * v[i] + 0.01 * g * g;
    return m[i] / (1 - std::pow(0.9, t)) / (std::sqrt(v[i] / (1 - std::pow(0.99, t))) + 1e-5) +
           0.1 * w[i];
  }
  void update(const Vector& g, int t) override {
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= kFiftieth * ratio(g[i], i, t);
  }
};

TEST(Optimizer, AdamW) {
  AdamWRule rule;
  expect_follows(R"({"kind": "adamw", "learning_rate": 0.02, "beta2": 0.99, "epsilon": 1e-5,
                     "weight_decay": 0.1})",
                 rule);
}

TEST(Optimizer, LambScalesTheStepToTheNormOfTheWeights) {
  struct Lamb final : AdamWRule {
    void update(const Vector& g, int t) override {
      Vector step(w.size());
      double ww = 0.0, ss = 0.0;
      for (std::size_t i = 0; i < w.size(); ++i) {
        step[i] = ratio(g[i], i, t);
        ww += w[i] * w[i];
        ss += step[i] * step[i];
      }
      for (std::size_t i = 0; i < w.size(); ++i) w[i] -= kFiftieth * std::sqrt(ww / ss) * step[i];
    }
  } rule;
  expect_follows(R"({"kind": "lamb", "learning_rate": 0.02, "beta2": 0.99, "epsilon": 1e-5,
                     "weight_decay": 0.1})",
                 rule);
}

TEST(Optimizer, Adagrad) {
  struct Adagrad final : Rule {
    void update(const Vector& g, int) override {
      for (std::size_t i = 0; i < w.size(); ++i) {
        m[i] += g[i] * g[i];
        w[i] -= kTwentieth * g[i] / (std::sqrt(m[i]) + 1e-3);
      }
    }
  } rule;
  expect_follows(R"({"kind": "adagrad", "learning_rate": 0.05, "epsilon": 1e-3})", rule);
}

TEST(Optimizer, RmsProp) {
  struct RmsProp final : Rule {
    void update(const Vector& g, int) override {
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double d = g[i] + 0.1 * w[i];
        m[i] = 0.7 * m[i] + 0.3 * d * d;
        w[i] -= kTwentieth * d / (std::sqrt(m[i]) + 1e-3);
      }
    }
  } rule;
  expect_follows(R"({"kind": "rmsprop", "learning_rate": 0.05, "beta2": 0.7, "epsilon": 1e-3,
                     "weight_decay": 0.1})",
                 rule);
}

TEST(Optimizer, LionStepsByTheSignOfAnInterpolation) {
  struct Lion final : Rule {
    void update(const Vector& g, int) override {
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double c = 0.9 * m[i] + (1.0 - 0.9) * g[i];
        w[i] -= kSmall * ((c > 0) - (c < 0) + 0.1 * w[i]);
        m[i] = 0.95 * m[i] + (1.0 - 0.95) * g[i];
      }
    }
  } rule;
  expect_follows(R"({"kind": "lion", "learning_rate": 0.003, "beta1": 0.9, "beta2": 0.95,
                     "weight_decay": 0.1})",
                 rule);
}

/// The weight's change over one plain SGD step is -rate * gradient as clipped.
Vector clipped_gradient(const std::string& clip) {
  const Graph graph = make_training_step(
      read_text(network(R"("optimizer": {"kind": "sgd", "learning_rate": 1.0}, "clip": )" + clip)),
      false);
  Values values = initial_values(graph, 3);
  evaluate_graph(graph, values);
  Vector step = values[static_cast<std::size_t>(graph.find("w"))].values;
  const Vector& next = values[static_cast<std::size_t>(graph.find("w.next"))].values;
  for (std::size_t i = 0; i < step.size(); ++i) step[i] -= next[i];
  return step;
}

double norm(const Vector& v) {
  double sum = 0.0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

TEST(Optimizer, ClippingByNormAndByValue) {
  const Vector whole = clipped_gradient(R"({"norm": 1e9})");
  EXPECT_GT(norm(whole), 0.2);
  const Vector short_one = clipped_gradient(R"({"norm": 0.05})");
  EXPECT_NEAR(norm(short_one), 0.05, 1e-5);
  const double ratio = norm(short_one) / norm(whole);
  const Vector limited = clipped_gradient(R"({"value": 0.03})");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(short_one[i], whole[i] * ratio, 1e-12);
    EXPECT_NEAR(limited[i], std::fmin(0.03, std::fmax(-0.03, whole[i])), 1e-12);
  }
}

TEST(Schedule, FactorsAsTheirDefinitionsSay) {
  ScheduleSpec s;
  EXPECT_EQ(schedule_factor(s, 1000), 1.0);
  s.warmup_steps = 4;
  EXPECT_EQ(schedule_factor(s, 0), 0.25);
  EXPECT_EQ(schedule_factor(s, 3), 1.0);
  s = {ScheduleSpec::Kind::step, 0, 10, 0.5};
  EXPECT_EQ(schedule_factor(s, 9), 1.0);
  EXPECT_EQ(schedule_factor(s, 25), 0.25);
  s = {ScheduleSpec::Kind::cosine, 2, 100, 0.0};
  EXPECT_NEAR(schedule_factor(s, 52), 0.5, 1e-12);
  EXPECT_NEAR(schedule_factor(s, 102), 0.0, 1e-12);
  s = {ScheduleSpec::Kind::linear, 0, 10, 0.2};
  EXPECT_NEAR(schedule_factor(s, 5), 0.6, 1e-12);
  EXPECT_NEAR(schedule_factor(s, 50), 0.2, 1e-12);
  s = {ScheduleSpec::Kind::exponential, 0, 1, 0.9};
  EXPECT_NEAR(schedule_factor(s, 3), 0.729, 1e-12);
  s = {ScheduleSpec::Kind::inverse_sqrt, 16, 1, 0.1};
  EXPECT_NEAR(schedule_factor(s, 64), 0.5, 1e-12);
}

}  // namespace
}  // namespace npusim::workloads
