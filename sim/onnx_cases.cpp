// SPDX-License-Identifier: Apache-2.0
#include "sim/onnx_cases.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/element_kind.h"
#include "base/error.h"
#include "base/isolated.h"
#include "base/thread_pool.h"
#include "sim/graph_values.h"
#include "workloads/onnx/convert.h"
#include "workloads/onnx/read_model.h"

namespace npusim::sim {
namespace {

namespace fs = std::filesystem;
namespace onnx = workloads::onnx;
using workloads::Tensor;

constexpr double kRelative = 1e-3;
constexpr double kRelativeBfloat16 = 0x1p-7;
constexpr double kAbsolute = 1e-7;

/// What the case expects turned out otherwise.
struct Mismatch {
  std::string reason;
};

struct DataSet {
  std::vector<onnx::TensorData> inputs, outputs;
};

bool is_case(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / "model.onnx", ignored);
}

std::vector<onnx::TensorData> read_tensors(const fs::path& folder, const std::string& kind) {
  std::vector<onnx::TensorData> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (kind + "_" + std::to_string(i) + ".pb");
    std::error_code ignored;
    if (!fs::exists(file, ignored)) return tensors;
    tensors.push_back(onnx::read_tensor(file.string()));
  }
}

std::vector<fs::path> data_set_folders(const fs::path& folder) {
  std::vector<fs::path> sets;
  for (const auto& item : fs::directory_iterator(folder))
    if (item.path().filename().string().rfind("test_data_set_", 0) == 0)
      sets.push_back(item.path());
  std::sort(sets.begin(), sets.end());
  if (sets.empty()) throw Mismatch{"no test_data_set_*"};
  return sets;
}

/// Inputs of the graph that no initializer fills.
std::vector<const onnx::ValueDef*> free_inputs(const onnx::Model& model) {
  std::vector<const onnx::ValueDef*> inputs;
  for (const onnx::ValueDef& input : model.inputs) {
    const bool filled = std::any_of(model.initializers.begin(), model.initializers.end(),
                                    [&](const auto& tensor) { return tensor.name == input.name; });
    if (!filled) inputs.push_back(&input);
  }
  return inputs;
}

[[noreturn]] void unsupported(const std::string& reason) {
  throw base::InputError(reason, "unsupported-value");
}

void check_types(const onnx::Model& model) {
  for (const auto* list : {&model.inputs, &model.outputs})
    for (const onnx::ValueDef& value : *list)
      if (value.type == onnx::DataType::undefined)
        unsupported("\"" + value.name + "\" is no tensor of a known type");
}

/// Data files have no bfloat16: NumPy knows none, so that generators write its bits as uint16.
onnx::TensorData as_declared(onnx::TensorData data, onnx::DataType declared) {
  if (declared != onnx::DataType::bfloat16 || data.type != onnx::DataType::uint16) return data;
  data.type = declared;
  for (double& value : data.values) {
    const auto bits = static_cast<std::uint16_t>(value);
    char bytes[2];
    std::memcpy(bytes, &bits, 2);
    value = *base::decode_element(base::ElementKind::bf16, bytes);
  }
  return data;
}

onnx::ConvertOptions with_inputs(const onnx::Model& model, DataSet& set) {
  const std::vector<const onnx::ValueDef*> inputs = free_inputs(model);
  if (inputs.size() != set.inputs.size())
    throw Mismatch{std::to_string(set.inputs.size()) + " input files for " +
                   std::to_string(inputs.size()) + " inputs"};
  onnx::ConvertOptions options;
  options.fold_constants = false;  // every op of the case is to run
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (set.inputs[i].clamped) unsupported("input " + std::to_string(i) + " goes beyond 2^53");
    options.inputs[inputs[i]->name] = as_declared(std::move(set.inputs[i]), inputs[i]->type);
  }
  return options;
}

std::string type_text(const workloads::TensorInfo& info) {
  if (info.type != workloads::ElementType::floating) return workloads::name_of(info.type);
  if (info.format == "fp16") return "float16";
  if (info.format == "bf16") return "bfloat16";
  if (info.format == "fp64") return "double";
  return info.format.empty() || info.format == "fp32" ? "float" : info.format;
}

/// `relative` 0: exact.
bool close(double actual, double expected, double relative) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (relative == 0.0 || std::isinf(expected) || std::isinf(actual)) return actual == expected;
  return std::fabs(actual - expected) <= kAbsolute + relative * std::fabs(expected);
}

double tolerance_of(const workloads::TensorInfo& info) {
  if (info.type != workloads::ElementType::floating) return 0.0;
  return info.format == "bf16" ? kRelativeBfloat16 : kRelative;
}

void compare(const workloads::TensorInfo& info, const Tensor& actual,
             const onnx::TensorData& expected) {
  const std::string subject = "output " + info.name + ": ";
  if (expected.clamped) unsupported(subject + "goes beyond 2^53");
  if (type_text(info) != onnx::name_of(expected.type))
    throw Mismatch{subject + type_text(info) + ", expected " + onnx::name_of(expected.type)};
  if (actual.shape != expected.shape)
    throw Mismatch{subject + "shape " + workloads::to_string(actual.shape) + ", expected " +
                   workloads::to_string(expected.shape)};
  const double relative = tolerance_of(info);
  for (std::size_t i = 0; i < expected.values.size(); ++i)
    if (!close(actual.values[i], expected.values[i], relative))
      throw Mismatch{subject + "element " + std::to_string(i) + " is " +
                     std::to_string(actual.values[i]) + ", expected " +
                     std::to_string(expected.values[i])};
}

