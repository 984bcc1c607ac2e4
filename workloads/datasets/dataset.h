// SPDX-License-Identifier: Apache-2.0
// Samples for training and testing by index. A sample depends on (source, seed, split, index) only;
// files are read where a sample stands in them, never as a whole, generators draw on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/tensor.h"

namespace npusim::workloads {

enum class Split { train, test };
const char* name_of(Split split);

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  /// Writes one sample: input_elements and label_elements values. Safe from several threads.
  /// Throws base::InputError naming the record that is broken.
  virtual void read(std::int64_t index, double* input, double* label) const = 0;
  /// Labels are below this.
  virtual std::int64_t classes() const = 0;
};

/// What the network takes of one sample.
struct SampleShape {
  Shape input, label;
  std::int64_t classes = 0;  ///< that its loss can tell apart
  /// The label is a class, then a box: centre x, centre y, width and height, in parts of the
  /// picture's width and height.
  bool boxed = false;
};

struct DatasetRequest {
  /// A generator (digits, boxes, spirals, markov) or a reader with its files, as idx:IMAGES,LABELS.
  std::string source;
  SampleShape sample;
  Split split = Split::train;
  std::uint64_t seed = 0;
  std::int64_t samples = 0;   ///< generators: how many there are; files: at most so many (0: all)
  std::int64_t held_out = 0;  ///< files: so many last samples are the test split
};

/// Throws base::InputError: unknown source, files that are missing or do not fit the sample.
std::unique_ptr<Dataset> make_dataset(const DatasetRequest& request);

/// Names of the sources with a line about each, for help texts.
std::vector<std::pair<std::string, std::string>> dataset_sources();

/// The order of an epoch: a permutation of 0 .. count-1 by (seed, epoch).
std::vector<std::int64_t> shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

}  // namespace npusim::workloads
