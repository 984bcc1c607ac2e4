// SPDX-License-Identifier: Apache-2.0
#include "workloads/onnx/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace npusim::workloads::onnx {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& file, const fs::path& folder) {
  auto part = file.begin();
  for (const fs::path& wanted : folder) {
    if (part == file.end() || *part != wanted) return false;
    ++part;
  }
  return part != file.end();
}

fs::path checked_path(const std::string& location, const std::string& folder, const Place& place) {
  if (folder.empty()) place.fail("external-data", "external data is not allowed here");
  const fs::path relative(location);
  if (location.empty() || location.find('\0') != std::string::npos || relative.is_absolute())
    place.fail("external-data", "the location of external data is no relative path",
               "a file below the model's folder");
  std::error_code failed;
  const fs::path root = fs::canonical(folder, failed);
  const fs::path file = failed ? fs::path() : fs::canonical(root / relative, failed);
  if (failed) place.fail("external-data", "external data: " + failed.message());
  if (!is_below(file, root))
    place.fail("external-data", "external data lies outside the model's folder",
               "a file below the model's folder");
  return file;
}

class File {
 public:
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  explicit File(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool read_fully(int fd, std::uint64_t offset, std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

std::string read_external(const ExternalRange& range, const std::string& folder,
                          std::uint64_t expected, const Place& place) {
  const fs::path path = checked_path(range.location, folder, place);
  const File file(path);
  struct stat state {};
  if (file.get() < 0 || ::fstat(file.get(), &state) != 0 || !S_ISREG(state.st_mode))
    place.fail("external-data", "external data cannot be read from this file", "a regular file");
  if (range.length && *range.length != expected)
    place.fail("wrong-size", "external data has " + std::to_string(*range.length) +
                                 " bytes, the shape asks for " + std::to_string(expected));
  const auto size = static_cast<std::uint64_t>(state.st_size);
  if (range.offset > size || size - range.offset < expected)
    place.fail("wrong-size", "external data from byte " + std::to_string(range.offset) + " needs " +
                                 std::to_string(expected) + " bytes, the file has " +
                                 std::to_string(size));
  std::string bytes(static_cast<std::size_t>(expected), '\0');
  if (!read_fully(file.get(), range.offset, bytes))
    place.fail("external-data", "external data cannot be read");
  return bytes;
}

}  // namespace npusim::workloads::onnx
