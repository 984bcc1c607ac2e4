// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/dram.h"

#include <algorithm>

namespace npusim::npu::model {

Dram::Dram(const sc_core::sc_module_name& name, const DramSpec& spec)
    : sc_core::sc_module(name),
      bandwidth_bytes_per_cycle_(spec.bandwidth_bytes_per_cycle),
      latency_(picos_of(spec.latency_cycles)) {
  socket.register_b_transport(this, &Dram::transport);
}

void Dram::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const Picos requested = now_picos() + to_picos(delay);
  const Picos start = std::max(requested + latency_, free_at_);
  free_at_ = start + transfer_picos(payload.get_data_length(), bandwidth_bytes_per_cycle_);
  delay = to_time(free_at_ - now_picos());
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

}  // namespace npusim::npu::model
