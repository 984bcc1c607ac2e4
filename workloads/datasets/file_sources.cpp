// SPDX-License-Identifier: Apache-2.0
// Samples from files of fixed records: IDX (the MNIST layout), CIFAR binary, pairs of arrays (.npy,
// .npz). A sample is read where it stands; bytes of pictures become value / 255.
#include <array>
#include <cmath>
#include <mutex>

#include "base/error.h"
#include "base/npy_stream.h"
#include "base/random_access.h"
#include "workloads/datasets/npz_archive.h"
#include "workloads/datasets/sources.h"

namespace npusim::workloads {

std::vector<std::string> source_files(const DatasetRequest& request, std::size_t least,
                                      std::size_t most, const std::string& usage) {
  const std::size_t colon = request.source.find(':');
  std::vector<std::string> files;
  for (std::size_t at = colon; at != std::string::npos && at < request.source.size();) {
    const std::size_t comma = request.source.find(',', at + 1);
    files.push_back(
        request.source.substr(at + 1, comma == std::string::npos ? comma : comma - at - 1));
    at = comma;
  }
  if (files.size() < least || files.size() > most)
    throw base::InputError("data " + request.source + ": expected " + usage, "wrong-source");
  return files;
}

double checked_label(double label, std::int64_t classes, const std::string& file,
                     std::int64_t record) {
  if (label >= 0.0 && label < static_cast<double>(classes) &&
      label == static_cast<double>(static_cast<std::int64_t>(label)))
    return label;
  throw base::InputError(file + ": record " + std::to_string(record) + " has the label " +
                             std::to_string(label) + "; the network tells " +
                             std::to_string(classes) + " classes apart",
                         "out-of-range");
}

void check_labels(const double* label, const SampleShape& sample, const std::string& file,
                  std::int64_t record) {
  const std::int64_t count = element_count(sample.label);
  const std::int64_t classes = sample.boxed ? 1 : count;
  for (std::int64_t i = 0; i < classes; ++i) checked_label(label[i], sample.classes, file, record);
  for (std::int64_t i = classes; i < count; ++i)
    if (!std::isfinite(label[i]))
      throw base::InputError(file + ": record " + std::to_string(record) + " has a box with " +
                                 std::to_string(label[i]),
                             "out-of-range");
}

void check_inputs(const double* input, std::int64_t count, const std::string& file,
                  std::int64_t record) {
  for (std::int64_t i = 0; i < count; ++i)
    if (!std::isfinite(input[i]))
      throw base::InputError(file + ": record " + std::to_string(record) + ", input " +
                                 std::to_string(i + 1) + " is " + std::to_string(input[i]) +
                                 "; inputs are finite",
                             "out-of-range");
}

namespace {

void scaled_bytes(const std::vector<char>& bytes, std::size_t first, double* values) {
  for (std::size_t i = first; i < bytes.size(); ++i)
    values[i - first] = static_cast<double>(static_cast<unsigned char>(bytes[i])) / 255.0;
}

/// One IDX file of unsigned bytes: records of equal size behind a big-endian header.
class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path), file_(path) {
    const std::uint32_t magic = word(0);
    const std::uint32_t dimensions = magic & 0xff;
    if ((magic >> 8) != 0x08 || dimensions < 1 || dimensions > 4)
      throw base::InputError(path + " is no IDX file of unsigned bytes", "wrong-file");
    records_ = word(4);
    for (std::uint32_t d = 1; d < dimensions; ++d) record_bytes_ *= word(4 + 4 * d);
    begin_ = 4 + 4 * dimensions;
    const std::uint64_t wanted = begin_ + records_ * record_bytes_;
    if (file_.size() != wanted)
      throw base::InputError(
          path + " has " + std::to_string(file_.size()) + " bytes, its header says " +
              std::to_string(wanted) + ": record " +
              std::to_string(file_.size() < begin_ ? 0 : (file_.size() - begin_) / record_bytes_) +
              " is cut off",
          "wrong-size");
  }
  std::int64_t records() const { return static_cast<std::int64_t>(records_); }
  std::int64_t record_bytes() const { return static_cast<std::int64_t>(record_bytes_); }
  const std::string& path() const { return path_; }
  std::vector<char> record(std::int64_t index) const {
    std::vector<char> bytes(record_bytes_);
    file_.read(begin_ + static_cast<std::uint64_t>(index) * record_bytes_, bytes.data(),
               bytes.size());
    return bytes;
  }

 private:
  std::uint32_t word(std::uint64_t offset) const {
    std::array<char, 4> bytes{};
    if (file_.size() < offset + 4) throw base::InputError(path_ + " is too short", "wrong-file");
    file_.read(offset, bytes.data(), 4);
    std::uint32_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  std::string path_;
  base::InputBytes file_;
  std::uint64_t records_ = 0, record_bytes_ = 1, begin_ = 0;
};

class Idx final : public Dataset {
 public:
  Idx(const DatasetRequest& request, const std::vector<std::string>& files)
      : images_(files[0]), labels_(files[1]), classes_(request.sample.classes) {
    if (images_.record_bytes() != element_count(request.sample.input) ||
        labels_.record_bytes() != 1 || element_count(request.sample.label) != 1)
      wrong_sample("idx", std::to_string(images_.record_bytes()) + " bytes a picture",
                   request.sample);
    if (images_.records() != labels_.records())
      throw base::InputError(files[0] + " has " + std::to_string(images_.records()) +
                                 " pictures, " + files[1] + " " +
                                 std::to_string(labels_.records()) + " labels",
                             "shape-mismatch");
  }
  std::int64_t size() const override { return images_.records(); }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    scaled_bytes(images_.record(index), 0, input);
    *label = checked_label(static_cast<unsigned char>(labels_.record(index)[0]), classes_,
                           labels_.path(), index);
  }

