// SPDX-License-Identifier: Apache-2.0
// Tiles of a matrix op as commands; see sequencer.h. Where the vector unit transforms the operands
// of a convolution by Winograd, those of a tile are loaded and transformed before the tile in front
// is issued, so that they are not behind its epilogue in the vector unit's queue; with one
// scratchpad buffer a tile ends before the next begins. Transformed operands lie in the slot of
// what was loaded.
#include <algorithm>
#include <optional>
#include <string>

#include "base/error.h"
#include "npu_models/ceil_div.h"
#include "npu_models/modules/sequencer.h"
#include "npu_models/modules/share.h"
#include "npu_models/modules/sram_accesses.h"
#include "npu_models/tile_bytes.h"
#include "npu_models/winograd_steps.h"

namespace npusim::npu::model {

/// Where the arrays' loads of an operand find it.
struct Sequencer::OperandForm {
  bool made = false;  ///< another form than the tensor, at `address`
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
  Need ready{};
  std::int64_t run_bytes = 0;  ///< that a transposing DMA finds together; 0: it does not transpose
};

struct Sequencer::MatrixRun {
  int op;
  const GemmMapping& gemm;
  const OpProgram& program;
  VectorCost vector;
  std::int64_t output_elements;
  std::int64_t finished_elements = 0;
  std::vector<std::uint64_t>
      spilled;  ///< by m tile: number of the store that wrote its partial sums
  std::uint64_t spill_address;
  OperandForm m_side{}, n_side{};
  Need transformed{};  ///< the last operands are there, for Winograd
  Need loaded{};       ///< what the tile and its epilogue read
};

struct Sequencer::PreparedTile {
  GemmTile tile;
  Need operands, transformed;
};

namespace {

/// Accumulator memory that the largest share of a tile takes.
std::int64_t share_bytes(const GemmMapping& gemm, std::int64_t m, std::int64_t n) {
  return gemm.products() * ceil_div(m, gemm.split.m) * ceil_div(n, gemm.split.n) *
         gemm.accumulator_bytes;
}

/// Positions times channels of a tile.
std::int64_t elements_of(const TileExtents& tile) {
  return tile.groups * tile.m * tile.n;
}

/// Partial sums of a tile in DRAM.
std::int64_t spilled_bytes(const GemmMapping& gemm, const TileExtents& tile) {
  return gemm.products() * elements_of(tile) * spill_element_bytes(gemm);
}

void check_arrays(const GemmMapping& gemm, const MacArraySpec& array, const std::string& node) {
  const GemmTileCounts counts = gemm_tile_counts(gemm);
  const bool column_stays =
      gemm.loop_order == LoopOrder::weight_resident && counts.k > 1 && !gemm.spills;
  const std::int64_t m = std::min(gemm.tile_m, gemm.contraction.m);
  const std::int64_t n = std::min(gemm.tile_n, gemm.contraction.n);
  const std::int64_t needed = (column_stays ? counts.m : 1) * share_bytes(gemm, m, n);
  const std::int64_t available = array.accumulator.memory_bytes;
  NPUSIM_CHECK(gemm.split.parts() <= array.arrays,
               "the mapping of " + node + " shares a tile over " +
                   std::to_string(gemm.split.parts()) + " arrays, there are " +
                   std::to_string(array.arrays));
  NPUSIM_CHECK(needed <= available, "the mapping of " + node + " keeps " + std::to_string(needed) +
                                        " bytes of partial sums, accumulator memory has " +
                                        std::to_string(available));
}

}  // namespace

void Sequencer::issue_matrix(int op, const OpProgram& program) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  const GemmMapping& gemm = *mapped_op.gemm;
  check_arrays(gemm, npu_.mac_array,
               mapped_.graph.nodes[static_cast<std::size_t>(mapped_op.node)].name);
  MatrixRun run{op,
                gemm,
                program,
                VectorCost(npu_.vector_unit, mapped_op.vector_work),
                gemm.contraction.groups * gemm.contraction.m * gemm.contraction.n,
                0,
                {},
                layout_.end_address()};
  if (gemm.spills) run.spilled.resize(static_cast<std::size_t>(gemm_tile_counts(gemm).m));
  for (const TensorId id : program.whole_inputs) {
    DmaCommand load;
    load.op = op;
    load.address = layout_.address(id);
    load.bytes = layout_.bytes(id);
    load.producers = producers(id);
    engines_.load.queue.push(load);
    ledger_.record(op).scratchpad_bytes += load.bytes;  // read once by whoever uses it
  }
  make_forms(run);
  const bool ahead = gemm.winograd && gemm.winograd->stage == WinogradStage::vector_unit &&
                     npu_.scratchpad.buffers > 1;
  std::optional<PreparedTile> before;
  GemmTiles tiles(gemm);
  for (GemmTile tile; tiles.next(tile);) {
    const PreparedTile now = prepare_tile(run, tile);
    if (before) issue_tile(run, *before);
    if (ahead) {
      before = now;
    } else {
      issue_tile(run, now);
    }
  }
  if (before) issue_tile(run, *before);
}

