// SPDX-License-Identifier: Apache-2.0
// One factory a source of samples; dataset.cpp lists them.
#pragma once

#include "workloads/datasets/dataset.h"

namespace npusim::workloads {

/// Throws base::InputError ("shape-mismatch") saying what the source needs.
[[noreturn]] void wrong_sample(const std::string& source, const std::string& needed,
                               const SampleShape& sample);

/// The files behind the colon of a source; base::InputError unless there are least .. most.
std::vector<std::string> source_files(const DatasetRequest& request, std::size_t least,
                                      std::size_t most, const std::string& usage);
/// base::InputError naming file and record unless the label is one of the classes.
double checked_label(double label, std::int64_t classes, const std::string& file,
                     std::int64_t record);

/// All labels of a sample.
void check_labels(const double* label, const SampleShape& sample, const std::string& file,
                  std::int64_t record);

/// base::InputError naming file, record and value (from 1) unless all of them are finite.
void check_inputs(const double* input, std::int64_t count, const std::string& file,
                  std::int64_t record);

std::unique_ptr<Dataset> make_boxes(const DatasetRequest& request);
std::unique_ptr<Dataset> make_bytes(const DatasetRequest& request);
std::unique_ptr<Dataset> make_cifar(const DatasetRequest& request);
std::unique_ptr<Dataset> make_csv(const DatasetRequest& request);
std::unique_ptr<Dataset> make_idx(const DatasetRequest& request);
std::unique_ptr<Dataset> make_npy_pair(const DatasetRequest& request);
std::unique_ptr<Dataset> make_npz(const DatasetRequest& request);
std::unique_ptr<Dataset> make_text(const DatasetRequest& request);
std::unique_ptr<Dataset> make_digits(const DatasetRequest& request);
std::unique_ptr<Dataset> make_spirals(const DatasetRequest& request);
std::unique_ptr<Dataset> make_markov_text(const DatasetRequest& request);

}  // namespace npusim::workloads
