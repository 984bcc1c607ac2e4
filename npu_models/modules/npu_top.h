// SPDX-License-Identifier: Apache-2.0
// The NPU: sequencer, two DMA engines, scratchpad, MAC arrays with their accumulator memory, vector
// unit and host link. The memory is outside: bind any TLM-2.0 target that takes several initiators
// (such as Dram) with bind_memory().
#pragma once

#include <systemc>

#include "npu_models/modules/engines.h"
#include "npu_models/modules/sequencer.h"

namespace npusim::npu::model {

class NpuTop : public sc_core::sc_module {
 public:
  NpuTop(const sc_core::sc_module_name& name, const NpuSpec& npu, const MappedGraph& mapped,
         Ledger& ledger);

  template <class TargetSocket>
  void bind_memory(TargetSocket& target) {
    engines_.load.socket.bind(target);
    engines_.store.socket.bind(target);
    engines_.host.socket.bind(target);
  }
  /// Fidelity pe, before the simulation starts.
  void clock_elements(const std::optional<pe::WaveformOptions>& waveform) {
    engines_.array.clock_elements(waveform);
  }
  /// See Sequencer; before the simulation starts.
  void set_layers_apart(std::vector<LayerRepeat> repeats, bool once,
                        std::function<void(Picos)> restart) {
    sequencer_.set_layers_apart(std::move(repeats), once, std::move(restart));
  }
  /// Counters of what the buffers hold.
  void watch_buffers(Trace& trace);
  /// Throws InternalError naming the op at which the simulation starved, if it did.
  void check_finished() const;

 private:
  const MappedGraph& mapped_;
  Engines engines_;
  Sequencer sequencer_;
};

}  // namespace npusim::npu::model
