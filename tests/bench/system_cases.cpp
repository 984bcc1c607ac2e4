// SPDX-License-Identifier: Apache-2.0
#include "system_cases.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "base/isolated.h"
#include "npu_models/npu_file.h"
#include "npu_models/timing.h"
#include "tests/source_dir.h"
#include "workloads/training/transform.h"
#include "yardsticks.h"

namespace npusim::bench {
namespace {

constexpr int kRuns = 5;

std::vector<base::Override> overrides_of(const SystemCase& timed, const std::string& kind) {
  std::vector<base::Override> chosen;
  for (const std::string& text : timed.overrides) {
    base::ParsedOverride parsed = base::parse_override(text);
    if (parsed.kind == kind) chosen.push_back(std::move(parsed.override));
  }
  return chosen;
}

double resident_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024e-6;
}

struct Problem {
  npu::NpuSpec npu;
  workloads::Recipe recipe;
  workloads::Graph graph;
};

Problem load(const SystemCase& timed) {
  const std::string root = test::source_dir() + "/";
  Problem problem;
  problem.npu =
      npu::load_npu(root + "configs/npus/" + timed.npu + ".json", overrides_of(timed, "npu"));
  problem.recipe =
      workloads::load_recipe(root + "configs/recipes/" + problem.npu.default_recipe + ".json");
  const workloads::Workload workload =
      workloads::load_workload(root + timed.workload, overrides_of(timed, "workload"));
  problem.graph = timed.training ? workloads::make_training_step(
                                       workload, problem.recipe.master_weights.has_value())
                                 : workload.graph;
  return problem;
}

std::string run_once(const Problem& problem, npu::Layers layers) {
  npu::SimulationOptions options;
  options.layers = layers;
  npu::MappedGraph mapped;
  npu::TimingResult result;
  const double map =
      cpu_seconds([&] { mapped = npu::map_graph(problem.npu, problem.graph, problem.recipe); });
  const double simulate =
      cpu_seconds([&] { result = npu::simulate(problem.npu, mapped, options); });
  std::ostringstream text;
  text << map * 1e3 << ' ' << simulate * 1e3 << ' ' << resident_mb() << ' ' << result.transactions
       << ' ' << result.cycles;
  return text.str();
}

SystemSample parse(const base::IsolatedOutcome& outcome) {
  if (!outcome.ok) throw std::runtime_error(outcome.error);
  std::istringstream text(outcome.payload);
  SystemSample sample;
  text >> sample.map_ms >> sample.simulate_ms >> sample.resident_mb >> sample.transactions >>
      sample.cycles;
  return sample;
}

SystemCase cubic_product(int size) {
  SystemCase timed{"gemm_" + std::to_string(size), "systolic128_bf16",
                   "tests/bench/workloads/gemm.json"};
  for (const char* side : {"batch", "k", "n"})
    timed.overrides.push_back("workload.parameters." + std::string(side) + "=" +
                              std::to_string(size));
  return timed;
}

/// On the 128x128 array with a vector unit that has every op of transformers, and memory enough.
SystemCase transformer(const std::string& name, bool training, double most_ms) {
  SystemCase timed{name, "systolic128_bf16", "workloads/" + name + ".json"};
  timed.training = training;
  timed.most_ms = most_ms;
  timed.overrides.push_back("npu.dram.gib=16384");
  for (const char* op : {"CausalMask",
                         "Concat",
                         "Gather",
                         "GatherGradient",
                         "Gelu",
                         "GeluGradient",
                         "LayerNormalization",
                         "LayerNormalizationBiasGradient",
                         "LayerNormalizationGradient",
                         "LayerNormalizationScaleGradient",
                         "RMSNormalization",
                         "RotaryEmbedding",
                         "Scale",
                         "Slice",
                         "SliceGradient",
                         "SoftmaxGradient",
                         "Split",
                         "Swish",
                         "Tanh",
                         "TanhGradient"})
    timed.overrides.push_back("npu.operators.ops." + std::string(op) +
                              "={\"support\": \"native\"}");
  timed.overrides.push_back("npu.operators.ops.Attention={\"support\": \"decomposed\"}");
  return timed;
}

double rate(const SystemSample& sample) {
  return static_cast<double>(sample.transactions) / (sample.simulate_ms * 1e-3);
}

double total_ms(const SystemSample& sample) {
  return sample.map_ms + sample.simulate_ms;
}

}  // namespace

std::vector<SystemCase> system_cases() {
  SystemCase resnet{"resnet50_inference", "systolic128_bf16", "workloads/resnet50.json"};
  resnet.most_ms = 10;
  resnet.most_mb = 100;
  SystemCase product = cubic_product(2048);
  product.most_ms = 10;
  SystemCase large = cubic_product(32768);
  large.least_rate = 1e6;
  SystemCase bert = transformer("bert_large", true, 500);
  bert.overrides.push_back("workload.parameters.batch=32");
  bert.overrides.push_back("workload.parameters.sequence=512");
  // Every layer simulated (--layers together), and each repeated one once.
  SystemCase gpt3_repeated = transformer("gpt3_175b", true, 2000);
  gpt3_repeated.name = "gpt3_175b_layers_repeated";
  gpt3_repeated.layers = npu::Layers::repeated;
  SystemCase gpt3 = transformer("gpt3_175b", true, 0);
  gpt3.least_rate = 1e6;
  return {resnet,        product, bert, transformer("llama2_7b_prefill", false, 500),
          gpt3_repeated, gpt3,    large};
}

SystemSample measure(const SystemCase& timed) {
  const Problem problem = load(timed);
  const std::vector<base::IsolatedOutcome> outcomes =
      base::run_isolated(kRuns, 1, [&](std::size_t) { return run_once(problem, timed.layers); });
  SystemSample best = parse(outcomes.front());
  for (const base::IsolatedOutcome& outcome : outcomes) {
    const SystemSample sample = parse(outcome);
    if (total_ms(sample) < total_ms(best)) best = sample;
  }
  return best;
}

int check_systems() {
  int missed = 0;
  const auto line = [&missed](const std::string& name, double value, const char* unit,
                              const char* bound, double goal) {
    const bool most = std::strcmp(bound, "at most") == 0;
    const bool reached = most ? value <= goal : value >= goal;
    missed += reached ? 0 : 1;
    std::printf("%-7s %-36s %8.2f %s, wanted %s %.2f\n", reached ? "ok" : "MISSED", name.c_str(),
                value, unit, bound, goal);
  };
  for (const SystemCase& timed : system_cases()) {
    const SystemSample sample = measure(timed);
    if (timed.most_ms > 0) line(timed.name, total_ms(sample), "ms", "at most", timed.most_ms);
    if (timed.most_mb > 0) line(timed.name, sample.resident_mb, "MB", "at most", timed.most_mb);
    if (timed.least_rate > 0)
      line(timed.name, rate(sample) * 1e-6, "M transactions/s", "at least",
           timed.least_rate * 1e-6);
    std::printf("        %-36s map %.2f ms, simulate %.2f ms, %lld transactions, %lld cycles\n", "",
                sample.map_ms, sample.simulate_ms, static_cast<long long>(sample.transactions),
                static_cast<long long>(sample.cycles));
    std::fflush(stdout);
  }
  line("growth", rate(measure(system_cases().back())) / rate(measure(cubic_product(16384))),
       "x the rate of an eighth", "at least", 0.8);
  return missed;
}

}  // namespace npusim::bench
