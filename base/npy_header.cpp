// SPDX-License-Identifier: Apache-2.0
#include "base/npy_header.h"

#include <array>
#include <limits>

#include "base/array_bytes.h"
#include "base/element_kind.h"
#include "base/error.h"

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

  NpyHeader parse() {
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
    return std::move(header_);
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
      header_.kind = entry.kind;
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
      if (header_.shape.size() == kMaxRank) fail("more than 64 dimensions");
      header_.shape.push_back(dimension());
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
  NpyHeader header_;
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return value;
}

std::string dictionary(const NpyHeader& header) {
  std::string text;
  for (const KindName& entry : kKinds) {
    if (entry.kind == header.kind) text = entry.npy;
  }
  if (text.empty()) throw InputError(".npy has no bf16", "unsupported-kind");
  text = "{'descr': '" + text + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < header.shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(header.shape[i]);
  }
  return text + (header.shape.size() == 1 ? ",), }" : "), }");
}

}  // namespace

std::uint64_t npy_data_begin(std::string_view start, const std::string& name) {
  if (start.substr(0, kMagic.size()) != kMagic) fail_at_byte(name, 0, "this is not a .npy file");
  if (start.size() < 8) fail_at_byte(name, start.size(), "the file ends inside its preamble");
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3 || start[7] != 0) {
    fail_at_byte(name, 6, ".npy version " + std::to_string(version) + " is unknown",
                 "1.0, 2.0, 3.0");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t header_begin = 8 + length_bytes;
  if (start.size() < header_begin)
    fail_at_byte(name, start.size(), "the file ends inside its preamble");
  return header_begin + little_endian(start.substr(8, length_bytes));
}

NpyHeader parse_npy_shape(std::string_view start, const std::string& name) {
  const std::uint64_t data_begin = npy_data_begin(start, name);
  NPUSIM_CHECK(data_begin <= start.size(), "the whole header");
  const std::size_t header_begin = start[6] == 1 ? 10 : 12;
  const std::string_view text =
      start.substr(header_begin, static_cast<std::size_t>(data_begin - header_begin));
  NpyHeader header = HeaderParser(text, header_begin, name).parse();
  header.data_begin = data_begin;
  const std::uint64_t step = element_bytes(header.kind);
  if (!element_count(header.shape, header.elements) ||
      header.elements > std::numeric_limits<std::uint64_t>::max() / step)
    fail_at_byte(name, data_begin, "the shape does not match the bytes of data that follow");
  return header;
}

NpyHeader parse_npy_header(std::string_view start, std::uint64_t file_bytes,
                           const std::string& name) {
  const std::uint64_t data_begin = npy_data_begin(start, name);
  const std::size_t header_begin = start[6] == 1 ? 10 : 12;
  if (data_begin > file_bytes || data_begin > start.size()) {
    fail_at_byte(name, 8,
                 "the header claims " + std::to_string(data_begin - header_begin) +
                     " bytes, the file has " + std::to_string(file_bytes - header_begin));
  }
  NpyHeader header = parse_npy_shape(start, name);
  const std::uint64_t step = element_bytes(header.kind);
  if (header.elements * step != file_bytes - data_begin) {
    fail_at_byte(name, data_begin,
                 "the shape does not match the " + std::to_string(file_bytes - data_begin) +
                     " bytes of data that follow");
  }
  return header;
}

std::string format_npy_header(ElementKind kind, const std::vector<std::int64_t>& shape) {
  NpyHeader array;
  array.kind = kind;
  array.shape = shape;
  std::string header = dictionary(array);
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
  return out + header;
}

}  // namespace npusim::base
