// SPDX-License-Identifier: Apache-2.0
// Commands that run or judge NPUs with workloads and recipes.
#include <CLI/CLI.hpp>

#include "sim/comparison.h"
#include "tools/cli/define.h"
#include "tools/commands.h"
#include "tools/sensitivity.h"
#include "workloads/datasets/dataset.h"

namespace npusim::tools {
namespace {

/// What --set reaches where --cluster may name a file.
constexpr const char* kWithCluster = "npu, workload or recipe, with --cluster also cluster";

/// What the commands that run or judge (NPU, workload, recipe) triples share.
void add_run_common(CLI::App& sub, CommonOptions& common,
                    const std::string& kinds = "npu, workload or recipe") {
  add_json(sub, common);
  add_csv(sub, common);
  add_markdown(sub, common);
  add_html(sub, common);
  add_overrides(sub, common, kinds);
  add_print_config(sub, common);
  add_quiet(sub, common);
}

CLI::Option* add_mode(CLI::App& sub, sim::Selection& selection) {
  const auto store = [&selection](const std::string& mode) {
    selection.mode = mode == "training" ? sim::Mode::training : sim::Mode::inference;
  };
  return sub
      .add_option_function<std::string>(
          "--mode", store,
          "inference (default) or training: one step; NAME:training as a workload overrides it")
      ->type_name("MODE")
      ->check(CLI::IsMember({"inference", "training"}));
}

void add_selection(CLI::App& sub, sim::Selection& selection, bool many) {
  add_files(sub, "--npu", selection.npus, many ? "NPUs" : "NPU", many)->required();
  CLI::Option* workload =
      add_files(sub, "--workload", selection.workloads,
                many ? "Workloads, or NAME:training" : "Workload, or NAME:training", many);
  add_files(sub, "--recipe", selection.recipes,
            "Mixed-precision recipe (default: the scenario's, or else the NPU's own)", many);
  CLI::Option* scenario =
      add_files(sub, "--scenario", selection.scenarios,
                "Workloads, mode and recipe of a use case, in place of those options", many);
  CLI::Option* mode = add_mode(sub, selection);
  for (CLI::Option* other : {workload, mode}) scenario->excludes(other);
}

/// CLI11 has no "one of these is needed" with a plain sentence.
void require_work(const sim::Selection& selection) {
  if (selection.workloads.empty() && selection.scenarios.empty())
    throw UsageError("--workload or --scenario is required");
}

int run_checked(const RunArguments& arguments) {
  require_work(arguments.selection);
  return run(arguments);
}

int compare_checked(const RunArguments& arguments) {
  require_work(arguments.selection);
  return compare(arguments);
}

int coverage_checked(const CoverageArguments& arguments) {
  require_work(arguments.selection);
  return coverage(arguments);
}

int memory_checked(const MemoryArguments& arguments) {
  require_work(arguments.selection);
  return memory(arguments);
}

void add_cluster(CLI::App& sub, std::string& cluster) {
  sub.add_option("--cluster", cluster,
                 "Several devices of this kind, what they share and what connects them "
                 "(--set cluster.devices=16 changes a value)")
      ->type_name("FILE|NAME");
}

void add_what_if(CLI::App& sub, bool& what_if) {
  sub.add_flag(
      "--what-if", what_if,
      "Run formats that the NPU does not declare too: in the cycles of the nearest that it "
      "does, with their own bits, labelled hypothetical");
}

void add_run_parts(CLI::App& sub, RunArguments& arguments) {
  add_cluster(sub, arguments.cluster);
  add_what_if(sub, arguments.what_if);
  sub.add_flag_callback(
      "--no-numerics", [&arguments] { arguments.numerics = false; },
      "Skip the arithmetic: cycles and coverage only");
  sub.add_flag_callback(
      "--no-timing", [&arguments] { arguments.timing = false; },
      "Skip the timing model: numeric error and coverage only");
  sub.add_option(
         "--layers", arguments.layers,
         "Layers that repeat: together (default; engines run over their borders), apart (each "
         "begins with idle engines and DRAM as at the begin), or repeated: the numbers of "
         "apart from a simulation of the first of each")
      ->type_name("HOW")
      ->check(CLI::IsMember({"together", "apart", "repeated"}));
  sub.add_option("--max-numeric-macs", arguments.max_numeric_macs,
                 "Sample the products of graphs with more MACs (default 100000000000)")
      ->type_name("N")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""));
  sub.add_option("--activations", arguments.activations,
                 "Initializer that sampled products read as activations, as in a workload file "
                 "(default {\"kind\": \"normal\"})")
      ->type_name("JSON");
  sub.add_option("--weights", arguments.weights, "Take weights by name from this file")
      ->type_name("F.safetensors");
}

std::string data_help() {
  std::string text = "Samples (default digits): ";
  for (const auto& [name, description] : workloads::dataset_sources())
    text += "\n  " + name + ": " + description;
  return text;
}

