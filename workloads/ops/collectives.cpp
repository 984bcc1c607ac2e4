// SPDX-License-Identifier: Apache-2.0
// What several devices do together, in graphs that hold the nodes of all of them.
//
// AllReduce sums the devices' tensors. Operands are cast to the node's internal format, in which
// they travel, and each addition rounds to it once. All tensors of a node are one buffer, in order.
//   ring  (Patarasu and Yuan 2009, Journal of Parallel and Distributed Computing 69, section 3;
//         Thakur, Rabenseifner and Gropp 2005, section 4.4) the buffer is cut into as many chunks
//         as there are devices, the first ones an element longer where that does not divide; chunk
//         c starts at device c + 1 and goes round, each device adding its own to what arrives,
//         until device c has the whole sum: ((g[c+1] + g[c+2]) + ...) + g[c].
//   tree  (binomial tree, Thakur et al. section 4.3 for reduce) in round r = 1, 2, 4, ... device i,
//         a multiple of 2 r, adds what device i + r has, if there is one.
// The sum then goes to every device unchanged. In the graph of one device alone the node has one
// tensor of each and leaves it as it is: what it costs is the interconnect's business
// (npu_models/cluster).
//
// ToDevices gives every device a copy; its gradient is the AllReduce of theirs. ToParts gives every
// device its part of a weight: along an axis the weight consists of equal groups, of each of which
// a device has an equal part. FromParts puts such parts together again.
#include "workloads/ops/collectives.h"

#include <algorithm>

#include "workloads/ops/simple_op.h"
#include "workloads/training/gradient_reduction.h"

namespace npusim::workloads {
namespace {

constexpr int kMost = 1 << 20;

AttributeSpec algorithm_attribute() {
  return {"algorithm", std::string("ring"), false, "ring or tree"};
}
AttributeSpec devices_attribute() {
  return {"devices", std::int64_t{1}, false, "that the graph holds"};
}

void check_algorithm(const NodeView& view) {
  const std::string& algorithm = view.text("algorithm");
  if (algorithm != name_of(ReductionAlgorithm::ring) &&
      algorithm != name_of(ReductionAlgorithm::tree))
    shape_error("attribute algorithm \"" + algorithm + "\" is none of ring, tree");
  if (view.integer("devices") < 1) shape_error("attribute devices is below 1");
}

/// The tensors of all devices as buffers: element i of device d.
class Buffers {
 public:
  Buffers(const Evaluation& e, std::size_t devices)
      : e_(e), tensors_(e.outputs.size()), devices_(devices) {
    for (const Tensor& tensor : e.outputs) size_ += tensor.values.size();
  }
  std::size_t size() const { return size_; }
  /// sum(values of element i of every device) for the elements first .. end - 1.
  template <class Sum>
  void reduce(std::size_t first, std::size_t end, const Sum& sum) {
    std::vector<double> own(devices_);
    std::size_t begin = 0;
    for (std::size_t t = 0; t < tensors_; begin += e_.outputs[t++].values.size()) {
      std::vector<double>& out = e_.outputs[t].values;
      for (std::size_t i = std::max(first, begin); i < std::min(end, begin + out.size()); ++i) {
        for (std::size_t d = 0; d < devices_; ++d)
          own[d] = e_.internal(e_.inputs[d * tensors_ + t]->values[i - begin]);
        out[i - begin] = sum(own);
      }
    }
  }

