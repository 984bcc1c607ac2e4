// SPDX-License-Identifier: Apache-2.0
// Published times against simulated ones. A set says what its figures are (silicon, a vendor's
// estimator, another simulator), where they come from, what produced ours, and which numbers were
// fitted to it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace npusim::sim {

struct ValidationPoint {
  std::string name;
  double published = 0.0, simulated = 0.0;
  double error() const { return simulated / published - 1.0; }
};

/// What a set promises: value at most (or at least) limit.
struct ValidationLimit {
  std::string what;
  double value = 0.0, limit = 0.0;
  bool at_least = false;
  bool holds() const { return at_least ? value >= limit : value <= limit; }
};

struct ValidationSet {
  std::string name;
  std::string origin;  ///< silicon | vendor's estimator | simulator
  std::string source;
  std::string model;  ///< what simulated it
  std::string note;   ///< fitted numbers, assumptions
  std::string unit;
  std::vector<ValidationPoint> points;
  std::vector<ValidationLimit> limits;

  double median_error() const;  ///< of absolute relative errors
  double mean_error() const;
  double largest_error() const;
  /// Rank correlation of published and simulated; absent below three points.
  std::optional<double> spearman() const;
  bool holds() const;
};

struct ValidationOptions {
  int jobs = 0;                         ///< processes; 0: one a core
  std::vector<std::string> references;  ///< CSV files, see reference_file.h
  std::string reference_npu = "google_tpu_v4_core";
};

/// The shipped sets, or those of the reference files. Must come before any thread starts.
std::vector<ValidationSet> validate_timing(const ValidationOptions& options);

ValidationSet tpu_v1_matrix(int jobs);
std::vector<ValidationSet> tpu_v4_products(int jobs);
ValidationSet nvdla_resnet50_sizes();
ValidationSet intel_npu4_workloads();
ValidationSet scalesim_products();
ValidationSet onnxim_products();

}  // namespace npusim::sim
