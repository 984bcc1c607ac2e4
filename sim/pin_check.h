// SPDX-License-Identifier: Apache-2.0
// Pins of NPU files (npu_models/mapping_options.h) that no product of any workload at hand fits.
// A file may have pins for several workloads, so that is a warning. Sweeps are not looked at.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "npu_models/mapping.h"

namespace npusim::sim {

class PinCheck {
 public:
  /// `mapped`: what runs on the NPU; nullptr: it could not be mapped, so its products are not known
  /// and nothing is said of the NPU's pins.
  void look(const npu::NpuSpec& npu, const npu::MappedGraph* mapped);
  /// One for each pin, with its place and the names that there are.
  std::vector<std::string> warnings() const;

 private:
  struct Seen {
    const npu::NpuSpec* npu = nullptr;
    bool all_mapped = true;
    std::set<std::string> products;
  };
  std::map<std::string, Seen> seen_;  ///< by the NPU's resolved file
};

}  // namespace npusim::sim
