// SPDX-License-Identifier: Apache-2.0
#include "npu_models/pe/pe_engine.h"

#include <algorithm>
#include <string>

namespace npusim::npu::pe {
namespace {

void wait_half_cycle() {
  sc_core::wait(0.5, sc_core::SC_NS);
}

/// Until methods that are sensitive to an edge just written have run.
void settle() {
  sc_core::wait(sc_core::SC_ZERO_TIME);
  sc_core::wait(sc_core::SC_ZERO_TIME);
}

}  // namespace

PeEngine::PeEngine(const MacArraySpec& array, std::int64_t arrays,
                   const std::optional<WaveformOptions>& waveform) {
  if (waveform) waveform_ = std::make_unique<Waveform>(*waveform);
  for (std::int64_t i = 0; i < arrays; ++i) {
    const std::string name = "array_" + std::to_string(i);
    Lane lane;
    lane.clock = std::make_unique<sc_core::sc_signal<bool>>((name + "_clock").c_str());
    lane.array = make_pe_array(name.c_str(), array, waveform_.get());
    lane.array->clock(*lane.clock);
    lanes_.push_back(std::move(lane));
  }
}

std::int64_t PeEngine::run(const std::vector<PeJob>& jobs) {
  std::vector<Lane*> busy;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].shape.m == 0) continue;
    lanes_[i].array->start(jobs[i]);
    busy.push_back(&lanes_[i]);
  }
  for (std::int64_t cycles = 0;; ++cycles) {
    for (Lane* lane : busy) lane->clock->write(true);
    settle();
    const bool finished = std::all_of(busy.begin(), busy.end(),
                                      [](const Lane* lane) { return lane->array->finished(); });
    if (!finished) wait_half_cycle();
    for (Lane* lane : busy) lane->clock->write(false);
    if (finished) {
      settle();
      return cycles;
    }
    wait_half_cycle();
  }
}

}  // namespace npusim::npu::pe
