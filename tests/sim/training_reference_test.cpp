// SPDX-License-Identifier: Apache-2.0
// FP32 training against plain FP64 written out here: a hidden layer of tanh, softmax cross entropy,
// and every optimizer, 100 steps from the same weights and samples.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/array_file.h"
#include "sim/training/batch_feed.h"
#include "sim/training/trainer.h"
#include "tests/source_dir.h"
#include "workloads/initializer.h"

namespace npusim::sim {
namespace {

namespace fs = std::filesystem;
using Vector = std::vector<double>;

constexpr int kBatch = 16, kIn = 2, kHidden = 12, kClasses = 3;
constexpr std::int64_t kSamples = 320;

struct Parameter {
  Vector w, g, m, v;
};

/// The network, its gradient and its update in binary64, with loops and the C library only.
class Reference {
 public:
  std::map<std::string, Parameter> p;

  void gradient(const Vector& x, const Vector& label) {
    for (auto& [name, parameter] : p) parameter.g.assign(parameter.w.size(), 0.0);
    for (int n = 0; n < kBatch; ++n) one_sample(x.data() + n * kIn, static_cast<int>(label[n]));
  }

  void update(const std::string& kind, double rate, int t) {
    double ww = 0.0;
    for (auto& [name, q] : p) {
      Vector step(q.w.size());
      ww = 0.0;
      double ss = 0.0;
      for (std::size_t i = 0; i < q.w.size(); ++i) {
        step[i] = direction(kind, q, i, t);
        ww += q.w[i] * q.w[i];
        ss += step[i] * step[i];
      }
      const double ratio = kind == "lamb" && ww > 0 && ss > 0 ? std::sqrt(ww / ss) : 1.0;
      for (std::size_t i = 0; i < q.w.size(); ++i) q.w[i] -= rate * ratio * step[i];
    }
  }

 private:
  void one_sample(const double* x, int label) {
    double h[kHidden], scores[kClasses], dh[kHidden] = {};
    for (int j = 0; j < kHidden; ++j) {
      double sum = p["b1"].w[j];
      for (int i = 0; i < kIn; ++i) sum += p["w1"].w[j * kIn + i] * x[i];
      h[j] = std::tanh(sum);
    }
    double total = 0.0;
    for (int c = 0; c < kClasses; ++c) {
      double sum = p["b2"].w[c];
      for (int j = 0; j < kHidden; ++j) sum += p["w2"].w[c * kHidden + j] * h[j];
      scores[c] = std::exp(sum);
      total += scores[c];
    }
    for (int c = 0; c < kClasses; ++c) {
      const double d = (scores[c] / total - (c == label ? 1.0 : 0.0)) / kBatch;
      p["b2"].g[c] += d;
      for (int j = 0; j < kHidden; ++j) {
        p["w2"].g[c * kHidden + j] += d * h[j];
        dh[j] += d * p["w2"].w[c * kHidden + j];
      }
    }
    for (int j = 0; j < kHidden; ++j) {
      const double d = dh[j] * (1.0 - h[j] * h[j]);
      p["b1"].g[j] += d;
      for (int i = 0; i < kIn; ++i) p["w1"].g[j * kIn + i] += d * x[i];
    }
  }