Sequencer::PreparedTile Sequencer::prepare_tile(MatrixRun& run, const GemmTile& tile) {
  load_operands(run, tile);
  return {tile, all_loads(), run.transformed};
}

void Sequencer::issue_tile(MatrixRun& run, const PreparedTile& prepared) {
  const GemmTile& tile = prepared.tile;
  const GemmMapping& gemm = run.gemm;
  Scratchpad& scratchpad = engines_.scratchpad;
  const bool reads_partial_sums = gemm.spills && !tile.first_k;

  ArrayCommand command;
  command.op = run.op;
  command.gemm = &gemm;
  command.tile = tile.extents;
  command.at = {tile.group0, tile.m0, tile.n0, tile.index.k};
  command.operands = prepared.operands;
  command.weights = prepared.transformed;
  const std::int64_t held = share_bytes(gemm, tile.extents.m, tile.extents.n);
  const Release accumulators{&engines_.accumulators.bytes, held};
  if (tile.first_k || gemm.spills) command.accumulator_bytes = held;
  if (tile.last_of_streamed) command.give[0] = {&scratchpad.m_side};
  if (tile.last_of_stationary) command.give[1] = {&scratchpad.n_side};
  if (reads_partial_sums) command.give[2] = {&scratchpad.partial_sums};

  const std::int64_t elements = elements_of(tile.extents);
  bool extra_loaded = false;
  run.loaded = prepared.operands;
  if (tile.last_k) {
    extra_loaded = load_tiled_inputs(run, elements);
    if (extra_loaded) run.loaded = all_loads();
    if (run.vector.empty()) {
      // The array itself takes the extra operand (a bias as large as the output).
      command.operands = run.loaded;
      if (extra_loaded) command.give[3] = {&scratchpad.epilogue_operands};
    }
  }
  command.resumes = !tile.first_k;
  command.scratchpad_bytes = count_accesses(run, tile);
  const Need sums{&engines_.array.progress, engines_.array.queue.push(command)};
  if (tile.last_k) {
    finish_output(run, elements, sums, accumulators, extra_loaded);
  } else if (gemm.spills) {
    store_partial_sums(run, tile, sums, accumulators);
  }
}

/// Forms lie behind all tensors, partial sums behind them, each where a tensor may begin.
void Sequencer::make_forms(MatrixRun& run) {
  const MappedOp& op = mapped_.ops[static_cast<std::size_t>(run.op)];
  const auto make = [&](OperandForm& form, TensorId tensor, const Rearrangement& rearrangement) {
    form.made = true;
    form.address = run.spill_address;
    form.bytes = rearrangement.written_bytes;
    form.ready = rearrange_operand(run.op, tensor, rearrangement, form.address);
    run.spill_address += aligned(form.bytes);
  };
  if (op.rearrangement) make(run.m_side, run.program.m_side, *op.rearrangement);
  for (const TransposedOperand& operand : op.transposed) {
    OperandForm& form = operand.stationary ? run.n_side : run.m_side;
    if (operand.by_dma)
      form.run_bytes = operand.element_bytes;
    else
      make(form, operand.stationary ? run.program.n_side : run.program.m_side,
           {Rearrangement::Kind::transpose, operand.bytes(), operand.bytes(), operand.elements});
  }
}

/// In the tensor, or in what was made of it.
std::uint64_t Sequencer::operand_address(const OperandForm& form, TensorId tensor,
                                         std::int64_t part, std::int64_t whole) const {
  if (!form.made) return tile_address(tensor, part, whole);
  return form.address + static_cast<std::uint64_t>(share_of(form.bytes, 0, part, whole));
}

std::uint64_t Sequencer::weight_address(const MatrixRun& run, std::int64_t part,
                                        std::int64_t whole) const {
  const TensorId weights = run.program.n_side;
  const MappedOp& op = mapped_.ops[static_cast<std::size_t>(run.op)];
  const std::int64_t transformed = transformed_weight_bytes(mapped_, op);
  if (transformed == 0) return operand_address(run.n_side, weights, part, whole);
  return layout_.transformed_address(weights, transformed) +
         static_cast<std::uint64_t>(share_of(transformed, 0, part, whole));
}