void run_data_set(const onnx::Model& model, DataSet set, const precision::ParallelFor& parallel) {
  const onnx::ConvertOptions options = with_inputs(model, set);
  const workloads::Graph graph = onnx::convert(model, options).graph;
  if (set.outputs.size() != graph.outputs.size())
    throw Mismatch{std::to_string(set.outputs.size()) + " output files for " +
                   std::to_string(graph.outputs.size()) + " outputs"};
  const std::vector<Tensor> values = declared_output_values(graph, parallel);
  for (std::size_t i = 0; i < values.size(); ++i)
    compare(graph.tensor(graph.outputs[i]), values[i],
            as_declared(std::move(set.outputs[i]), model.outputs[i].type));
}

/// Codes of what a valid model may ask for and this build has not got.
bool is_unsupported(const base::InputError& error) {
  static const std::vector<std::string> kCodes = {"unknown-attribute", "wrong-input-count",
                                                  "wrong-output-count", "not-constant"};
  return std::all_of(error.diagnostics().begin(), error.diagnostics().end(),
                     [](const base::Diagnostic& item) {
                       return item.code.rfind("unsupported-", 0) == 0 ||
                              std::find(kCodes.begin(), kCodes.end(), item.code) != kCodes.end();
                     });
}

std::string first_reason(const base::InputError& error) {
  return error.diagnostics().empty() ? error.what() : error.diagnostics().front().message;
}

}  // namespace

const char* name_of(CaseVerdict verdict) {
  static const char* const kNames[] = {"PASS", "FAIL", "UNSUPPORTED"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::vector<std::string> find_onnx_cases(const std::vector<std::string>& folders) {
  std::vector<fs::path> cases;
  for (const std::string& given : folders) {
    fs::path folder = fs::path(given).lexically_normal();
    if (!folder.has_filename()) folder = folder.parent_path();
    const std::size_t before = cases.size();
    std::error_code missing;
    if (is_case(folder)) cases.push_back(folder);
    for (const auto& item : fs::directory_iterator(folder, missing))
      if (cases.size() == before || cases.back() != folder)
        if (is_case(item.path())) cases.push_back(item.path());
    if (cases.size() == before)
      throw base::InputError(given + " holds no case: no model.onnx in it or in a folder of it",
                             "missing-file");
  }
  std::sort(cases.begin(), cases.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(a.filename(), a) < std::pair(b.filename(), b);
  });
  cases.erase(std::unique(cases.begin(), cases.end()), cases.end());
  std::vector<std::string> names;
  for (const fs::path& folder : cases) names.push_back(folder.string());
  return names;
}

CaseResult run_onnx_case(const std::string& folder, const precision::ParallelFor& parallel) {
  CaseResult result{fs::path(folder).filename().string(), CaseVerdict::fail, ""};
  try {
    const onnx::Model model = onnx::read_model((fs::path(folder) / "model.onnx").string());
    check_types(model);
    for (const fs::path& set : data_set_folders(folder))
      run_data_set(model, {read_tensors(set, "input"), read_tensors(set, "output")}, parallel);
    result.verdict = CaseVerdict::pass;
  } catch (const Mismatch& mismatch) {
    result.reason = mismatch.reason;
  } catch (const base::InputError& error) {
    if (is_unsupported(error)) result.verdict = CaseVerdict::unsupported;
    result.reason = first_reason(error);
  } catch (const std::exception& error) {
    result.reason = error.what();
  }
  return result;
}

std::vector<CaseResult> run_onnx_cases(const std::vector<std::string>& folders,
                                       const CaseRunOptions& options) {
  const int jobs = options.jobs > 0
                       ? options.jobs
                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int processes = std::min(jobs, std::max(1, static_cast<int>(folders.size())));
  const auto job = [&](std::size_t i) {
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(options.seconds);
    base::ThreadPool pool(std::max(1, jobs / processes));
    const CaseResult result = run_onnx_case(
        folders[i], [&pool](std::int64_t count, const std::function<void(std::int64_t)>& body) {
          pool.parallel_for(count, body);
        });
    return std::string(1, static_cast<char>('0' + static_cast<int>(result.verdict))) +
           result.reason;
  };
  const std::vector<base::IsolatedOutcome> outcomes =
      base::run_isolated(folders.size(), processes, job, options.finished);
  std::vector<CaseResult> results;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    CaseResult result{fs::path(folders[i]).filename().string(), CaseVerdict::fail, ""};
    if (outcomes[i].ok && !outcomes[i].payload.empty()) {
      result.verdict = static_cast<CaseVerdict>(outcomes[i].payload[0] - '0');
      result.reason = outcomes[i].payload.substr(1);
    } else {
      const bool late = outcomes[i].error == "killed by signal " + std::to_string(SIGALRM);
      result.reason =
          late ? "took longer than " + std::to_string(options.seconds) + " s" : outcomes[i].error;
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace npusim::sim
