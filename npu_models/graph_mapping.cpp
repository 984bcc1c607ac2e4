// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "npu_models/attention_mapping.h"
#include "npu_models/attention_steps.h"
#include "npu_models/epilogue.h"
#include "npu_models/gemm_plan.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/memory_footprint.h"
#include "npu_models/rearrangement.h"
#include "workloads/decompose.h"
#include "workloads/operand_order.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::NodeView;
using workloads::OpClass;

bool cannot_run(const Verdict& verdict) {
  return verdict.support == Support::unsupported || verdict.support == Support::unknown;
}

[[noreturn]] void refuse(const NpuSpec& npu, const std::vector<CoverageRow>& rows) {
  std::string text;
  int more = 0;
  for (const CoverageRow& row : rows) {
    if (!cannot_run(row.verdict)) continue;
    if (!text.empty()) {
      ++more;
      continue;
    }
    text = npu.name + " cannot run " + row.node + " (" + row.op +
           "): " + name_of(row.verdict.support) + ", " + row.verdict.reason;
  }
  if (more > 0) text += "; and " + std::to_string(more) + " more";
  throw UnsupportedError(text);
}

class GraphMapper {
 public:
  GraphMapper(const NpuSpec& npu, const Graph& graph, const workloads::Recipe& recipe,
              const MappedGraph* reference)
      : npu_(npu), recipe_(recipe), has_reference_(reference != nullptr) {
    if (has_reference_) find_reference(*reference);
    bool complete = true;
    std::vector<CoverageRow> rows = coverage_of(npu, graph, recipe);
    for (const CoverageRow& row : rows) {
      verdicts_[row.node] = row.verdict;
      complete = complete && !cannot_run(row.verdict);
    }
    if (!complete) refuse(npu, rows);
    for (const Node& node : graph.nodes) decide_fusion(node);
    workloads::DecomposedGraph parts = workloads::decompose(graph, [&](const Node& node) {
      return verdicts_.at(node.name).support == Support::decomposed;
    });
    mapped_.graph = std::move(parts.graph);
    origins_ = std::move(parts.origin);
    mapped_.storage = workloads::storage_formats(mapped_.graph, recipe);
  }

  MappedGraph run() {
    for (std::size_t i = 0; i < mapped_.graph.nodes.size(); ++i) engines_.push_back(engine_of(i));
    Fusion fusion = npu_.vector_unit.fuses_epilogue
                        ? fuse_epilogues(mapped_.graph, hosts_of_epilogues())
                        : no_fusion(mapped_.graph);
    for (std::size_t i = 0; i < mapped_.graph.tensors.size(); ++i)
      if (fusion.on_chip[i]) mapped_.storage[i] = npu_.vector_unit.arithmetic;
    for (std::size_t i = 0; i < mapped_.graph.nodes.size(); ++i)
      if (!fusion.fused[i]) mapped_.ops.push_back(map_op(i, std::move(fusion.epilogue[i])));
    mapped_.on_chip = std::move(fusion.on_chip);
    mapped_.approximations = npu_.vector_unit.approximations;
    return std::move(mapped_);
  }

 private:
  const Node& node(std::size_t i) const { return mapped_.graph.nodes[i]; }
  const workloads::Op& op(std::size_t i) const { return workloads::ops().at(node(i).op); }
  const precision::Arithmetic& stored(workloads::TensorId tensor) const {
    return mapped_.storage[static_cast<std::size_t>(tensor)];
  }

  /// Of attention as one op the vector unit takes every tile already.
  std::vector<Engine> hosts_of_epilogues() const {
    std::vector<Engine> engines = engines_;
    for (std::size_t i = 0; i < engines.size(); ++i)
      if (verdicts_.at(origins_[i]).fused) engines[i] = Engine::vector;
    return engines;
  }

