// SPDX-License-Identifier: Apache-2.0
#include "workloads/datasets/npz_archive.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/element_kind.h"
#include "base/error.h"
#include "base/npy_header.h"
#include "base/object_reader.h"
#include "base/random_access.h"
#include "base/scratch_bytes.h"

namespace npusim::workloads {
namespace {

constexpr const char* kSuffix = ".npy";
constexpr std::size_t kPiece = 4096;  // what an error leaves unread: few records
constexpr std::size_t kMostHeader = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& where, const std::string& what, const char* code) {
  throw base::InputError(where + ": " + what, code);
}

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Member = std::unique_ptr<zip_file_t, CloseMember>;

class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  zip_error_t* get() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_{};
};

Archive open_archive(const std::string& name, zip_source_t* source, ZipError& error) {
  zip_t* opened =
      source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, error.get());
  if (opened == nullptr) {
    if (source != nullptr) zip_source_free(source);
    fail(name, "no .npz file that can be read: " + error.text(), "wrong-file");
  }
  return Archive(opened);
}

/// Where a member's bytes belong, found out from its first ones.
class Records {
 public:
  /// Looks for the header in the bytes so far; later calls do nothing once it was found.
  void look(const std::string& start, const std::string& where) {
    if (known_ || start.size() < base::kNpyPreamble) return;
    const std::uint64_t data_begin = base::npy_data_begin(start, where);
    if (data_begin > kMostHeader) fail(where, "its header is too long", "wrong-file");
    if (start.size() < data_begin) return;
    known_ = true;
    data_begin_ = data_begin;
    const base::NpyHeader header = base::parse_npy_shape(start, where);
    data_bytes_ = header.elements * base::element_bytes(header.kind);
    // Of one index of the first dimension.
    if (data_bytes_ > 0 && !header.shape.empty())
      record_bytes_ = data_bytes_ / static_cast<std::uint64_t>(header.shape[0]);
  }
  bool known() const { return known_; }
  /// Size of the whole member, as its header says; 0: not known.
  std::uint64_t wanted() const { return known_ ? data_begin_ + data_bytes_ : 0; }
  /// The record that the byte at this place of the member belongs to.
  std::string at(std::uint64_t offset) const {
    if (!known_ || offset < data_begin_ || record_bytes_ == 0) return "its header";
    return "record " + std::to_string((offset - data_begin_) / record_bytes_);
  }

 private:
  bool known_ = false;
  std::uint64_t data_begin_ = 0, data_bytes_ = 0, record_bytes_ = 0;
};

/// Copies a member out piece by piece.
class Unpacking {
 public:
  Unpacking(Member member, std::uint64_t size, std::string where)
      : member_(std::move(member)), size_(size), where_(std::move(where)), scratch_(where_) {}

  base::InputBytes run() {
    std::string piece(kPiece, '\0');
    for (;;) {
      const zip_int64_t got = zip_fread(member_.get(), piece.data(), piece.size());
      if (got < 0) broken(zip_file_strerror(member_.get()));
      if (got == 0) break;
      const auto count = static_cast<std::uint64_t>(got);
      if (count > size_ - at_)
        fail(where_,
             "has more than the " + std::to_string(size_) +
                 " bytes that the archive's directory says",
             "wrong-size");
      const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
      if (!records_.known()) {
        start_.append(bytes);
        records_.look(start_, where_);
      }
      scratch_.append(bytes);
      at_ += count;
    }
    if (at_ != size_) broken("it ends early");
    if (records_.wanted() > size_)
      fail(where_,
           records_.at(size_) + " is cut off: its header says " +
               std::to_string(records_.wanted()) + " bytes, there are " + std::to_string(size_),
           "wrong-size");
    return scratch_.finish();
  }

