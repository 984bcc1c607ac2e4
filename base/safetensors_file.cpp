// SPDX-License-Identifier: Apache-2.0
// The .safetensors format: 8 bytes of header length, a JSON header, then the tensors back to back
// without holes or overlap, as its specification demands.
#include <algorithm>

#include "base/array_bytes.h"
#include "base/array_file.h"
#include "base/element_kind.h"
#include "base/error.h"
#include "base/object_reader.h"
#include "base/whole_file.h"

namespace npusim::base {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

struct KindName {
  const char* name;
  ElementKind kind;
};
constexpr KindName kKinds[] = {
    {"F64", ElementKind::f64},     {"F32", ElementKind::f32}, {"F16", ElementKind::f16},
    {"BF16", ElementKind::bf16},   {"I64", ElementKind::i64}, {"I32", ElementKind::i32},
    {"I16", ElementKind::i16},     {"I8", ElementKind::i8},   {"U64", ElementKind::u64},
    {"U32", ElementKind::u32},     {"U16", ElementKind::u16}, {"U8", ElementKind::u8},
    {"BOOL", ElementKind::boolean}};

struct TensorEntry {
  std::string name;
  ElementKind kind = ElementKind::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::uint64_t length_prefix(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

TensorEntry read_entry(const std::string& name, const ValueReader& value,
                       std::uint64_t data_bytes) {
  ObjectReader reader(value);
  TensorEntry entry;
  entry.name = name;
  std::vector<std::pair<std::string, ElementKind>> kinds;
  for (const KindName& known : kKinds) kinds.emplace_back(known.name, known.kind);
  entry.kind = reader.choice<ElementKind>("dtype", kinds);
  for (const ValueReader& size : reader.array("shape")) {
    entry.shape.push_back(size.integer({0, std::int64_t{1} << 62}));
  }
  const IntegerRange inside{0, static_cast<std::int64_t>(data_bytes)};
  const std::vector<ValueReader> offsets = reader.array("data_offsets");
  if (offsets.size() == 2) {
    entry.begin = static_cast<std::uint64_t>(offsets[0].integer(inside, 0));
    entry.end = static_cast<std::uint64_t>(offsets[1].integer(inside, 0));
  } else if (reader.has("data_offsets")) {
    reader.error("data_offsets", "bad-array-file", "data_offsets has not two elements",
                 "[begin, end]");
  }
  std::uint64_t count = 0;
  const std::uint64_t step = element_bytes(entry.kind);
  if (entry.begin > entry.end || !element_count(entry.shape, count) ||
      (entry.end - entry.begin) % step != 0 || (entry.end - entry.begin) / step != count) {
    reader.error("data_offsets", "bad-array-file", "the shape does not match the bytes of data",
                 "as many bytes as the shape says");
  }
  reader.finish();
  return entry;
}

std::vector<TensorEntry> read_header(const JsonValue& header, std::uint64_t data_bytes) {
  Diagnostics diagnostics;
  std::vector<TensorEntry> entries;
  for (const auto& [name, value] : ValueReader(header, "", diagnostics).members()) {
    if (name != "__metadata__") entries.push_back(read_entry(name, value, data_bytes));
  }
  diagnostics.throw_if_any();
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  return entries;
}

const char* name_of(ElementKind kind) {
  for (const KindName& known : kKinds)
    if (known.kind == kind) return known.name;
  throw InternalError("an element kind without a name");
}

void append_elements(const std::string& name, const ArrayData& tensor, std::string& data) {
  for (std::size_t i = 0; i < tensor.values.size(); ++i)
    if (!encode_element(tensor.kind, tensor.values[i], data))
      throw InputError("tensor \"" + name + "\", element " + std::to_string(i) + ": " +
                           std::to_string(tensor.values[i]) + " is no " + name_of(tensor.kind) +
                           " value",
                       "bad-array-file");
}

JsonValue integer_list(const std::vector<std::int64_t>& values) {
  JsonValue list = JsonValue::make_array();
  for (const std::int64_t value : values) list.push_back(JsonValue::make_integer(value));
  return list;
}

/// Where the data of a file of `file_bytes` begins; `bytes` is its start.
std::uint64_t header_end(std::string_view bytes, std::uint64_t file_bytes,
                         const std::string& name) {
  if (bytes.size() < 8) fail_at_byte(name, bytes.size(), "the file ends inside the header length");
  const std::uint64_t header_bytes = length_prefix(bytes);
  if (header_bytes > std::min<std::uint64_t>(file_bytes - 8, kMaxHeaderBytes)) {
    fail_at_byte(name, 0,
                 "the header claims " + std::to_string(header_bytes) + " bytes, the file has " +
                     std::to_string(file_bytes - 8));
  }
  return 8 + header_bytes;
}

/// The tensors in the order of their data, which they cover without holes or overlap.
std::vector<TensorEntry> entries_of(std::string_view bytes, std::uint64_t file_bytes,
                                    const std::string& name) {
  const std::uint64_t data_begin = header_end(bytes, file_bytes, name);
  const std::string_view header = bytes.substr(8, static_cast<std::size_t>(data_begin - 8));
  const std::uint64_t data_bytes = file_bytes - data_begin;
  std::vector<TensorEntry> entries = read_header(parse_json(header, name), data_bytes);
  std::uint64_t covered = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != covered) {
      fail_at_byte(name, data_begin + covered,
                   "tensor \"" + entry.name + "\" leaves a hole or overlaps another");
    }
    covered = entry.end;
  }
  if (covered != data_bytes)
    fail_at_byte(name, data_begin + covered, "bytes that belong to no tensor");
  return entries;
}

}  // namespace

