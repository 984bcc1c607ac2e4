// SPDX-License-Identifier: Apache-2.0
// Messages over pipes: eight bytes of length, then the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace npusim::sim {

/// What a worker says between a point's arrival and its outcome, once it has read the files.
inline constexpr std::string_view kPrepared = "prepared";

/// False when the other end is gone. The caller ignores SIGPIPE.
bool write_frame(int fd, std::string_view text);

class FrameReader {
 public:
  /// One read() of what is there; false at the end of the stream.
  bool read_some(int fd);
  /// The next whole message that has arrived.
  std::optional<std::string> next();

 private:
  std::string received_;
};

/// Waits for the next message; nothing at the end of the stream.
std::optional<std::string> read_frame(int fd, FrameReader& reader);

}  // namespace npusim::sim