 private:
  /// The stream breaks within the next piece. A wrong checksum is seen at the end only, whichever
  /// record is wrong.
  [[noreturn]] void broken(const std::string& reason) const {
    const bool at_end = at_ == size_ && at_ > 0;
    fail(where_,
         at_end ? "one of its records, up to " + records_.at(at_ - 1) + ", is broken: " + reason
                : "cannot be read from " + records_.at(at_) + " on: " + reason,
         "wrong-record");
  }

  Member member_;
  std::uint64_t size_, at_ = 0;
  std::string where_, start_;
  base::ScratchBytes scratch_;
  Records records_;
};

}  // namespace

struct NpzArchive::State {
  std::string name;
  std::uint64_t bytes = 0;
  Archive archive;
};

NpzArchive::NpzArchive(const std::string& path) : state_(new State{path, 0, nullptr}) {
  std::error_code failed;
  const auto kind = std::filesystem::status(path, failed).type();
  using Type = std::filesystem::file_type;
  if (!failed && kind != Type::regular && kind != Type::directory && kind != Type::not_found)
    fail(path,
         "is a pipe or a device; arrays of a .npz file are found through the directory at its end, "
         "more than once: save it as a regular file",
         "unreadable-file");
  state_->bytes = base::InputBytes(path).size();
  ZipError error;
  state_->archive =
      open_archive(path, zip_source_file_create(path.c_str(), 0, 0, error.get()), error);
}
NpzArchive::NpzArchive(const std::string& name, const char* bytes, std::size_t count)
    : state_(new State{name, count, nullptr}) {
  ZipError error;
  state_->archive =
      open_archive(name, zip_source_buffer_create(bytes, count, 0, error.get()), error);
}
NpzArchive::~NpzArchive() = default;

std::vector<std::string> NpzArchive::arrays() const {
  std::vector<std::string> names;
  const std::string suffix = kSuffix;
  const zip_int64_t count = zip_get_num_entries(state_->archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* const raw =
        zip_get_name(state_->archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    const std::string name = raw == nullptr ? "" : raw;
    if (name.size() > suffix.size() &&
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0)
      names.push_back(name.substr(0, name.size() - suffix.size()));
  }
  return names;
}

std::string NpzArchive::label(const std::string& array) const {
  return state_->name + ": member " + array + kSuffix;
}

std::unique_ptr<base::NpyReader> NpzArchive::open(const std::string& array) const {
  zip_t* const archive = state_->archive.get();
  const zip_int64_t found = zip_name_locate(archive, (array + kSuffix).c_str(), ZIP_FL_ENC_RAW);
  if (found < 0) {
    std::vector<std::string> names = arrays();
    const bool many = names.size() > 20;
    if (many) names.resize(20);
    fail(state_->name,
         "has no array " + array + "; it has " +
             (names.empty() ? "none" : base::one_of(names) + (many ? " and more" : "")),
         "unknown-name");
  }
  const auto index = static_cast<zip_uint64_t>(found);
  const std::string where = label(array);
  zip_stat_t facts;
  zip_stat_init(&facts);
  if (zip_stat_index(archive, index, 0, &facts) != 0 || (facts.valid & ZIP_STAT_SIZE) == 0)
    fail(where, "the directory does not say how large it is", "wrong-file");
  const std::uint64_t limit =
      std::max(kFreeExpansion, state_->bytes > std::numeric_limits<std::uint64_t>::max() / 100
                                   ? std::numeric_limits<std::uint64_t>::max()
                                   : state_->bytes * kMostExpansion);
  if (facts.size > limit)
    fail(where,
         "the directory says " + std::to_string(facts.size) + " bytes; an archive of " +
             std::to_string(state_->bytes) + " may unpack to " + std::to_string(limit) +
             " (unpack it and give the .npy files)",
         "too-large");
  Member member(zip_fopen_index(archive, index, 0));
  if (!member) fail(where, std::string("cannot be read: ") + zip_strerror(archive), "wrong-file");
  base::InputBytes bytes = Unpacking(std::move(member), facts.size, where).run();
  return std::make_unique<base::NpyReader>(where, std::move(bytes));
}

}  // namespace npusim::workloads
