// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer_file.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <mutex>

#include "base/array_file.h"
#include "base/error.h"
#include "base/object_reader.h"

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

bool is_safetensors(const std::string& path) {
  return has_suffix(path, ".safetensors");
}

/// The tensor of a file that holds several, with a did-you-mean when there is none.
template <class T>
const T& find_tensor(const std::map<std::string, T>& tensors, const std::string& path,
                     const std::string& name) {
  const auto found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  const std::string near = base::did_you_mean(name, names);
  base::Diagnostic diagnostic;
  diagnostic.code = "missing-tensor";
  diagnostic.message = path + " holds no tensor \"" + name + "\"" +
                       (near.empty() ? "" : " (did you mean \"" + near + "\"?)");
  constexpr std::size_t kMostNamed = 12;
  diagnostic.allowed = "a tensor of the file";
  if (!names.empty() && names.size() <= kMostNamed) diagnostic.allowed = base::one_of(names);
  throw base::InputError({diagnostic});
}

void check_shape(const std::string& path, const Shape& found, const Shape& shape,
                 const std::string& tensor_name) {
  if (found == shape) return;
  base::Diagnostic diagnostic;
  diagnostic.code = "shape-mismatch";
  diagnostic.message = fmt::format("{}: shape {}, but tensor {} is {}", path, to_string(found),
                                   tensor_name, to_string(shape));
  diagnostic.allowed = "a tensor of shape " + to_string(shape);
  throw base::InputError({diagnostic});
}

const std::string& name_in_file(const Initializer& initializer, const std::string& tensor_name) {
  return initializer.tensor.empty() ? tensor_name : initializer.tensor;
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
  base::ArrayData array = is_safetensors(path) ? find_tensor(*safetensors_of(path), path,
                                                             name_in_file(initializer, tensor_name))
                                               : base::read_npy(path);
  check_shape(path, array.shape, shape, tensor_name);
  check_elements(path, type, array.values);
  Tensor tensor;
  tensor.shape = shape;
  tensor.type = type;
  tensor.values = std::move(array.values);
  return tensor;
}

void check_file_header(const Initializer& initializer, const Shape& shape,
                       const std::string& tensor_name, HeadersByFile& headers) {
  const std::string& path = initializer.path;
  if (!is_safetensors(path))
    return check_shape(path, base::read_npy_header(path).shape, shape, tensor_name);
  const auto known = headers.find(path);
  const auto& tensors =
      known != headers.end()
          ? known->second
          : headers.emplace(path, base::read_safetensors_headers(path)).first->second;
  const std::string& wanted = name_in_file(initializer, tensor_name);
  check_shape(path, find_tensor(tensors, path, wanted).shape, shape, tensor_name);
}

}  // namespace npusim::workloads
