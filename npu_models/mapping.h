// SPDX-License-Identifier: Apache-2.0
// From a graph, a recipe and an NPU to what each op does on the machine. Computed once; the timing
// model runs its tiles and the numeric executor takes its MAC unit, reduction plan and storage
// formats.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "npu_models/capability.h"
#include "npu_models/memory_footprint.h"
#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"
#include "precision/reduction_plan.h"
#include "workloads/contraction.h"
#include "workloads/op.h"
#include "workloads/recipe.h"

namespace npusim::npu {

enum class Engine { matrix, vector, host, view };
const char* name_of(Engine engine);

/// Which operand stays while the loops run. Groups are the outermost loop, then n.
enum class LoopOrder {
  output_resident,  ///< g, n, m, k: partial sums stay in accumulator memory until they are done
  weight_resident,  ///< g, n, k, m: each weight tile is loaded once; sums spill between k tiles
};
const char* name_of(LoopOrder order);

struct GemmMapping {
  workloads::Contraction contraction;
  std::int64_t ordered_k = 1;  ///< K terms with padding
  /// Scratchpad-resident tile, tile_k in ordered terms. All arrays share tile_m positions evenly.
  std::int64_t tile_m = 1, tile_n = 1, tile_k = 1;
  LoopOrder loop_order = LoopOrder::output_resident;
  bool spills = false;                 ///< partial sums leave accumulator memory between k tiles
  std::int64_t accumulator_bytes = 4;  ///< of one partial sum
  std::int64_t accumulator_latency_cycles = 1;
  std::int64_t macs_per_pe_per_cycle = 1;
  std::int64_t cycles_per_step = 1;
  precision::MacUnit unit;
  precision::ReductionPlan plan;

  /// A tile as the array sees it: a unit that multiplies slices of its operands in several passes
  /// goes through K once for each; slow operands take the array several cycles a step.
  TileShape on_array(const TileShape& tile) const {
    return {tile.m, tile.n, tile.k * unit.passes.count() * cycles_per_step};
  }
};

struct MappedOp {
  int node = -1;  ///< index into graph.nodes
  Engine engine = Engine::vector;
  Verdict verdict;     ///< of the original node
  std::string origin;  ///< name of the node in the original graph
  std::optional<GemmMapping> gemm;
  /// On the vector unit (or the host), the epilogue's included.
  std::vector<workloads::VectorWork> vector_work;
  /// Nodes fused behind this one, in order; they have no MappedOp of their own.
  std::vector<int> epilogue;
  std::int64_t macs = 0;
};

/// A graph ready to run: decomposed where the NPU needs it, formats fixed.
struct MappedGraph {
  workloads::Graph graph;
  std::vector<MappedOp> ops;                   ///< in execution order
  std::vector<precision::Arithmetic> storage;  ///< per tensor
  std::vector<bool> on_chip;                   ///< per tensor: never goes to DRAM
  MemoryFootprint memory;
  std::string hash() const;  ///< over plans, units, tiles and storage
};

/// One row of the coverage of the graph as given (before decomposition).
struct CoverageRow {
  std::string node, op;
  Verdict verdict;
};
std::vector<CoverageRow> coverage_of(const NpuSpec& npu, const workloads::Graph& graph,
                                     const workloads::Recipe& recipe);

/// Throws UnsupportedError when an op can run neither natively, decomposed nor on the host.
MappedGraph map_graph(const NpuSpec& npu, const workloads::Graph& graph,
                      const workloads::Recipe& recipe);

/// Throws UnsupportedError when it needs more DRAM than there is.
void check_fits(const NpuSpec& npu, const MappedGraph& mapped);

/// The reduction plan and tiles of one contraction, for tests and explanations.
GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const precision::Format& input, const precision::Format& accumulator,
                     std::int64_t output_bytes);

/// The recipe asks for something this NPU does not declare: a row with a reason, not a failed run.
class UnsupportedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace npusim::npu
