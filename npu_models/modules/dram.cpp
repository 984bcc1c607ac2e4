// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/dram.h"

#include "npu_models/modules/memory_port.h"

namespace npusim::npu::model {

Dram::Dram(const sc_core::sc_module_name& name, const DramSpec& spec)
    : sc_core::sc_module(name), schedule_(spec) {
  socket.register_b_transport(this, &Dram::transport);
}

void Dram::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const DramSchedule::Service service =
      schedule_.serve(now_picos() + to_picos(delay), payload.is_write(), payload.get_address(),
                      payload.get_data_length());
  delay = to_time(service.end - now_picos());
  if (auto* extension = payload.get_extension<ServiceStart>()) extension->start = service.start;
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

}  // namespace npusim::npu::model
