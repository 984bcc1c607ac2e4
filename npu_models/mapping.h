// SPDX-License-Identifier: Apache-2.0
// From a graph, a recipe and an NPU to what each op does on the machine. Computed once; the timing
// model runs its tiles and the numeric executor takes its MAC unit, reduction plan and storage
// formats.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "npu_models/array_split.h"
#include "npu_models/capability.h"
#include "npu_models/memory_footprint.h"
#include "npu_models/npu_spec.h"
#include "npu_models/organisation.h"
#include "npu_models/winograd_form.h"
#include "precision/reduction_plan.h"
#include "workloads/attention_shape.h"
#include "workloads/contraction.h"
#include "workloads/op.h"
#include "workloads/recipe.h"

namespace npusim::npu {

enum class Engine { matrix, vector, host, view };
const char* name_of(Engine engine);

struct GemmMapping {
  workloads::Contraction contraction;
  std::int64_t ordered_k = 1;  ///< K terms with padding
  /// Scratchpad-resident tile of all arrays together; tile_k ordered terms of each part of K.
  std::int64_t tile_m = 1, tile_n = 1, tile_k = 1;
  ArraySplit split;
  LoopOrder loop_order = LoopOrder::output_resident;
  bool spills = false;                 ///< partial sums leave accumulator memory between k tiles
  std::int64_t accumulator_bytes = 4;  ///< of one partial sum
  std::int64_t accumulator_latency_cycles = 1;
  std::int64_t macs_per_pe_per_cycle = 1;
  std::int64_t cycles_per_step = 1;
  bool n_side_first = false;  ///< operand a of the unit is the n side
  precision::MacUnit unit;
  precision::ReductionPlan plan;
  /// The contraction is that of each point of a convolution by Winograd; absent: direct.
  std::optional<WinogradForm> winograd;

  /// That a tile runs on the arrays, one behind the other.
  std::int64_t products() const { return winograd ? winograd->points() : 1; }
  /// Elements of the op's output.
  std::int64_t results() const {
    const workloads::Contraction& c = winograd ? winograd->convolution : contraction;
    return c.groups * c.m * c.n;
  }
  /// At most so many in a tile of m * n positions and channels.
  std::int64_t results_of(std::int64_t sums) const {
    return winograd ? sums * winograd->output_pixels() : sums;
  }
  std::int64_t macs() const { return products() * contraction.macs(); }

  /// Tiles of K, and the terms of one part of it: part i begins at term i * k_part().
  std::int64_t k_tiles() const;
  std::int64_t k_part() const { return k_tiles() * tile_k; }
  /// Terms that a tile of K takes of a part of it.
  std::int64_t k_extent(std::int64_t part, std::int64_t tile) const;
  /// Additions that combine the parts of K of one output.
  std::int64_t combining_adds() const;

  /// A tile as the array sees it: a unit that multiplies slices of its operands in several passes
  /// goes through K once for each; slow operands take the array several cycles a step.
  TileShape on_array(const TileShape& tile) const {
    return {tile.m, tile.n, tile.k * unit.passes.count() * cycles_per_step};
  }
};

/// "tile 64 x 128 x 512, output_resident, split 1 x 1 x 1 x 1".
/// By Winograd: "winograd 2x2, tile ...".
std::string describe_mapping(const GemmMapping& gemm);
/// What of it is in the bits: the reduction plan, and transforms.
std::string describe_plan(const GemmMapping& gemm);

/// What of a mask belongs to a block of scores.
struct AttentionMask {
  std::int64_t element_bytes = 0;  ///< 0: there is none
  bool boolean = false;
  bool by_batch = false, by_head = false, by_row = false, by_column = false;
};

/// Attention as one op by online softmax: attention_mapping.h.
struct AttentionMapping {
  workloads::AttentionBlocks blocks;
  GemmMapping scores;                     ///< queries times keys; a tile is a block
  GemmMapping context;                    ///< weights times values of one whole block of keys
  precision::ReductionPlan last_context;  ///< of the last block of keys, which may be shorter
  std::int64_t operand_bytes = 2, output_bytes = 2;  ///< of an element
  std::int64_t internal_bytes = 4;                   ///< of an element of a running output
  std::int64_t statistics_bytes = 0;  ///< a row, kept for a backward pass; 0: none are
  AttentionMask mask;
  precision::Arithmetic on_chip;  ///< of sums on their way from the array to the vector unit
};

/// Backward pass of attention as one op, scores computed again: attention_gradient.h. A tile of
/// each product is a block.
struct AttentionGradientMapping {
  workloads::AttentionBlocks blocks;
  GemmMapping scores;                     ///< queries times keys
  GemmMapping weights;                    ///< gradient of the result times values
  GemmMapping values;                     ///< weights, transposed, times gradient of the result
  GemmMapping keys;                       ///< gradient of scores, transposed, times queries
  GemmMapping queries;                    ///< gradient of scores times keys
  precision::ReductionPlan last_queries;  ///< of values and keys: the last block of queries
  precision::ReductionPlan last_keys;     ///< of queries: the last block of keys
  std::int64_t operand_bytes = 2, result_bytes = 2, statistics_bytes = 4;  ///< of an element
  std::int64_t internal_bytes = 4;  ///< of running sums, in DRAM too
  std::int64_t query_gradient_bytes = 2, key_gradient_bytes = 2, value_gradient_bytes = 2;
  AttentionMask mask;
  precision::Arithmetic on_chip;  ///< of sums on their way from the array to the vector unit
};

/// "fused attention, blocks of 128 queries x 256 keys, split 1 x 1 x 1 x 1".
std::string describe_mapping(const AttentionMapping& attention);
/// Of both products and the cut between them: readable, and equal only for equal arithmetic.
std::string describe_plan(const AttentionMapping& attention);
std::string describe_mapping(const AttentionGradientMapping& gradient);
std::string describe_plan(const AttentionGradientMapping& gradient);

/// Where the mapping of a product comes from.
enum class MappingOrigin {
  search,
  file,       ///< a pin of the NPU file
  reference,  ///< the same op of another mapped graph
};

/// Another form of a product's operand that is made in DRAM before (rearrangement.h).
struct Rearrangement {
  enum class Kind { im2col, zero_insertion, transpose };
  Kind kind = Kind::im2col;
  std::int64_t read_bytes = 0, written_bytes = 0;
  std::int64_t elements = 0;  ///< written, each a copy of the vector unit
};

/// An operand of a product that DRAM has in the other order than the array takes it
/// (operand_transposes.h).
struct TransposedOperand {
  bool stationary = false;  ///< the n side, else the m side
  bool by_dma = false;      ///< on its way, else by the vector unit through DRAM before the product
  std::int64_t elements = 0, element_bytes = 0;
  std::int64_t bytes() const { return elements * element_bytes; }
};

struct MappedOp {
  int node = -1;  ///< index into graph.nodes
  Engine engine = Engine::vector;
  Verdict verdict;     ///< of the original node
  std::string origin;  ///< name of the node in the original graph
  std::optional<GemmMapping> gemm;
  std::optional<AttentionMapping> attention;
  std::optional<AttentionGradientMapping> attention_gradient;  ///< a matrix op has one of the three
  MappingOrigin mapping_origin = MappingOrigin::search;
  std::string not_pinned;  ///< why it is not mapped as in the reference
  /// On the vector unit (or the host), the epilogue's included.
  std::vector<workloads::VectorWork> vector_work;
  std::optional<Rearrangement> rearrangement;
  std::vector<TransposedOperand> transposed;  ///< with data_layout.transposed_operands
  bool changes_order = false;                 ///< of the channels of an image (channel_order.h)
  /// A transpose by DMA: elements that lie together in its input; 0: no such op.
  std::int64_t gathered_run = 0;
  /// Nodes fused behind this one, in order; they have no MappedOp of their own.
  std::vector<int> epilogue;
  std::int64_t macs = 0;     ///< that the engine takes: by Winograd those of its products
  std::string not_winograd;  ///< why a convolution is direct where the file lists output tiles

