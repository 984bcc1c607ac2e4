// SPDX-License-Identifier: Apache-2.0
#include "base/random_access.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/whole_file.h"

namespace npusim::base {
namespace {

/// Exists and is neither a regular file nor a folder.
bool is_special(const struct stat& info) {
  return !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

bool write_at(int fd, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

}  // namespace

struct InputBytes::State {
  std::string path;
  Descriptor file;
  std::uint64_t size = 0;
  bool in_memory = false;
  std::string contents;
};

InputBytes::InputBytes(const std::string& path)
    : state_(new State{path, open_to_read(path), 0, false, {}}) {
  struct stat info {};
  if (::fstat(state_->file.get(), &info) == 0 && S_ISREG(info.st_mode)) {
    state_->size = static_cast<std::uint64_t>(info.st_size);
    return;
  }
  state_->in_memory = true;
  state_->contents = read_whole_file(path);
  state_->size = state_->contents.size();
}
InputBytes::InputBytes(const std::string& name, Descriptor file, std::uint64_t size)
    : state_(new State{name, std::move(file), size, false, {}}) {}
InputBytes::InputBytes(InputBytes&& other) noexcept = default;
InputBytes::~InputBytes() = default;

std::uint64_t InputBytes::size() const {
  return state_->size;
}

void InputBytes::read(std::uint64_t offset, char* bytes, std::size_t count) const {
  NPUSIM_CHECK(offset <= state_->size && count <= state_->size - offset, "bytes that the file has");
  if (state_->in_memory) {
    std::memcpy(bytes, state_->contents.data() + offset, count);
    return;
  }
  while (count > 0) {
    const ssize_t got = ::pread(state_->file.get(), bytes, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_file(state_->path, "unreadable-file", "cannot read: " + reason(errno));
    if (got == 0) fail_file(state_->path, "unreadable-file", "became shorter while it was read");
    bytes += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::size_t>(got);
  }
}

struct OutputBytes::State {
  std::string path;       ///< as the user named it
  std::string target;     ///< empty: written in place, in order
  std::string temporary;  ///< empty when there is none (any more)
  Descriptor file{};
  std::uint64_t next = 0;  ///< in place: bytes written

  State(std::string path_, std::string target_, std::string temporary_, int fd)
      : path(std::move(path_)),
        target(std::move(target_)),
        temporary(std::move(temporary_)),
        file(fd) {}
  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

OutputBytes::OutputBytes(std::unique_ptr<State> state) : state_(std::move(state)) {}
OutputBytes::OutputBytes(OutputBytes&& other) noexcept = default;
OutputBytes::~OutputBytes() = default;

OutputBytes::OutputBytes(const std::string& path) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) fail_file(path, "unwritable-file", "is a folder");
  if (exists && is_special(info)) {
    state_ = std::make_unique<State>(path, "", "", ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  } else {
    const std::string target = link_target(path);
    const std::string temporary = temporary_name(target);
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    state_ = std::make_unique<State>(path, target, fd >= 0 ? temporary : "", fd);
  }
  if (state_->file.get() < 0)
    fail_file(path, "unwritable-file", "cannot create the file: " + reason(errno));
}

OutputBytes OutputBytes::standard_output() {
  const int fd = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) fail_file("standard output", "unwritable-file", "cannot write: " + reason(errno));
  return OutputBytes(std::make_unique<State>("standard output", "", "", fd));
}

void OutputBytes::write(std::uint64_t offset, std::string_view bytes) {
  State& s = *state_;
  const bool in_place = s.target.empty();
  if (in_place && offset != s.next)
    fail_file(s.path, "unwritable-file", "cannot be written out of order; a regular file can");
  const bool written =
      in_place ? write_all(s.file.get(), bytes) : write_at(s.file.get(), offset, bytes);
  if (!written) fail_file(s.path, "unwritable-file", "cannot write: " + reason(errno));
  s.next = offset + bytes.size();
}

void OutputBytes::finish() {
  State& s = *state_;
  const bool in_place = s.target.empty();
  bool done = in_place || ::fsync(s.file.get()) == 0;
  done = s.file.close() && done;
  done = done && (in_place || ::rename(s.temporary.c_str(), s.target.c_str()) == 0);
  if (!done) fail_file(s.path, "unwritable-file", "cannot write: " + reason(errno));
  s.temporary.clear();
}

}  // namespace npusim::base
