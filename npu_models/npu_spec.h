// SPDX-License-Identifier: Apache-2.0
// The description of one NPU as plain data. Modules and mapping take it by const reference and
// never see JSON. Units stand in the names.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json_value.h"
#include "npu_models/capability.h"
#include "npu_models/mapping_options.h"
#include "npu_models/provenance.h"
#include "precision/mac_unit.h"
#include "precision/reduction_plan.h"
#include "workloads/approximation.h"

namespace npusim::npu {

/// Where a systolic column's partial sums go when K is longer than the array.
enum class PartialSums {
  accumulate_below,  ///< added up in accumulator memory below the array: K is cut every `rows`
  reinject_above,    ///< re-enter at the top: one sequential chain over all of K
};

/// What stays in the elements of a systolic array while the rest moves.
enum class Dataflow {
  weight_stationary,  ///< rows hold K, columns hold N, positions stream
  input_stationary,   ///< rows hold K, columns hold positions, output channels stream
  output_stationary,  ///< rows hold positions, columns hold N, K streams
};

/// When shadow operands take over.
enum class Swap {
  wavefront,    ///< with the first streamed operand of a fold, element by element
  all_at_once,  ///< in all elements in the same cycle, behind the last use of the old ones
};

/// How the sums of an output-stationary array leave their elements.
enum class Drain {
  shift,   ///< down the column through drain registers, one a cycle
  direct,  ///< over a wire of each element's own, in the cycle in which they are ready
};

/// When a tile of a systolic array is complete.
enum class Completion {
  leaves_array,  ///< the last result has left the array (direct drain: stands in its element)
  written,       ///< one cycle later it stands in accumulator memory
};

/// Outputs and terms of K of one instruction of a tensor core.
struct Fragment {
  std::int64_t m = 1, n = 1, k = 1;
};

/// One operand format the array takes.
struct InputMode {
  precision::Format format;
  std::int64_t macs_per_pe_per_cycle = 1;  ///< of one pass
  precision::Slices slices_a{}, slices_b{};
  precision::Passes passes{};  ///< products of slices that make one MAC; empty: one whole product
  std::int64_t cycles_per_step = 1;  ///< of operands that a step takes several cycles for
  /// One for each accumulator format that this input offers; empty: as the array says.
  std::vector<precision::MacUnit> units{};
  /// Of a hypothetical input (what_if.h): the declared one whose cycles it takes; empty: declared.
  std::string stands_in{};
  bool of_array = false;  ///< its units are those that the array describes, in other formats
  /// Hypothetical accumulators: format, the declared one whose cycles it takes.
  std::map<std::string, std::string> accumulator_stand_ins{};
};

/// A K order as loops over dimensions by name, outermost first; empty: canonical order.
struct NamedKLoop {
  std::string dim;
  std::int64_t block = 1;
};
struct ReductionOrder {
  /// "fprop" | "dgrad" | "wgrad" | "matmul"
  std::map<std::string, std::vector<NamedKLoop>> by_role;
  precision::Tail tail = precision::Tail::pack;
};

struct AccumulatorSpec {
  precision::Arithmetic arithmetic;        ///< the default format and how it rounds
  precision::Stage stage;                  ///< how it combines terms; its arithmetic is not used
  std::vector<precision::Format> choices;  ///< formats a recipe may select; has the default
  /// Of one dependent addition, by format name.
  std::map<std::string, std::int64_t> latency_cycles;
  std::int64_t memory_bytes = 0;  ///< accumulator memory of one array
  std::int64_t ports = 0;         ///< of that memory (port_limits.h); 0: never a limit
  precision::BiasEntry bias = precision::BiasEntry::preload;
  std::optional<precision::Arithmetic> spill;  ///< partial sums in DRAM; absent: as accumulated

