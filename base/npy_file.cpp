// SPDX-License-Identifier: Apache-2.0
// The .npy format as numpy's format.py documents it (versions 1.0, 2.0, 3.0).
#include <array>
#include <limits>

#include "base/array_bytes.h"
#include "base/array_file.h"
#include "base/element_kind.h"
#include "base/error.h"
#include "base/whole_file.h"

namespace npusim::base {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 64;

struct KindName {
  ElementKind kind;
  const char* npy;
};
constexpr std::array<KindName, 12> kKinds = {{{ElementKind::f64, "<f8"},
                                              {ElementKind::f32, "<f4"},
                                              {ElementKind::f16, "<f2"},
                                              {ElementKind::i64, "<i8"},
                                              {ElementKind::i32, "<i4"},
                                              {ElementKind::i16, "<i2"},
                                              {ElementKind::i8, "|i1"},
                                              {ElementKind::u64, "<u8"},
                                              {ElementKind::u32, "<u4"},
                                              {ElementKind::u16, "<u2"},
                                              {ElementKind::u8, "|u1"},
                                              {ElementKind::boolean, "|b1"}}};

std::string known_kinds() {
  std::string names;
  for (const KindName& entry : kKinds)
    names += (names.empty() ? "" : ", ") + std::string(entry.npy);
  return names;
}

/// The header's dictionary: a Python literal with exactly the keys descr, fortran_order and shape.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::uint64_t offset, const std::string& name)
      : text_(text), offset_(offset), name_(name) {}

  ArrayHeader parse() {
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !has_descr_) {
        descr();
      } else if (key == "fortran_order" && !has_order_) {
        order();
      } else if (key == "shape" && !has_shape_) {
        shape();
      } else {
        fail("unknown or repeated key '" + key + "'", "descr, fortran_order, shape, each once");
      }
      if (take(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (at_ != text_.size()) fail("text after the header's dictionary");
    if (!has_descr_ || !has_order_ || !has_shape_)
      fail("the header lacks a key", "descr, fortran_order, shape");
    return std::move(array_);
  }

 private:
  [[noreturn]] void fail(const std::string& message, const std::string& allowed = {}) {
    fail_at_byte(name_, offset_ + at_, message, allowed);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("'") + c + "' expected in the header");
  }
  std::string quoted() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a string of the header does not end");
    std::string word(text_.substr(at_, end - at_));
    at_ = end + 1;
    return word;
  }
  void descr() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[')
      fail("structured arrays are not supported", known_kinds());
    const std::string text = quoted();
    for (const KindName& entry : kKinds) {
      if (text != entry.npy) continue;
      array_.kind = entry.kind;
      has_descr_ = true;
      return;
    }
    fail("element type '" + text + "' is not supported", known_kinds());
  }
  void order() {
    skip_space();
    if (text_.substr(at_, 5) == "False") {
      at_ += 5;
    } else if (text_.substr(at_, 4) == "True") {
      fail("Fortran order is not supported", "C order (numpy.ascontiguousarray)");
    } else {
      fail("fortran_order is neither True nor False");
    }
    has_order_ = true;
  }
  void shape() {
    expect('(');
    while (!take(')')) {
      if (array_.shape.size() == kMaxRank) fail("more than 64 dimensions");
      array_.shape.push_back(dimension());
      if (take(',')) continue;
      expect(')');
      break;
    }
    has_shape_ = true;
  }
  std::int64_t dimension() {
    skip_space();
    std::int64_t value = 0;
    const std::size_t first = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (value > std::numeric_limits<std::int64_t>::max() / 10 - 1)
        fail("a dimension is too large");
      value = value * 10 + (text_[at_] - '0');
    }
    if (at_ == first) fail("a dimension is not a non-negative integer");
    return value;
  }

  std::string_view text_;
  std::uint64_t offset_;
  const std::string& name_;
  std::size_t at_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
  ArrayHeader array_;
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

std::string header_text(const ArrayData& array) {
  std::string text;
  for (const KindName& entry : kKinds) {
    if (entry.kind == array.kind) text = entry.npy;
  }
  if (text.empty()) throw InputError(".npy has no bf16", "unsupported-kind");
  text = "{'descr': '" + text + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < array.shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(array.shape[i]);
  }
  return text + (array.shape.size() == 1 ? ",), }" : "), }");
}

/// The header of a file of `file_bytes`, of which `bytes` is the beginning.
ArrayHeader parse_start(std::string_view bytes, std::uint64_t file_bytes, const std::string& name,
                        std::uint64_t& data_begin) {
  if (bytes.substr(0, kMagic.size()) != kMagic) fail_at_byte(name, 0, "this is not a .npy file");
  if (bytes.size() < 8) fail_at_byte(name, bytes.size(), "the file ends inside its preamble");
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3 || bytes[7] != 0) {
    fail_at_byte(name, 6, ".npy version " + std::to_string(version) + " is unknown",
                 "1.0, 2.0, 3.0");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t header_begin = 8 + length_bytes;
  if (bytes.size() < header_begin)
    fail_at_byte(name, bytes.size(), "the file ends inside its preamble");
  const std::uint64_t header_bytes = little_endian(bytes.substr(8, length_bytes));
  if (header_bytes > bytes.size() - header_begin) {
    fail_at_byte(name, 8,
                 "the header claims " + std::to_string(header_bytes) + " bytes, the file has " +
                     std::to_string(bytes.size() - header_begin));
  }
  ArrayHeader header =
      HeaderParser(bytes.substr(header_begin, static_cast<std::size_t>(header_bytes)), header_begin,
                   name)
          .parse();
  data_begin = header_begin + header_bytes;
  const std::uint64_t data_bytes = file_bytes - data_begin;
  std::uint64_t count = 0;
  const std::uint64_t step = element_bytes(header.kind);
  if (!element_count(header.shape, count) ||
      count > std::numeric_limits<std::uint64_t>::max() / step || count * step != data_bytes) {
    fail_at_byte(name, data_begin,
                 "the shape does not match the " + std::to_string(data_bytes) +
                     " bytes of data that follow");
  }
  return header;
}

}  // namespace

ArrayData parse_npy(std::string_view bytes, const std::string& name) {
  std::uint64_t data_begin = 0;
  ArrayHeader header = parse_start(bytes, bytes.size(), name, data_begin);
  ArrayData array;
  array.kind = header.kind;
  array.shape = std::move(header.shape);
  array.values = decode_elements(array.kind, bytes.substr(static_cast<std::size_t>(data_begin)),
                                 name, data_begin);
  return array;
}

ArrayHeader read_npy_header(const std::string& path) {
  constexpr std::uint64_t kEnough = 65536 + 12;  // numpy's own limit for a header is 10,000
  const FileStart start = read_file_start(path, kEnough);
  std::uint64_t data_begin = 0;
  return parse_start(start.bytes, start.file_bytes, path, data_begin);
}

ArrayData read_npy(const std::string& path) {
  return parse_npy(read_whole_file(path), path);
}

std::string format_npy(const ArrayData& array) {
  std::uint64_t count = 0;
  NPUSIM_CHECK(element_count(array.shape, count) && count == array.values.size(),
               "an array has as many values as its shape says");
  std::string header = header_text(array);
  // Data starts at a multiple of 64 bytes; the last byte of the header is a newline.
  const bool long_header = header.size() + 74 > 65535;
  const std::size_t preamble = long_header ? 12 : 10;
  header.append((64 - (preamble + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string out(kMagic);
  out += static_cast<char>(long_header ? 2 : 1);
  out += '\0';
  for (std::size_t i = 0; i < preamble - 8; ++i)
    out += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  out += header;
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
