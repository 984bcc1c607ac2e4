// SPDX-License-Identifier: Apache-2.0
// Whole .npy files in memory; npy_stream.h reads and writes them in pieces.
#include "base/array_bytes.h"
#include "base/array_file.h"
#include "base/element_kind.h"
#include "base/error.h"
#include "base/npy_header.h"
#include "base/whole_file.h"

namespace npusim::base {

ArrayData parse_npy(std::string_view bytes, const std::string& name) {
  NpyHeader header = parse_npy_header(bytes, bytes.size(), name);
  const std::string_view data = bytes.substr(static_cast<std::size_t>(header.data_begin));
  return {header.kind, std::move(header.shape),
          decode_elements(header.kind, data, name, header.data_begin)};
}

ArrayHeader read_npy_header(const std::string& path) {
  constexpr std::uint64_t kEnough = 65536 + 12;  // numpy's own limit for a header is 10,000
  const FileStart start = read_file_start(path, kEnough);
  NpyHeader header = parse_npy_header(start.bytes, start.file_bytes, path);
  return {header.kind, std::move(header.shape)};
}

ArrayData read_npy(const std::string& path) {
  return parse_npy(read_whole_file(path), path);
}

std::string format_npy(const ArrayData& array) {
  std::uint64_t count = 0;
  NPUSIM_CHECK(element_count(array.shape, count) && count == array.values.size(),
               "an array has as many values as its shape says");
  std::string out = format_npy_header(array.kind, array.shape);
  out.reserve(out.size() + array.values.size() * element_bytes(array.kind));
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    if (!encode_element(array.kind, array.values[i], out)) {
      throw InputError("element " + std::to_string(i) + " does not fit its type exactly",
                       "inexact-value");
    }
  }
  return out;
}

void write_npy(const std::string& path, const ArrayData& array) {
  write_whole_file(path, format_npy(array));
}

}  // namespace npusim::base
