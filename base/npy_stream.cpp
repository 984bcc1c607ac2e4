// SPDX-License-Identifier: Apache-2.0
#include "base/npy_stream.h"

#include <algorithm>
#include <limits>

#include "base/array_bytes.h"
#include "base/element_kind.h"
#include "base/error.h"
#include "base/npy_header.h"
#include "base/random_access.h"

namespace npusim::base {
namespace {

constexpr std::int64_t kWindow = 1 << 16;  // elements

std::string bytes_at(const InputBytes& file, std::uint64_t offset, std::uint64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  file.read(offset, bytes.data(), bytes.size());
  return bytes;
}

NpyHeader read_header(const InputBytes& file, const std::string& path) {
  const std::string start = bytes_at(file, 0, std::min<std::uint64_t>(kNpyPreamble, file.size()));
  const std::uint64_t data_begin = npy_data_begin(start, path);
  return parse_npy_header(bytes_at(file, 0, std::min(data_begin, file.size())), file.size(), path);
}

}  // namespace

struct NpyReader::State {
  State(const std::string& path, InputBytes bytes)
      : name(path), file(std::move(bytes)), header(read_header(file, path)) {}

  /// The elements of the file from `first` on become the window.
  void load(std::int64_t first, std::int64_t count) {
    const auto step = static_cast<std::uint64_t>(element_bytes(header.kind));
    const std::uint64_t offset = header.data_begin + static_cast<std::uint64_t>(first) * step;
    const std::string bytes = bytes_at(file, offset, static_cast<std::uint64_t>(count) * step);
    window = decode_elements(header.kind, bytes, name, offset, static_cast<std::uint64_t>(first));
    window_first = first;
  }

  std::string name;
  InputBytes file;
  NpyHeader header;
  std::vector<double> window;
  std::int64_t window_first = 0;
};

NpyReader::NpyReader(const std::string& path) : NpyReader(path, InputBytes(path)) {}
NpyReader::NpyReader(const std::string& name, InputBytes bytes)
    : state_(std::make_unique<State>(name, std::move(bytes))) {}
NpyReader::~NpyReader() = default;

ElementKind NpyReader::kind() const {
  return state_->header.kind;
}
const std::vector<std::int64_t>& NpyReader::shape() const {
  return state_->header.shape;
}
std::int64_t NpyReader::elements() const {
  return static_cast<std::int64_t>(state_->header.elements);
}

void NpyReader::read(std::int64_t first, std::int64_t count, double* values) {
  NPUSIM_CHECK(first >= 0 && count >= 0 && first <= elements() - count,
               "elements that the file has");
  State& s = *state_;
  while (count > 0) {
    const std::int64_t held = static_cast<std::int64_t>(s.window.size());
    if (first < s.window_first || first >= s.window_first + held)
      s.load(first, std::min(kWindow, elements() - first));
    const std::int64_t at = first - s.window_first;
    const std::int64_t now = std::min(count, static_cast<std::int64_t>(s.window.size()) - at);
    std::copy_n(s.window.data() + at, now, values);
    first += now;
    count -= now;
    values += now;
  }
}

struct NpyWriter::State {
  State(const std::string& path, ElementKind element_kind, std::uint64_t elements)
      : file(path == "-" ? OutputBytes::standard_output() : OutputBytes(path)),
        kind(element_kind),
        missing(elements) {}

  void flush() {
    if (pending.empty()) return;
    file.write(data_begin + static_cast<std::uint64_t>(pending_first) * element_bytes(kind),
               pending);
    pending.clear();
  }

  OutputBytes file;
  ElementKind kind;
  std::uint64_t missing;
  std::uint64_t data_begin = 0;
  std::string pending;  ///< bytes of the elements from pending_first on
  std::int64_t pending_first = 0;
  std::int64_t next = 0;  ///< element behind the pending ones
};

NpyWriter::NpyWriter(const std::string& path, ElementKind kind,
                     const std::vector<std::int64_t>& shape) {
  std::uint64_t elements = 0;
  NPUSIM_CHECK(element_count(shape, elements), "a shape of a file that exists");
  const std::string header = format_npy_header(kind, shape);
  state_ = std::make_unique<State>(path, kind, elements);
  state_->data_begin = header.size();
  state_->file.write(0, header);
}
NpyWriter::~NpyWriter() = default;

void NpyWriter::write(std::int64_t first, const double* values, std::int64_t count) {
  State& s = *state_;
  if (first != s.next || s.pending.empty()) {
    s.flush();
    s.pending_first = first;
  }
  for (std::int64_t i = 0; i < count; ++i)
    if (!encode_element(s.kind, values[i], s.pending))
      throw InputError("element " + std::to_string(first + i) + " does not fit its type exactly",
                       "inexact-value");
  s.next = first + count;
  s.missing -= static_cast<std::uint64_t>(count);
  if (static_cast<std::int64_t>(s.pending.size()) >= kWindow * 8) s.flush();
}

void NpyWriter::finish() {
  NPUSIM_CHECK(state_->missing == 0, "every element is written once");
  state_->flush();
  state_->file.finish();
}

}  // namespace npusim::base
