// SPDX-License-Identifier: Apache-2.0
#include "workloads/datasets/dataset.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/object_reader.h"
#include "workloads/datasets/kept_samples.h"
#include "workloads/datasets/sources.h"
#include "workloads/random.h"

namespace npusim::workloads {
namespace {

constexpr std::int64_t kKeptBytes = std::int64_t{256} << 20;

struct Source {
  const char* name;
  const char* description;
  bool generated;  ///< has a test split of its own
  std::unique_ptr<Dataset> (*make)(const DatasetRequest& request);
};

const std::vector<Source>& sources() {
  static const std::vector<Source> kSources = {
      {"boxes", "generated: one filled shape on noise, labels (class, centre x, y, width, height)",
       true, make_boxes},
      {"bytes", "bytes:FILE, text whose tokens are its bytes, next token as label", false,
       make_bytes},
      {"cifar", "cifar:FILE,..., CIFAR-10 or CIFAR-100 binary", false, make_cifar},
      {"csv", "csv:FILE, rows of numbers, the label last", false, make_csv},
      {"digits", "generated: handwritten-like digits, distorted strokes on (C, H, W)", true,
       make_digits},
      {"idx", "idx:IMAGES,LABELS, unsigned bytes as MNIST has them", false, make_idx},
      {"markov", "generated: text of a random grammar of order 2, next token as label", true,
       make_markov_text},
      {"npy", "npy:INPUTS,LABELS, the first dimension counts samples", false, make_npy_pair},
      {"npz", "npz:FILE, its arrays x and y as npy takes them, or npz:FILE,INPUTS,LABELS", false,
       make_npz},
      {"spirals", "generated: points of interleaved spirals in the plane", true, make_spirals},
      {"text", "text:FILE, text whose tokens are the characters that occur", false, make_text},
  };
  return kSources;
}

/// Samples first .. first + count - 1 of another dataset.
class Part final : public Dataset {
 public:
  Part(std::unique_ptr<Dataset> whole, std::int64_t first, std::int64_t count)
      : whole_(std::move(whole)), first_(first), count_(count) {}
  std::int64_t size() const override { return count_; }
  std::int64_t classes() const override { return whole_->classes(); }
  void read(std::int64_t index, double* input, double* label) const override {
    whole_->read(first_ + index, input, label);
  }

 private:
  std::unique_ptr<Dataset> whole_;
  std::int64_t first_, count_;
};

std::unique_ptr<Dataset> part_of(std::unique_ptr<Dataset> whole, const DatasetRequest& request) {
  const std::int64_t held = std::min(request.held_out, whole->size());
  const bool test = request.split == Split::test;
  const std::int64_t first = test ? whole->size() - held : 0;
  std::int64_t count = test ? held : whole->size() - held;
  if (request.samples > 0) count = std::min(count, request.samples);
  return std::make_unique<Part>(std::move(whole), first, count);
}

}  // namespace

const char* name_of(Split split) {
  return split == Split::train ? "train" : "test";
}

void wrong_sample(const std::string& source, const std::string& needed, const SampleShape& sample) {
  throw base::InputError("data " + source + " gives " + needed + ", the network takes " +
                             to_string(sample.input) + " with labels " + to_string(sample.label) +
                             " of " + std::to_string(sample.classes) + " classes",
                         "shape-mismatch");
}

std::unique_ptr<Dataset> make_dataset(const DatasetRequest& request) {
  const std::string name = request.source.substr(0, request.source.find(':'));
  std::vector<std::string> names;
  for (const Source& source : sources()) {
    if (name == source.name)
      return source.generated ? kept_samples(source.make(request), request.sample, kKeptBytes)
                              : part_of(source.make(request), request);
    names.emplace_back(source.name);
  }
  const std::string near = base::did_you_mean(name, names);
  throw base::InputError("unknown data source \"" + name + "\"; allowed: " + base::one_of(names) +
                             (near.empty() ? "" : "; did you mean " + near + "?"),
                         "unknown-name");
}

std::vector<std::pair<std::string, std::string>> dataset_sources() {
  std::vector<std::pair<std::string, std::string>> result;
  for (const Source& source : sources()) result.emplace_back(source.name, source.description);
  return result;
}

std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const RandomStream stream(seed, "shuffle." + std::to_string(epoch));
  for (std::int64_t i = count; i > 1; --i) {  // Fisher and Yates
    const auto last = static_cast<std::size_t>(i - 1);
    const std::uint64_t other = stream.bits(last) % static_cast<std::uint64_t>(i);
    std::swap(order[last], order[static_cast<std::size_t>(other)]);
  }
  return order;
}

}  // namespace npusim::workloads
