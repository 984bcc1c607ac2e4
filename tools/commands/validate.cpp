// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.h"
#include "npu_models/cluster/cluster_spec.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/check.h"
#include "sim/scenario.h"
#include "sim/sweep/sweep_spec.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "workloads/onnx/load_workload.h"
#include "workloads/recipe.h"
#include "workloads/training/transform.h"
#include "workloads/workload.h"

namespace npusim::tools {
namespace {

[[noreturn]] void fail_at(const base::JsonValue& document, const std::string& key,
                          base::Diagnostic diagnostic) {
  diagnostic.pointer = "/" + key;
  if (const base::JsonValue* value = document.find(key)) {
    if (value->origin().file) diagnostic.file = *value->origin().file;
    diagnostic.line = value->origin().line;
    diagnostic.column = value->origin().column;
  }
  throw base::InputError(std::vector<base::Diagnostic>{diagnostic});
}

/// A name inside a valid file that no shipped file has: found when it would be used, so also here.
void check_default_recipe(const npu::NpuSpec& npu) {
  try {
    sim::find_file("recipe", npu.default_recipe);
  } catch (const base::InputError& error) {
    fail_at(npu.resolved, "default_recipe", error.diagnostics().front());
  }
}

void load_workload_fully(const std::string& file) {
  const workloads::Workload workload = workloads::load_workload(file);
  // An op without a gradient shows in the transform only.
  if (workload.training) workloads::make_training_step(workload, true);
}

void load(const std::string& file) {
  if (workloads::onnx::is_onnx_file(file)) return load_workload_fully(file);
  const std::string kind = base::kind_of_config(file, sim::file_kinds());
  if (kind == "npu") return check_default_recipe(npu::load_npu(file));
  if (kind == "workload") return load_workload_fully(file);
  if (kind == "mac_unit")
    npu::load_mac_unit(file);
  else if (kind == "recipe")
    workloads::load_recipe(file);
  else if (kind == "scenario")
    sim::load_scenario(file);
  else if (kind == "suite")
    sim::load_suite(file, true);
  else if (kind == "sweep")
    sim::load_sweep(file);
  else if (kind == "cluster")
    npu::load_cluster(file);
}

base::JsonValue json_of(const std::vector<base::Diagnostic>& errors) {
  base::JsonValue list = base::JsonValue::make_array();
  for (const base::Diagnostic& error : errors) {
    base::JsonValue item = base::JsonValue::make_object();
    item.set("file", error.file);
    item.set("line", error.line);
    item.set("column", error.column);
    item.set("pointer", error.pointer);
    item.set("code", error.code);
    item.set("message", error.message);
    item.set("allowed", error.allowed);
    list.push_back(std::move(item));
  }
  base::JsonValue object = base::JsonValue::make_object();
  object.set("valid", errors.empty());
  object.set("errors", std::move(list));
  return object;
}

}  // namespace

int validate(const ValidateArguments& arguments) {
  const OutputFiles& out = arguments.common.files;
  check_destinations({out.json});
  std::string good;
  std::vector<base::Diagnostic> errors;
  for (const std::string& file : sim::expand_patterns(arguments.files)) {
    try {
      load(file);
      good += "OK " + file + "\n";
    } catch (const base::InputError& error) {
      for (base::Diagnostic item : error.diagnostics()) {
        if (item.file.empty()) item.file = file;
        errors.push_back(std::move(item));
      }
    }
  }
  if (out.json != kStdout) print(good);
  for (const base::Diagnostic& error : errors) note(base::to_string(error));
  if (!out.json.empty())
    write_to(out.json, base::dump_json(json_of(errors)) + "\n", arguments.common.quiet);
  return errors.empty() ? kOk : kInvalidInput;
}

}  // namespace npusim::tools
