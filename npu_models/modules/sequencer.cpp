// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/sequencer.h"

#include <algorithm>
#include <stdexcept>

#include "npu_models/modules/share.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::npu::model {
namespace {

/// The op that writes each tensor.
std::vector<int> producers_of(const MappedGraph& mapped) {
  std::vector<int> producer(mapped.graph.tensors.size(), -1);
  for (std::size_t op = 0; op < mapped.ops.size(); ++op) {
    std::vector<int> nodes = mapped.ops[op].epilogue;
    nodes.push_back(mapped.ops[op].node);
    for (const int node : nodes) {
      for (const TensorId id : mapped.graph.nodes[static_cast<std::size_t>(node)].outputs) {
        if (id != workloads::kNoTensor) {
          producer[static_cast<std::size_t>(id)] = static_cast<int>(op);
        }
      }
    }
  }
  return producer;
}

}  // namespace

Sequencer::Sequencer(const sc_core::sc_module_name& name, const NpuSpec& npu,
                     const MappedGraph& mapped, Engines& engines, Ledger& ledger)
    : sc_core::sc_module(name),
      npu_(npu),
      mapped_(mapped),
      engines_(engines),
      ledger_(ledger),
      granule_(find_organisation(npu.mac_array.organisation)->granule(npu.mac_array)),
      layout_(mapped),
      producer_(producers_of(mapped)),
      done_(mapped.ops.size()) {
  SC_THREAD(run);
}

void Sequencer::run() {
  try {
    issue_all();
    finished_ = true;
  } catch (const std::logic_error& error) {
    failure_ = error.what();
  }
}

void Sequencer::issue_all() {
  for (std::size_t op = begin_repetition(0); op < mapped_.ops.size();
       op = begin_repetition(op + 1)) {
    if (mapped_.ops[op].engine == Engine::view) {
      done_[op] = done_with_phases(op);
      continue;
    }
    current_op_ = static_cast<int>(op);
    wait_until(now_picos() + picos_of(npu_.launch_cycles));
    issue(current_op_);
    ledger_.step();
  }
}

void Sequencer::set_layers_apart(std::vector<LayerRepeat> repeats, bool once,
                                 std::function<void(Picos)> restart) {
  repeats_ = std::move(repeats);
  once_ = once;
  restart_ = std::move(restart);
}

/// Before op number `op`; returns the op to issue next.
std::size_t Sequencer::begin_repetition(std::size_t op) {
  while (next_repeat_ < repeats_.size()) {
    const LayerRepeat& repeat = repeats_[next_repeat_];
    if (op < repeat.first || (op - repeat.first) % repeat.length != 0) return op;
    wait_for_all();
    restart_(now_picos());
    if (op == repeat.first) return op;
    if (once_) op = repeat.end();
    if (op < repeat.end()) return op;
    ++next_repeat_;  // and the next one may begin here
  }
  return op;
}

void Sequencer::wait_for_all() {
  const auto wait_for = [](auto& engine) {
    wait_until(engine.progress.end_of(engine.queue.pushed()));
  };
  wait_for(engines_.load);
  wait_for(engines_.array);
  wait_for(engines_.vector);
  wait_for(engines_.host);
  wait_for(engines_.store);
}

void Sequencer::issue(int op) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  const std::uint64_t stored_before = engines_.store.queue.pushed();
  const std::uint64_t vector_before = engines_.vector.queue.pushed();
  Needs& done = done_[static_cast<std::size_t>(op)];
  if (mapped_op.attention) {
    issue_attention(op);
    done = done_after_issue(stored_before, vector_before);
    return;
  }
  if (mapped_op.attention_gradient) {
    issue_attention_gradient(op);
    done = done_after_issue(stored_before, vector_before);
    return;
  }
  const OpProgram program = program_of(mapped_, mapped_op);
  if (mapped_op.engine == Engine::host) {
    issue_host(op, program);
    done = {{&engines_.host.progress, engines_.host.queue.pushed()}};
    return;
  }
  if (mapped_op.engine == Engine::matrix) {
    issue_matrix(op, program);
  } else {
    issue_vector(op, program);
  }
  done = done_after_issue(stored_before, vector_before);
}

Needs Sequencer::done_after_issue(std::uint64_t stored_before, std::uint64_t vector_before) const {
  if (engines_.store.queue.pushed() > stored_before) {
    return {{&engines_.store.progress, engines_.store.queue.pushed()}};
  }
  if (engines_.vector.queue.pushed() > vector_before) {
    return {{&engines_.vector.progress, engines_.vector.queue.pushed()}};
  }
  return {{&engines_.array.progress, engines_.array.queue.pushed()}};
}

/// Of what joins phases: all of them. Other views are never asked.
Needs Sequencer::done_with_phases(std::size_t op) const {
  const workloads::Node& node = mapped_.graph.nodes[static_cast<std::size_t>(mapped_.ops[op].node)];
  Needs done;
  if (!workloads::joins_phases(node)) return done;
  for (const TensorId phase : node.inputs)
    if (const Needs* const needs = producers(phase))
      done.insert(done.end(), needs->begin(), needs->end());
  return done;
}

const Needs* Sequencer::producers(TensorId tensor) const {
  const int op = producer_[static_cast<std::size_t>(layout_.root(tensor))];
  return op < 0 ? nullptr : &done_[static_cast<std::size_t>(op)];
}

std::uint64_t Sequencer::tile_address(TensorId tensor, std::int64_t part,
                                      std::int64_t whole) const {
  return layout_.address(tensor) +
         static_cast<std::uint64_t>(share_of(layout_.bytes(tensor), 0, part, whole));
}

Need Sequencer::all_loads() const {
  return {&engines_.load.progress, engines_.load.queue.pushed()};
}

void Sequencer::issue_host(int op, const OpProgram& program) {
  const MappedOp& mapped_op = mapped_.ops[static_cast<std::size_t>(op)];
  HostCommand command;
  command.op = op;
  command.elements = mapped_op.macs;
  for (const workloads::VectorWork& work : mapped_op.vector_work) {
    command.elements += work.elements;
  }
  for (const TensorId id : program.tiled_inputs) {
    command.read_bytes += layout_.bytes(id);
    if (const Needs* needs = producers(id)) {
      command.producers.insert(command.producers.end(), needs->begin(), needs->end());
    }
  }
  for (const TensorId id : program.outputs) command.write_bytes += layout_.bytes(id);
  if (!program.tiled_inputs.empty()) {
    command.read_address = layout_.address(program.tiled_inputs.front());
  }
  if (!program.outputs.empty()) command.write_address = layout_.address(program.outputs.front());
  engines_.host.queue.push(std::move(command));
}

}  // namespace npusim::npu::model
