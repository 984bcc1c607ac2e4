// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/readme.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/array_file.h"
#include "tests/cli/child.h"
#include "tests/source_dir.h"

namespace npusim::cli_test {
namespace {

namespace fs = std::filesystem;

/// The text of every block fenced as this language.
std::vector<std::string> blocks_of(const std::string& file, const std::string& language) {
  std::vector<std::string> blocks;
  bool within = false;
  for (const std::string& line : lines_of(read_text(test::source_dir() + "/" + file))) {
    if (line.rfind("```", 0) == 0) {
      within = line == "```" + language;
      if (within) blocks.emplace_back();
    } else if (within) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

/// The files that the README's examples name.
void fill(const TempFolder& folder) {
  for (const char* name : {"configs", "workloads", "tests"})
    fs::create_symlink(fs::path(test::source_dir()) / name, folder.path(name));
  fs::create_directory(folder.path("results"));
  const base::ArrayData rows{base::ElementKind::f32, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}};
  for (const char* name : {"a.npy", "b.npy", "x.npy"}) base::write_npy(folder.path(name), rows);
  base::write_npy(folder.path("c.npy"), {base::ElementKind::f32, {2}, {0, 1}});
  fs::copy_file(data("tiny_npu.json"), folder.path("my_npu.json"));
}

}  // namespace

bool is_long(const std::string& command) {
  return contains(command, "resnet50") || contains(command, "npusim check");
}

int run_readme_commands(const std::function<bool(const std::string&)>& chosen) {
  TempFolder folder;
  fill(folder);
  const std::string path =
      "PATH=" + fs::path(npusim_binary()).parent_path().string() + ":$PATH; export PATH; ";
  int count = 0;
  for (const std::string& block : blocks_of("README.md", "sh"))
    for (const std::string& command : lines_of(block)) {
      if (command.rfind("npusim ", 0) != 0 || !chosen(command)) continue;
      ++count;
      const Outcome outcome = run_program({"sh", "-c", path + command}, folder.path());
      EXPECT_EQ(outcome.exit_code, 0) << command << "\n" << outcome.err;
      EXPECT_NE(outcome.out + outcome.err, "") << command;
    }
  return count;
}

int validate_readme_files() {
  TempFolder folder;
  fill(folder);
  int count = 0;
  for (const char* page : {"README.md", "CONTRIBUTING.md"})
    for (const std::string& block : blocks_of(page, "json")) {
      if (!contains(block, "\"schema_version\"")) continue;
      const std::string file = folder.write("readme_" + std::to_string(count++) + ".json", block);
      const Outcome outcome = npusim({"validate", file});
      EXPECT_EQ(outcome.exit_code, 0) << page << ": " << outcome.err;
    }
  return count;
}

}  // namespace npusim::cli_test
