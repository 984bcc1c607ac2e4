// SPDX-License-Identifier: Apache-2.0
// Shared DRAM as a TLM-2.0 target (b_transport, timing only: payloads carry no data).
// Descriptors take the bus in the order of their requests, for as long as dram_schedule.h says.
// Bind another target to NpuTop, through BurstAdapter if it wants bursts, for anything else.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <systemc>
#include <tlm>

#include "npu_models/modules/dram_schedule.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

class Dram : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<Dram> socket{"socket"};

  Dram(const sc_core::sc_module_name& name, const DramSpec& spec);
  const DramCounters& counters() const { return schedule_.counters(); }
  void restart(DramSchedule::Picos moment) { schedule_.restart(moment); }

 private:
  void transport(int initiator, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  DramSchedule schedule_;
};

}  // namespace npusim::npu::model
