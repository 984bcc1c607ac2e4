// SPDX-License-Identifier: Apache-2.0
#include "npu_models/modules/layer_repeats.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "npu_models/modules/op_program.h"
#include "npu_models/rearrangement.h"
#include "npu_models/winograd_steps.h"
#include "precision/unit_text.h"

namespace npusim::npu::model {
namespace {

using Ids = std::vector<int>;

/// Addresses that differ by a multiple of this are the same to memory and DMA.
std::uint64_t address_period(const NpuSpec& npu) {
  std::int64_t period = 1;
  if (npu.dram.timing) {
    const DramTiming& timing = *npu.dram.timing;
    period = std::lcm(timing.row_bytes * timing.channels * timing.banks,
                      timing.burst_bytes * timing.channels);
  }
  if (npu.dma) period = std::lcm(period, npu.dma->burst_bytes);
  return static_cast<std::uint64_t>(period);
}

std::string text_of(const workloads::Contraction& c) {
  std::string text = std::to_string(c.groups) + "g";
  std::vector<std::int64_t> numbers = {c.m, c.n, c.m_input, c.n_input, c.bias_input};
  for (const precision::ReduceDim& dim : c.dims) numbers.push_back(dim.extent);
  if (c.window) {
    const workloads::Window& w = *c.window;
    numbers.insert(numbers.end(), {w.images, w.channels, w.in_height, w.in_width, w.out_height,
                                   w.out_width, w.kernel_height, w.kernel_width, w.stride_height,
                                   w.stride_width, w.dilation_height, w.dilation_width});
  }
  for (const std::int64_t number : numbers) text += " " + std::to_string(number);
  return text;
}

std::string text_of(const GemmMapping& gemm) {
  std::string text = text_of(gemm.contraction) + describe_mapping(gemm) +
                     precision::describe(gemm.unit) + describe_plan(gemm);
  for (const std::int64_t number :
       {gemm.ordered_k, static_cast<std::int64_t>(gemm.spills), gemm.accumulator_bytes,
        gemm.accumulator_latency_cycles, gemm.macs_per_pe_per_cycle, gemm.cycles_per_step})
    text += " " + std::to_string(number);
  if (gemm.winograd)
    text += name_of(gemm.winograd->stage) + text_of(gemm.winograd->convolution) +
            (gemm.winograd->offline_weights ? " offline" : "");
  return text;
}

std::string text_of(const workloads::AttentionBlocks& blocks, const AttentionMask& mask) {
  const workloads::AttentionShape& shape = blocks.shape;
  std::string text;
  for (const std::int64_t number : {shape.batch,
                                    shape.heads,
                                    shape.kv_heads,
                                    shape.rows,
                                    shape.past,
                                    shape.columns,
                                    shape.depth,
                                    shape.value_depth,
                                    std::int64_t{shape.packed},
                                    std::int64_t{shape.causal},
                                    std::int64_t{shape.scale != 1.0},
                                    std::int64_t{shape.softcap != 0.0},
                                    blocks.queries,
                                    blocks.keys,
                                    mask.element_bytes,
                                    std::int64_t{mask.boolean},
                                    std::int64_t{mask.by_batch},
                                    std::int64_t{mask.by_head},
                                    std::int64_t{mask.by_row},
                                    std::int64_t{mask.by_column}})
    text += " " + std::to_string(number);
  return text;
}

std::string text_of(const AttentionMapping& attention) {
  std::string text = describe_mapping(attention) + describe_plan(attention) +
                     text_of(attention.scores) + text_of(attention.context) +
                     text_of(attention.blocks, attention.mask);
  for (const std::int64_t number : {attention.operand_bytes, attention.output_bytes,
                                    attention.internal_bytes, attention.statistics_bytes})
    text += " " + std::to_string(number);
  return text;
}

std::string text_of(const AttentionGradientMapping& gradient) {
  std::string text = describe_mapping(gradient) + describe_plan(gradient) +
                     text_of(gradient.blocks, gradient.mask);
  for (const GemmMapping* product :
       {&gradient.scores, &gradient.weights, &gradient.values, &gradient.keys, &gradient.queries})
    text += text_of(*product);
  for (const std::int64_t number :
       {gradient.operand_bytes, gradient.result_bytes, gradient.statistics_bytes,
        gradient.internal_bytes, gradient.query_gradient_bytes, gradient.key_gradient_bytes,
        gradient.value_gradient_bytes})
    text += " " + std::to_string(number);
  return text;
}

/// All of an op that the engines look at, but for its tensors.
std::string text_of(const MappedOp& op) {
  std::string text = name_of(op.engine);
  if (op.gemm) text += text_of(*op.gemm);
  if (op.attention) text += text_of(*op.attention);
  if (op.attention_gradient) text += text_of(*op.attention_gradient);
  for (const workloads::VectorWork& work : op.vector_work)
    text += " " + work.function + std::to_string(work.elements);
  if (op.rearrangement) {
    const Rearrangement& form = *op.rearrangement;
    text += name_of(form.kind);
    for (const std::int64_t number : {form.read_bytes, form.written_bytes, form.elements})
      text += " " + std::to_string(number);
  }
  for (const TransposedOperand& operand : op.transposed)
    for (const std::int64_t number :
         {std::int64_t{operand.stationary}, std::int64_t{operand.by_dma}, operand.elements,
          operand.element_bytes})
      text += " t" + std::to_string(number);
  if (op.changes_order) text += " order";
  return text + " " + std::to_string(op.gathered_run) + " " + std::to_string(op.macs);
}

/// Partial sums, transformed weights and other forms of operands lie behind all tensors, at other
/// distances from each repetition's.
bool uses_memory_behind_tensors(const MappedOp& op) {
  return op.rearrangement || op.attention_gradient || !op.transposed.empty() ||
         (op.gemm && (op.gemm->spills || op.gemm->winograd));
}

/// What each op does, as texts that are equal for equal work.
class Signatures {
 public:
  Signatures(const NpuSpec& npu, const MappedGraph& mapped)
      : mapped_(mapped), layout_(mapped), period_(address_period(npu)), rows_(npu.dram.timing) {
    producer_.assign(mapped.graph.tensors.size(), -1);
    for (std::size_t op = 0; op < mapped.ops.size(); ++op) {
      ids_.push_back(
          numbers_.try_emplace(text_of(op), static_cast<int>(numbers_.size())).first->second);
      for (const TensorId id : tensors_of(op, false))
        producer_[static_cast<std::size_t>(id)] = static_cast<std::int64_t>(op);
    }
  }
  const Ids& ids() const { return ids_; }