void Sequencer::load_operands(MatrixRun& run, const GemmTile& tile) {
  const GemmMapping& gemm = run.gemm;
  const workloads::Contraction& c = gemm.contraction;
  const OpProgram& program = run.program;
  const auto load_in = [&](const OperandForm& form, TensorId tensor) {
    DmaCommand load;
    load.op = run.op;
    load.after = form.ready;
    load.run_bytes = form.run_bytes;
    load.rearranging = form.run_bytes > 0;
    load.producers = producers(tensor);
    return load;
  };
  if (tile.load_stationary) {
    DmaCommand load = load_in(run.n_side, program.n_side);
    load.address = weight_address(run, tile.group0 * c.n + tile.n0, c.groups * c.n);
    load.bytes = tile_n_side_bytes(gemm, tile.extents.groups, tile.extents.n, tile.index.k,
                                   program.element_bytes.n_side);
    load.take[0] = &engines_.scratchpad.n_side;
    engines_.load.queue.push(load);
    if (gemm.winograd && !gemm.winograd->offline_weights) {
      const TileExtents& e = tile.extents;
      const std::int64_t made = transformed_weights(gemm, e.groups, e.n, tile.index.k);
      transform_operand(
          run, weight_transforms(*gemm.winograd, e.groups * e.n * tile_terms(gemm, tile.index.k)),
          load.bytes, made * program.element_bytes.n_side);
    }
  }
  if (tile.load_streamed) {
    DmaCommand load = load_in(run.m_side, program.m_side);
    load.address =
        operand_address(run.m_side, program.m_side, tile.group0 * c.m + tile.m0, c.groups * c.m);
    load.bytes = tile_m_side_bytes(gemm, tile.extents.groups, tile.m0, tile.extents.m, tile.index.k,
                                   program.element_bytes.m_side);
    load.take[0] = &engines_.scratchpad.m_side;
    engines_.load.queue.push(load);
    if (gemm.winograd) {
      const TileExtents& e = tile.extents;
      const std::int64_t made = transformed_inputs(gemm, e.groups, e.m, tile.index.k);
      transform_operand(
          run, input_transforms(*gemm.winograd, e.groups * e.m * tile_terms(gemm, tile.index.k)),
          load.bytes, made * program.element_bytes.m_side);
    }
  }
  if (gemm.spills && !tile.first_k) {
    DmaCommand load;
    load.op = run.op;
    load.address =
        run.spill_address + static_cast<std::uint64_t>(gemm.products() * tile.m0 * gemm.tile_n);
    load.bytes = spilled_bytes(gemm, tile.extents);
    load.spill = true;
    load.after = {&engines_.store.progress, run.spilled[static_cast<std::size_t>(tile.index.m)]};
    load.take[0] = &engines_.scratchpad.partial_sums;
    engines_.load.queue.push(load);
  }
}

/// What was loaded last, by the vector unit; at the array's edge it takes no time.
void Sequencer::transform_operand(MatrixRun& run, const std::vector<workloads::VectorWork>& work,
                                  std::int64_t loaded, std::int64_t made) {
  if (run.gemm.winograd->stage == WinogradStage::array_edge) return;
  VectorCommand command;
  command.op = run.op;
  command.rearranging = true;
  command.cycles = VectorCost(npu_.vector_unit, work).cycles(0, 1, 1);
  command.scratchpad_bytes = loaded + made;
  command.operands = all_loads();
  ledger_.record(run.op).scratchpad_bytes += command.scratchpad_bytes;
  run.transformed = {&engines_.vector.progress, engines_.vector.queue.push(command)};
}

/// Extra operands of the epilogue, for the next `elements` outputs. False when there are none.
bool Sequencer::load_tiled_inputs(MatrixRun& run, std::int64_t elements) {
  const std::int64_t begin = run.finished_elements;
  bool first = true;
  for (const TensorId id : run.program.tiled_inputs) {
    DmaCommand load;
    load.op = run.op;
    load.address = tile_address(id, begin, run.output_elements);
    load.bytes = share_of(layout_.bytes(id), begin, begin + elements, run.output_elements);
    load.producers = producers(id);
    if (first) load.take[0] = &engines_.scratchpad.epilogue_operands;
    first = false;
    engines_.load.queue.push(load);
    ledger_.record(run.op).scratchpad_bytes += load.bytes;
  }
  return !first;
}

