// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/burst_adapter.h"

#include <algorithm>

namespace npusim::npu::model {

BurstAdapter::BurstAdapter(const sc_core::sc_module_name& name, std::int64_t burst_bytes,
                           const sc_core::sc_time& issue_interval)
    : sc_core::sc_module(name),
      burst_bytes_(static_cast<std::uint64_t>(burst_bytes)),
      issue_interval_(issue_interval) {
  socket.register_b_transport(this, &BurstAdapter::transport);
}

void BurstAdapter::transport(int, tlm::tlm_generic_payload& descriptor, sc_core::sc_time& delay) {
  const std::uint64_t end = descriptor.get_address() + descriptor.get_data_length();
  sc_core::sc_time issue = sc_core::sc_time_stamp() + delay;
  sc_core::sc_time last = issue;
  tlm::tlm_generic_payload burst;
  burst.set_command(descriptor.get_command());
  descriptor.set_response_status(tlm::TLM_OK_RESPONSE);
  for (std::uint64_t address = descriptor.get_address(); address < end;) {
    const std::uint64_t next = std::min(end, (address / burst_bytes_ + 1) * burst_bytes_);
    burst.set_address(address);
    burst.set_data_length(static_cast<unsigned>(next - address));
    burst.set_streaming_width(static_cast<unsigned>(next - address));
    burst.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    sc_core::sc_time answer = issue > now ? issue - now : sc_core::SC_ZERO_TIME;
    memory->b_transport(burst, answer);
    if (!burst.is_response_ok()) descriptor.set_response_status(burst.get_response_status());
    last = std::max(last, sc_core::sc_time_stamp() + answer);
    issue += issue_interval_;
    address = next;
  }
  delay = last - sc_core::sc_time_stamp();
}

}  // namespace npusim::npu::model
