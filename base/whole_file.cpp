// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/error.h"

namespace npusim::base {
namespace {

[[noreturn]] void fail(const std::string& path, const char* code, const std::string& message,
                       const std::string& allowed = {}) {
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

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// False when the delayed write of a network or full disk failed.
  bool close() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

int open_to_read(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return fd;
  if (errno == ENOENT || errno == ENOTDIR)
    fail(path, "missing-file", "no such file", "an existing file");
  fail(path, "unreadable-file", "cannot read: " + reason(errno), "a readable file");
}

/// 0 for what is no regular file.
std::uint64_t size_of(const Descriptor& file) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return static_cast<std::uint64_t>(info.st_size);
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

/// Devices and pipes cannot be renamed onto: /dev/null must not become a regular file.
void write_in_place(const std::string& path, std::string_view contents) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0 || !write_all(file.get(), contents) || !file.close()) {
    fail(path, "unwritable-file", "cannot write: " + reason(errno));
  }
}

/// The file behind a chain of symbolic links, so that a link stays a link.
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

void write_and_rename(const std::string& path, std::string_view contents) {
  const std::string target = link_target(path);
  const std::string temporary = temporary_name(target);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) fail(path, "unwritable-file", "cannot create the file: " + reason(errno));
  const bool written = write_all(file.get(), contents) && ::fsync(file.get()) == 0 && file.close();
  if (!written || ::rename(temporary.c_str(), target.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail(path, "unwritable-file", "cannot write: " + reason(error));
  }
}

}  // namespace

std::string read_whole_file(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file(open_to_read(path));
  const std::uint64_t expected = size_of(file);
  // One byte more than the limit or the stated size tells a file that is larger from one that fits.
  std::string contents;
  std::size_t filled = 0;
  for (std::uint64_t room = std::min(expected, max_bytes) + 1;;) {
    contents.resize(static_cast<std::size_t>(room));
    const ssize_t got = ::read(file.get(), contents.data() + filled, contents.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "unreadable-file", "cannot read: " + reason(errno), "a readable file");
    filled += static_cast<std::size_t>(got);
    if (filled > max_bytes) {
      fail(path, "too-large", "larger than the limit of " + std::to_string(max_bytes) + " bytes");
    }
    if (got == 0) break;
    if (filled == contents.size())
      room = std::min(max_bytes + 1, std::max<std::uint64_t>(2 * room, 65536));
  }
  contents.resize(filled);
  return contents;
}

FileStart read_file_start(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file(open_to_read(path));
  FileStart start;
  start.file_bytes = size_of(file);
  start.bytes.resize(static_cast<std::size_t>(std::min(start.file_bytes, max_bytes)));
  for (std::size_t filled = 0; filled < start.bytes.size();) {
    const ssize_t got =
        ::read(file.get(), start.bytes.data() + filled, start.bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(path, "unreadable-file", "cannot read: " + reason(got < 0 ? errno : EIO));
    filled += static_cast<std::size_t>(got);
  }
  return start;
}

void write_whole_file(const std::string& path, std::string_view contents) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) fail(path, "unwritable-file", "is a folder");
    write_in_place(path, contents);
    return;
  }
  write_and_rename(path, contents);
}

}  // namespace npusim::base