void Sequencer::store_partial_sums(MatrixRun& run, const GemmTile& tile, const Need& sums,
                                   Release accumulators) {
  DmaCommand store;
  store.op = run.op;
  store.address = run.spill_address +
                  static_cast<std::uint64_t>(run.gemm.products() * tile.m0 * run.gemm.tile_n);
  store.bytes = spilled_bytes(run.gemm, tile.extents);
  store.spill = true;
  store.after = sums;
  store.give[0] = accumulators;
  run.spilled[static_cast<std::size_t>(tile.index.m)] = engines_.store.queue.push(store);
}

void Sequencer::finish_output(MatrixRun& run, std::int64_t elements, const Need& sums,
                              Release accumulators, bool extra_loaded) {
  Scratchpad& scratchpad = engines_.scratchpad;
  const bool stored = !run.program.outputs.empty();
  const std::int64_t begin = run.finished_elements;
  if (run.vector.empty() && stored) {
    store_output(run, elements, sums, accumulators);
  } else {
    VectorCommand work;
    work.op = run.op;
    work.cycles =
        run.vector.empty() ? 0 : run.vector.cycles(begin, begin + elements, run.output_elements);
    work.scratchpad_bytes = run.vector.empty() ? 0 : epilogue_bytes(run, elements);
    work.operands = run.loaded;
    work.sums = sums;
    work.give[0] = accumulators;
    if (stored) work.take = &scratchpad.results;
    if (extra_loaded && !run.vector.empty()) work.give[1] = {&scratchpad.epilogue_operands};
    const Need computed{&engines_.vector.progress, engines_.vector.queue.push(work)};
    if (stored) store_output(run, elements, computed, {&scratchpad.results});
  }
  run.finished_elements += elements;
}

/// Extra operands that an epilogue reads and results that it writes.
std::int64_t Sequencer::epilogue_bytes(const MatrixRun& run, std::int64_t elements) const {
  const std::int64_t begin = run.finished_elements;
  std::int64_t bytes = 0;
  for (const auto* list : {&run.program.tiled_inputs, &run.program.outputs})
    for (const TensorId id : *list)
      bytes += share_of(layout_.bytes(id), begin, begin + elements, run.output_elements);
  return bytes;
}

void Sequencer::store_output(MatrixRun& run, std::int64_t elements, const Need& after,
                             Release release) {
  const std::int64_t begin = run.finished_elements;
  for (const TensorId id : run.program.outputs) {
    DmaCommand store;
    store.op = run.op;
    store.address = tile_address(id, begin, run.output_elements);
    store.bytes = share_of(layout_.bytes(id), begin, begin + elements, run.output_elements);
    store.after = after;
    if (id == run.program.outputs.back()) store.give[0] = release;
    engines_.store.queue.push(store);
    ledger_.record(run.op).scratchpad_bytes += store.bytes;
  }
}

/// Array's side of the on-chip memories; returns the bytes of the scratchpad.
std::int64_t Sequencer::count_accesses(const MatrixRun& run, const GemmTile& tile) {
  const GemmMapping& gemm = run.gemm;
  const GemmElementBytes& bytes = run.program.element_bytes;
  const SramAccesses accesses = sram_accesses(granule_, shares_of(gemm.split, tile.extents));
  const std::int64_t elements = elements_of(tile.extents);
  OpRecord& record = ledger_.record(run.op);
  const std::int64_t weights = gemm.winograd ? gemm.winograd->read_weights() : 1;
  std::int64_t moved =
      gemm.products() * accesses.m_side * bytes.m_side + weights * accesses.n_side * bytes.n_side;
  std::int64_t partial_sums = accesses.accumulator;
  if (!tile.first_k) partial_sums += accesses.sums;  // read by the first pass, which adds to them
  if (gemm.spills && !tile.first_k) {
    partial_sums += elements;  // brought back
    moved += spilled_bytes(gemm, tile.extents);
  }
  if (tile.last_k || gemm.spills) partial_sums += elements * gemm.split.k;  // drained
  if (!tile.last_k && gemm.spills) moved += spilled_bytes(gemm, tile.extents);
  record.scratchpad_bytes += moved;
  record.accumulator_bytes += gemm.products() * partial_sums * gemm.accumulator_bytes;
  // Results that no vector unit takes are written by the arrays; store_output() counts them.
  if (!tile.last_k || !run.vector.empty()) return moved;
  return moved + share_of(gemm.results() * bytes.output, run.finished_elements,
                          run.finished_elements + elements, run.output_elements);
}

}  // namespace npusim::npu::model