  /// The ops of both sequences read what the same ops of their own sequence made and, where rows
  /// stay open, all tensors of one lie as far from those of the other.
  bool alike(const LayerRepeat& repeat, std::size_t one, std::size_t other) const {
    for (std::size_t op = 0; op < repeat.length; ++op) {
      const std::size_t a = repeat.begin(one) + op, b = repeat.begin(other) + op;
      const std::vector<TensorId> of_a = tensors_of(a, true), of_b = tensors_of(b, true);
      for (std::size_t i = 0; i < of_a.size(); ++i)
        if (producer(of_a[i], repeat.begin(one)) != producer(of_b[i], repeat.begin(other)))
          return false;
    }
    return !rows_ || distances(repeat, one, other).size() <= 1;
  }

 private:
  /// Counted from the begin of the sequence; -1: made before it.
  std::int64_t producer(TensorId id, std::size_t first) const {
    const std::int64_t op = producer_[static_cast<std::size_t>(layout_.root(id))];
    return std::max<std::int64_t>(-1, op - static_cast<std::int64_t>(first));
  }

  std::vector<TensorId> tensors_of(std::size_t op, bool inputs) const {
    std::vector<TensorId> tensors;
    for (const workloads::Node* node : nodes_of(op))
      for (const TensorId id : inputs ? node->inputs : node->outputs)
        if (id != workloads::kNoTensor) tensors.push_back(id);
    return tensors;
  }

  std::set<std::uint64_t> distances(const LayerRepeat& repeat, std::size_t one,
                                    std::size_t other) const {
    std::set<std::uint64_t> found;
    for (std::size_t op = 0; op < repeat.length; ++op)
      for (const bool inputs : {false, true}) {
        const std::vector<TensorId> a = tensors_of(repeat.begin(one) + op, inputs);
        const std::vector<TensorId> b = tensors_of(repeat.begin(other) + op, inputs);
        for (std::size_t i = 0; i < a.size(); ++i)
          found.insert(layout_.address(b[i]) - layout_.address(a[i]));
      }
    return found;
  }

  std::vector<const workloads::Node*> nodes_of(std::size_t op) const {
    const MappedOp& mapped_op = mapped_.ops[op];
    std::vector<const workloads::Node*> nodes = {
        &mapped_.graph.nodes[static_cast<std::size_t>(mapped_op.node)]};
    for (const int node : mapped_op.epilogue)
      nodes.push_back(&mapped_.graph.nodes[static_cast<std::size_t>(node)]);
    return nodes;
  }

  std::string text_of(TensorId id, const std::vector<TensorId>& before) const {
    if (id == workloads::kNoTensor) return " -";
    const auto at = static_cast<std::size_t>(id);
    const auto same = std::find(before.begin(), before.end(), id) - before.begin();
    return " " + workloads::to_string(mapped_.graph.tensors[at].shape) +
           mapped_.storage[at].format.name + std::to_string(mapped_.elements(id)) +
           (mapped_.on_chip[at] ? "c" : "") + "#" + std::to_string(same) + "@" +
           std::to_string(layout_.address(id) % period_);
  }

