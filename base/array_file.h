// SPDX-License-Identifier: Apache-2.0
// Tensors on disk. Values come in as double, which holds every supported element exactly (int64
// only to 2^53: larger magnitudes are refused). Row-major only. Truncated, oversized or
// inconsistent files throw InputError with the byte offset.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace npusim::base {

enum class ElementKind { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

struct ArrayData {
  ElementKind kind = ElementKind::f32;
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// What a file says of a tensor without its values.
struct ArrayHeader {
  ElementKind kind = ElementKind::f32;
  std::vector<std::int64_t> shape;
};
/// Read the headers only; the size of the file is held against them.
ArrayHeader read_npy_header(const std::string& path);
std::map<std::string, ArrayHeader> read_safetensors_headers(const std::string& path);

/// NumPy format versions 1.0-3.0, little-endian, C order. bf16 does not exist in .npy.
ArrayData read_npy(const std::string& path);
ArrayData parse_npy(std::string_view bytes, const std::string& name);
/// Values are converted to `kind`; a value it cannot hold exactly is an InputError with its index.
std::string format_npy(const ArrayData& array);
void write_npy(const std::string& path, const ArrayData& array);

/// All tensors of a .safetensors file, by name.
std::map<std::string, ArrayData> read_safetensors(const std::string& path);
std::map<std::string, ArrayData> parse_safetensors(std::string_view bytes, const std::string& name);
/// Tensors in order of their names; values converted as format_npy does.
std::string format_safetensors(const std::map<std::string, ArrayData>& tensors);

}  // namespace npusim::base
