// SPDX-License-Identifier: Apache-2.0
#include "base/scratch_bytes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace npusim::base {
namespace {

Descriptor open_unnamed(const std::string& name) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
  if (error)
    fail_file(name, "unwritable-file", "cannot keep its contents in TMPDIR: " + error.message(),
              "a folder in TMPDIR that can be written");
  std::string path = (folder / "npusim-XXXXXX").string();
  Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
  if (file.get() < 0)
    fail_file(name, "unwritable-file",
              "cannot keep its contents in " + folder.string() + ": " + reason(errno),
              "a folder in TMPDIR that can be written");
  ::unlink(path.c_str());
  return file;
}

}  // namespace

ScratchBytes::ScratchBytes(std::string name) : name_(std::move(name)), file_(open_unnamed(name_)) {}

void ScratchBytes::append(std::string_view bytes) {
  if (!write_all(file_.get(), bytes))
    fail_file(name_, "unwritable-file",
              "cannot keep its contents in the temporary folder: " + reason(errno),
              "more room in TMPDIR");
  size_ += bytes.size();
}

InputBytes ScratchBytes::finish() {
  return InputBytes(name_, std::move(file_), size_);
}

}  // namespace npusim::base
