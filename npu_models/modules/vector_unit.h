// SPDX-License-Identifier: Apache-2.0
// The vector unit: in-order, one tile at a time, either a tile of a vector op or the epilogue of
// one output tile of a matrix op. Cycles of a tile:
//   startup_cycles + ceil( sum over functions of elements * cycles_per_element / lanes )
// or, if longer, what its bytes take through the scratchpad's ports (port_limits.h).
// Conversion of results to their storage format is part of the output path and free. Reductions
// that would need a second pass over data larger than a tile are not modelled.
#pragma once

#include <cstdint>
#include <systemc>

#include "npu_models/modules/command_queue.h"
#include "npu_models/modules/ledger.h"
#include "npu_models/modules/progress.h"
#include "npu_models/modules/scratchpad.h"
#include "npu_models/modules/token_pool.h"
#include "npu_models/npu_spec.h"

namespace npusim::npu::model {

struct VectorCommand {
  int op = -1;
  std::int64_t cycles = 0;
  std::int64_t scratchpad_bytes = 0;  ///< operands read and results written
  bool rearranging = false;           ///< for another form of an operand
  bool own_tile = false;      ///< a tile of a vector op; else an epilogue of a tile that is counted
  Need operands, sums;        ///< loads; output tile of the array
  TokenPool* take = nullptr;  ///< result buffer
  Release give[3];
};

class VectorUnit : public sc_core::sc_module {
 public:
  CommandQueue<VectorCommand> queue;
  Progress progress;

  SC_HAS_PROCESS(VectorUnit);
  VectorUnit(const sc_core::sc_module_name& name, Scratchpad& scratchpad, Ledger& ledger);

 private:
  void run();

  Scratchpad& scratchpad_;
  Ledger& ledger_;
};

}  // namespace npusim::npu::model
