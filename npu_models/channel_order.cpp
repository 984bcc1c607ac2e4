// SPDX-License-Identifier: Apache-2.0
#include "npu_models/channel_order.h"

#include <algorithm>
#include <set>

#include "npu_models/ceil_div.h"
#include "workloads/graph_copy.h"
#include "workloads/op.h"
#include "workloads/operand_order.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::npu {
namespace {

using workloads::Graph;
using workloads::kNoTensor;
using workloads::Node;
using workloads::Shape;
using workloads::TensorId;
using workloads::TensorRole;

std::size_t at(TensorId id) {
  return static_cast<std::size_t>(id);
}

/// Images that a convolution reads and writes.
std::vector<TensorId> images_of(const Node& node) {
  if (node.op == "ConvWeightGradient") return {node.inputs[0], node.inputs[1]};
  return {node.inputs[0], node.outputs[0]};
}

/// What each node wants, what each tensor has, and which changes follow.
class Orders {
 public:
  Orders(const ChannelOrderSpec& spec, const Graph& graph, const std::vector<Engine>& engines,
         const Fusion& fusion)
      : spec_(spec),
        graph_(graph),
        engines_(engines),
        fusion_(fusion),
        image_(graph.tensors.size(), false),
        filled_(graph.tensors.size(), false),
        order_(graph.tensors.size(), ChannelOrder::any),
        taken_(graph.nodes.size(), ChannelOrder::any) {
    find_images();
    for (std::size_t i = 0; i < image_.size(); ++i)
      if (image_[i]) order_[i] = spec.graph;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) visit(i);
    for (const TensorId id : graph.outputs) want(id, spec.graph);
  }

  bool is_image(TensorId id) const { return id != kNoTensor && image_[at(id)]; }
  ChannelOrder of(TensorId id) const { return order_[at(id)]; }
  /// Of the node's images; any: it takes them as they are.
  ChannelOrder taken(std::size_t node) const { return taken_[node]; }
  const std::set<ChannelOrder>& changes(TensorId id) const {
    static const std::set<ChannelOrder> kNone;
    const auto found = changes_.find(id);
    return found == changes_.end() ? kNone : found->second;
  }
  bool differs(TensorId id, ChannelOrder order) const {
    return is_image(id) && same_bytes(id, order_[at(id)]) != same_bytes(id, order);
  }
  /// One name for orders that are the same bytes of this image.
  ChannelOrder same_bytes(TensorId id, ChannelOrder order) const {
    const Shape& s = shape(id);
    const std::int64_t pixels =
        workloads::element_count(s) / std::max<std::int64_t>(1, s[0] * s[1]);
    if (order == ChannelOrder::nchwc) {
      if (s[1] == spec_.block || (pixels == 1 && s[1] % spec_.block == 0))
        order = ChannelOrder::nhwc;
    }
    if (order == ChannelOrder::nhwc && (pixels == 1 || s[1] == 1)) return ChannelOrder::nchw;
    return order;
  }

 private:
  const Shape& shape(TensorId id) const { return graph_.tensor(id).shape; }

  bool may_be_image(TensorId id) const {
    if (id == kNoTensor) return false;
    const TensorRole role = graph_.tensor(id).role;
    return shape(id).size() >= 3 && (role == TensorRole::input || role == TensorRole::activation ||
                                     role == TensorRole::activation_gradient);
  }

