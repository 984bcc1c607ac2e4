// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/whole_file.h"
#include "sim/sweep/store.h"
#include "tests/source_dir.h"

namespace npusim::sim::testing {

/// A folder for files of a test, with the shipped configs in reach.
class SweepFolder {
 public:
  SweepFolder() {
    setenv("NPUSIM_DATA_DIR", test::source_dir().c_str(), 1);
    char name[] = "/tmp/npusim_sweep_XXXXXX";
    path_ = mkdtemp(name);
  }
  ~SweepFolder() { std::filesystem::remove_all(path_); }
  SweepFolder(const SweepFolder&) = delete;
  SweepFolder& operator=(const SweepFolder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  /// A sweep of systolic128_bf16 and mlp with these members more.
  std::string file(const std::string& members) const {
    const std::string text =
        "{\"schema_version\": 1, \"kind\": \"sweep\", \"name\": \"s\", \"npu\": "
        "\"systolic128_bf16\", \"workload\": \"mlp\", " +
        members + "}";
    base::write_whole_file(path("sweep.json"), text);
    return path("sweep.json");
  }
  Sweep sweep(const std::string& members) const { return load_sweep(file(members)); }

 private:
  std::string path_;
};

/// An outcome of these metrics by name.
inline PointOutcome outcome(const std::string& hash,
                            const std::vector<std::pair<std::string, double>>& metrics) {
  PointOutcome made;
  made.config_hash = hash;
  made.metrics.resize(sweep_metrics().size());
  for (const auto& [name, value] : metrics) made.metrics[*find_metric(name)] = value;
  return made;
}

}  // namespace npusim::sim::testing
