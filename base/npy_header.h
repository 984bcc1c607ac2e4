// SPDX-License-Identifier: Apache-2.0
// The header of a .npy file as numpy's format.py documents it (versions 1.0, 2.0, 3.0): element
// type and shape of an array in little-endian C order, and where its data starts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/array_file.h"

namespace npusim::base {

struct NpyHeader {
  ElementKind kind = ElementKind::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t data_begin = 0;  ///< in bytes; set by parse_npy_header
  std::uint64_t elements = 0;    ///< product of the shape; set by parse_npy_header
};

/// Bytes that parse_npy_header needs to find the end of the header.
inline constexpr std::size_t kNpyPreamble = 12;

/// End of the header in bytes, from the first kNpyPreamble bytes of the file (or all, if it is
/// shorter). Errors as parse_npy.
std::uint64_t npy_data_begin(std::string_view start, const std::string& name);

/// `start` holds at least the header; whether data follows is not looked at.
NpyHeader parse_npy_shape(std::string_view start, const std::string& name);

/// `start` holds at least the header of a file of `file_bytes`, whose data must be as long as the
/// shape says.
NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes,
                           const std::string& name);

/// The bytes before the data. Throws InputError for bf16, which .npy does not have.
std::string format_npy_header(ElementKind kind, const std::vector<std::int64_t>& shape);

}  // namespace npusim::base