std::string format_safetensors(const std::map<std::string, ArrayData>& tensors) {
  std::string data;
  JsonValue header = JsonValue::make_object();
  for (const auto& [name, tensor] : tensors) {
    const auto begin = static_cast<std::int64_t>(data.size());
    append_elements(name, tensor, data);
    JsonValue entry = JsonValue::make_object();
    entry.set("dtype", name_of(tensor.kind));
    entry.set("shape", integer_list(tensor.shape));
    entry.set("data_offsets", integer_list({begin, static_cast<std::int64_t>(data.size())}));
    header.set(name, std::move(entry));
  }
  std::string text = dump_json(header, -1);
  text.append((8 - text.size() % 8) % 8, ' ');  // data starts at a multiple of 8
  std::string prefix;
  for (unsigned i = 0; i < 8; ++i)
    prefix += static_cast<char>((std::uint64_t{text.size()} >> (8 * i)) & 0xFFU);
  return prefix + text + data;
}

std::map<std::string, ArrayData> parse_safetensors(std::string_view bytes,
                                                   const std::string& name) {
  const std::uint64_t data_begin = header_end(bytes, bytes.size(), name);
  const std::string_view data = bytes.substr(static_cast<std::size_t>(data_begin));
  std::map<std::string, ArrayData> tensors;
  for (TensorEntry& entry : entries_of(bytes, bytes.size(), name)) {
    const auto begin = static_cast<std::size_t>(entry.begin);
    ArrayData& tensor = tensors[entry.name];
    tensor.kind = entry.kind;
    tensor.shape = std::move(entry.shape);
    tensor.values =
        decode_elements(entry.kind, data.substr(begin, static_cast<std::size_t>(entry.end) - begin),
                        name, data_begin + entry.begin);
  }
  return tensors;
}

std::map<std::string, ArrayHeader> read_safetensors_headers(const std::string& path) {
  const FileStart prefix = read_file_start(path, 8);
  const std::uint64_t end = header_end(prefix.bytes, prefix.file_bytes, path);
  const FileStart start = read_file_start(path, end);
  std::map<std::string, ArrayHeader> headers;
  for (TensorEntry& entry : entries_of(start.bytes, start.file_bytes, path))
    headers[entry.name] = {entry.kind, std::move(entry.shape)};
  return headers;
}

std::map<std::string, ArrayData> read_safetensors(const std::string& path) {
  return parse_safetensors(read_whole_file(path), path);
}

}  // namespace npusim::base