  static double direction(const std::string& kind, Parameter& q, std::size_t i, int t) {
    const double g = q.g[i];
    if (kind == "sgd") return g;
    if (kind == "momentum" || kind == "nesterov") {
      q.m[i] = t == 1 ? g : 0.9 * q.m[i] + g;
      return kind == "momentum" ? q.m[i] : g + 0.9 * q.m[i];
    }
    if (kind == "adagrad" || kind == "rmsprop") {
      q.v[i] = kind == "adagrad" ? q.v[i] + g * g : 0.99 * q.v[i] + 0.01 * g * g;
      return g / (std::sqrt(q.v[i]) + 1e-3);
    }
    if (kind == "lion") {
      const double c = 0.9 * q.m[i] + 0.1 * g;
      q.m[i] = 0.99 * q.m[i] + 0.01 * g;
      return (c > 0) - (c < 0);
    }
    q.m[i] = 0.9 * q.m[i] + 0.1 * g;
    q.v[i] = 0.999 * q.v[i] + 0.001 * g * g;
    const double first = 1 - std::pow(0.9, t), second = 1 - std::pow(0.999, t);
    if (kind == "adam") return std::sqrt(second) / first * q.m[i] / (std::sqrt(q.v[i]) + 1e-3);
    return q.m[i] / first / (std::sqrt(q.v[i] / second) + 1e-3) + 0.01 * q.w[i];
  }
};

std::string workload_text(const std::string& optimizer) {
  return R"({"schema_version": 1, "kind": "workload", "name": "r", "parameters": {"batch": 16},
"inputs": [{"name": "x", "shape": ["batch", 2], "initializer": {"kind": "normal"}},
           {"name": "label", "shape": ["batch"], "type": "int64", "role": "label",
            "initializer": {"kind": "uniform_int", "high": 2}}],
"initializers": [
  {"name": "w1", "shape": [12, 2], "initializer": {"kind": "kaiming_normal"}},
  {"name": "b1", "shape": [12], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}},
  {"name": "w2", "shape": [3, 12], "initializer": {"kind": "xavier_normal"}},
  {"name": "b2", "shape": [3], "initializer": {"kind": "uniform", "low": -0.5, "high": 0.5}}],
"nodes": [
  {"op": "Gemm", "name": "fc1", "inputs": ["x", "w1", "b1"], "attributes": {"transB": 1}},
  {"op": "Tanh", "name": "tanh", "inputs": ["fc1.out"]},
  {"op": "Gemm", "name": "fc2", "inputs": ["tanh.out", "w2", "b2"], "outputs": ["logits"],
   "attributes": {"transB": 1}}],
"outputs": ["logits"],
"training": {"logits": "logits", "labels": "label", "optimizer": )" +
         optimizer + "}}";
}

/// Relative Frobenius error of all weights after `steps` steps in FP32.
double error_after(const std::string& kind, const std::string& optimizer, double rate, int steps) {
  char name[] = "/tmp/npusim_reference_XXXXXX";
  const fs::path folder = mkdtemp(name);
  std::ofstream(folder / "w.json") << workload_text(optimizer);
  const workloads::Workload workload = workloads::load_workload(folder / "w.json");
  const workloads::Recipe fp32 =
      workloads::load_recipe(std::string(test::source_dir()) + "/configs/recipes/fp32.json");
  TrainOptions options;
  options.data = "spirals";
  options.train_samples = kSamples;
  options.test_samples = kBatch;
  options.epochs = steps;
  options.max_steps = steps;
  options.seed = 3;
  options.checkpoint = folder / "c.safetensors";
  const TrainData data = open_data(workload, options);
  TrainRun run;
  train(workload, fp32, map_training(workload, fp32), data, options, precision::serial(), run);

  Reference reference;
  for (const auto& info : workload.graph.tensors)
    if (info.role == workloads::TensorRole::weight) {
      Parameter& q = reference.p[info.name];
      q.w = workloads::make_values(*info.initializer, info.shape, info.type, info.name, 3).values;
      q.m.assign(q.w.size(), 0.0);
      q.v.assign(q.w.size(), 0.0);
    }
  const std::int64_t per_epoch = kSamples / kBatch;
  for (int t = 0; t < steps; ++t) {
    const auto order = workloads::shuffled(kSamples, 3, t / per_epoch);
    Batch batch = read_batch(*data.train, sample_shape(workload), order, t % per_epoch * kBatch,
                             kBatch, precision::serial());
    for (double& value : batch.input) value = static_cast<float>(value);
    reference.gradient(batch.input, batch.label);
    reference.update(kind, rate, t + 1);
  }
  const auto trained = base::read_safetensors(options.checkpoint);
  double error = 0.0, size = 0.0;
  for (const auto& [weight, q] : reference.p)
    for (std::size_t i = 0; i < q.w.size(); ++i) {
      error += std::pow(trained.at(weight).values[i] - q.w[i], 2);
      size += q.w[i] * q.w[i];
    }
  fs::remove_all(folder);
  return std::sqrt(error / size);
}

TEST(TrainingReference, Fp32StaysWithin1e5OfFp64For100StepsOfEveryOptimizer) {
  EXPECT_LT(error_after("sgd", R"({"kind": "sgd", "learning_rate": 0.125})", 0.125, 100), 1e-5);
  EXPECT_LT(error_after("momentum", R"({"kind": "sgd", "learning_rate": 0.0625, "momentum": 0.9})",
                        0.0625, 100),
            1e-5);
  EXPECT_LT(
      error_after("nesterov",
                  R"({"kind": "sgd", "learning_rate": 0.0625, "momentum": 0.9, "nesterov": true})",
                  0.0625, 100),
      1e-5);
  const double rate = 0.0078125;
  const std::string common = R"(", "learning_rate": 0.0078125, "epsilon": 0.001)";
  for (const char* kind : {"adam", "adagrad", "rmsprop"})
    EXPECT_LT(error_after(kind, std::string(R"({"kind": ")") + kind + common + "}", rate, 100),
              1e-5)
        << kind;
  for (const char* kind : {"adamw", "lamb"})
    EXPECT_LT(error_after(
                  kind, std::string(R"({"kind": ")") + kind + common + R"(, "weight_decay": 0.01})",
                  rate, 100),
              1e-5)
        << kind;
}

/// The sign makes whole steps of rounding errors: one update only.
TEST(TrainingReference, LionFollowsForOneStep) {
  EXPECT_LT(error_after("lion", R"({"kind": "lion", "learning_rate": 0.0078125})", 0.0078125, 1),
            1e-6);
}

}  // namespace
}  // namespace npusim::sim
