// SPDX-License-Identifier: Apache-2.0
// The MAC arrays. One command is one scratchpad-resident tile; the folds inside it are the closed
// form of the organisation (Organisation::tile_cycles), charged in full for every tile: no overlap
// between the drain of one tile and the preload of the next. Several identical arrays share a tile
// (array_split.h) and start it together; the largest share sets the time, and the missing cycles of
// smaller ones and of arrays without one are idle. Equal shares are computed once, with their exact
// multiplicity. Values are not computed here: the numeric executor runs the same mapping's plan.
// With clock_elements (fidelity pe) every tile also runs on clocked elements that carry values
// (pe/pe_tiles.h); their cycles must be the closed form's. What ports of accumulator memory and
// scratchpad add is port_limits.h's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <systemc>

#include "npu_models/attention_gradient_steps.h"
#include "npu_models/mapping.h"
#include "npu_models/modules/accumulator_memory.h"
#include "npu_models/modules/command_queue.h"
#include "npu_models/modules/ledger.h"
#include "npu_models/modules/progress.h"
#include "npu_models/modules/scratchpad.h"
#include "npu_models/organisation.h"
#include "npu_models/pe/pe_tiles.h"

namespace npusim::npu::model {

struct ArrayCommand {
  int op = -1;
  const GemmMapping* gemm = nullptr;
  TileExtents tile;  ///< of all arrays together
  pe::TileAt at;
  bool resumes = false;                ///< adds to the sums of a tile of K before
  std::int64_t scratchpad_bytes = 0;   ///< that the arrays move
  Need operands, weights;              ///< loads; what the vector unit writes for the array
  int product = 0;                     ///< of an op with several, which one: its cost is kept
  std::int64_t accumulator_bytes = 0;  ///< to take before the start; 0: already held
  Release give[4];                     ///< at the end
};

class MacArray : public sc_core::sc_module {
 public:
  CommandQueue<ArrayCommand> queue;
  Progress progress;

  SC_HAS_PROCESS(MacArray);
  MacArray(const sc_core::sc_module_name& name, const MacArraySpec& spec, AccumulatorMemory& memory,
           Scratchpad& scratchpad, Ledger& ledger);
  /// During elaboration: fidelity pe.
  void clock_elements(const std::optional<pe::WaveformOptions>& waveform);

 private:
  struct Cost {
    const GemmMapping* gemm = nullptr;
    TileExtents tile;
    bool resumes = false;
    TileAccount account;
    std::int64_t array_cycles = 0;  ///< by the closed form
    std::int64_t cycles = 0;        ///< with those of accumulator memory's ports
  };
  void run();
  const Cost& cost_of(const ArrayCommand& command);
  Cycles wait_for_scratchpad(const ArrayCommand& command, Cycles begin, Cycles end);

  const MacArraySpec& spec_;
  AccumulatorMemory& memory_;
  Scratchpad& scratchpad_;
  Ledger& ledger_;
  Cost last_costs_[kGradientProducts];  ///< by product; most tiles of one are alike
  std::unique_ptr<pe::PeTiles> elements_;
};

}  // namespace npusim::npu::model
