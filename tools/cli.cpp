// SPDX-License-Identifier: Apache-2.0
// The one file that knows CLI11. Each command has a function that declares its options on a plain
// struct; the struct goes to the command when parsing is over.
#include "tools/cli.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "precision/block_format.h"
#include "precision/rounding.h"
#include "sim/comparison.h"
#include "sim/version.h"
#include "tools/commands.h"
#include "tools/completion.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "workloads/datasets/dataset.h"

namespace npusim::tools {
namespace {

/// Set by the command that was named; called after parsing so that its exceptions reach main.
using Chosen = std::function<int()>;

template <class Arguments>
std::shared_ptr<Arguments> command(CLI::App& sub, Chosen& chosen, int (*action)(const Arguments&)) {
  auto arguments = std::make_shared<Arguments>();
  sub.callback([arguments, &chosen, action] {
    chosen = [arguments, action] { return action(*arguments); };
  });
  return arguments;
}

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& what,
                      const std::string& examples) {
  CLI::App& sub = *app.add_subcommand(name, what);
  sub.footer("Example:\n  " + examples);
  return sub;
}

void add_json(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--json", common.files.json, "Write JSON to this file ('-': stdout, and no table)")
      ->type_name("FILE");
}

void add_csv(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--csv", common.files.csv, "Write CSV to this file ('-': stdout)")
      ->type_name("FILE");
}

void add_markdown(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--markdown", common.files.markdown, "Write Markdown to this file ('-': stdout)")
      ->type_name("FILE");
}

void add_html(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--html", common.files.html,
                 "Write a report with charts to this file: one page that needs no network")
      ->type_name("FILE");
}

void add_quiet(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("--quiet", common.quiet, "Nothing on stderr but errors");
}

void add_jobs(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--jobs", common.jobs,
                 "Processes and threads (0: one per core); results are the same")
      ->type_name("N")
      ->check(CLI::Range(0, 1024));
}

void add_overrides(CLI::App& sub, CommonOptions& common, const std::string& kinds) {
  sub.add_option(
         "--set", common.overrides,
         "Override a value in every file of a kind, as npu.mac_array.rows=64; paths start with " +
             kinds + " (repeatable)")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
}

void add_print_config(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("--print-config", common.print_config,
               "Print the resolved configs with the origin of each value, and stop");
}

/// What the commands that run or judge (NPU, workload, recipe) triples share.
void add_run_common(CLI::App& sub, CommonOptions& common) {
  add_json(sub, common);
  add_csv(sub, common);
  add_markdown(sub, common);
  add_html(sub, common);
  add_overrides(sub, common, "npu, workload or recipe");
  add_print_config(sub, common);
  add_quiet(sub, common);
}

void add_seed(CLI::App& sub, CommonOptions& common) {
  sub.add_option("--seed", common.seed, "Seed of generated weights and inputs (default 0)")
      ->type_name("N")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
}

