// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file_descriptor.h"

namespace npusim::base {
namespace {

/// 0 for what is no regular file.
std::uint64_t size_of(const Descriptor& file) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return static_cast<std::uint64_t>(info.st_size);
}

/// Devices and pipes cannot be renamed onto: /dev/null must not become a regular file.
void write_in_place(const std::string& path, std::string_view contents) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0 || !write_all(file.get(), contents) || !file.close()) {
    fail_file(path, "unwritable-file", "cannot write: " + reason(errno));
  }
}

void write_and_rename(const std::string& path, std::string_view contents) {
  const std::string target = link_target(path);
  const std::string temporary = temporary_name(target);
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0)
    fail_file(path, "unwritable-file", "cannot create the file: " + reason(errno));
  const bool written = write_all(file.get(), contents) && ::fsync(file.get()) == 0 && file.close();
  if (!written || ::rename(temporary.c_str(), target.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail_file(path, "unwritable-file", "cannot write: " + reason(error));
  }
}

}  // namespace

std::string read_whole_file(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file = open_to_read(path);
  const std::uint64_t expected = size_of(file);
  // One byte more than the limit or the stated size tells a file that is larger from one that fits.
  std::string contents;
  std::size_t filled = 0;
  for (std::uint64_t room = std::min(expected, max_bytes) + 1;;) {
    contents.resize(static_cast<std::size_t>(room));
    const ssize_t got = ::read(file.get(), contents.data() + filled, contents.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail_file(path, "unreadable-file", "cannot read: " + reason(errno), "a readable file");
    filled += static_cast<std::size_t>(got);
    if (filled > max_bytes) {
      fail_file(path, "too-large",
                "larger than the limit of " + std::to_string(max_bytes) + " bytes");
    }
    if (got == 0) break;
    if (filled == contents.size())
      room = std::min(max_bytes + 1, std::max<std::uint64_t>(2 * room, 65536));
  }
  contents.resize(filled);
  return contents;
}

FileStart read_file_start(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor file = open_to_read(path);
  FileStart start;
  start.file_bytes = size_of(file);
  start.bytes.resize(static_cast<std::size_t>(std::min(start.file_bytes, max_bytes)));
  for (std::size_t filled = 0; filled < start.bytes.size();) {
    const ssize_t got =
        ::read(file.get(), start.bytes.data() + filled, start.bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      fail_file(path, "unreadable-file", "cannot read: " + reason(got < 0 ? errno : EIO));
    filled += static_cast<std::size_t>(got);
  }
  return start;
}

void write_whole_file(const std::string& path, std::string_view contents) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode)) fail_file(path, "unwritable-file", "is a folder");
    write_in_place(path, contents);
    return;
  }
  write_and_rename(path, contents);
}

}  // namespace npusim::base
