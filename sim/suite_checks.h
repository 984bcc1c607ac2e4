// SPDX-License-Identifier: Apache-2.0
// What can be found wrong in a suite without running it, beyond its own keys.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/object_reader.h"
#include "sim/check.h"

namespace npusim::sim {

/// Reads the files of a suite's runs with their overrides, each such pair once. A wrong override is
/// reported at its element of `set`, a mistake of a file where it stands in that file.
class SuiteFileCheck {
 public:
  explicit SuiteFileCheck(base::Diagnostics& diagnostics) : diagnostics_(&diagnostics) {}

  /// `set`: the elements that `run.options.overrides` came from, in the same order.
  void check(const SuiteRun& run, const base::ValueReader& at,
             const std::vector<base::ValueReader>& set);

 private:
  template <class Load>
  bool read(const std::string& kind, const std::string& file, const SuiteRun& run,
            const std::vector<base::ValueReader>& set, const Load& load);
  void tell(const base::Diagnostic& mistake, const SuiteRun& run,
            const std::vector<base::ValueReader>& set);

  base::Diagnostics* diagnostics_;
  std::set<std::string> told_;  ///< files name the same mistake for each run that uses them
};

/// True when the pattern can match a real number of a result; integers compare exactly whatever
/// the tolerance.
bool can_match_metric(const std::string& pattern, bool timing, bool numerics);

/// Pointers of all real numbers that a run's result can hold, `*` for the names of nodes and
/// outputs.
std::vector<std::string> real_metrics(bool timing, bool numerics);

}  // namespace npusim::sim
