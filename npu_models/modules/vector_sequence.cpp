// SPDX-License-Identifier: Apache-2.0
// Tiles of vector ops, and of what is done to an operand before a product, as commands; see
// sequencer.h.
#include "npu_models/modules/sequencer.h"
#include "npu_models/modules/share.h"
#include "npu_models/scratchpad_room.h"

namespace npusim::npu::model {

void Sequencer::issue_vector(int op, const OpProgram& program) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  const bool by_dma = mapped_op.gathered_run > 0;
  const VectorCost cost(npu_.vector_unit, mapped_op.vector_work);
  std::int64_t read = 0, written = 0;
  for (const TensorId id : program.tiled_inputs) read += layout_.bytes(id);
  for (const TensorId id : program.outputs) written += layout_.bytes(id);
  const std::int64_t tiles = vector_tiles(npu_.scratchpad, read, written);
  Scratchpad& scratchpad = engines_.scratchpad;
  DmaCommand synchronisation;
  synchronisation.op = op;
  synchronisation.rearranging = by_dma || mapped_op.changes_order;

  for (std::int64_t i = 0; i < tiles; ++i) {
    const auto command = [&](TensorId id) {
      DmaCommand dma = synchronisation;
      dma.address = tile_address(id, i, tiles);
      dma.bytes = share_of(layout_.bytes(id), i, i + 1, tiles);
      return dma;
    };
    std::vector<DmaCommand> loads;
    for (const TensorId id : program.tiled_inputs) {
      loads.push_back(command(id));
      loads.back().producers = producers(id);
      if (by_dma) loads.back().run_bytes = mapped_op.gathered_run * element_bytes_of(id);
    }
    if (loads.empty()) loads.push_back(synchronisation);
    loads.front().take[0] = &scratchpad.m_side;
    loads.front().take[1] = &scratchpad.n_side;
    std::int64_t bytes = 0;
    for (DmaCommand& load : loads) {
      bytes += load.bytes;
      engines_.load.queue.push(load);
    }
    std::int64_t stored = 0;
    for (const TensorId id : program.outputs) stored += command(id).bytes;
    VectorCommand work;
    work.op = op;
    work.cycles = by_dma ? 0 : cost.cycles(i, i + 1, tiles);
    work.own_tile = true;
    work.rearranging = mapped_op.changes_order;
    work.scratchpad_bytes = by_dma ? 0 : bytes + stored;
    work.operands = all_loads();
    if (program.outputs.empty()) {
      work.give[0] = {&scratchpad.m_side};
      work.give[1] = {&scratchpad.n_side};
    }
    const Need computed{&engines_.vector.progress, engines_.vector.queue.push(work)};
    for (const TensorId id : program.outputs) {
      DmaCommand store = command(id);
      store.after = computed;
      if (id == program.outputs.back()) {
        store.give[0] = {&scratchpad.m_side};
        store.give[1] = {&scratchpad.n_side};
      }
      engines_.store.queue.push(store);
    }
    // The unit reads operands and writes results.
    if (!by_dma) ledger_.record(op).scratchpad_bytes += bytes + stored;
  }
}

/// Reads the operand, copies it to its other form and writes that to `address`. Returns when its
/// last byte is there.
Need Sequencer::rearrange_operand(int op, TensorId operand, const Rearrangement& form,
                                  std::uint64_t address) {
  const VectorCost cost(npu_.vector_unit, {{"copy", form.elements}});
  const std::int64_t tiles = vector_tiles(npu_.scratchpad, form.read_bytes, form.written_bytes);
  Scratchpad& scratchpad = engines_.scratchpad;
  for (std::int64_t i = 0; i < tiles; ++i) {
    DmaCommand load;
    load.op = op;
    load.rearranging = true;
    load.address = tile_address(operand, i, tiles);
    load.bytes = share_of(form.read_bytes, i, i + 1, tiles);
    load.producers = producers(operand);
    load.take[0] = &scratchpad.m_side;
    load.take[1] = &scratchpad.n_side;
    engines_.load.queue.push(load);
    DmaCommand store;
    store.op = op;
    store.rearranging = true;
    store.address = address + static_cast<std::uint64_t>(share_of(form.written_bytes, 0, i, tiles));
    store.bytes = share_of(form.written_bytes, i, i + 1, tiles);
    VectorCommand work;
    work.op = op;
    work.rearranging = true;
    work.cycles = cost.cycles(i, i + 1, tiles);
    work.scratchpad_bytes = load.bytes + store.bytes;
    work.operands = all_loads();
    store.after = {&engines_.vector.progress, engines_.vector.queue.push(work)};
    store.give[0] = {&scratchpad.m_side};
    store.give[1] = {&scratchpad.n_side};
    engines_.store.queue.push(store);
    ledger_.record(op).scratchpad_bytes += work.scratchpad_bytes;
  }
  return {&engines_.store.progress, engines_.store.queue.pushed()};
}

}  // namespace npusim::npu::model