void add_verbose(CLI::App& sub, CommonOptions& common) {
  sub.add_flag("-v,--verbose", common.verbose, "Also print each run op by op");
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

/// A file or shipped name; `many`: several after one option, or the option repeated, or a pattern.
CLI::Option* add_files(CLI::App& sub, const std::string& option, std::vector<std::string>& files,
                       const std::string& what, bool many) {
  CLI::Option* added = sub.add_option(option, files, what)->type_name("FILE|NAME");
  if (!many) added->expected(1);
  return added;
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

void add_run_parts(CLI::App& sub, RunArguments& arguments) {
  sub.add_flag_callback(
      "--no-numerics", [&arguments] { arguments.numerics = false; },
      "Skip the arithmetic: cycles and coverage only");
  sub.add_flag_callback(
      "--no-timing", [&arguments] { arguments.timing = false; },
      "Skip the timing model: numeric error and coverage only");
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
  add_run_common(sub, arguments->common);
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
  sub.add_option("--pareto", arguments->pareto,
                 "Metrics of the Pareto front, less being better: time, energy, error, memory "
                 "(default: time error)")
      ->type_name("METRIC")
      ->check(CLI::IsMember(sim::metric_names()));
  add_run_parts(sub, *arguments);
  add_seed(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_run_common(sub, arguments->common);
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
  sub.add_flag("--time", arguments->time, "Simulate, for the share of the time on the NPU");
  sub.add_flag("-v,--details", arguments->details, "One line for each op that is not native");
  add_run_common(sub, arguments->common);
}

void define_report(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "report", "A saved result as a page with charts",
                              "npusim report results.json --html report.html");
  auto arguments = command(sub, chosen, report);
  sub.add_option("result", arguments->result, "What `run`, `compare` or `coverage` wrote by --json")
      ->required()
      ->type_name("RESULT.json");
  add_html(sub, arguments->common);
  sub.get_option("--html")->required();
  add_quiet(sub, arguments->common);
}

void define_diff(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "diff", "What changed between two saved results",
                              "npusim diff before.json after.json --details");
  auto arguments = command(sub, chosen, diff);
  sub.add_option("before", arguments->before, "A result")->required()->type_name("A.json");
  sub.add_option("after", arguments->after, "Another")->required()->type_name("B.json");
  sub.add_flag("--details", arguments->details, "Also the values of single ops");
  sub.add_flag("--exit-code", arguments->exit_code, "Exit 1 when they differ");
  add_json(sub, arguments->common);
  add_markdown(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_check(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "check", "Regression runs: a suite against its baselines",
                              "npusim check tests/golden/suite.json --junit check.xml");
  auto arguments = command(sub, chosen, check);
  sub.add_option("suite", arguments->suite, "Suite: file or shipped name")->required();
  CLI::Option* update =
      sub.add_flag("--update", arguments->update, "Rewrite the baselines and say what changed");
  sub.add_option("--shard", arguments->shard,
                 "Every n-th run of the suite from the i-th on: shares of a matrix of CI jobs")
      ->type_name("I/N");
  sub.add_option("--junit", arguments->junit, "Write JUnit XML to this file")->type_name("FILE");
  add_json(sub, arguments->common);
  add_markdown(sub, arguments->common);
  add_overrides(sub, arguments->common, "npu, workload or recipe");
  sub.get_option("--set")->excludes(update);
  add_jobs(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_validate(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "validate", "Check files of any kind; all mistakes at once",
                              "npusim validate my_npu.json configs/recipes/*.json");
  auto arguments = command(sub, chosen, validate);
  sub.add_option("files", arguments->files, "Files or patterns")->required();
  add_json(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

int validate_timing_checked(const ValidateTimingArguments& arguments) {
  if (!arguments.npu.empty() && arguments.references.empty())
    throw UsageError("--npu goes with --reference: the shipped sets name their own");
  return validate_timing(arguments);
}

void define_validate_timing(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "validate-timing", "Published times against simulated ones; exit 1 if a promise breaks",
      "npusim validate-timing -v\n"
      "  npusim validate-timing --reference measured.csv --npu google_tpu_v4_core");
  auto arguments = command(sub, chosen, validate_timing_checked);
  sub.add_option(
         "--reference", arguments->references,
         "Figures in place of the shipped sets: CSV with m, n, k and us or cycles, or totals of "
         "SCALE-Sim or ONNXim")
      ->type_name("F.csv");
  sub.add_option("--npu", arguments->npu, "What runs them (default google_tpu_v4_core)")
      ->type_name("FILE|NAME");
  add_json(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_quiet(sub, arguments->common);
  sub.add_flag("-v,--verbose", arguments->common.verbose, "Also print every point");
}

void define_list(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "list", "What is shipped and what is built in",
                              "npusim list npu\n  npusim list op --json -");
  auto arguments = command(sub, chosen, list);
  sub.add_option(
      "kind", arguments->kind,
      "npu, mac_unit, workload, recipe, scenario, suite, op, organisation, format or rounding");
  add_json(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_describe(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "describe", "One thing in detail: an NPU, a workload, an op, a format, ...",
                  "npusim describe systolic128_bf16\n  npusim describe fp16 --kind format");
  auto arguments = command(sub, chosen, describe);
  sub.add_option("name", arguments->name, "A name from `npusim list`, or a file")->required();
  sub.add_option("--kind", arguments->kind, "Which kind, when the name has several")
      ->type_name("KIND");
  add_quiet(sub, arguments->common);
}

void define_formats(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "formats", "Number formats compared", "npusim formats fp16 bf16 e4m3");
  auto arguments = command(sub, chosen, formats);
  sub.add_option("names", arguments->names, "Formats (default: all named ones); any eXmY");
  add_json(sub, arguments->common);
  add_csv(sub, arguments->common);
  add_markdown(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_quantize(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "quantize", "Round an array to a format",
                              "npusim quantize --format bf16 -i x.npy -o y.npy\n"
                              "  npusim quantize --format mxfp4 --axis 0 -i w.npy -o q.npy");
  auto arguments = command(sub, chosen, quantize);
  sub.add_option("--format", arguments->format,
                 "A named format, any eXmY, or a block-scaled one (mxfp8_e4m3, nvfp4, bfp16m8, "
                 "int8_block32, ...)")
      ->required()
      ->type_name("NAME");
  sub.add_option("--rounding", arguments->rounding, "Default rne")
      ->type_name("MODE")
      ->check(CLI::IsMember(precision::rounding_names()));
  sub.add_option("--random-bits", arguments->random_bits,
                 "With sr: how many random bits decide (1..32); they depend on seed and index only")
      ->type_name("N")
      ->check(CLI::Range(1, 32));
  sub.add_option("--seed", arguments->common.seed, "With sr: default 0")->type_name("S");
  sub.add_option("--subnormals", arguments->subnormals, "Default: keep")
      ->type_name("RULE")
      ->check(CLI::IsMember(precision::subnormals_names()));
  sub.add_option("--overflow", arguments->overflow, "Default: the format's own")
      ->type_name("RULE")
      ->check(CLI::IsMember(precision::overflow_names()));
  sub.add_option("--daz", arguments->daz, "Read subnormals of this format as zeros")
      ->type_name("NAME");
  sub.add_option("--axis", arguments->axis,
                 "Of block-scaled formats: the axis along which blocks run (default: the last)")
      ->type_name("N");
  sub.add_option("--scale-rounding", arguments->scale_rounding,
                 "Of block-scaled formats: floor, ceil or rne (default: the format's own)")
      ->type_name("MODE")
      ->check(CLI::IsMember(precision::scale_rounding_names()));
  sub.add_option("-i,--input", arguments->input, "Array to round")->required()->type_name("X.npy");
  sub.add_option("-o,--output", arguments->output, "Rounded array, of the same shape")
      ->required()
      ->type_name("Y.npy");
  add_quiet(sub, arguments->common);
}

void define_dot(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "dot", "Row-wise dot products through a MAC unit, bit for bit",
                  "npusim dot --unit fp16_chain --a a.npy --b b.npy --c c.npy -o d.npy");
  auto arguments = command(sub, chosen, dot);
  sub.add_option("--unit", arguments->unit, "MAC unit")->required()->type_name("FILE|NAME");
  sub.add_option("--a", arguments->a, "First operand, shape (n, k)")
      ->required()
      ->type_name("A.npy");
  sub.add_option("--b", arguments->b, "Second operand, shape (n, k)")
      ->required()
      ->type_name("B.npy");
  sub.add_option("--c", arguments->c, "Start of each sum, shape (n) (default +0)")
      ->type_name("C.npy");
  sub.add_option(
         "--a-scales", arguments->a_scales,
         "Scales of a's blocks, shape (n, blocks): units with block scales, which they need")
      ->type_name("S.npy");
  sub.add_option("--b-scales", arguments->b_scales, "Scales of b's blocks")->type_name("S.npy");
  sub.add_option("-o,--output", arguments->output, "Results, float32, shape (n)")
      ->required()
      ->type_name("D.npy");
  sub.add_flag("--round-inputs", arguments->round_inputs,
               "Round values that the unit's formats do not have; without it they are errors");
  add_overrides(sub, arguments->common, "unit");
  add_print_config(sub, arguments->common);
  add_seed(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_explain(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "explain", "One dot product through a MAC unit, step by step, next to the exact result",
      "npusim explain --unit nvidia_h100_fp16_fp32 --a 1,0.5,3 --b 2,1e-4,0.25 --c 100");
  auto arguments = command(sub, chosen, explain);
  sub.add_option("--unit", arguments->unit, "MAC unit")->required()->type_name("FILE|NAME");
  sub.add_option("--a", arguments->a, "First operand: values with commas between, or an array")
      ->required()
      ->type_name("X,Y,...|A.npy");
  sub.add_option("--b", arguments->b, "Second operand, as long")
      ->required()
      ->type_name("X,Y,...|B.npy");
  sub.add_option("--c", arguments->c, "Start of the sum (default +0)")->type_name("X|C.npy");
  sub.add_option("--a-scales", arguments->a_scales,
                 "Scales of a's blocks, with commas between: units with block scales")
      ->type_name("X,Y,...");
  sub.add_option("--b-scales", arguments->b_scales, "Scales of b's blocks")->type_name("X,Y,...");
  sub.add_option("--row", arguments->row, "Row of the arrays (default 0)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  sub.add_flag("--round-inputs", arguments->round_inputs,
               "Round values that the unit's formats do not have; without it they are errors");
  add_json(sub, arguments->common);
  add_overrides(sub, arguments->common, "unit");
  add_seed(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_import(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "import", "An ONNX model as a workload file and its weights",
                              "npusim import model.onnx -o model.json --dim batch=8");
  auto arguments = command(sub, chosen, import);
  sub.add_option("model", arguments->input, "ONNX model, opset 7 or newer")
      ->required()
      ->type_name("M.onnx");
  sub.add_option("-o,--output", arguments->output,
                 "Workload; initializers go to the .safetensors of the same name")
      ->required()
      ->type_name("W.json");
  sub.add_option("--dim", arguments->dims, "Size of an open dimension (repeatable)")
      ->type_name("NAME=N")
      ->allow_extra_args(false);
  sub.add_flag("--allow-unsupported", arguments->allow_unsupported,
               "Nodes that this build does not know become host ops without values: timing only");
  add_quiet(sub, arguments->common);
}

void define_onnx_test(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "onnx-test", "Run ONNX backend-test folders: one line a case, then totals",
                  "npusim onnx-test onnx/backend/test/data/node -v");
  auto arguments = command(sub, chosen, onnx_test);
  sub.add_option("folders", arguments->folders,
                 "Folders with model.onnx and test_data_set_*, or folders of such")
      ->required()
      ->type_name("DIR");
  sub.add_option("--seconds", arguments->seconds, "Time limit of a case (default 60)")
      ->type_name("N")
      ->check(CLI::Range(1, 86400));
  sub.add_flag("-v,--verbose", arguments->common.verbose, "Reasons on stderr");
  add_jobs(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

/// Options as typed, in the order of --help.
std::vector<CommandNames> commands_of(const CLI::App& app) {
  std::vector<CommandNames> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandNames command{sub->get_name(), sub->get_description(), {}};
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_snames()) command.options.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) command.options.push_back("--" + name);
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

void define_completion(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "completion", "Completion of commands, options and names for a shell",
                  "npusim completion bash > ~/.local/share/bash-completion/completions/npusim");
  auto shell = std::make_shared<std::string>();
  sub.add_option("shell", *shell, "bash, zsh or fish: the script goes to stdout")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  sub.callback([shell, &app, &chosen] {
    chosen = [shell, &app] {
      print(completion_script(*shell, commands_of(app)));
      return kOk;
    };
  });
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

void add_training(CLI::App& sub, TrainArguments& arguments) {
  sim::TrainOptions& options = arguments.options;
  options.data = "digits";
  sub.add_option("--npu", arguments.npu, "NPU")->type_name("FILE|NAME")->required();
  sub.add_option("--workload", arguments.workload, "Workload")->type_name("FILE|NAME")->required();
  sub.add_option("--data", options.data, data_help())->type_name("SOURCE");
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
  add_overrides(sub, arguments.common, "npu, workload or recipe");
  add_quiet(sub, arguments.common);
}

void define_train(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "train", "Train a workload in emulated precision, against FP32 from the same seed",
      "npusim train --npu systolic128_bf16 --workload lenet5 --recipe bf16 bf16_fp32_master\n"
      "  npusim train --npu cube16_fp16 --workload lenet5 --recipe fp16_dynamic_scale "
      "--statistics-every 50 --json -");
  auto arguments = command(sub, chosen, train);
  sim::TrainOptions& options = arguments->options;
  add_training(sub, *arguments);
  add_files(sub, "--recipe", arguments->recipes, "Mixed-precision recipes", true)->required();
  sub.add_option("--checkpoint", options.checkpoint, "Written after each epoch and on Ctrl-C")
      ->type_name("F.safetensors");
  sub.add_option("--resume", options.resume, "Go on from a checkpoint")->type_name("F.safetensors");
  sub.add_flag_callback(
      "--no-reference", [arguments] { arguments->reference = false; }, "Do not train in FP32 too");
  sub.add_flag_callback(
      "--no-timing", [arguments] { arguments->timing = false; }, "Skip the timing model");
  add_csv(sub, arguments->common);
}

void define_advise(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "advise", "Which recipe to train with: tried, measured, explained",
      "npusim advise --npu systolic128_bf16 --workload lenet5 --max-steps 100 --markdown -");
  auto arguments = command(sub, chosen, advise);
  arguments->options.statistics_every = 25;
  add_training(sub, *arguments);
}

void define_commands(CLI::App& app, Chosen& chosen) {
  for (const auto define :
       {define_run, define_compare, define_coverage, define_report, define_diff, define_check,
        define_validate, define_validate_timing, define_list, define_describe, define_formats,
        define_quantize, define_dot, define_explain, define_import, define_onnx_test, define_train,
        define_advise, define_completion})
    define(app, chosen);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "npusim runs JSON-described workloads on JSON-described NPUs: cycles, numeric error and op "
      "coverage "
      "from one description.",
      "npusim");
  app.set_version_flag("--version",
                       std::string("npusim ") + sim::version() + " (" + sim::git_id() + ")");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 1 a check failed, 2 usage, 3 invalid config or workload, 4 simulation "
      "failed,\n"
      "            5 internal error, 130 interrupted (results so far are kept).\n"
      "npusim COMMAND --help shows the options of a command and an example.");
  Chosen chosen;
  define_commands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  return chosen();
}

}  // namespace npusim::tools
