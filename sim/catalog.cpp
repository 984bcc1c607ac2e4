// SPDX-License-Identifier: Apache-2.0
#include "sim/catalog.h"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/json_value.h"
#include "base/object_reader.h"

namespace npusim::sim {
namespace {

namespace fs = std::filesystem;

struct KindFolder {
  const char* kind;
  const char* folder;
};
constexpr KindFolder kFolders[] = {
    {"npu", "configs/npus"},       {"mac_unit", "configs/mac_units"}, {"workload", "workloads"},
    {"recipe", "configs/recipes"}, {"scenario", "configs/scenarios"}, {"suite", "configs/suites"},
    {"sweep", "configs/sweeps"},   {"cluster", "configs/clusters"},
};

bool holds_data(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder / "configs" / "npus", ignored);
}

fs::path executable_folder() {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  return failed ? fs::path() : self.parent_path();
}

std::string find_data_folder() {
  if (const char* fixed = std::getenv("NPUSIM_DATA_DIR")) {
    if (holds_data(fixed)) return fixed;
    throw base::InputError(
        std::string("NPUSIM_DATA_DIR names ") + fixed + ", which holds no configs/npus",
        "missing-data");
  }
  const fs::path self = executable_folder();
  const fs::path installed = self.parent_path() / "share" / "npusim";
  if (holds_data(installed)) return installed.string();
  fs::path parent = self;
  while (parent.has_relative_path()) {
    parent = parent.parent_path();
    if (holds_data(parent)) return parent.string();
  }
  throw base::InputError("the shipped configs were not found in " + installed.string() +
                             " or in a parent of " + self.string() + "; set NPUSIM_DATA_DIR",
                         "missing-data");
}

std::string folder_of(const std::string& kind) {
  for (const KindFolder& entry : kFolders)
    if (kind == entry.kind) return (fs::path(data_folder()) / entry.folder).string();
  throw base::InternalError("no folder for kind " + kind);
}

std::string description_in(const std::string& file) {
  const base::JsonValue document = base::parse_json_file(file);
  const base::JsonValue* text = document.find("description");
  return text != nullptr && text->is_string() ? text->string() : std::string();
}

bool looks_like_path(const std::string& text) {
  const fs::path extension = fs::path(text).extension();
  return text.find('/') != std::string::npos || extension == ".json" || extension == ".onnx";
}

}  // namespace

const std::vector<std::string>& file_kinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> names;
    for (const KindFolder& entry : kFolders) names.emplace_back(entry.kind);
    return names;
  }();
  return kinds;
}

std::string data_folder() {
  static const std::string folder = find_data_folder();
  return folder;
}

std::vector<CatalogEntry> list_files(const std::string& kind) {
  std::vector<CatalogEntry> entries;
  std::error_code missing;
  for (const auto& item : fs::directory_iterator(folder_of(kind), missing)) {
    if (item.path().extension() != ".json") continue;
    const std::string file = item.path().string();
    entries.push_back({item.path().stem().string(), kind, file, description_in(file)});
  }
  std::sort(entries.begin(), entries.end(),
            [](const CatalogEntry& x, const CatalogEntry& y) { return x.name < y.name; });
  return entries;
}

std::string find_file(const std::string& kind, const std::string& name_or_path) {
  std::error_code ignored;
  if (looks_like_path(name_or_path)) {
    if (fs::is_regular_file(name_or_path, ignored)) return name_or_path;
    base::Diagnostic missing;
    missing.code = "missing-file";
    missing.message = kind + " file " + name_or_path + " does not exist";
    missing.allowed = "an existing file, or a name that `npusim list " + kind + "` prints";
    throw base::InputError({missing});
  }
  const fs::path shipped = fs::path(folder_of(kind)) / (name_or_path + ".json");
  if (fs::is_regular_file(shipped, ignored)) return shipped.string();
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(folder_of(kind), ignored)) {
    if (item.path().extension() == ".json") names.push_back(item.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  base::Diagnostic diagnostic;
  diagnostic.code = "unknown-name";
  diagnostic.message = "no shipped " + kind + " is named \"" + name_or_path + "\"";
  const std::string near = base::did_you_mean(name_or_path, names);
  if (!near.empty()) diagnostic.message += " (did you mean \"" + near + "\"?)";
  diagnostic.allowed = "a file, or one of: " + base::one_of(names);
  throw base::InputError(std::vector<base::Diagnostic>{diagnostic});
}

std::string find_file_beside(const std::string& kind, const std::string& name_or_path,
                             const std::string& folder) {
  std::error_code ignored;
  const fs::path beside = fs::path(folder) / name_or_path;
  if (fs::is_regular_file(beside, ignored)) return beside.string();
  return find_file(kind, looks_like_path(name_or_path) ? beside.string() : name_or_path);
}

std::vector<std::string> expand_patterns(const std::vector<std::string>& arguments) {
  std::vector<std::string> expanded;
  for (const std::string& argument : arguments) {
    if (argument.find_first_of("*?[") == std::string::npos) {
      expanded.push_back(argument);
      continue;
    }
    glob_t matches{};
    const int status = glob(argument.c_str(), 0, nullptr, &matches);
    for (std::size_t i = 0; status == 0 && i < matches.gl_pathc; ++i)
      expanded.emplace_back(matches.gl_pathv[i]);
    globfree(&matches);
    if (status != 0) throw base::InputError("no file matches " + argument, "missing-file");
  }
  return expanded;
}

}  // namespace npusim::sim
