// SPDX-License-Identifier: Apache-2.0
// Shared DRAM as a TLM-2.0 target (b_transport, timing only: payloads carry no data).
// Descriptors are served in the order of their requests. One that is requested at t transfers from
//   start = max(t + latency, end of the transfer before)   to   end = start + bytes / bandwidth,
// so the latency of a request passes while earlier transfers run. Reads and writes cost the same.
// Times in picoseconds. Not modelled: channels, banks, rows, refresh, read/write turnaround; bind
// another target to NpuTop for those.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <systemc>
#include <tlm>

#include "npu_models/modules/sim_time.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

class Dram : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<Dram> socket{"socket"};

  Dram(const sc_core::sc_module_name& name, const DramSpec& spec);

 private:
  void transport(int initiator, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  double bandwidth_bytes_per_cycle_;
  Picos latency_;
  Picos free_at_ = 0;
};

}  // namespace npusim::npu::model
