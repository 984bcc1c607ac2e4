// SPDX-License-Identifier: Apache-2.0
#include "base/file_descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/error.h"

namespace npusim::base {

void fail_file(const std::string& path, const char* code, const std::string& message,
               const std::string& allowed) {
  Diagnostic diagnostic;
  diagnostic.allowed = allowed;
  diagnostic.file = path;
  diagnostic.code = code;
  diagnostic.message = message;
  throw InputError({diagnostic});
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

bool Descriptor::close() {
  const int fd = fd_;
  fd_ = -1;
  return ::close(fd) == 0;
}

Descriptor open_to_read(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() >= 0) return file;
  if (errno == ENOENT || errno == ENOTDIR)
    fail_file(path, "missing-file", "no such file", "an existing file");
  fail_file(path, "unreadable-file", "cannot read: " + reason(errno), "a readable file");
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string link_target(const std::string& path) {
  char* const resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return path;
  std::string target(resolved);
  std::free(resolved);
  return target;
}

std::string temporary_name(const std::string& target) {
  static std::atomic<unsigned> serial{0};
  return target + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(serial++);
}

}  // namespace npusim::base
