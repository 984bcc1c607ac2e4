// SPDX-License-Identifier: Apache-2.0
// Accumulator memory of one array (the largest share of a tile counts), in bytes of partial sums.
// The MAC array takes an output tile's bytes before it starts its first k tile; the vector unit, or
// the store DMA when no vector work follows, gives them back once it has drained the tile. Two
// tiles that fit at once are double buffering. Ports and read-modify-write conflicts are not
// modelled.
#pragma once

#include <systemc>

#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

class AccumulatorMemory : public sc_core::sc_module {
 public:
  TokenPool bytes;

  AccumulatorMemory(const sc_core::sc_module_name& name, const AccumulatorSpec& spec)
      : sc_core::sc_module(name), bytes(spec.memory_bytes) {}
};

}  // namespace npusim::npu::model
