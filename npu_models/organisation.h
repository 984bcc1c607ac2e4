// SPDX-License-Identifier: Apache-2.0
// How a MAC array is organised: the cycles one scratchpad-resident tile takes, and the cuts that
// its structure makes in K. One implementation a file under organisations/, one line in its
// registry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "npu_models/npu_spec.h"
#include "npu_models/tile_shape.h"

namespace npusim::npu {

/// Where a tile's array-cycles go. `busy`: operands enter the array. The rest is exposed overhead.
struct TileCycles {
  std::int64_t busy = 0;
  std::int64_t preload = 0;     ///< stationary operands load and nothing streams
  std::int64_t fill_drain = 0;  ///< the pipeline fills or empties
  std::int64_t dependency = 0;  ///< an addition waits for the one before (accumulator latency)
  std::int64_t total() const { return busy + preload + fill_drain + dependency; }
};

/// Which of the elements that enter the array in one cycle there are several of: terms of K of a
/// position or channel ("by k"), or positions (channels) of one term.
struct OperandOrder {
  bool m_side_by_k = true, n_side_by_k = true;
};

class Organisation {
 public:
  virtual ~Organisation() = default;
  virtual const std::string& name() const = 0;
  virtual const std::string& description() const = 0;
  virtual std::int64_t pe_count(const MacArraySpec& array) const = 0;
  /// What one pass of the whole array takes: the granularity of tiles. A scratchpad buffer must
  /// hold its operands and half the accumulator memory its m*n results.
  virtual TileShape granule(const MacArraySpec& array) const = 0;
  /// Terms of K one step takes: K blocks and default padding follow it.
  virtual std::int64_t k_step(const MacArraySpec& array) const = 0;
  /// `macs_per_pe` of the input mode; `latency_cycles` of a dependent accumulation.
  virtual TileCycles tile_cycles(const MacArraySpec& array, std::int64_t macs_per_pe,
                                 std::int64_t latency_cycles, const TileShape& tile) const = 0;
  /// Reads and writes of accumulator memory by one tile, in groups of the sums that leave the array
  /// in a cycle (port_limits.h). 0: sums stay in the elements until they are done. `resumes`: a
  /// tile of K before left sums.
  virtual std::int64_t accumulator_accesses(const MacArraySpec&, std::int64_t /*macs_per_pe*/,
                                            const TileShape&, bool /*resumes*/) const {
    return 0;
  }
  /// The cuts of K inside the array (none when a sum runs through); accumulator: its arithmetic.
  virtual std::vector<precision::Chunk> chunks(const MacArraySpec& array,
                                               const precision::Arithmetic& accumulator) const = 0;
  /// The sums of a tile start from +0 and are added to those of the tiles of K before it in
  /// accumulator memory (false: they go on from them).
  virtual bool adds_k_tiles(const MacArraySpec& array) const {
    return array.partial_sums_per_output > 1;
  }
  virtual OperandOrder operand_order(const MacArraySpec& array) const = 0;
  /// K order used where the config gives none.
  virtual ReductionOrder default_order(const MacArraySpec& array) const = 0;
  /// Rules the description must obey; pointers are below /mac_array. Adds to the diagnostics.
  virtual std::vector<base::Diagnostic> check(const MacArraySpec& array) const = 0;
};

const std::vector<const Organisation*>& organisations();
const Organisation* find_organisation(const std::string& name);

}  // namespace npusim::npu
