// SPDX-License-Identifier: Apache-2.0
// The tiles of a mapped graph on clocked elements. The values are not the workload's: each operand
// element is a value of the unit's format, made from its op and place. When the last tile of K of
// an output is done, its sum is held, bit for bit, against what precision computes from the
// mapping's reduction plan; a difference ends the run with an InternalError. So does a tile that
// takes other cycles than its closed form.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "npu_models/mapping.h"
#include "npu_models/pe/pe_engine.h"

namespace npusim::npu::pe {

/// Where a tile begins.
struct TileAt {
  std::int64_t group = 0, m0 = 0, n0 = 0, k0 = 0;
};

/// A tile that begins now.
struct PeTile {
  int op = -1;
  const GemmMapping* gemm = nullptr;
  TileAt at;
  TileShape shape;
  std::int64_t cycles = 0;  ///< by the closed form
};

class PeTiles : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(PeTiles);
  PeTiles(const sc_core::sc_module_name& name, const MacArraySpec& array,
          const std::optional<WaveformOptions>& waveform);

  /// At a whole cycle, when the tiles before are over.
  void begin(const PeTile& tile);

 private:
  struct Output {
    std::vector<double> sums;  ///< m x n of one group
  };
  void run();
  std::int64_t cycles_of(const PeTile& tile);
  void check(const PeTile& tile, const std::vector<double>& sums) const;

  const MacArraySpec& array_;
  PeEngine engine_;
  std::deque<std::pair<PeTile, sc_core::sc_time>> queue_;  ///< with its begin
  sc_core::sc_event begun_;
  std::map<std::pair<int, std::int64_t>, Output> outputs_;  ///< by op and group
};

/// Why this graph cannot run on clocked elements: an organisation or unit without a model of its
/// elements, too many elements (4,096) or too much work (50 million element-cycles). Empty: it can.
std::string refusal(const NpuSpec& npu, const MappedGraph& mapped);

}  // namespace npusim::npu::pe
