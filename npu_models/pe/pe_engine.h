// SPDX-License-Identifier: Apache-2.0
// Arrays of clocked elements and their clocks: one cycle is one nanosecond, as everywhere in the
// model. The clock of an array runs only while it has a job.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "npu_models/pe/pe_array.h"

namespace npusim::npu::pe {

class PeEngine {
 public:
  /// During elaboration. `arrays` alike, each with its own elements.
  PeEngine(const MacArraySpec& array, std::int64_t arrays,
           const std::optional<WaveformOptions>& waveform);

  /// From an SC_THREAD, at a whole cycle: one job an array, jobs without positions left out.
  /// Returns the cycles until all are complete, which have passed then.
  std::int64_t run(const std::vector<PeJob>& jobs);

 private:
  struct Lane {
    std::unique_ptr<sc_core::sc_signal<bool>> clock;
    std::unique_ptr<PeArray> array;
  };
  std::unique_ptr<Waveform> waveform_;  ///< outlives the elements
  std::vector<Lane> lanes_;
};

}  // namespace npusim::npu::pe
