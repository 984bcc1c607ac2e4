// SPDX-License-Identifier: Apache-2.0
// Scratchpad memory as buffer slots: `buffers` tiles in flight (2 is double buffering). A slot has
// a part for the streamed and one for the stationary operand of a matrix tile; each part is taken
// when its load is requested and given back after the last tile that uses it, so an operand that
// stays is held once. A tile of a vector op takes both parts and holds them, results included,
// until it is stored. Partial sums on their way back, extra operands of a fused epilogue and its
// results have buffers of their own, as many; whether their bytes count is scratchpad_room.h's.
// Ports: port_limits.h.
#pragma once

#include <systemc>

#include "npu_models/modules/port_traffic.h"
#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

class Scratchpad : public sc_core::sc_module {
 public:
  TokenPool m_side, n_side;
  TokenPool partial_sums, epilogue_operands, results;
  const ScratchpadSpec& spec;
  PortTraffic traffic;  ///< kept where the arrays share ports only

  Scratchpad(const sc_core::sc_module_name& name, const ScratchpadSpec& as)
      : sc_core::sc_module(name),
        m_side(as.buffers),
        n_side(as.buffers),
        partial_sums(as.buffers),
        epilogue_operands(as.buffers),
        results(as.buffers),
        spec(as) {}
};

}  // namespace npusim::npu::model
