// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/frames.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/file_descriptor.h"

namespace npusim::sim {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(std::uint64_t);

}  // namespace

bool write_frame(int fd, std::string_view text) {
  const std::uint64_t size = text.size();
  std::string frame(kHeaderBytes, '\0');
  std::memcpy(frame.data(), &size, kHeaderBytes);
  frame.append(text);
  return base::write_all(fd, frame);
}

bool FrameReader::read_some(int fd) {
  char buffer[65536];
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer, sizeof buffer);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  received_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> FrameReader::next() {
  std::uint64_t size = 0;
  if (received_.size() < kHeaderBytes) return {};
  std::memcpy(&size, received_.data(), kHeaderBytes);
  if (received_.size() - kHeaderBytes < size) return {};
  std::string text = received_.substr(kHeaderBytes, static_cast<std::size_t>(size));
  received_.erase(0, kHeaderBytes + static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> read_frame(int fd, FrameReader& reader) {
  for (;;) {
    if (auto text = reader.next()) return text;
    if (!reader.read_some(fd)) return {};
  }
}

}  // namespace npusim::sim