  /// With a reference attention is one op where it is one there; a pin that wants one op where
  /// there can be none is a mistake.
  void decide_fusion(const Node& node) {
    Verdict& verdict = verdicts_.at(node.name);
    if (verdict.fused && has_reference_ && reference_.count(node.name) == 0) {
      verdict.support = Support::decomposed;
      verdict.fused = false;
    }
    const MappingPin* const pin = find_pin(npu_.mapping, node.name);
    if (node.op != "Attention" || has_reference_ || verdict.fused || pin == nullptr ||
        !pin->attention || !pin->attention->fused)
      return;
    base::Diagnostic mistake = pin->place;
    mistake.code = "illegal-mapping";
    mistake.message = node.name + " cannot be fused: " + verdict.reason;
    mistake.allowed = "attention as its parts";
    throw base::InputError({mistake});
  }

  Engine engine_of(std::size_t i) const {
    Verdict verdict = verdicts_.at(origins_[i]);
    if (verdict.fused) return Engine::matrix;
    if (verdict.support == Support::decomposed) {
      verdict = judge(npu_, mapped_.graph, node(i), mapped_.storage, recipe_);
      if (cannot_run(verdict) || verdict.support == Support::decomposed)
        throw UnsupportedError(npu_.name + " cannot run " + node(i).name + " (" + node(i).op +
                               ", part of " + origins_[i] + "): " + verdict.reason);
    }
    const OpClass kind = op(i).op_class();
    if (kind == OpClass::view) return Engine::view;
    if (verdict.support == Support::host) return Engine::host;
    return kind == OpClass::matrix ? Engine::matrix : Engine::vector;
  }

  MappedOp map_op(std::size_t i, std::vector<int> epilogue) {
    MappedOp mapped;
    mapped.node = static_cast<int>(i);
    mapped.engine = engines_[i];
    mapped.origin = origins_[i];
    mapped.verdict = verdicts_.at(origins_[i]);
    mapped.epilogue = std::move(epilogue);
    if (mapped.engine == Engine::view) return mapped;
    if (mapped.verdict.fused) {
      map_fused_attention(mapped);
      return mapped;
    }
    const NodeView view(mapped_.graph, node(i));
    mapped.vector_work = op(i).vector_work(view);
    for (int fused : mapped.epilogue)
      append_work(static_cast<std::size_t>(fused), mapped.vector_work);
    if (by_dma(i, mapped)) {
      mapped.vector_work.clear();
      mapped.gathered_run = run_of_transpose(view);
    }
    if (auto contraction = op(i).contraction(view)) {
      mapped.macs = contraction->macs();
      if (mapped.engine == Engine::matrix) {
        const workloads::TensorId streamed =
            node(i).inputs[static_cast<std::size_t>(contraction->m_input)];
        mapped.rearrangement = rearrange(npu_.data_layout, view, *contraction,
                                         stored(streamed).format.storage_bytes());
        map_product(*contraction, mapped);
        add_combination(*mapped.gemm, mapped.vector_work);
      }
    }
    return mapped;
  }

  bool by_dma(std::size_t i, const MappedOp& mapped) const {
    return npu_.data_layout.transpose == Transposing::dma && mapped.engine == Engine::vector &&
           node(i).op == "Transpose";
  }

  void append_work(std::size_t i, std::vector<workloads::VectorWork>& work) const {
    for (workloads::VectorWork& part : op(i).vector_work(NodeView(mapped_.graph, node(i))))
      work.push_back(std::move(part));
  }

  void find_reference(const MappedGraph& reference) {
    for (const MappedOp& op : reference.ops) {
      MappingPin pin;
      if (op.attention) {
        pin.attention = {true, op.attention->blocks.queries, op.attention->blocks.keys};
        pin.split = op.attention->scores.split;
        reference_.emplace(reference.graph.nodes[static_cast<std::size_t>(op.node)].name, pin);
      }
      if (!op.gemm) continue;
      const GemmMapping& gemm = *op.gemm;
      pin.tile_m = gemm.tile_m;
      pin.tile_n = gemm.tile_n;
      pin.tile_k = gemm.tile_k;
      pin.loop_order = gemm.loop_order;
      pin.split = gemm.split;
      reference_.emplace(reference.graph.nodes[static_cast<std::size_t>(op.node)].name, pin);
    }
  }

