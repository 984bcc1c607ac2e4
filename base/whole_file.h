// SPDX-License-Identifier: Apache-2.0
// Files are read in one piece and appear whole or not at all: written to a temporary name in the
// same folder, flushed, then renamed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace npusim::base {

/// Throws InputError ("missing-file", "unreadable-file", or "too-large" beyond max_bytes).
std::string read_whole_file(const std::string& path,
                            std::uint64_t max_bytes = std::uint64_t{1} << 36);

/// The first bytes of a file (fewer when it is shorter) and the size of all of it.
struct FileStart {
  std::string bytes;
  std::uint64_t file_bytes = 0;
};
FileStart read_file_start(const std::string& path, std::uint64_t max_bytes);

/// Throws InputError when the folder does not exist or the disk is full; the old file stays then.
void write_whole_file(const std::string& path, std::string_view contents);

}  // namespace npusim::base
