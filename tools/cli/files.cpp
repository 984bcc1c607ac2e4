// SPDX-License-Identifier: Apache-2.0
// Commands on results, suites, configs and ONNX models.
#include <CLI/CLI.hpp>

#include "tools/cli/define.h"
#include "tools/commands.h"

namespace npusim::tools {
namespace {

int validate_timing_checked(const ValidateTimingArguments& arguments) {
  if (!arguments.npu.empty() && arguments.references.empty())
    throw UsageError("--npu goes with --reference: the shipped sets name their own");
  return validate_timing(arguments);
}

}  // namespace

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
  sub.add_flag("--details", arguments->details,
               "Also the values of single ops, and the first tensor whose bits differ");
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
  sub.add_flag(
      "--bisect-op", arguments->bisect_op,
      "Name the first tensor whose bits differ from the baseline's, and why where that shows");
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
  sub.add_option("kind", arguments->kind,
                 "npu, mac_unit, workload, recipe, scenario, suite, sweep, op, organisation, "
                 "format or rounding");
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

}  // namespace npusim::tools
