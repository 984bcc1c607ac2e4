// SPDX-License-Identifier: Apache-2.0
// Between an NPU and a DRAM simulator that wants bursts: each descriptor becomes transfers of
// burst_bytes (aligned; the ends of a descriptor may be shorter), the i-th annotated with a delay
// of i issue intervals, so that a target that answers by delay sees them pipelined. The descriptor
// ends with its last burst. A target that waits inside b_transport gets its bursts one by one. One
// call a burst: far slower than Dram, and outside the goals of speed. Payloads carry no data.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <cstdint>
#include <systemc>
#include <tlm>

namespace npusim::npu::model {

class BurstAdapter : public sc_core::sc_module {
 public:
  tlm_utils::multi_passthrough_target_socket<BurstAdapter> socket{"socket"};  ///< NpuTop's side
  tlm_utils::simple_initiator_socket<BurstAdapter> memory{"memory"};

  BurstAdapter(const sc_core::sc_module_name& name, std::int64_t burst_bytes,
               const sc_core::sc_time& issue_interval);

 private:
  void transport(int initiator, tlm::tlm_generic_payload& descriptor, sc_core::sc_time& delay);

  std::uint64_t burst_bytes_;
  sc_core::sc_time issue_interval_;
};

}  // namespace npusim::npu::model
