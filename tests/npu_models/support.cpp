// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <sstream>

#include "npu_models/npu_file.h"
#include "tests/source_dir.h"

namespace npusim::npu::testing {
namespace {

std::string configs() {
  return test::source_dir() + "/configs/";
}

template <class Load>
std::vector<base::Diagnostic> mistakes_of(const Load& load) {
  try {
    load();
  } catch (const base::InputError& error) {
    return error.diagnostics();
  }
  return {};
}

}  // namespace

std::string shipped_npu(const std::string& name) {
  return configs() + "npus/" + name + ".json";
}
std::string shipped_mac_unit(const std::string& name) {
  return configs() + "mac_units/" + name + ".json";
}

NpuSpec load_shipped(const std::string& name) {
  return load_npu(shipped_npu(name));
}

NpuSpec load_shipped(const std::string& name, const std::vector<std::string>& settings) {
  std::vector<base::Override> overrides;
  for (const std::string& setting : settings)
    overrides.push_back(base::parse_override("npu." + setting).override);
  return load_npu(shipped_npu(name), overrides);
}

std::string edited_copy(const std::string& path,
                        const std::vector<std::pair<std::string, std::string>>& edits) {
  std::ifstream in(path);
  std::stringstream buffer;
  buffer << in.rdbuf();
  std::string text = buffer.str();
  for (const auto& [from, to] : edits) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) {
      ADD_FAILURE() << from << " is not in " << path;
      continue;
    }
    text.replace(at, from.size(), to);
  }
  static std::atomic<int> number{0};
  const std::string copy = ::testing::TempDir() + "npusim_" + std::to_string(::getpid()) + "_" +
                           std::to_string(number++) + ".json";
  std::ofstream(copy) << text;
  return copy;
}

std::vector<base::Diagnostic> mistakes_of_npu(const std::string& path) {
  return mistakes_of([&] { load_npu(path); });
}

std::vector<base::Diagnostic> mistakes_of_unit(const std::string& path) {
  return mistakes_of([&] { load_mac_unit(path); });
}

workloads::Recipe uniform_recipe(const precision::Format& format) {
  workloads::Recipe recipe;
  recipe.name = "uniform_" + format.name;
  recipe.weights = recipe.activations = recipe.activation_gradients = format;
  recipe.weight_gradients = recipe.optimizer_state = recipe.statistics = recipe.loss = format;
  recipe.internal = precision::fp32();
  return recipe;
}

}  // namespace npusim::npu::testing
