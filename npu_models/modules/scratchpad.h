// SPDX-License-Identifier: Apache-2.0
// Scratchpad memory as buffer slots: `buffers` tiles in flight (2 is double buffering). A slot has
// a part for the streamed and one for the stationary operand of a matrix tile; each part is taken
// when its load is requested and given back after the last tile that uses it, so an operand that
// stays is held once. A tile of a vector op takes both parts and holds them, results included,
// until it is stored. Partial sums on their way back, extra operands of a fused epilogue and its
// results have staging buffers of their own, as many. Bandwidth and bank conflicts are not
// modelled.
#pragma once

#include <systemc>

#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

class Scratchpad : public sc_core::sc_module {
 public:
  TokenPool m_side, n_side;
  TokenPool partial_sums, epilogue_operands, results;

  Scratchpad(const sc_core::sc_module_name& name, const ScratchpadSpec& spec)
      : sc_core::sc_module(name),
        m_side(spec.buffers),
        n_side(spec.buffers),
        partial_sums(spec.buffers),
        epilogue_operands(spec.buffers),
        results(spec.buffers) {}
};

}  // namespace npusim::npu::model
