// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "npu_models/attention_gradient.h"
#include "npu_models/attention_gradient_steps.h"
#include "npu_models/attention_mapping.h"
#include "npu_models/attention_pin.h"
#include "npu_models/attention_steps.h"
#include "npu_models/channel_order.h"
#include "npu_models/epilogue.h"
#include "npu_models/gemm_plan.h"
#include "npu_models/input_units.h"
#include "npu_models/mapping.h"
#include "npu_models/memory_footprint.h"
#include "npu_models/operand_transposes.h"
#include "npu_models/rearrangement.h"
#include "npu_models/tiling.h"
#include "npu_models/what_if.h"
#include "npu_models/winograd_mapping.h"
#include "npu_models/winograd_steps.h"
#include "workloads/decompose.h"
#include "workloads/operand_order.h"
#include "workloads/ops/conv_phases.h"
#include "workloads/parallel/tensor_parallel.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::NodeView;
using workloads::OpClass;

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
    workloads::DecomposedGraph parts = workloads::rewrite(
        graph, [&](const Node& node) { return replacement_of(NodeView(graph, node)); });
    mapped_.graph = std::move(parts.graph);
    origins_ = std::move(parts.origin);
    mapped_.storage = workloads::storage_formats(mapped_.graph, recipe);
  }

  MappedGraph run() {
    find_engines();
    if (npu_.data_layout.channel_order) change_channel_orders(*npu_.data_layout.channel_order);
    if (npu_.data_layout.transposed_operands != OperandTransposing::free)
      transposes_.emplace(npu_.mac_array, mapped_.graph);
    Fusion fusion = fused();
    for (std::size_t i = 0; i < mapped_.graph.tensors.size(); ++i)
      if (fusion.on_chip[i]) mapped_.storage[i] = npu_.vector_unit.arithmetic;
    for (std::size_t i = 0; i < mapped_.graph.nodes.size(); ++i)
      if (!fusion.fused[i]) mapped_.ops.push_back(map_op(i, std::move(fusion.epilogue[i])));
    mapped_.on_chip = std::move(fusion.on_chip);
    mapped_.approximations = npu_.vector_unit.approximations;
    return std::move(mapped_);
  }

 private:
  void find_engines() {
    engines_.clear();
    mapped_.stand_ins.clear();
    for (std::size_t i = 0; i < mapped_.graph.nodes.size(); ++i) engines_.push_back(engine_of(i));
  }

  Fusion fused() const {
    return npu_.vector_unit.fuses_epilogue ? fuse_epilogues(mapped_.graph, hosts_of_epilogues())
                                           : no_fusion(mapped_.graph);
  }

  void change_channel_orders(const ChannelOrderSpec& spec) {
    const Fusion before = fused();
    OrderedGraph ordered =
        convert_channel_orders(spec, mapped_.graph, origins_, engines_, before, mapped_.storage);
    mapped_.graph = std::move(ordered.graph);
    mapped_.padded_elements = std::move(ordered.padded_elements);
    origins_ = std::move(ordered.origin);
    mapped_.storage = workloads::storage_formats(mapped_.graph, recipe_);
    for (const Node& node : mapped_.graph.nodes)
      if (node.op == kChannelOrder) verdicts_[node.name] = {Support::native, "", Gap::none};
    find_engines();
    // A tensor that stayed on the chip and no longer does would be rounded to its storage.
    const auto count = [](const Fusion& fusion) {
      return std::count(fusion.fused.begin(), fusion.fused.end(), true);
    };
    NPUSIM_CHECK(count(fused()) == count(before), "a change of order parts ops that were fused");
  }

  const Node& node(std::size_t i) const { return mapped_.graph.nodes[i]; }
  const workloads::Op& op(std::size_t i) const { return workloads::ops().at(node(i).op); }
  const precision::Arithmetic& stored(workloads::TensorId tensor) const {
    return mapped_.storage[static_cast<std::size_t>(tensor)];
  }

  /// Of an op that the NPU lacks its parts, of one with inserted zeros that it skips its phases.
  workloads::Replacement replacement_of(const NodeView& view) const {
    const Support support = verdicts_.at(view.node().name).support;
    if (support == Support::decomposed) return workloads::decomposition(view.node());
    const bool skips = npu_.data_layout.zero_insertion == ZeroInsertion::skip;
    if (!skips || support != Support::native || !workloads::inserts_zeros(view)) return {};
    check_phases(view);
    return workloads::split_into_phases;
  }

  void check_phases(const NodeView& view) const {
    const std::int64_t phases = workloads::phases_of(view);
    if (phases <= workloads::kMostPhases) return;
    base::Diagnostic mistake;
    mistake.pointer = "/data_layout/zero_insertion";
    const base::JsonValue* value = &npu_.resolved;
    for (const char* key : {"data_layout", "zero_insertion"})
      if (value != nullptr) value = value->find(key);
    if (value != nullptr) {
      const base::Origin& origin = value->origin();
      if (origin.file) mistake.file = *origin.file;
      mistake.line = origin.line;
      mistake.column = origin.column;
    }
    mistake.code = "too-many-phases";
    mistake.message = "skipping the zeros that " + view.node().name + " inserts takes " +
                      std::to_string(phases) + " products";
    mistake.allowed = "skip where there are at most " + std::to_string(workloads::kMostPhases) +
                      ", or implicit, or through_dram";
    throw base::InputError({mistake});
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
    if (node.op == "Attention" && verdict.fused && has_reference_ &&
        in_reference(node.name) == nullptr) {
      verdict.support = Support::decomposed;
      verdict.fused = false;
    }
    const MappingPin* const pin = find_attention_pin(npu_.mapping, node.name);
    if (node.op != "Attention" || has_reference_ || verdict.fused || pin == nullptr ||
        !pin->attention || !pin->attention->fused)
      return;
    base::Diagnostic mistake = pin->place;
    mistake.code = "illegal-mapping";
    mistake.message = node.name + " cannot be fused: " + verdict.reason;
    mistake.allowed = "attention as its parts";
    throw base::InputError({mistake});
  }

  Engine engine_of(std::size_t i) {
    Verdict verdict = verdicts_.at(origins_[i]);
    if (verdict.fused || verdict.support != Support::decomposed) note_stand_ins(i, verdict);
    if (verdict.fused) return Engine::matrix;
    if (verdict.support == Support::decomposed) {
      verdict = judge(npu_, mapped_.graph, node(i), mapped_.storage, recipe_);
      if (cannot_run(verdict) || verdict.support == Support::decomposed)
        throw UnsupportedError(npu_.name + " cannot run " + node(i).name + " (" + node(i).op +
                               ", part of " + origins_[i] + "): " + verdict.reason);
      note_stand_ins(i, verdict);
    }
    const OpClass kind = op(i).op_class();
    if (kind == OpClass::view) return Engine::view;
    if (verdict.support == Support::host) return Engine::host;
    return kind == OpClass::matrix ? Engine::matrix : Engine::vector;
  }

  void note_stand_ins(std::size_t i, const Verdict& verdict) {
    if (!verdict.stand_ins.empty()) mapped_.stand_ins[static_cast<int>(i)] = verdict.stand_ins;
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
    mapped.changes_order = node(i).op == kChannelOrder;
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
        find_transposed(mapped);
        map_product(*contraction, mapped);
        add_combination(*mapped.gemm, mapped.vector_work);
        add_output_transforms(*mapped.gemm, mapped.vector_work);
        mapped.macs = mapped.gemm->macs();
      }
    }
    return mapped;
  }

  void find_transposed(MappedOp& mapped) const {
    if (!transposes_) return;
    mapped.transposed =
        transposes_->of(node(static_cast<std::size_t>(mapped.node)), mapped_.storage);
    for (TransposedOperand& operand : mapped.transposed)
      operand.by_dma = npu_.data_layout.transposed_operands == OperandTransposing::dma;
  }

  bool by_dma(std::size_t i, const MappedOp& mapped) const {
    return npu_.data_layout.transpose == Transposing::dma && mapped.engine == Engine::vector &&
           node(i).op == "Transpose";
  }

  void append_work(std::size_t i, std::vector<workloads::VectorWork>& work) const {
    for (workloads::VectorWork& part : op(i).vector_work(NodeView(mapped_.graph, node(i))))
      work.push_back(std::move(part));
  }

  /// A product of the reference.
  struct ReferenceProduct {
    MappingPin pin;
    std::optional<WinogradForm> winograd;
  };

  void find_reference(const MappedGraph& reference) {
    const auto add = [&](const MappedOp& op, const MappingPin& pin) {
      const std::string& name = reference.graph.nodes[static_cast<std::size_t>(op.node)].name;
      const ReferenceProduct product{pin, op.gemm ? op.gemm->winograd : std::nullopt};
      reference_.emplace(name, product);
      reference_copies_.emplace(workloads::plain_name(name), product);
    };
    for (const MappedOp& op : reference.ops) {
      MappingPin pin;
      if (op.attention) {
        pin.attention = {true, {}, op.attention->blocks.queries, op.attention->blocks.keys};
        pin.split = op.attention->scores.split;
        add(op, pin);
      }
      if (op.attention_gradient) {
        const AttentionGradientMapping& gradient = *op.attention_gradient;
        pin.attention = {true, true, gradient.blocks.queries, gradient.blocks.keys};
        pin.split = gradient.scores.split;
        add(op, pin);
      }
      if (!op.gemm) continue;
      const GemmMapping& gemm = *op.gemm;
      pin.tile_m = gemm.tile_m;
      pin.tile_n = gemm.tile_n;
      pin.tile_k = gemm.tile_k;
      pin.loop_order = gemm.loop_order;
      pin.split = gemm.split;
      pin.winograd = gemm.winograd ? gemm.winograd->outputs : 0;
      add(op, pin);
    }
  }

  /// By name, else as the copy for another batch or device that is there.
  const ReferenceProduct* in_reference(const std::string& name) const {
    if (const auto found = reference_.find(name); found != reference_.end()) return &found->second;
    const auto copy = reference_copies_.find(workloads::plain_name(name));
    return copy == reference_copies_.end() ? nullptr : &copy->second;
  }

  /// As the reference does, else as the file says, else as the search finds. `map(pin, like)` makes
  /// the mapping with the pin (nullptr: none) and transforms as `like` has them (nullptr: as the
  /// NPU), or throws IllegalPin.
  template <class Map>
  auto mapping_by(MappedOp& mapped, const Map& map) {
    const std::string& name = node(static_cast<std::size_t>(mapped.node)).name;
    if (has_reference_) {
      const ReferenceProduct* const found = in_reference(name);
      if (found == nullptr) {
        mapped.not_pinned = "the reference has no such product";
      } else {
        try {
          auto mapping = map(&found->pin, found->winograd ? &*found->winograd : nullptr);
          mapped.mapping_origin = MappingOrigin::reference;
          return mapping;
        } catch (const IllegalPin& illegal) {
          mapped.not_pinned = illegal.what();
        }
      }
    }
    // One that says nothing of attention, or wants none, is for products.
    const bool fused = verdicts_.at(origins_[static_cast<std::size_t>(mapped.node)]).fused;
    const MappingPin* pin =
        fused ? find_attention_pin(npu_.mapping, name) : find_pin(npu_.mapping, name);
    if (fused && pin && (!pin->attention || !pin->attention->fused)) pin = nullptr;
    try {
      auto mapping = map(pin, nullptr);
      if (pin != nullptr) mapped.mapping_origin = MappingOrigin::file;
      return mapping;
    } catch (const IllegalPin& illegal) {
      base::Diagnostic mistake = pin->place;
      mistake.code = "illegal-mapping";
      mistake.message = name + " cannot be mapped so: " + illegal.what();
      mistake.allowed = "what fits, as " + describe_mapping(map(nullptr, nullptr));
      throw base::InputError({mistake});
    }
  }

  void map_product(const workloads::Contraction& contraction, MappedOp& mapped) {
    const Product product = product_of(contraction, mapped);
    mapped.gemm = mapping_by(mapped, [&](const MappingPin* pin, const WinogradForm* like) {
      Product as_there = product;
      as_there.like = like;
      return gemm_of(as_there, pin);
    });
    const bool open = mapped.mapping_origin == MappingOrigin::search && !mapped.gemm->winograd;
    if (open && is_convolution(*product.node)) mapped.not_winograd = why_direct(product);
  }

  struct Product;

  /// Of a convolution that the search has left so: a reason for each output tile listed, said once
  /// where it is the same.
  std::string why_direct(const Product& p) {
    const std::map<std::int64_t, std::string>& unfit = found_for(p, nullptr).unfit;
    std::vector<std::pair<std::int64_t, std::string>> reasons;
    for (const std::int64_t outputs : npu_.mapping.winograd.output_tiles) {
      std::string reason = why_not_winograd(case_of(p), outputs);
      if (const auto found = unfit.find(outputs); found != unfit.end()) reason = found->second;
      reasons.emplace_back(outputs, reason.empty() ? "direct takes no longer" : reason);
    }
    const bool alike = std::all_of(reasons.begin(), reasons.end(), [&](const auto& reason) {
      return reason.second == reasons.front().second;
    });
    if (alike) return reasons.empty() ? "" : reasons.front().second;
    std::string text;
    for (const auto& [outputs, reason] : reasons)
      text += (text.empty() ? "" : "; ") + output_tile_name(outputs) + ": " + reason;
    return text;
  }

  void map_fused_attention(MappedOp& mapped) {
    const Node& attention = node(static_cast<std::size_t>(mapped.node));
    if (attention.op == workloads::kAttentionGradient) return map_attention_backward(mapped);
    mapped.attention = mapping_by(mapped, [&](const MappingPin* pin, const WinogradForm*) {
      return attention_of(attention, pin);
    });
    mapped.macs = mapped.attention->blocks.macs();
    for (const auto& [function, elements] : attention_totals(npu_, *mapped.attention).work)
      mapped.vector_work.push_back({function, elements});
  }

  void map_attention_backward(MappedOp& mapped) {
    const Node& attention = node(static_cast<std::size_t>(mapped.node));
    mapped.attention_gradient = mapping_by(mapped, [&](const MappingPin* pin, const WinogradForm*) {
      const std::string key = key_of(attention, pin);
      const auto known = attention_gradients_.find(key);
      if (known != attention_gradients_.end()) return known->second;
      return attention_gradients_
          .emplace(key, map_attention_gradient(npu_, mapped_.graph, attention, mapped_.storage,
                                               recipe_, pin))
          .first->second;
    });
    mapped.macs = gradient_macs(mapped.attention_gradient->blocks);
    for (const auto& [function, elements] : gradient_totals(npu_, *mapped.attention_gradient).work)
      mapped.vector_work.push_back({function, elements});
  }

  std::string key_of(const Node& attention, const MappingPin* pin) const {
    std::string key = attention.op + key_of(pin);
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
    key += " " + attention.internal.value_or(recipe_.internal).name;
    return key;
  }

  /// Repeated layers are mapped once.
  AttentionMapping attention_of(const Node& attention, const MappingPin* pin) {
    const std::string key = key_of(attention, pin);
    const auto known = attentions_.find(key);
    if (known != attentions_.end()) return known->second;
    return attentions_
        .emplace(key, map_attention(npu_, mapped_.graph, attention, mapped_.storage, recipe_, pin))
        .first->second;
  }

  struct Product {
    const Node* node;
    const workloads::Contraction& contraction;
    OperandFormats operands;
    precision::Format accumulator;
    std::int64_t output_bytes;
    const WinogradForm* like = nullptr;  ///< of a reference
  };

  Product product_of(const workloads::Contraction& contraction, const MappedOp& mapped) const {
    const Node& of = node(static_cast<std::size_t>(mapped.node));
    const std::vector<int>& epilogue = mapped.epilogue;
    const Node& last = epilogue.empty() ? of : node(static_cast<std::size_t>(epilogue.back()));
    OperandFormats operands = operands_of(mapped_.graph, of, contraction, mapped_.storage);
    const precision::Format accumulator =
        recipe_.accumulator ? *recipe_.accumulator : default_accumulator(npu_.mac_array, operands);
    return {&of, contraction, std::move(operands), accumulator,
            stored(last.outputs.front()).format.storage_bytes()};
  }

  ConvolutionCase case_of(const Product& p) const {
    return {npu_,          mapped_.graph, *p.node,
            p.contraction, p.operands,    p.node->internal.value_or(recipe_.internal),
            p.like};
  }

  /// Sides of the output tiles that are tried, 0: direct. A pin that fixes tiles and does not speak
  /// of Winograd is for the direct convolution.
  std::vector<std::int64_t> forms_of(const Product& p, const MappingPin* pin) const {
    if (pin != nullptr && pin->winograd) {
      if (*pin->winograd > 0)
        if (const std::string reason = why_not_winograd(case_of(p), *pin->winograd);
            !reason.empty())
          throw IllegalPin("no Winograd: " + reason);
      return {*pin->winograd};
    }
    std::vector<std::int64_t> forms = {0};
    if (pin != nullptr && pin->fixes_tiles()) return forms;
    for (const std::int64_t outputs : npu_.mapping.winograd.output_tiles)
      if (why_not_winograd(case_of(p), outputs).empty()) forms.push_back(outputs);
    return forms;
  }

  /// What the search found for a product.
  struct Found {
    GemmMapping gemm;
    std::map<std::int64_t, std::string> unfit;  ///< output tiles without a tile that fits, and why
  };

  GemmMapping map_as(const Product& p, std::int64_t outputs, const MappingPin* pin) const {
    const bool n_first = workloads::names_n_side_first(p.node->op);
    if (outputs == 0)
      return map_gemm(npu_, p.contraction, p.operands, n_first, p.accumulator, p.output_bytes, pin);
    return map_gemm(npu_, winograd_contraction(p.contraction, outputs), p.operands, n_first,
                    p.accumulator, p.output_bytes, pin, winograd_form(case_of(p), outputs));
  }

  /// The form with the least estimate, the first of several.
  Found best_of(const Product& p, const std::vector<std::int64_t>& forms,
                const MappingPin* pin) const {
    Found best{map_as(p, forms.front(), pin), {}};
    const auto cost = [&](const GemmMapping& gemm) {
      const std::int64_t bytes = std::max(gemm.unit.a.storage_bytes(), gemm.unit.b.storage_bytes());
      return estimated_cycles(npu_, bytes, p.output_bytes, gemm);
    };
    for (std::size_t i = 1; i < forms.size(); ++i) {
      try {
        GemmMapping other = map_as(p, forms[i], pin);
        if (cost(other) < cost(best.gemm)) best.gemm = std::move(other);
      } catch (const IllegalPin& illegal) {
        best.unfit[forms[i]] = illegal.what();
      }
    }
    return best;
  }

  /// Repeated layers are mapped once.
  const Found& found_for(const Product& p, const MappingPin* pin) {
    const std::vector<std::int64_t> forms = forms_of(p, pin);
    std::string key = key_of(p.contraction, p.operands.name(), p.output_bytes) +
                      (workloads::names_n_side_first(p.node->op) ? " n first" : "") + key_of(pin);
    for (const std::int64_t outputs : forms)
      if (outputs > 0) {
        const WinogradForm form = winograd_form(case_of(p), outputs);
        key += " " + describe(form) + " at " + name_of(form.stage);
      }
    auto known = found_.find(key);
    if (known == found_.end()) known = found_.emplace(key, best_of(p, forms, pin)).first;
    return known->second;
  }

  GemmMapping gemm_of(const Product& p, const MappingPin* pin) {
    GemmMapping gemm = found_for(p, pin).gemm;
    // Inputs by number and all that does not shape the mapping.
    if (!gemm.winograd) {
      gemm.contraction = p.contraction;
    } else {
      gemm.contraction = winograd_contraction(p.contraction, gemm.winograd->outputs);
      gemm.winograd->convolution = p.contraction;
    }
    return gemm;
  }

  static std::string key_of(const MappingPin* pin) {
    if (pin == nullptr) return {};
    std::string key = " pinned";
    for (const auto& side : {pin->tile_m, pin->tile_n, pin->tile_k})
      key += side ? " " + std::to_string(*side) : " -";
    key += pin->loop_order ? name_of(*pin->loop_order) : "-";
    key += pin->split ? describe(*pin->split) : "-";
    if (pin->winograd) key += " form " + std::to_string(*pin->winograd);
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
    if (c.bias_input >= 0) key += " with bias";  // transforms of outputs add it
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
  std::map<std::string, ReferenceProduct> reference_;         ///< by name of the node
  std::map<std::string, ReferenceProduct> reference_copies_;  ///< by plain name, the first
  MappedGraph mapped_;
  std::vector<std::string> origins_;
  std::map<std::string, Verdict> verdicts_;  ///< by name of the original node
  std::vector<Engine> engines_;
  std::map<std::string, Found> found_;
  std::optional<OperandTransposes> transposes_;  ///< where they cost something
  std::map<std::string, AttentionMapping> attentions_;
  std::map<std::string, AttentionGradientMapping> attention_gradients_;
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
  if (npu.what_if && !npu.declared)
    return coverage_of(with_hypothetical_inputs(npu, graph, recipe), graph, recipe);
  const std::vector<precision::Arithmetic> storage = workloads::storage_formats(graph, recipe);
  std::vector<CoverageRow> rows;
  rows.reserve(graph.nodes.size());
  for (const Node& node : graph.nodes)
    rows.push_back({node.name, node.op, judge(npu, graph, node, storage, recipe)});
  return rows;
}

MappedGraph map_graph(const NpuSpec& npu, const Graph& graph, const workloads::Recipe& recipe,
                      const MappedGraph* reference) {
  if (npu.what_if && !npu.declared)
    return map_graph(with_hypothetical_inputs(npu, graph, recipe), graph, recipe, reference);
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
