// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <filesystem>

#include "base/whole_file.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "workloads/onnx/convert.h"
#include "workloads/onnx/read_model.h"
#include "workloads/onnx/write_workload.h"

namespace npusim::tools {
namespace {

namespace fs = std::filesystem;
namespace onnx = workloads::onnx;

std::map<std::string, std::int64_t> dims_of(const std::vector<std::string>& texts) {
  std::map<std::string, std::int64_t> dims;
  for (const std::string& text : texts) {
    const std::size_t equals = text.rfind('=');
    std::int64_t size = 0;
    const char* end = text.data() + text.size();
    const char* begin = equals == std::string::npos ? end : text.data() + equals + 1;
    const auto result = std::from_chars(begin, end, size);
    if (equals == 0 || result.ec != std::errc() || result.ptr != end || size < 1)
      throw UsageError("--dim " + text + ": NAME=N with a positive integer");
    dims[text.substr(0, equals)] = size;
  }
  return dims;
}

std::string source_of(const std::string& file, const onnx::Model& model) {
  std::string text = fs::path(file).filename().string() + ", ONNX";
  const auto opset = model.opsets.find("");
  if (opset != model.opsets.end()) text += " opset " + std::to_string(opset->second);
  return model.producer.empty() ? text : text + ", written by " + model.producer;
}

}  // namespace

int import(const ImportArguments& arguments) {
  if (fs::path(arguments.output).extension() != ".json")
    throw UsageError("-o " + arguments.output + ": a workload file ends in .json");
  const std::string weights = fs::path(arguments.output).replace_extension(".safetensors").string();
  check_destinations({arguments.output, weights});
  const onnx::Model model = onnx::read_model(arguments.input);
  onnx::ConvertOptions options;
  options.dims = dims_of(arguments.dims);
  options.allow_unsupported = arguments.allow_unsupported;
  const onnx::Converted converted = onnx::convert(model, options);
  const onnx::WorkloadFiles files = onnx::write_workload(
      converted, fs::path(arguments.output).stem().string(), source_of(arguments.input, model),
      fs::path(weights).filename().string());
  if (!arguments.common.quiet)
    for (const std::string& reason : converted.opaque) note("timing only: " + reason);
  if (!files.safetensors.empty()) write_to(weights, files.safetensors, arguments.common.quiet);
  write_to(arguments.output, files.workload, arguments.common.quiet);
  return kOk;
}

}  // namespace npusim::tools