 private:
  IdxFile images_, labels_;
  std::int64_t classes_;
};

/// CIFAR-10 (a label byte) and CIFAR-100 (two, the fine one second) records of 3072 bytes.
class Cifar final : public Dataset {
 public:
  Cifar(const DatasetRequest& request, const std::vector<std::string>& files)
      : classes_(request.sample.classes), label_bytes_(classes_ > 10 ? 2 : 1) {
    if (element_count(request.sample.input) != kPixels || element_count(request.sample.label) != 1)
      wrong_sample("cifar", "pictures of 3 x 32 x 32", request.sample);
    for (const std::string& path : files) {
      files_.push_back({path, std::make_unique<base::InputBytes>(path), 0});
      File& file = files_.back();
      const auto record = static_cast<std::uint64_t>(kPixels + label_bytes_);
      if (file.bytes->size() % record != 0)
        throw base::InputError(path + ": record " + std::to_string(file.bytes->size() / record) +
                                   " is cut off (records have " + std::to_string(record) +
                                   " bytes)",
                               "wrong-size");
      file.records = static_cast<std::int64_t>(file.bytes->size() / record);
    }
  }
  std::int64_t size() const override {
    std::int64_t count = 0;
    for (const File& file : files_) count += file.records;
    return count;
  }
  std::int64_t classes() const override { return classes_; }
  void read(std::int64_t index, double* input, double* label) const override {
    auto file = files_.begin();
    for (; index >= file->records; ++file) index -= file->records;
    std::vector<char> bytes(static_cast<std::size_t>(kPixels + label_bytes_));
    file->bytes->read(static_cast<std::uint64_t>(index) * bytes.size(), bytes.data(), bytes.size());
    const auto first = static_cast<std::size_t>(label_bytes_);
    scaled_bytes(bytes, first, input);
    *label =
        checked_label(static_cast<unsigned char>(bytes[first - 1]), classes_, file->path, index);
  }

 private:
  static constexpr std::int64_t kPixels = 3 * 32 * 32;
  struct File {
    std::string path;
    std::unique_ptr<base::InputBytes> bytes;
    std::int64_t records;
  };
  std::vector<File> files_;
  std::int64_t classes_, label_bytes_;
};

/// Samples and labels as two arrays whose first dimension counts samples.
class ArrayPair final : public Dataset {
 public:
  ArrayPair(const DatasetRequest& request, const std::string& source,
            std::unique_ptr<base::NpyReader> inputs, std::unique_ptr<base::NpyReader> labels,
            std::string inputs_name, std::string labels_name)
      : inputs_name_(std::move(inputs_name)),
        labels_name_(std::move(labels_name)),
        inputs_(std::move(inputs)),
        labels_(std::move(labels)),
        sample_(request.sample),
        input_(element_count(request.sample.input)),
        label_(element_count(request.sample.label)) {
    const std::vector<std::int64_t>& shape = inputs_->shape();
    const std::int64_t samples = shape.empty() ? 0 : shape[0];
    if (samples == 0 || input_ == 0 || inputs_->elements() % input_ != 0 ||
        inputs_->elements() / input_ != samples || labels_->elements() % label_ != 0 ||
        labels_->elements() / label_ != samples)
      wrong_sample(source,
                   "arrays " + to_string(inputs_->shape()) + " and " + to_string(labels_->shape()),
                   request.sample);
  }
  std::int64_t size() const override { return inputs_->elements() / input_; }
  std::int64_t classes() const override { return sample_.classes; }
  void read(std::int64_t index, double* input, double* label) const override {
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    inputs_->read(index * input_, input_, input);
    labels_->read(index * label_, label_, label);
    check_inputs(input, input_, inputs_name_, index);
    check_labels(label, sample_, labels_name_, index);
  }

 private:
  std::string inputs_name_, labels_name_;
  mutable std::mutex mutex_;
  std::unique_ptr<base::NpyReader> inputs_, labels_;
  SampleShape sample_;
  std::int64_t input_, label_;
};

}  // namespace

std::unique_ptr<Dataset> make_idx(const DatasetRequest& request) {
  return std::make_unique<Idx>(request, source_files(request, 2, 2, "idx:IMAGES,LABELS"));
}
std::unique_ptr<Dataset> make_cifar(const DatasetRequest& request) {
  return std::make_unique<Cifar>(request, source_files(request, 1, 1000, "cifar:FILE,..."));
}
std::unique_ptr<Dataset> make_npy_pair(const DatasetRequest& request) {
  const std::vector<std::string> files = source_files(request, 2, 2, "npy:INPUTS,LABELS");
  return std::make_unique<ArrayPair>(request, "npy", std::make_unique<base::NpyReader>(files[0]),
                                     std::make_unique<base::NpyReader>(files[1]), files[0],
                                     files[1]);
}
std::unique_ptr<Dataset> make_npz(const DatasetRequest& request) {
  std::vector<std::string> names =
      source_files(request, 1, 3, "npz:FILE or npz:FILE,INPUTS,LABELS");
  if (names.size() == 2)
    throw base::InputError(
        "data " + request.source + ": expected npz:FILE,INPUTS,LABELS, both arrays",
        "wrong-source");
  if (names.size() == 1) names.insert(names.end(), {"x", "y"});
  const NpzArchive archive(names[0]);
  return std::make_unique<ArrayPair>(request, "npz", archive.open(names[1]), archive.open(names[2]),
                                     archive.label(names[1]), archive.label(names[2]));
}

}  // namespace npusim::workloads