  std::int64_t latency(const precision::Format& format) const;
};

struct MacArraySpec {
  std::string organisation;  ///< key into organisations()
  /// systolic: as the dataflow says; cube, tensor_core, simd: positions; dot_product: channels
  std::int64_t rows = 1;
  std::int64_t cols = 1;    ///< output channels (input-stationary: positions); dot_product: 1
  std::int64_t depth = 1;   ///< terms of K that one step reduces (systolic: 1)
  std::int64_t arrays = 1;  ///< identical arrays sharing the work of each op
  std::vector<InputMode> inputs;
  std::optional<precision::Arithmetic> product;  ///< absent: exact
  /// Before the accumulator; format "accumulator" has an empty name.
  std::vector<precision::Stage> inner_stages;
  AccumulatorSpec accumulator;
  Dataflow dataflow = Dataflow::weight_stationary;
  PartialSums partial_sums = PartialSums::accumulate_below;
  bool fold_overlap = true;    ///< the next fold enters while the last one drains
  bool preload_hiding = true;  ///< shadow registers: the next fold's operands load behind this one
  bool preload_skew = true;    ///< column c takes its stationary operands c cycles after column 0
  std::int64_t fold_gap_cycles = 0;  ///< without a streamed row behind the stream of a fold
  Swap swap = Swap::wavefront;
  Drain drain = Drain::shift;
  Completion completion = Completion::leaves_array;
  std::int64_t outputs_per_pe = 1;           ///< output-stationary and simd: computed in turn
  std::int64_t partial_sums_per_output = 1;  ///< steps of K are dealt to them in turn
  Fragment fragment;                         ///< tensor_core
  std::int64_t fragments_in_flight = 1;      ///< tensor_core: whose sums the registers hold
  ReductionOrder order;
};

/// What shares the capacity of a scratchpad buffer.
enum class ScratchpadSharing {
  operands,  ///< both operands of a tile; results and returning sums have buffers of their own
  unified,   ///< both operands and the results
  separate,  ///< nothing: each has a part of its own
};

/// Which banks a buffer lies in.
enum class Banking {
  interleaved,  ///< words are dealt round robin over all banks
  by_buffer,    ///< each buffer has banks of its own
};

/// Rules in port_limits.h.
struct ScratchpadPorts {
  std::int64_t banks = 1;
  std::int64_t ports = 1;        ///< of each bank
  std::int64_t width_bytes = 1;  ///< that a port reads or writes a cycle
  Banking banking = Banking::interleaved;
};

struct ScratchpadSpec {
  std::int64_t bytes = 0;    ///< of all parts
  std::int64_t buffers = 2;  ///< tiles in flight: 1 none, 2 double buffering
  ScratchpadSharing sharing = ScratchpadSharing::operands;
  /// Separate parts only.
  std::int64_t streamed_bytes = 0, stationary_bytes = 0, result_bytes = 0;
  std::optional<ScratchpadPorts> ports{};  ///< absent: never a limit
};

/// What moves data between DRAM and the scratchpad; rules in dma_rate.h.
struct DmaSpec {
  std::int64_t channels = 1;           ///< of each direction: descriptors in flight
  std::int64_t width_bytes = 1;        ///< that a channel moves a cycle
  std::int64_t burst_bytes = 64;       ///< whole ones move
  std::int64_t descriptor_cycles = 0;  ///< to set one up
  std::int64_t outstanding = 0;        ///< bursts that a channel has in flight; 0: no limit
};

/// Who makes data that a product needs in another form than DRAM has it; rules in rearrangement.h.
enum class Rearranging {
  implicit,      ///< on the way to the arrays, at no cost
  through_dram,  ///< read, rearranged by the vector unit and written back before the product
};
enum class ZeroInsertion {
  implicit,
  through_dram,
  skip,  ///< none: a product for each phase (workloads/ops/conv_phases.h)
};
enum class Transposing {
  vector_unit,
  dma,  ///< gathered piece by piece, each in whole bursts
};
/// Who brings an operand of a matrix product to the order that the array takes; rules in
/// operand_transposes.h.
enum class OperandTransposing {
  free,  ///< nobody: the array takes either order
  vector_unit,
  dma,
};
/// Rules in channel_order.h.
enum class ChannelOrder { any, nchw, nhwc, nchwc };
struct ChannelOrderSpec {
  ChannelOrder array = ChannelOrder::any, vector_unit = ChannelOrder::any;
  ChannelOrder graph = ChannelOrder::nchw;  ///< of inputs, outputs and what knows no images
  std::int64_t block = 16;                  ///< of nchwc
};
struct DataLayoutSpec {
  Rearranging im2col = Rearranging::implicit;
  ZeroInsertion zero_insertion = ZeroInsertion::implicit;
  Transposing transpose = Transposing::vector_unit;
  OperandTransposing transposed_operands = OperandTransposing::free;
  std::optional<ChannelOrderSpec> channel_order;
};

/// What a descriptor costs beyond its bytes; the rules stand in modules/dram_schedule.h. Times in
/// thousandths of a cycle.
struct DramTiming {
  std::int64_t channels = 1;
  std::int64_t burst_bytes = 64;
  std::int64_t row_bytes = 2048;                   ///< of one bank of one channel
  std::int64_t banks = 16;                         ///< of one channel
  std::int64_t row_miss = 0;                       ///< closing a row and opening another
  std::int64_t refresh_interval = 0, refresh = 0;  ///< 0: none
  std::int64_t read_to_write = 0, write_to_read = 0;
};

struct DramSpec {
  double bandwidth_bytes_per_cycle = 0.0;  ///< from bandwidth_gb_per_s and the clock
  double bandwidth_gb_per_s = 0.0;
  std::int64_t latency_cycles = 0;  ///< first byte of a descriptor
  std::int64_t capacity_bytes = 0;
  std::optional<DramTiming> timing;  ///< absent: bandwidth and latency only
};

struct VectorUnitSpec {
  std::int64_t lanes = 1;
  std::int64_t startup_cycles = 0;  ///< per tile
  /// Of one lane, by vector function; absent: cannot.
  std::map<std::string, double> cycles_per_element;
  precision::Arithmetic arithmetic;           ///< of values that stay on the chip between fused ops
  std::optional<precision::Format> internal;  ///< widest it computes in; absent: any
  /// Element-wise ops that follow a matrix op run on its tiles before they are stored.
  bool fuses_epilogue = false;
  /// Functions it computes from tables; nullptr: none.
  std::shared_ptr<const workloads::Approximations> approximations;
};

struct HostSpec {
  double link_bytes_per_cycle = 0.0;
  std::int64_t latency_cycles = 0;  ///< each way
  double elements_per_cycle = 0.0;  ///< throughput of any vector function or MAC on the host
};

/// Columns of the published table (npu_models/energy.h).
enum class EnergyTable { nm7, nm45 };

/// pJ per operation or byte. Sources in the config; npu_models/energy.h fills what a config leaves
/// out.
struct EnergySpec {
  EnergyTable table = EnergyTable::nm7;       ///< of operations that the maps do not have
  std::map<std::string, double> multiply_pj;  ///< by format name
  std::map<std::string, double> add_pj;       ///< by format name
  double scratchpad_pj_per_byte = 0.0;
  double accumulator_pj_per_byte = 0.0;
  double dram_pj_per_byte = 0.0;
  double static_watts = 0.0;
};

/// What the vendor states, to be held against geometry and clock.
struct PublishedPeak {
  double tops = 0.0;
  std::string explained;  ///< why the description differs by more than 5 %; empty: it does not
};

struct NpuSpec {
  std::string name;
  std::string description;
  std::string interconnect;  ///< between chips, as text: one chip is modelled
  /// The array's shape is not public: it reproduces the peak and no more.
  bool roofline = false;
  std::vector<Fact> facts;
  std::map<std::string, PublishedPeak> peaks;  ///< by operand format
  double clock_mhz = 0.0;
  std::string default_recipe;
  std::int64_t launch_cycles = 0;  ///< sequencer overhead at the start of each op
  MacArraySpec mac_array;
  ScratchpadSpec scratchpad;
  DramSpec dram;
  std::optional<DmaSpec> dma;  ///< absent: any number of descriptors in flight, as wide as DRAM
  DataLayoutSpec data_layout;
  VectorUnitSpec vector_unit;
  std::optional<HostSpec> host;
  EnergySpec energy;
  OperatorTable operators;
  MappingOptions mapping;
  base::JsonValue resolved;
  bool what_if = false;  ///< formats it does not declare run as the nearest it does (what_if.h)
  std::shared_ptr<const NpuSpec> declared;  ///< where hypothetical inputs were added: without them

  /// Multiply-accumulates a cycle of all arrays with this operand format, all passes counted; 0
  /// when it is not an input.
  double peak_macs_per_cycle(const precision::Format& input) const;
};

}  // namespace npusim::npu