  /// As the reference does, else as the file says, else as the search finds. `map(pin)` makes the
  /// mapping with the pin (nullptr: none), or throws IllegalPin.
  template <class Map>
  auto mapping_by(MappedOp& mapped, const Map& map) {
    const std::string& name = node(static_cast<std::size_t>(mapped.node)).name;
    if (has_reference_) {
      const auto found = reference_.find(name);
      if (found == reference_.end()) {
        mapped.not_pinned = "the reference has no such product";
      } else {
        try {
          auto mapping = map(&found->second);
          mapped.mapping_origin = MappingOrigin::reference;
          return mapping;
        } catch (const IllegalPin& illegal) {
          mapped.not_pinned = illegal.what();
        }
      }
    }
    const MappingPin* pin = find_pin(npu_.mapping, name);
    // One that says nothing of attention is for products.
    if (node(static_cast<std::size_t>(mapped.node)).op == "Attention" && pin && !pin->attention)
      pin = nullptr;
    try {
      auto mapping = map(pin);
      if (pin != nullptr) mapped.mapping_origin = MappingOrigin::file;
      return mapping;
    } catch (const IllegalPin& illegal) {
      base::Diagnostic mistake = pin->place;
      mistake.code = "illegal-mapping";
      mistake.message = name + " cannot be mapped so: " + illegal.what();
      mistake.allowed = "what fits, as " + describe_mapping(map(nullptr));
      throw base::InputError({mistake});
    }
  }

  void map_product(const workloads::Contraction& contraction, MappedOp& mapped) {
    mapped.gemm = mapping_by(
        mapped, [&](const MappingPin* pin) { return gemm_of(contraction, mapped, pin); });
  }

  void map_fused_attention(MappedOp& mapped) {
    const Node& attention = node(static_cast<std::size_t>(mapped.node));
    mapped.attention =
        mapping_by(mapped, [&](const MappingPin* pin) { return attention_of(attention, pin); });
    mapped.macs = mapped.attention->blocks.macs();
    for (const auto& [function, elements] : attention_totals(npu_, *mapped.attention).work)
      mapped.vector_work.push_back({function, elements});
  }

  /// Repeated layers are mapped once.
  AttentionMapping attention_of(const Node& attention, const MappingPin* pin) {
    std::string key = key_of(pin);
    for (const auto* ids : {&attention.inputs, &attention.outputs})
      for (const workloads::TensorId id : *ids)
        key += id == workloads::kNoTensor
                   ? " -"
                   : " " + workloads::to_string(mapped_.graph.tensor(id).shape) +
                         stored(id).format.name +
                         std::to_string(static_cast<int>(mapped_.graph.tensor(id).type));
    const NodeView view(mapped_.graph, attention);
    for (const char* name : {"is_causal", "q_num_heads", "kv_num_heads"})
      key += " " + std::to_string(view.integer(name));
    key += view.number("softcap") != 0.0 ? " capped" : "";
    const auto known = attentions_.find(key);
    if (known != attentions_.end()) return known->second;
    return attentions_
        .emplace(key, map_attention(npu_, mapped_.graph, attention, mapped_.storage, recipe_, pin))
        .first->second;
  }

  /// Repeated layers are mapped once.
  GemmMapping gemm_of(const workloads::Contraction& contraction, const MappedOp& mapped,
                      const MappingPin* pin) {
    const auto i = static_cast<std::size_t>(mapped.node);
    const std::vector<int>& epilogue = mapped.epilogue;
    const Node& last = epilogue.empty() ? node(i) : node(static_cast<std::size_t>(epilogue.back()));
    const std::int64_t output_bytes = stored(last.outputs.front()).format.storage_bytes();
    const OperandFormats input = operands_of(mapped_.graph, node(i), contraction, mapped_.storage);
    const bool n_first = workloads::names_n_side_first(node(i).op);
    const precision::Format accumulator =
        recipe_.accumulator ? *recipe_.accumulator : default_accumulator(npu_.mac_array, input);
    const std::string key =
        key_of(contraction, input.name(), output_bytes) + (n_first ? " n first" : "") + key_of(pin);
    const auto known = gemms_.find(key);
    GemmMapping gemm = known != gemms_.end() ? known->second
                                             : map_gemm(npu_, contraction, input, n_first,
                                                        accumulator, output_bytes, pin);
    if (known == gemms_.end()) gemms_.emplace(key, gemm);
    gemm.contraction = contraction;  // inputs by number and all that does not shape the mapping
    return gemm;
  }

