// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/load_workload.h"

#include <charconv>
#include <filesystem>

#include "base/hash.h"
#include "base/whole_file.h"
#include "workloads/onnx/convert.h"
#include "workloads/onnx/read_model.h"

namespace npusim::workloads::onnx {
namespace {

const std::string kParameters = "parameters.";

std::int64_t size_of(const base::Override& item) {
  std::int64_t size = 0;
  const char* end = item.value.data() + item.value.size();
  const auto result = std::from_chars(item.value.data(), end, size);
  if (item.path.rfind(kParameters, 0) != 0)
    throw base::InputError(item.text + ": an ONNX model has only its open dimensions to set",
                           "unknown-path");
  if (result.ec != std::errc() || result.ptr != end || size < 1)
    throw base::InputError(item.text + ": a dimension is a positive integer", "out-of-range");
  return size;
}

base::JsonValue description_of(const std::string& path, const std::string& bytes,
                               const std::string& name, const ConvertOptions& options) {
  base::JsonValue result = base::JsonValue::make_object();
  result.set("schema_version", base::kSchemaVersion);
  result.set("kind", "workload");
  result.set("name", name);
  result.set("source", std::filesystem::path(path).filename().string());
  result.set("content_hash", base::hex64(base::fnv1a(bytes)));
  base::JsonValue parameters = base::JsonValue::make_object();
  for (const auto& [symbol, size] : options.dims) parameters.set(symbol, size);
  result.set("parameters", std::move(parameters));
  return result;
}

}  // namespace

bool is_onnx_file(const std::string& path) {
  return std::filesystem::path(path).extension() == ".onnx";
}

Initializer stand_in_values(ElementType type) {
  Initializer initializer;
  initializer.kind =
      type == ElementType::floating ? Initializer::Kind::normal : Initializer::Kind::uniform_int;
  return initializer;
}

Workload load_onnx(const std::string& path, const std::vector<base::Override>& overrides) {
  ConvertOptions options;
  for (const base::Override& item : overrides)
    options.dims[item.path.substr(std::min(item.path.size(), kParameters.size()))] = size_of(item);
  const std::string bytes = base::read_whole_file(path, std::uint64_t{1} << 31);
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const Model model = parse_model(bytes, path, parent.empty() ? "." : parent.string());
  Workload workload;
  workload.name = std::filesystem::path(path).stem().string();
  workload.description = "ONNX model" + (model.producer.empty() ? "" : " by " + model.producer);
  workload.graph = std::move(convert(model, options).graph);
  workload.graph.name = workload.name;
  for (const TensorId id : workload.graph.inputs) {
    TensorInfo& info = workload.graph.tensors[static_cast<std::size_t>(id)];
    info.initializer = stand_in_values(info.type);
  }
  if (!workload.graph.inputs.empty()) {
    const Shape& first = workload.graph.tensor(workload.graph.inputs[0]).shape;
    if (!first.empty()) workload.batch = first[0];
  }
  workload.resolved = description_of(path, bytes, workload.name, options);
  return workload;
}

}  // namespace npusim::workloads::onnx
