// SPDX-License-Identifier: Apache-2.0
// What whole_file.cpp and random_access.cpp share: an open file and the errors of the system's
// calls.
#pragma once

#include <string>
#include <string_view>

namespace npusim::base {

[[noreturn]] void fail_file(const std::string& path, const char* code, const std::string& message,
                            const std::string& allowed = {});

/// The system's text for an errno.
std::string reason(int error);

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }
  /// False when the delayed write of a network or full disk failed.
  bool close();

 private:
  int fd_;
};

/// Opens for reading; InputError when that fails.
Descriptor open_to_read(const std::string& path);

bool write_all(int fd, std::string_view bytes);

/// The file behind a chain of symbolic links, so that a link stays a link.
std::string link_target(const std::string& path);

/// A name beside the target that no other file has.
std::string temporary_name(const std::string& target);

}  // namespace npusim::base