  static std::string key_of(const MappingPin* pin) {
    if (pin == nullptr) return {};
    std::string key = " pinned";
    for (const auto& side : {pin->tile_m, pin->tile_n, pin->tile_k})
      key += side ? " " + std::to_string(*side) : " -";
    key += pin->loop_order ? name_of(*pin->loop_order) : "-";
    key += pin->split ? describe(*pin->split) : "-";
    if (!pin->attention) return key;
    for (const auto& side : {pin->attention->queries, pin->attention->keys})
      key += side ? " " + std::to_string(*side) : " -";
    return key;
  }

  static std::string key_of(const workloads::Contraction& c, const std::string& input,
                            std::int64_t output_bytes) {
    std::string key = input + " " + std::to_string(output_bytes) + " " + workloads::name_of(c.role);
    for (std::int64_t value : {c.groups, c.m, c.n}) key += " " + std::to_string(value);
    for (const precision::ReduceDim& dim : c.dims)
      key += " " + dim.name + std::to_string(dim.extent);
    if (!c.window) return key;
    const workloads::Window& w = *c.window;
    for (std::int64_t value :
         {w.images, w.channels, w.in_height, w.in_width, w.out_height, w.out_width, w.kernel_height,
          w.kernel_width, w.stride_height, w.stride_width, w.dilation_height, w.dilation_width})
      key += " " + std::to_string(value);
    return key;
  }

  const NpuSpec& npu_;
  const workloads::Recipe& recipe_;
  const bool has_reference_;
  std::map<std::string, MappingPin> reference_;  ///< by name of the node
  MappedGraph mapped_;
  std::vector<std::string> origins_;
  std::map<std::string, Verdict> verdicts_;  ///< by name of the original node
  std::vector<Engine> engines_;
  std::map<std::string, GemmMapping> gemms_;
  std::map<std::string, AttentionMapping> attentions_;
};

}  // namespace

const char* name_of(Engine engine) {
  switch (engine) {
    case Engine::matrix:
      return "matrix";
    case Engine::vector:
      return "vector";
    case Engine::host:
      return "host";
    case Engine::view:
      return "view";
  }
  return "";
}

std::vector<CoverageRow> coverage_of(const NpuSpec& npu, const Graph& graph,
                                     const workloads::Recipe& recipe) {
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(graph, recipe);
  std::vector<CoverageRow> rows;
  rows.reserve(graph.nodes.size());
  for (const Node& node : graph.nodes)
    rows.push_back({node.name, node.op, judge(npu, graph, node, storage, recipe)});
  return rows;
}

MappedGraph map_graph(const NpuSpec& npu, const Graph& graph, const workloads::Recipe& recipe,
                      const MappedGraph* reference) {
  MappedGraph mapped = GraphMapper(npu, graph, recipe, reference).run();
  mapped.memory = footprint_of(mapped);
  return mapped;
}

void check_fits(const NpuSpec& npu, const MappedGraph& mapped) {
  const MemoryFootprint& memory = mapped.memory;
  if (memory.peak_bytes > npu.dram.capacity_bytes)
    throw UnsupportedError(npu.name + " has " + std::to_string(npu.dram.capacity_bytes) +
                           " bytes of memory; " + memory.peak_op + " needs " +
                           std::to_string(memory.peak_bytes));
}

}  // namespace npusim::npu