  std::string text_of(std::size_t op) const {
    const MappedOp& mapped_op = mapped_.ops[op];
    std::string text = model::text_of(mapped_op);
    if (rows_ && uses_memory_behind_tensors(mapped_op)) text += " " + std::to_string(op);
    if (const std::int64_t bytes = transformed_weight_bytes(mapped_, mapped_op); bytes > 0)
      text += " weights @" +
              std::to_string(layout_.transformed_address(weights_of(mapped_, mapped_op), bytes) %
                             period_);
    std::vector<TensorId> before;
    for (const workloads::Node* node : nodes_of(op)) {
      text += "\n" + node->op;
      for (const auto* list : {&node->inputs, &node->outputs}) {
        text += " |";
        for (const TensorId id : *list) {
          text += text_of(id, before);
          before.push_back(id);
        }
      }
    }
    return text;
  }

  const MappedGraph& mapped_;
  TensorLayout layout_;
  std::uint64_t period_;
  bool rows_;  ///< DRAM's rows stay open
  std::map<std::string, int> numbers_;
  Ids ids_;
  std::vector<std::int64_t> producer_;
};

/// Positions [first, last) whose ids equal those a `length` later; at least one length of them.
struct Run {
  std::size_t first, last, length;
};

/// All that cannot be made longer, but for those whose sequence is itself repeated, which save
/// less. A run of a length covers a multiple of it, and the position a length later: only those are
/// compared and extended both ways, n log n comparisons and those within runs.
std::vector<Run> runs_of(const Ids& ids) {
  std::vector<Run> runs;
  std::set<std::pair<std::size_t, std::size_t>> known;  // begin and end of the repetitions
  for (std::size_t length = 1; 2 * length <= ids.size(); ++length)
    for (std::size_t at = 0; at + length < ids.size(); at += length) {
      std::size_t first = at, last = at;
      while (last + length < ids.size() && ids[last] == ids[last + length]) ++last;
      if (last == at) continue;
      while (first > 0 && ids[first - 1] == ids[first - 1 + length]) --first;
      if (last - first >= length && known.insert({first, last + length}).second)
        runs.push_back({first, last, length});
      at = last / length * length;
    }
  return runs;
}

/// Of ops [begin, end), the repetition that saves the most ops; count 0: nothing repeats.
LayerRepeat most_saving(const std::vector<Run>& runs, std::size_t begin, std::size_t end) {
  LayerRepeat best;
  std::size_t most = 0;
  for (const Run& run : runs) {
    const std::size_t first = std::max(run.first, begin);
    const std::size_t last = std::min(run.last + run.length, end);  // of the repetitions
    if (first + 2 * run.length > last) continue;
    const std::size_t count = (last - first) / run.length;
    const std::size_t saved = (count - 1) * run.length;
    if (saved <= most) continue;
    most = saved;
    best = {first, run.length, count};
  }
  return best;
}

/// In no order.
std::vector<LayerRepeat> find_repeats(const Signatures& signatures) {
  const std::vector<Run> runs = runs_of(signatures.ids());
  std::vector<LayerRepeat> found;
  std::vector<std::pair<std::size_t, std::size_t>> open = {{0, signatures.ids().size()}};
  while (!open.empty()) {
    const auto [begin, end] = open.back();
    open.pop_back();
    const LayerRepeat repeat = most_saving(runs, begin, end);
    if (repeat.count == 0) continue;
    std::size_t same = 1;
    while (same < repeat.count && signatures.alike(repeat, 0, same)) ++same;
    if (same > 1) found.push_back({repeat.first, repeat.length, same});
    open.emplace_back(begin, repeat.first);
    open.emplace_back(repeat.begin(same), end);
  }
  return found;
}

}  // namespace

std::vector<LayerRepeat> layer_repeats(const NpuSpec& npu, const MappedGraph& mapped) {
  std::vector<LayerRepeat> found = find_repeats(Signatures(npu, mapped));
  std::sort(found.begin(), found.end(),
            [](const LayerRepeat& a, const LayerRepeat& b) { return a.first < b.first; });
  return found;
}

std::int64_t add_repetitions(const std::vector<LayerRepeat>& repeats,
                             const std::vector<std::int64_t>& begins,
                             const std::vector<std::int64_t>& ends,
                             std::vector<OpRecord>& records) {
  const auto move = [](OpRecord& record, std::int64_t cycles) {
    if (record.start_cycle < 0) return;
    record.start_cycle += cycles;
    record.end_cycle += cycles;
  };
  std::int64_t left_out = 0;
  std::size_t op = 0;
  for (std::size_t r = 0; r < repeats.size(); ++r) {
    const LayerRepeat& repeat = repeats[r];
    for (; op < repeat.begin(1); ++op) move(records[op], left_out);
    for (std::size_t repetition = 1; repetition < repeat.count; ++repetition) {
      left_out += ends[r] - begins[r];
      for (; op < repeat.begin(repetition + 1); ++op) {
        records[op] = records[op - repeat.length];
        move(records[op], ends[r] - begins[r]);
      }
    }
  }
  for (; op < records.size(); ++op) move(records[op], left_out);
  return left_out;
}

}  // namespace npusim::npu::model
