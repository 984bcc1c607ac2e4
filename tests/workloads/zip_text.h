// SPDX-License-Identifier: Apache-2.0
// Zip archives put together by hand (PKWARE APPNOTE 4.3.7, 4.3.12, 4.3.16), so that they can lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace npusim::workloads::testing {

inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

/// CRC-32 of ISO 3309, bit by bit.
inline std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

/// As deflate's stored blocks (RFC 1951, 3.2.4) of at most this many bytes.
inline std::string stored_blocks(const std::string& bytes, std::size_t most) {
  std::string blocks;
  for (std::size_t at = 0; at < bytes.size(); at += most) {
    const std::string part = bytes.substr(at, most);
    blocks += static_cast<char>(at + most >= bytes.size() ? 1 : 0);
    blocks += little(part.size(), 2) + little(~part.size() & 0xffff, 2) + part;
  }
  return blocks;
}

struct ZipMember {
  std::string name, contents;
  int method = 0;
  std::string packed;      ///< as the archive holds it
  std::uint64_t size = 0;  ///< as the directory says
};

inline ZipMember stored(const std::string& name, const std::string& contents) {
  return {name, contents, 0, contents, contents.size()};
}
inline ZipMember deflated(const std::string& name, const std::string& contents,
                          std::size_t block = 60000) {
  return {name, contents, 8, stored_blocks(contents, block), contents.size()};
}

inline std::string zip_of(const std::vector<ZipMember>& members) {
  std::string file, directory;
  for (const ZipMember& m : members) {
    const std::string facts = little(0, 2) + little(static_cast<std::uint64_t>(m.method), 2) +
                              little(0, 4) + little(crc32(m.contents), 4) +
                              little(m.packed.size(), 4) + little(m.size, 4) +
                              little(m.name.size(), 2) + little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + little(20, 2) + facts + little(0, 2) +
                 little(0, 2) + little(0, 2) + little(0, 4) + little(file.size(), 4) + m.name;
    file += "PK\x03\x04" + little(20, 2) + facts + m.name + m.packed;
  }
  const std::string count = little(members.size(), 2);
  return file + directory + "PK\x05\x06" + little(0, 4) + count + count +
         little(directory.size(), 4) + little(file.size(), 4) + little(0, 2);
}

}  // namespace npusim::workloads::testing
