// SPDX-License-Identifier: Apache-2.0
// TLM-2.0 initiator side of an engine that moves data to or from DRAM. A transfer that the target
// answers with a delay (as Dram does) returns at once with its end; a target that waits works too.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <cstdint>
#include <systemc>
#include <tlm>

#include "npu_models/modules/sim_time.h"

namespace npusim::npu::model {

struct Transfer {
  Picos start = 0;  ///< earliest moment at which its bytes can have begun to move at full bandwidth
  Picos end = 0;
};

/// A target that knows when it turned to a transfer says so here; what it then spends on rows,
/// turning and refresh counts as moving bytes. Targets that do not know the extension ignore it.
struct ServiceStart : tlm::tlm_extension<ServiceStart> {
  Picos start = -1;

  tlm::tlm_extension_base* clone() const override { return new ServiceStart(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    start = static_cast<const ServiceStart&>(other).start;
  }
};

class MemoryPort : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<MemoryPort> socket{"socket"};

  MemoryPort(const sc_core::sc_module_name& name, double bandwidth_bytes_per_cycle);
  ~MemoryPort() override;
  /// Called from a thread. Throws InternalError when the target refuses.
  Transfer move(bool write, std::uint64_t address, std::int64_t bytes);

 private:
  double bandwidth_bytes_per_cycle_;
  ServiceStart service_;
  tlm::tlm_generic_payload payload_;  ///< reused: transports end before the next begins
};

}  // namespace npusim::npu::model
