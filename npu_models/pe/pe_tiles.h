// SPDX-License-Identifier: Apache-2.0
// The tiles of a mapped graph on clocked elements. The values are not the workload's: each operand
// element is a value of the unit's format, made from its op and place. When the last tile of K of
// an output is done, its sum (parts of K that several arrays took added up) is held, bit for bit,
// against what precision computes from the mapping's reduction plan; a difference ends the run with
// an InternalError. So does a tile that takes other cycles than its closed form.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <systemc>
#include <tuple>
#include <utility>
#include <vector>

#include "npu_models/mapping.h"
#include "npu_models/pe/pe_engine.h"

namespace npusim::npu::pe {

/// Where a tile begins, and which tile of K it is.
struct TileAt {
  std::int64_t group0 = 0, m0 = 0, n0 = 0, k_tile = 0;
};

/// A tile that begins now.
struct PeTile {
  int op = -1;
  const GemmMapping* gemm = nullptr;
  TileAt at;
  TileExtents extents;
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
  struct Work;
  /// The partial sums of one part of K of one group, m x n.
  using Part = std::tuple<int, std::int64_t, std::int64_t>;  ///< op, group, part of K
  void run();
  std::int64_t cycles_of(const PeTile& tile);
  std::vector<Work> shared_out(const PeTile& tile);
  std::vector<double>& sums_of(const PeTile& tile, std::int64_t group, std::int64_t part);
  void check(const PeTile& tile, std::int64_t group);
  double combined(const PeTile& tile, std::int64_t group, std::int64_t m, std::int64_t n);

  const MacArraySpec& array_;
  PeEngine engine_;
  std::deque<std::pair<PeTile, sc_core::sc_time>> queue_;  ///< with its begin
  sc_core::sc_event begun_;
  std::map<Part, std::vector<double>> sums_;
};

/// Why this graph cannot run on clocked elements: an organisation or unit without a model of its
/// elements, too many elements (4,096) or too much work (50 million element-cycles). Empty: it can.
std::string refusal(const NpuSpec& npu, const MappedGraph& mapped);

}  // namespace npusim::npu::pe
