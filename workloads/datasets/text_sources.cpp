// SPDX-License-Identifier: Apache-2.0
// Samples from text: rows of a CSV file, and windows of plain text as tokens with the next token as
// label. The places of rows are found once; rows are read when asked for.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/random_access.h"
#include "workloads/datasets/sources.h"

namespace npusim::workloads {
namespace {

/// Calls body(offset, bytes, count) over a file in pieces.
template <class Body>
void in_pieces(const base::InputBytes& file, const Body& body) {
  std::vector<char> piece(std::size_t{1} << 20);
  for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file.size() - at));
    file.read(at, piece.data(), count);
    body(at, piece.data(), count);
  }
}

/// Numbers with commas between; the last column is the label. A first line that does not start with
/// a number is a header.
class Csv final : public Dataset {
 public:
  Csv(const DatasetRequest& request, const std::string& path)
      : path_(path),
        file_(path),
        columns_(element_count(request.sample.input)),
        classes_(request.sample.classes) {
    if (element_count(request.sample.label) != 1)
      wrong_sample("csv", "one label a row", request.sample);
    std::uint64_t begin = 0;
    in_pieces(file_, [&](std::uint64_t at, const char* bytes, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        if (bytes[i] == '\n') {
          add_line(begin, at + i);
          begin = at + i + 1;
        }
    });
    add_line(begin, file_.size());
    if (!lines_.empty() && is_header(line(0))) lines_.erase(lines_.begin());
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(lines_.size()); }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    const std::string text = line(static_cast<std::size_t>(index));
    const char* at = text.c_str();
    for (std::int64_t column = 0; column <= columns_; ++column) {
      char* end = nullptr;
      const double value = std::strtod(at, &end);
      const char wanted = column == columns_ ? '\0' : ',';
      if (end == at || *end != wanted) broken(index, column);
      (column == columns_ ? *label : input[column]) = value;
      at = end + 1;
    }
    check_inputs(input, columns_, path_, index);
    checked_label(*label, classes_, path_, index);
  }

 private:
  struct Line {
    std::uint64_t begin, end;
  };
  void add_line(std::uint64_t begin, std::uint64_t end) {
    if (end > begin) lines_.push_back({begin, end});
  }
  std::string line(std::size_t index) const {
    const Line& place = lines_[index];
    std::string text(static_cast<std::size_t>(place.end - place.begin), '\0');
    file_.read(place.begin, text.data(), text.size());
    while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.pop_back();
    return text;
  }
  static bool is_header(const std::string& text) {
    char* end = nullptr;
    std::strtod(text.c_str(), &end);
    return end == text.c_str();
  }
  [[noreturn]] void broken(std::int64_t record, std::int64_t column) const {
    throw base::InputError(
        path_ + ": record " + std::to_string(record) + ", column " + std::to_string(column + 1) +
            ": expected " + std::to_string(columns_) + " numbers and a label with commas between",
        "wrong-record");
  }

  std::string path_;
  base::InputBytes file_;
  std::int64_t columns_, classes_;
  std::vector<Line> lines_;
};

/// Bytes as tokens: `text` numbers the bytes that occur in ascending order, `bytes` takes their
/// values. Windows do not overlap.
class Text final : public Dataset {
 public:
  Text(const DatasetRequest& request, const std::string& path, bool numbered)
      : file_(path),
        length_(element_count(request.sample.input)),
        classes_(request.sample.classes) {
    std::array<bool, 256> seen{};
    in_pieces(file_, [&](std::uint64_t, const char* bytes, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) seen[static_cast<unsigned char>(bytes[i])] = true;
    });
    int tokens = 0;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      token_[byte] = numbered ? tokens : static_cast<int>(byte);
      if (seen[byte]) highest_ = token_[byte];
      tokens += seen[byte] ? 1 : 0;
    }
    if (length_ != element_count(request.sample.label) || highest_ >= classes_)
      wrong_sample(numbered ? "text" : "bytes",
                   "tokens up to " + std::to_string(highest_) + " with one label each",
                   request.sample);
  }
  std::int64_t size() const override {
    return file_.size() == 0 ? 0 : static_cast<std::int64_t>(file_.size() - 1) / length_;
  }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    std::vector<char> bytes(static_cast<std::size_t>(length_ + 1));
    file_.read(static_cast<std::uint64_t>(index * length_), bytes.data(), bytes.size());
    for (std::int64_t i = 0; i < length_; ++i) {
      input[i] = token(bytes[static_cast<std::size_t>(i)]);
      label[i] = token(bytes[static_cast<std::size_t>(i + 1)]);
    }
  }

 private:
  double token(char byte) const { return token_[static_cast<unsigned char>(byte)]; }

  base::InputBytes file_;
  std::int64_t length_, classes_;
  std::array<int, 256> token_{};
  int highest_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> make_csv(const DatasetRequest& request) {
  return std::make_unique<Csv>(request, source_files(request, 1, 1, "csv:FILE")[0]);
}
std::unique_ptr<Dataset> make_text(const DatasetRequest& request) {
  return std::make_unique<Text>(request, source_files(request, 1, 1, "text:FILE")[0], true);
}
std::unique_ptr<Dataset> make_bytes(const DatasetRequest& request) {
  return std::make_unique<Text>(request, source_files(request, 1, 1, "bytes:FILE")[0], false);
}

}  // namespace npusim::workloads
