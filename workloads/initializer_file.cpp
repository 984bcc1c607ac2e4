// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer_file.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <mutex>

#include "base/array_file.h"
#include "base/error.h"

namespace npusim::workloads {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, base::ArrayData>;

/// What tells one state of a file from another.
struct FileState {
  std::string path;
  fs::file_time_type written{};
  std::uintmax_t bytes = 0;
  bool operator==(const FileState& other) const {
    return path == other.path && written == other.written && bytes == other.bytes;
  }
};

FileState state_of(const std::string& path) {
  std::error_code missing;  // a missing file is reported by the reader
  FileState state;
  state.path = fs::absolute(path, missing).string();
  state.written = fs::last_write_time(path, missing);
  state.bytes = fs::file_size(path, missing);
  return state;
}

std::shared_ptr<const Tensors> safetensors_of(const std::string& path) {
  static std::mutex guard;
  static FileState kept_state;
  static std::shared_ptr<const Tensors> kept;
  const std::lock_guard<std::mutex> lock(guard);
  const FileState state = state_of(path);
  if (!kept || !(state == kept_state)) {
    kept.reset();
    kept = std::make_shared<const Tensors>(base::read_safetensors(path));
    kept_state = state;
  }
  return kept;
}

bool has_suffix(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

base::ArrayData find_tensor(const std::string& path, const std::string& name) {
  const std::shared_ptr<const Tensors> tensors = safetensors_of(path);
  const auto found = tensors->find(name);
  if (found == tensors->end())
    throw base::InputError(path + " holds no tensor \"" + name + "\"", "missing-tensor");
  return found->second;
}

void check_elements(const std::string& path, ElementType type, const std::vector<double>& values) {
  if (type == ElementType::floating) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool fits = std::nearbyint(values[i]) == values[i] && values[i] >= lowest_of(type) &&
                      values[i] <= std::nextafter(highest_of(type), 1e300);
    if (!fits)
      throw base::InputError(
          fmt::format("{}: element {} is {}, no {}", path, i, values[i], name_of(type)),
          "wrong-element");
  }
}

}  // namespace

Tensor read_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name) {
  const std::string& path = initializer.path;
  const std::string& wanted = initializer.tensor.empty() ? tensor_name : initializer.tensor;
  base::ArrayData array =
      has_suffix(path, ".safetensors") ? find_tensor(path, wanted) : base::read_npy(path);
  if (array.shape != shape)
    throw base::InputError(fmt::format("{}: shape {}, but tensor {} is {}", path,
                                       to_string(array.shape), tensor_name, to_string(shape)),
                           "shape-mismatch");
  check_elements(path, type, array.values);
  Tensor tensor;
  tensor.shape = shape;
  tensor.type = type;
  tensor.values = std::move(array.values);
  return tensor;
}

}  // namespace npusim::workloads
