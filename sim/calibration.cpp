// SPDX-License-Identifier: Apache-2.0
#include "sim/calibration.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.h"
#include "precision/rounder.h"
#include "sim/matrix_engines.h"
#include "workloads/evaluate.h"

namespace npusim::sim {
namespace {

using workloads::Graph;
using workloads::Node;
using workloads::Tensor;
using workloads::TensorId;
using workloads::TensorInfo;

constexpr precision::Rounding kNearest = precision::Rounding::rne;

bool is_calibrated(const TensorInfo& info) {
  return info.initializer && workloads::is_calibrated(info.initializer->kind);
}

/// A normalisation with statistics to be found.
bool finds_statistics(const Graph& graph, const Node& node) {
  return node.op == "BatchNormalization" && (is_calibrated(graph.tensor(node.inputs[3])) ||
                                             is_calibrated(graph.tensor(node.inputs[4])));
}

/// Nodes that such a normalisation depends on, itself included.
std::vector<bool> needed_nodes(const Graph& graph) {
  const std::vector<int> writer = workloads::writers(graph);
  std::vector<bool> needed(graph.nodes.size(), false);
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    if (finds_statistics(graph, node)) needed[i] = true;
    if (!needed[i]) continue;
    for (const TensorId id : node.inputs)
      if (id != workloads::kNoTensor && writer[static_cast<std::size_t>(id)] >= 0)
        needed[static_cast<std::size_t>(writer[static_cast<std::size_t>(id)])] = true;
  }
  return needed;
}

class Calibration {
 public:
  Calibration(const Graph& graph, std::uint64_t seed, const precision::ParallelFor& parallel)
      : graph_(graph),
        seed_(seed),
        parallel_(parallel),
        engine_(parallel),
        internal_({precision::fp32(), kNearest}),
        needed_(needed_nodes(graph)),
        values_(graph.tensors.size()),
        readers_left_(graph.tensors.size(), 0) {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      for (const TensorId id : graph_.nodes[i].inputs)
        if (needed_[i] && id != workloads::kNoTensor) ++readers_left_[static_cast<std::size_t>(id)];
  }

  CalibratedValues run(const std::function<bool()>& interrupted) {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!needed_[i]) continue;
      if (interrupted && interrupted()) throw Interrupted{"calibrating, no op"};
      evaluate(graph_.nodes[i]);
    }
    return std::move(found_);
  }

 private:
  const Tensor& value_of(TensorId id) {
    std::optional<Tensor>& value = values_[static_cast<std::size_t>(id)];
    if (!value) value = initial(id);
    return *value;
  }

  Tensor initial(TensorId id) const {
    const TensorInfo& info = graph_.tensor(id);
    NPUSIM_CHECK(info.initializer.has_value(), "tensor " + info.name + " has no value");
    workloads::Initializer initializer = *info.initializer;
    const bool is_input =
        std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
    if (is_input) initializer.stream = info.name + "/calibration";
    return workloads::make_values(initializer, info.shape, info.type, info.name, seed_, parallel_);
  }

  void find_statistics(const Node& node) {
    const Tensor& x = value_of(node.inputs[0]);
    const auto channels = static_cast<std::size_t>(x.shape[1]);
    const auto inner = static_cast<std::size_t>(workloads::element_count(x.shape)) /
                       (static_cast<std::size_t>(x.shape[0]) * channels);
    Tensor mean({x.shape[1]}), variance({x.shape[1]});
    parallel_(x.shape[1], [&](std::int64_t channel) {
      const auto c = static_cast<std::size_t>(channel);
      const auto for_values = [&](const auto& body) {
        for (std::size_t image = 0; image < static_cast<std::size_t>(x.shape[0]); ++image)
          for (std::size_t i = 0; i < inner; ++i)
            body(x.values[(image * channels + c) * inner + i]);
      };
      const auto count = static_cast<double>(inner) * static_cast<double>(x.shape[0]);
      double sum = 0.0, squares = 0.0;
      for_values([&](double value) { sum += value; });
      const double centre = sum / count;
      for_values([&](double value) { squares += (value - centre) * (value - centre); });
      mean.values[c] = internal_(centre);
      variance.values[c] = internal_(squares / count);
    });
    keep(node.inputs[3], std::move(mean));
    keep(node.inputs[4], std::move(variance));
  }

  void keep(TensorId id, Tensor value) {
    const TensorInfo& info = graph_.tensor(id);
    if (!is_calibrated(info)) return;
    found_[info.name] = value;
    values_[static_cast<std::size_t>(id)] = std::move(value);
  }

  void evaluate(const Node& node) {
    if (finds_statistics(graph_, node)) find_statistics(node);
    std::vector<const Tensor*> inputs;
    for (const TensorId id : node.inputs)
      inputs.push_back(id == workloads::kNoTensor ? nullptr : &value_of(id));
    std::vector<Tensor> outputs =
        workloads::evaluate(graph_, node, inputs, engine_, internal_, parallel_);
    for (std::size_t i = 0; i < outputs.size(); ++i) store(node.outputs[i], std::move(outputs[i]));
    for (const TensorId id : node.inputs)
      if (id != workloads::kNoTensor && --readers_left_[static_cast<std::size_t>(id)] == 0)
        values_[static_cast<std::size_t>(id)].reset();
  }

  void store(TensorId id, Tensor value) {
    if (value.type == workloads::ElementType::floating)
      precision::round_array(value.values.data(), value.values.data(),
                             static_cast<long>(value.values.size()), {precision::fp32(), kNearest});
    values_[static_cast<std::size_t>(id)] = std::move(value);
  }

  const Graph& graph_;
  std::uint64_t seed_;
  const precision::ParallelFor& parallel_;
  HostEngine engine_;
  precision::Rounder internal_;
  std::vector<bool> needed_;
  std::vector<std::optional<Tensor>> values_;
  std::vector<int> readers_left_;
  CalibratedValues found_;
};

}  // namespace

bool needs_calibration(const Graph& graph) {
  return std::any_of(graph.tensors.begin(), graph.tensors.end(), is_calibrated);
}

CalibratedValues calibrate(const Graph& graph, std::uint64_t seed,
                           const precision::ParallelFor& parallel,
                           const std::function<bool()>& interrupted) {
  return needs_calibration(graph) ? Calibration(graph, seed, parallel).run(interrupted)
                                  : CalibratedValues{};
}

}  // namespace npusim::sim