  /// Of a matrix op.
  const precision::MacUnit& unit() const {
    if (gemm) return gemm->unit;
    return attention ? attention->scores.unit : attention_gradient->scores.unit;
  }
};

/// A graph ready to run: decomposed where the NPU needs it, formats fixed.
struct MappedGraph {
  workloads::Graph graph;
  std::vector<MappedOp> ops;                   ///< in execution order
  std::vector<precision::Arithmetic> storage;  ///< per tensor
  std::vector<bool> on_chip;                   ///< per tensor: never goes to DRAM
  /// Of tensors that have padding in memory (channel_order.h).
  std::map<workloads::TensorId, std::int64_t> padded_elements;
  /// Functions that the vector unit computes from tables (not the host); nullptr: none.
  std::shared_ptr<const workloads::Approximations> approximations;
  MemoryFootprint memory;
  /// Of nodes that run in formats which the NPU does not declare (what_if.h); else empty.
  std::map<int, std::vector<StandIn>> stand_ins;
  /// In memory.
  std::int64_t elements(workloads::TensorId id) const {
    const auto padded = padded_elements.find(id);
    return padded != padded_elements.end() ? padded->second
                                           : workloads::element_count(graph.tensor(id).shape);
  }
  std::string hash() const;  ///< over plans, units, tiles, storage and approximations
};

/// One row of the coverage of the graph as given (before decomposition).
struct CoverageRow {
  std::string node, op;
  Verdict verdict;
};
std::vector<CoverageRow> coverage_of(const NpuSpec& npu, const workloads::Graph& graph,
                                     const workloads::Recipe& recipe);

/// Throws UnsupportedError when an op can run neither natively, decomposed nor on the host, and
/// base::InputError at a pin of the NPU file that cannot be obeyed. Products are mapped as those of
/// the same name in `reference`, where they can be; the others say why not.
MappedGraph map_graph(const NpuSpec& npu, const workloads::Graph& graph,
                      const workloads::Recipe& recipe, const MappedGraph* reference = nullptr);

/// Throws UnsupportedError when it needs more DRAM than there is.
void check_fits(const NpuSpec& npu, const MappedGraph& mapped);

/// The vector unit's part of a product whose K several arrays share: additions of their sums.
void add_combination(const GemmMapping& gemm, std::vector<workloads::VectorWork>& work);

/// Unit, reduction plan and everything else of one contraction but its tiles.
GemmMapping untiled_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                         const precision::Format& input, const precision::Format& accumulator);

/// The reduction plan and tiles of one contraction. Throws IllegalPin where the pin cannot run.
GemmMapping map_gemm(const NpuSpec& npu, const workloads::Contraction& contraction,
                     const precision::Format& input, const precision::Format& accumulator,
                     std::int64_t output_bytes, const MappingPin* pin = nullptr);

/// The text says what does not fit.
class IllegalPin : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The recipe asks for something this NPU does not declare: a row with a reason, not a failed run.
class UnsupportedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace npusim::npu