void add_count(CLI::App& sub, const std::string& option, std::int64_t& value,
               const std::string& what, std::int64_t least) {
  sub.add_option(option, value, what)
      ->type_name("N")
      ->check(CLI::Range(least, std::int64_t{1} << 40));
}

void add_training(CLI::App& sub, TrainArguments& arguments,
                  const std::string& kinds = "npu, workload or recipe") {
  sim::TrainOptions& options = arguments.options;
  options.data = "digits";
  sub.add_option("--npu", arguments.npu, "NPU")->type_name("FILE|NAME")->required();
  sub.add_option("--workload", arguments.workload, "Workload")->type_name("FILE|NAME")->required();
  sub.add_option("--data", options.data, data_help())->type_name("SOURCE");
  add_what_if(sub, arguments.what_if);
  add_count(sub, "--epochs", options.epochs, "Passes over the training samples (default 1)", 1);
  add_count(sub, "--max-steps", options.max_steps, "Stop after so many steps", 1);
  add_count(sub, "--train-samples", options.train_samples, "Default 10000", 1);
  add_count(sub, "--test-samples", options.test_samples, "Default 2000", 1);
  add_count(sub, "--statistics-every", options.statistics_every,
            "Look at the gradients of every Nth step", 1);
  sub.add_option("--log", arguments.log, "One JSON line a step, while it runs")->type_name("FILE");
  add_seed(sub, arguments.common);
  add_jobs(sub, arguments.common);
  add_json(sub, arguments.common);
  add_markdown(sub, arguments.common);
  add_overrides(sub, arguments.common, kinds);
  add_quiet(sub, arguments.common);
}

}  // namespace

void define_run(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "run", "Run one workload on one NPU",
                              "npusim run --npu systolic128_bf16 --workload small_cnn -v\n"
                              "  npusim run --npu cube16_fp16 --workload mlp --mode training "
                              "--set npu.mac_array.accumulator.format=fp16 --json -");
  auto arguments = command(sub, chosen, run_checked);
  add_selection(sub, arguments->selection, false);
  add_run_parts(sub, *arguments);
  sub.add_option("--fidelity", arguments->fidelity,
                 "tile (default), or pe: every tile also on clocked elements that carry values")
      ->type_name("FIDELITY")
      ->check(CLI::IsMember({"tile", "pe"}));
  sub.add_option("--vcd", arguments->vcd, "With --fidelity pe: waveforms of the elements")
      ->type_name("F.vcd");
  sub.add_option("--vcd-cycles", arguments->vcd_cycles,
                 "Cycles that the waveforms show (default 0:1000)")
      ->type_name("BEGIN:END");
  sub.add_flag("--explain-mapping", arguments->explain_mapping,
               "Tiles, loop order and roofline position that the mapping chose for each matrix op");
  sub.add_option("--trace", arguments->trace,
                 "What the engines do when, for Perfetto or chrome://tracing")
      ->type_name("F.json");
  sub.add_option("--trace-cycles", arguments->trace_cycles, "Cycles of the trace (default all)")
      ->type_name("BEGIN:END");
  sub.add_option("--input", arguments->inputs, "Values of a graph input (repeatable)")
      ->type_name("NAME=F.npy")
      ->allow_extra_args(false);
  sub.add_option("--dump-outputs", arguments->dump_outputs,
                 "Write every graph output to this folder as .npy")
      ->type_name("DIR");
  add_seed(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_run_common(sub, arguments->common, kWithCluster);
  add_verbose(sub, arguments->common);
}

void define_compare(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "compare", "Run several workloads on several NPUs, as one table",
                  "npusim compare --npu systolic128_bf16 cube16_fp16 --workload small_cnn "
                  "mlp:training --base systolic128_bf16 --json results.json");
  auto arguments = command(sub, chosen, compare_checked);
  add_selection(sub, arguments->selection, true);
  sub.add_option("--base", arguments->base,
                 "Ratios of time, energy and error to this NPU's run of the same workload and mode")
      ->type_name("NAME");
  sub.add_option("--pin-mapping", arguments->pin_mapping,
                 "Map products as on this NPU, where the others can")
      ->type_name("NAME");
  sub.add_option("--pareto", arguments->pareto,
                 "Metrics of the Pareto front, less being better: time, energy, error, memory "
                 "(default: time error)")
      ->type_name("METRIC")
      ->check(CLI::IsMember(sim::metric_names()));
  add_run_parts(sub, *arguments);
  add_seed(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_run_common(sub, arguments->common, kWithCluster);
  add_verbose(sub, arguments->common);
}