  void find_images() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (workloads::convolves(graph_.nodes[i].op))
        for (const TensorId id : images_of(graph_.nodes[i]))
          if (may_be_image(id)) image_[at(id)] = true;
    for (bool found = true; found;) {
      found = false;
      for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
        if (engines_[i] == Engine::vector || keeps_order(graph_.nodes[i]))
          found = spread(graph_.nodes[i]) || found;
    }
  }

  /// To all tensors of the node that are like one of its images.
  bool spread(const Node& node) {
    std::vector<TensorId> all = node.inputs;
    all.insert(all.end(), node.outputs.begin(), node.outputs.end());
    const auto known =
        std::find_if(all.begin(), all.end(), [&](TensorId id) { return is_image(id); });
    if (known == all.end() || node.op == "Transpose") return false;
    bool found = false;
    for (const TensorId id : all)
      if (may_be_image(id) && !image_[at(id)] && shape(id).size() == shape(*known).size() &&
          shape(id)[0] == shape(*known)[0])
        found = image_[at(id)] = true;
    return found;
  }

  bool keeps_order(const Node& node) const {
    if (workloads::joins_phases(node)) return true;
    if (workloads::ops().at(node.op).op_class() != workloads::OpClass::view) return false;
    return node.inputs.size() == 1 && node.outputs.size() == 1 &&
           shape(node.inputs[0]) == shape(node.outputs[0]);
  }

  ChannelOrder wanted(std::size_t i) const {
    const Node& node = graph_.nodes[i];
    if (keeps_order(node) || workloads::fills_phase(node)) return ChannelOrder::any;
    if (engines_[i] == Engine::matrix && workloads::convolves(node.op)) return spec_.array;
    return engines_[i] == Engine::vector && node.op != "Transpose" ? spec_.vector_unit
                                                                   : spec_.graph;
  }

  /// The order that a node without a wish of its own takes: of what it reads.
  ChannelOrder found_order(const Node& node) const {
    ChannelOrder order = ChannelOrder::any;
    for (const TensorId id : node.inputs)
      if (is_image(id) && !filled_[at(id)] &&
          (order == ChannelOrder::any || order_[at(id)] == spec_.array))
        order = order_[at(id)];
    if (order != ChannelOrder::any) return order;
    return spec_.array == ChannelOrder::any ? spec_.graph : spec_.array;
  }

  /// Of an op fused behind another: the tensor between them is never stored, so never changed.
  ChannelOrder order_on_chip(const Node& node) const {
    for (const TensorId id : node.inputs)
      if (is_image(id) && fusion_.on_chip[at(id)]) return order_[at(id)];
    return ChannelOrder::any;
  }

  void visit(std::size_t i) {
    const Node& node = graph_.nodes[i];
    ChannelOrder order = fusion_.fused[i] ? order_on_chip(node) : wanted(i);
    if (order == ChannelOrder::any) order = found_order(node);
    taken_[i] = order;
    for (const TensorId id : node.inputs) {
      if (is_image(id) && filled_[at(id)]) order_[at(id)] = order;
      want(id, order);
    }
    for (const TensorId id : node.outputs) {
      if (!is_image(id)) continue;
      order_[at(id)] = order;
      filled_[at(id)] = workloads::fills_phase(node);
    }
  }

  void want(TensorId id, ChannelOrder order) {
    if (differs(id, order)) changes_[id].insert(same_bytes(id, order));
  }

  const ChannelOrderSpec& spec_;
  const Graph& graph_;
  const std::vector<Engine>& engines_;
  const Fusion& fusion_;
  std::vector<bool> image_;
  std::vector<bool> filled_;  ///< by a node that has no order of its own: as its reader takes it
  std::vector<ChannelOrder> order_, taken_;
  std::map<TensorId, std::set<ChannelOrder>> changes_;
};

/// Copies the graph with a ChannelOrder for each change.
class Inserter {
 public:
  Inserter(const ChannelOrderSpec& spec, const Graph& graph, const Fusion& fusion,
           const Orders& orders, const std::vector<precision::Arithmetic>& storage)
      : spec_(spec),
        graph_(graph),
        fusion_(fusion),
        orders_(orders),
        storage_(storage),
        copy_(graph, result_.graph) {}