 private:
  const Evaluation& e_;
  std::size_t tensors_, devices_, size_ = 0;
};

void ring(const Evaluation& e, std::size_t devices) {
  Buffers buffers(e, devices);
  std::size_t first = 0;
  for (std::size_t chunk = 0; chunk < devices; ++chunk) {
    const std::size_t end =
        first + buffers.size() / devices + (chunk < buffers.size() % devices ? 1 : 0);
    buffers.reduce(first, end, [&](const std::vector<double>& own) {
      double sum = own[(chunk + 1) % devices];
      for (std::size_t hop = 2; hop <= devices; ++hop)
        sum = e.internal(sum + own[(chunk + hop) % devices]);
      return sum;
    });
    first = end;
  }
}

void tree(const Evaluation& e, std::size_t devices) {
  Buffers buffers(e, devices);
  buffers.reduce(0, buffers.size(), [&](std::vector<double>& sums) {
    for (std::size_t round = 1; round < devices; round *= 2)
      for (std::size_t d = 0; d + round < devices; d += 2 * round)
        sums[d] = e.internal(sums[d] + sums[d + round]);
    return sums[0];
  });
}

class AllReduce final : public SimpleOp {
 public:
  AllReduce()
      : SimpleOp({"AllReduce",
                  "sums over devices: tensors of device 0, then those of device 1, ...",
                  OpClass::view,
                  1,
                  kMost,
                  {algorithm_attribute(), devices_attribute()},
                  true,
                  1,
                  kMost}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_algorithm(view);
    const auto devices = static_cast<int>(view.integer("devices"));
    const int tensors = view.input_count() / devices;
    if (tensors * devices != view.input_count())
      shape_error("the inputs are not those of " + std::to_string(devices) + " devices");
    std::vector<OutputSpec> outputs;
    for (int i = 0; i < view.input_count(); ++i) {
      const Shape& shape = view.input(i).shape;
      require_floating(view, i);
      if (i < tensors)
        outputs.push_back({shape, ElementType::floating});
      else if (shape != outputs[static_cast<std::size_t>(i % tensors)].shape)
        shape_error(view.input(i).name + " " + to_string(shape) + " has another shape than " +
                    view.input(i % tensors).name);
    }
    return outputs;
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const auto devices = static_cast<std::size_t>(e.view.integer("devices"));
    if (devices == 1)
      for (std::size_t t = 0; t < e.outputs.size(); ++t) e.outputs[t].values = e.inputs[t]->values;
    else if (e.view.text("algorithm") == name_of(ReductionAlgorithm::ring))
      ring(e, devices);
    else
      tree(e, devices);
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const int tensors = g.view().output_count();
    const int inputs = g.view().input_count();
    for (int i = 0; i < inputs; ++i)
      if (g.wanted(i) && g.output_gradient(i % tensors) != kNoTensor)
        g.set_input_gradient(i, as_gradient_of(g, i, g.output_gradient(i % tensors)));
  }
};

class ToDevices final : public SimpleOp {
 public:
  ToDevices()
      : SimpleOp({"ToDevices",
                  "a copy of x for each device",
                  OpClass::view,
                  1,
                  1,
                  {algorithm_attribute(), devices_attribute()},
                  true,
                  1,
                  kMost}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    check_algorithm(view);
    return std::vector<OutputSpec>(static_cast<std::size_t>(view.integer("devices")),
                                   {view.input(0).shape, view.input(0).type});
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    for (Tensor& y : e.outputs) y.values = e.inputs[0]->values;
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    std::vector<TensorId> gradients;
    for (int i = 0; i < g.view().output_count(); ++i)
      if (g.output_gradient(i) != kNoTensor) gradients.push_back(g.output_gradient(i));
    if (gradients.empty()) return;
    Attributes attributes = g.view().node().attributes;
    attributes["devices"] = static_cast<std::int64_t>(gradients.size());
    g.set_input_gradient(
        0, g.add("AllReduce", "dx", gradients, std::move(attributes), gradient_role(g, 0)));
  }
};

AttributeSpec axis_attribute() {
  return {"axis", std::int64_t{0}, false, "that is cut"};
}
AttributeSpec groups_attribute() {
  return {"groups", std::int64_t{1}, false, "of equal size along the axis, each cut"};
}

/// Copies between a whole tensor and the parts of the devices: runs of neighbours, device by device
/// in each group.
template <class Copy>
void for_runs(const Shape& whole, const NodeView& view, std::int64_t devices, const Copy& copy) {
  const auto axis = static_cast<std::size_t>(view.integer("axis"));
  std::int64_t outer = view.integer("groups"), run = whole[axis] / outer / devices;
  for (std::size_t d = 0; d < axis; ++d) outer *= whole[d];
  for (std::size_t d = axis + 1; d < whole.size(); ++d) run *= whole[d];
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t d = 0; d < devices; ++d) copy(d, (o * devices + d) * run, o * run, run);
}

class ToParts final : public SimpleOp {
 public:
  ToParts()
      : SimpleOp({"ToParts",
                  "the part of x that each device has",
                  OpClass::view,
                  1,
                  1,
                  {axis_attribute(), devices_attribute(), groups_attribute()},
                  true,
                  1,
                  kMost}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape part = view.input(0).shape;
    const std::int64_t axis = view.integer("axis"), devices = view.integer("devices");
    const std::int64_t pieces = devices * view.integer("groups");
    if (axis < 0 || axis >= static_cast<std::int64_t>(part.size()) || pieces < 1 ||
        part[static_cast<std::size_t>(axis)] % pieces != 0)
      shape_error(to_string(part) + " has no " + std::to_string(pieces) +
                  " equal pieces along axis " + std::to_string(axis));
    part[static_cast<std::size_t>(axis)] /= devices;
    return std::vector<OutputSpec>(static_cast<std::size_t>(devices), {part, view.input(0).type});
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const auto devices = static_cast<std::int64_t>(e.outputs.size());
    for_runs(e.inputs[0]->shape, e.view, devices,
             [&](std::int64_t d, std::int64_t whole, std::int64_t part, std::int64_t count) {
               std::copy_n(e.inputs[0]->values.begin() + whole, count,
                           e.outputs[static_cast<std::size_t>(d)].values.begin() + part);
             });
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    if (!g.wanted(0)) return;
    std::vector<TensorId> gradients;
    for (int i = 0; i < g.view().output_count(); ++i) {
      if (g.output_gradient(i) == kNoTensor) return;
      gradients.push_back(g.output_gradient(i));
    }
    Attributes attributes = g.view().node().attributes;
    attributes.erase("devices");
    g.set_input_gradient(
        0, g.add("FromParts", "dx", gradients, std::move(attributes), gradient_role(g, 0)));
  }
};

class FromParts final : public SimpleOp {
 public:
  FromParts()
      : SimpleOp({"FromParts",
                  "the tensor whose parts the devices have",
                  OpClass::view,
                  1,
                  kMost,
                  {axis_attribute(), groups_attribute()},
                  true}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    Shape whole = view.input(0).shape;
    const std::int64_t axis = view.integer("axis");
    for (int i = 1; i < view.input_count(); ++i)
      if (view.input(i).shape != whole) shape_error("the parts have different shapes");
    if (axis < 0 || axis >= static_cast<std::int64_t>(whole.size()))
      shape_error("axis " + std::to_string(axis) + " is none of " + to_string(whole));
    whole[static_cast<std::size_t>(axis)] *= view.input_count();
    return {{whole, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const auto devices = static_cast<std::int64_t>(e.inputs.size());
    for_runs(e.outputs[0].shape, e.view, devices,
             [&](std::int64_t d, std::int64_t whole, std::int64_t part, std::int64_t count) {
               std::copy_n(e.inputs[static_cast<std::size_t>(d)]->values.begin() + part, count,
                           e.outputs[0].values.begin() + whole);
             });
  }
};

}  // namespace

const char* name_of(ReductionAlgorithm algorithm) {
  return algorithm == ReductionAlgorithm::ring ? "ring" : "tree";
}

void register_collectives(OpRegistry& registry) {
  registry.add(std::make_unique<AllReduce>());
  registry.add(std::make_unique<ToDevices>());
  registry.add(std::make_unique<ToParts>());
  registry.add(std::make_unique<FromParts>());
}

}  // namespace npusim::workloads