void define_coverage(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "coverage", "Which ops run natively, decomposed, on the host or not",
                  "npusim coverage --npu nvdla_fp16 --workload mlp:training --details\n"
                  "  npusim coverage --npu cube16_fp16 --workload resnet50 --require native");
  auto arguments = command(sub, chosen, coverage_checked);
  add_selection(sub, arguments->selection, true);
  sub.add_option("--require", arguments->require, "Exit 1 unless every op is at least this good")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"native", "decomposed", "host"}));
  sub.add_option("--dynamic", arguments->dynamic,
                 "A parameter of the workload that changes from run to run, as batch or sequence: "
                 "ops with such shapes then need an NPU that takes them")
      ->type_name("NAME");
  add_what_if(sub, arguments->what_if);
  sub.add_flag("--time", arguments->time, "Simulate, for the share of the time on the NPU");
  sub.add_flag("-v,--details", arguments->details, "One line for each op that is not native");
  add_run_common(sub, arguments->common);
}

void define_memory(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "memory", "What needs how much of the NPU's memory, and what would still fit",
      "npusim memory --npu google_tpu_v4 --workload llama2_7b_decode --largest batch past\n"
      "  npusim memory --npu systolic128_bf16 --workload resnet50:training --details --csv "
      "memory.csv");
  auto arguments = command(sub, chosen, memory_checked);
  add_selection(sub, arguments->selection, true);
  sub.add_option("--largest", arguments->largest,
                 "Search the largest value of this parameter of the workload that fits, the others "
                 "as they are")
      ->type_name("NAME");
  sub.add_flag("-v,--details", arguments->details, "What is alive while each op runs, in bytes");
  add_run_common(sub, arguments->common);
}

void define_train(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "train", "Train a workload in emulated precision, against FP32 from the same seed",
      "npusim train --npu systolic128_bf16 --workload lenet5 --recipe bf16 bf16_fp32_master\n"
      "  npusim train --npu cube16_fp16 --workload lenet5 --recipe fp16_dynamic_scale "
      "--statistics-every 50 --json -");
  auto arguments = command(sub, chosen, train);
  sim::TrainOptions& options = arguments->options;
  add_training(sub, *arguments, kWithCluster);
  add_files(sub, "--recipe", arguments->recipes, "Mixed-precision recipes", true)->required();
  add_cluster(sub, arguments->cluster);
  sub.add_option("--checkpoint", options.checkpoint, "Written after each epoch and on Ctrl-C")
      ->type_name("F.safetensors");
  sub.add_option("--resume", options.resume,
                 "Go on from a checkpoint of the same run, and in its --log")
      ->type_name("F.safetensors");
  sub.add_flag_callback(
      "--no-reference", [arguments] { arguments->reference = false; }, "Do not train in FP32 too");
  sub.add_flag_callback(
      "--no-timing", [arguments] { arguments->timing = false; },
      "Skip the timing model: no step times, and no speed-up, which is against a step of FP32 on "
      "the NPU where it declares FP32, else against the slowest recipe");
  add_csv(sub, arguments->common);
  add_html(sub, arguments->common);
}

void define_advise(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "advise", "Which recipe to train with: tried, measured, explained",
      "npusim advise --npu systolic128_bf16 --workload lenet5 --max-steps 100 --markdown -");
  auto arguments = command(sub, chosen, advise);
  arguments->options.statistics_every = 25;
  add_training(sub, *arguments);
}

void define_sensitivity(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "sensitivity",
      "Which part of a network needs which format, and the cheapest assignment within a bound",
      "npusim sensitivity --workload lenet5 --candidate bf16 fp8_e4m3 --max-steps 50\n"
      "  npusim sensitivity --npu cube16_fp16 --recipe fp16_fp32_master --workload lenet5 "
      "--accumulator fp16 --write-recipe mixed.json");
  auto arguments = command(sub, chosen, sensitivity);
  arguments->recipes = {"fp32"};
  add_training(sub, *arguments);
  sub.get_option("--npu")->required(false)->description(
      "NPU; without one everything is computed as the recipe says, products as FP32 chains");
  sub.add_option("--recipe", arguments->recipes, "Base that parts are lowered from (default fp32)")
      ->type_name("FILE|NAME")
      ->expected(1);
  sub.add_option("--candidate", arguments->search.candidates, "Formats to lower each part to")
      ->type_name("FORMAT");
  sub.add_option("--accumulator", arguments->search.accumulators,
                 "Formats of the NPU's accumulator to try")
      ->type_name("FORMAT");
  sub.add_option("--part", arguments->part,
                 "layer (default): each product with its gradients; op: each kind of op; role: "
                 "each tensor role")
      ->check(CLI::IsMember({"layer", "op", "role"}));
  sub.add_option("--most-accuracy", arguments->search.accuracy_points,
                 "Points of accuracy that the assignment may lose (default 0.5)")
      ->check(CLI::NonNegativeNumber);
  sub.add_option("--most-loss", arguments->search.loss_share,
                 "Share of the base's loss that it may lose (default 0.02)")
      ->check(CLI::NonNegativeNumber);
  sub.add_option("--write-recipe", arguments->recipe, "The assignment as a recipe file for train")
      ->type_name("F.json");
  add_csv(sub, arguments->common);
}

}  // namespace npusim::tools