  OrderedGraph run(const std::vector<std::string>& origin) {
    Graph& target = result_.graph;
    target.name = graph_.name;
    const std::vector<int> writer = workloads::writers(graph_);
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (writer[i] < 0) copy_.tensor(static_cast<TensorId>(i));
    for (std::size_t i = 0; i < graph_.tensors.size(); ++i)
      if (writer[i] < 0) change(static_cast<TensorId>(i), workloads::Phase::forward);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (fusion_.fused[i]) continue;
      add(i, origin);
      // Where they run: a sum fused behind the next product finds what they write changed.
      for (const int fused : fusion_.epilogue[i]) add(static_cast<std::size_t>(fused), origin);
    }
    target.inputs = copy_.of(graph_.inputs);
    target.outputs = copy_.of(graph_.outputs);
    return std::move(result_);
  }

 private:
  void add(std::size_t i, const std::vector<std::string>& origin) {
    const Node& node = graph_.nodes[i];
    node_with_its_orders(node, orders_.taken(i));
    result_.origin.resize(result_.graph.nodes.size(), origin[i]);
    for (const TensorId id : node.outputs)
      if (id != kNoTensor) change(id, node.phase);
  }

  /// The copy of a tensor, or its changed form.
  TensorId as(TensorId id, ChannelOrder order) const {
    return orders_.differs(id, order) ? changed_.at({id, orders_.same_bytes(id, order)})
                                      : copy_.of(id);
  }

  void node_with_its_orders(const Node& node, ChannelOrder order) {
    std::vector<std::pair<TensorId, TensorId>> plain;
    for (const TensorId id : node.inputs) {
      if (id == kNoTensor) continue;
      plain.emplace_back(id, copy_.of(id));
      copy_.set(id, as(id, order));
    }
    copy_.node(node);
    for (auto restored = plain.rbegin(); restored != plain.rend(); ++restored)
      copy_.set(restored->first, restored->second);
  }

  void change(TensorId id, workloads::Phase phase) {
    if (!orders_.is_image(id)) return;
    note_padding(id, copy_.of(id), orders_.of(id));
    Graph& target = result_.graph;
    const workloads::TensorInfo& info = graph_.tensor(id);
    for (const ChannelOrder order : orders_.changes(id)) {
      const std::string name = info.name + "." + name_of(order);
      const TensorRole role = info.role == TensorRole::input ? TensorRole::activation : info.role;
      const TensorId changed =
          target
              .add_node(kChannelOrder, name, {copy_.of(id)},
                        {{"order", std::string(name_of(order))},
                         {"written", elements_in_order(spec_, order, info.shape)}},
                        {name}, role, phase)
              .front();
      target.tensors[at(changed)].stored = storage_[at(id)].format;
      note_padding(id, changed, order);
      changed_[{id, order}] = changed;
      result_.origin.resize(target.nodes.size(), name);
    }
  }

  void note_padding(TensorId id, TensorId copy, ChannelOrder order) {
    const Shape& shape = graph_.tensor(id).shape;
    const std::int64_t elements = elements_in_order(spec_, order, shape);
    if (elements != workloads::element_count(shape)) result_.padded_elements[copy] = elements;
  }

  const ChannelOrderSpec& spec_;
  const Graph& graph_;
  const Fusion& fusion_;
  const Orders& orders_;
  const std::vector<precision::Arithmetic>& storage_;
  OrderedGraph result_;
  workloads::GraphCopy copy_;
  std::map<std::pair<TensorId, ChannelOrder>, TensorId> changed_;
};

}  // namespace

const char* name_of(ChannelOrder order) {
  switch (order) {
    case ChannelOrder::any:
      return "any";
    case ChannelOrder::nchw:
      return "nchw";
    case ChannelOrder::nhwc:
      return "nhwc";
    case ChannelOrder::nchwc:
      return "nchwc";
  }
  return "";
}

std::int64_t elements_in_order(const ChannelOrderSpec& spec, ChannelOrder order,
                               const Shape& shape) {
  const std::int64_t elements = workloads::element_count(shape);
  if (order != ChannelOrder::nchwc || elements == 0) return elements;
  return elements / shape[1] * (ceil_div(shape[1], spec.block) * spec.block);
}

OrderedGraph convert_channel_orders(const ChannelOrderSpec& spec, const Graph& graph,
                                    const std::vector<std::string>& origin,
                                    const std::vector<Engine>& engines, const Fusion& fusion,
                                    const std::vector<precision::Arithmetic>& storage) {
  const Orders orders(spec, graph, engines, fusion);
  return Inserter(spec, graph, fusion, orders, storage).run(origin);
}

}  // namespace npusim::npu
