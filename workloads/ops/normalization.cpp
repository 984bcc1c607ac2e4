// SPDX-License-Identifier: Apache-2.0
// Batch, layer, RMS, group and instance normalisation, and MeanVarianceNormalization. With
// training_mode 0, BatchNormalization uses the given statistics and has no gradient.
#include <cmath>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/group_norm.h"

namespace npusim::workloads {
namespace {

AttributeSpec epsilon_attribute() {
  return {"epsilon", 1e-5, false, "added to the variance"};
}
AttributeSpec stash_attribute() {
  return {"stash_type", std::int64_t{1}, false,
          "ONNX type of inner steps; the recipe's internal format decides"};
}

void require_channels(const Shape& x) {
  if (x.size() < 2) shape_error("x must have rank 2 or more, not shape " + to_string(x));
}

NormLayout by_channel(const Shape& x) {
  const Shape view = {x[0], x[1], extent_product(x, 2, x.size())};
  const Shape channels = {1, x[1], 1};
  return {view, channels, view, channels, {x[1]}};
}

class BatchNormalization final : public GroupNormOp {
 public:
  BatchNormalization()
      : GroupNormOp({"BatchNormalization",
                     "x * a + b a channel, a = scale / sqrt(var + epsilon), b = bias - mean * a; "
                     "in training with the statistics of the batch, giving new running ones",
                     OpClass::vector,
                     5,
                     5,
                     {epsilon_attribute(),
                      {"momentum", 0.9, false, "weight of the old running statistics"},
                      {"training_mode", std::int64_t{0}, false, "1: statistics of the batch"}},
                     false,
                     1,
                     3},
                    true) {}
  NormLayout layout(const NodeView&, const Shape& x) const override { return by_channel(x); }

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Shape& x = view.input(0).shape;
    require_channels(x);
    for (int i = 1; i < 5; ++i)
      if (view.input(i).shape != Shape{x[1]})
        shape_error(view.input(i).name + " must have shape [" + std::to_string(x[1]) + "], not " +
                    to_string(view.input(i).shape));
    if (!training(view) && view.output_count() > 1)
      shape_error("running statistics are outputs in training_mode only");
    return {{x, ElementType::floating},
            {{x[1]}, ElementType::floating, view.input(3).format},
            {{x[1]}, ElementType::floating, view.input(4).format}};
  }
  /// Without training, a and b depend on parameters only: prepared once when they are loaded.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    if (training(view)) return GroupNormOp::vector_work(view);
    const std::int64_t elements = elements_of(view.output());
    return {{"mul", elements}, {"add", elements}};
  }
  void forward(Evaluation& e) const override {
    training(e.view) ? with_batch_statistics(e) : with_given_statistics(e);
  }
  void gradient(GradientBuilder& g) const override {
    if (!training(g.view()))
      throw base::InputError("BatchNormalization \"" + g.view().node().name +
                                 "\" has no gradient with training_mode 0",
                             "no-gradient");
    GroupNormOp::gradient(g);
  }

 private:
  static bool training(const NodeView& view) { return view.integer("training_mode") != 0; }
  void with_batch_statistics(Evaluation& e) const {
    const std::vector<double>& x = e.inputs[0]->values;
    const NormLayout of_x = by_channel(e.inputs[0]->shape);
    const NormStatistics s = norm_statistics(e, of_x, x, true, epsilon(e.view));
    normalise(e, of_x, s, x, e.inputs[1], e.inputs[2], e.outputs[0].values);
    const double keep = e.internal(e.view.number("momentum"));
    const double take = e.internal(1.0 - keep);
    for (std::size_t out = 1; out < e.outputs.size(); ++out) {
      const std::vector<double>& now = out == 1 ? s.mean : s.variance;
      for (std::size_t c = 0; c < now.size(); ++c)
        e.outputs[out].values[c] =
            e.internal(e.internal(e.inputs[out + 2]->values[c] * keep) + e.internal(now[c] * take));
    }
  }
  static void with_given_statistics(Evaluation& e) {
    const Tensor& x = *e.inputs[0];
    const std::int64_t channels = x.shape[1];
    const std::int64_t inner = extent_product(x.shape, 2, x.shape.size());
    const double epsilon = e.view.number("epsilon");
    e.parallel(x.shape[0] * channels, [&](std::int64_t plane) {
      const auto c = static_cast<std::size_t>(plane % channels);
      const double deviation =
          e.internal(std::sqrt(e.internal(e.inputs[4]->values[c] + e.internal(epsilon))));
      const double a = e.internal(e.inputs[1]->values[c] / deviation);
      const double b = e.internal(e.inputs[2]->values[c] - e.internal(e.inputs[3]->values[c] * a));
      const double* from = x.values.data() + plane * inner;
      double* to = e.outputs[0].values.data() + plane * inner;
      for (std::int64_t i = 0; i < inner; ++i) to[i] = e.internal(e.internal(from[i] * a) + b);
    });
  }
};

/// Over the dimensions from axis on; scale and bias have their shape (or broadcast to it).
class TrailingNorm final : public GroupNormOp {
 public:
  TrailingNorm(OpFacts facts, bool centred) : GroupNormOp(std::move(facts), centred) {}
  NormLayout layout(const NodeView& view, const Shape& x) const override {
    const std::size_t axis = positive_axis(view.integer("axis"), x.size());
    const std::int64_t groups = extent_product(x, 0, axis);
    const std::int64_t length = extent_product(x, axis, x.size());
    const Shape normalised(x.begin() + static_cast<std::ptrdiff_t>(axis), x.end());
    return {{groups, length}, {groups, 1}, {groups, length}, {1, length}, normalised};
  }
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    std::vector<OutputSpec> specs = GroupNormOp::infer(view);
    Shape statistics = view.input(0).shape;
    const std::size_t axis = positive_axis(view.integer("axis"), statistics.size());
    std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), 1);
    specs.push_back({statistics, ElementType::floating, "fp32"});
    specs.push_back({statistics, ElementType::floating, "fp32"});
    return specs;
  }
};

/// Groups of channels, or every channel on its own (InstanceNormalization).
class ChannelGroupNorm final : public GroupNormOp {
 public:
  ChannelGroupNorm(OpFacts facts, bool grouped)
      : GroupNormOp(std::move(facts), true), grouped_(grouped) {}
  NormLayout layout(const NodeView& view, const Shape& x) const override {
    require_channels(x);
    const std::int64_t groups = grouped_ ? view.integer("num_groups") : x[1];
    if (groups < 1 || x[1] % groups != 0)
      shape_error("num_groups " + std::to_string(groups) + " does not divide the channels of " +
                  to_string(x));
    NormLayout layout = by_channel(x);
    layout.group_view = {x[0] * groups, x[1] / groups * extent_product(x, 2, x.size())};
    layout.group_kept = {x[0] * groups, 1};
    return layout;
  }

 private:
  bool grouped_;
};

class MeanVarianceNormalization final : public GroupNormOp {
 public:
  MeanVarianceNormalization()
      : GroupNormOp({"MeanVarianceNormalization",
                     "(x - mean) / (deviation + 1e-9) over axes",
                     OpClass::vector,
                     1,
                     1,
                     {{"axes", std::vector<std::int64_t>{0, 2, 3}, false, "to normalise over"}}},
                    true) {}
  /// ONNX adds 1e-9 to the deviation; to the variance it is the same for all but constant groups.
  double epsilon(const NodeView&) const override { return 1e-18; }
  NormLayout layout(const NodeView& view, const Shape& x) const override {
    Shape kept = x;
    for (const std::int64_t axis : positive_axes(view.integers("axes"), x.size()))
      kept[static_cast<std::size_t>(axis)] = 1;
    return {x, kept, x, Shape(x.size(), 1), {}};
  }
};

}  // namespace

void register_normalization(OpRegistry& registry) {
  register_group_norm(registry, std::make_unique<BatchNormalization>());
  const AttributeSpec axis = {"axis", std::int64_t{-1}, false, "first normalised dimension"};
  register_group_norm(
      registry,
      std::make_unique<TrailingNorm>(
          OpFacts{"LayerNormalization",
                  "x to mean 0 and variance 1 over the last dimensions, scaled and shifted; second "
                  "and third output: mean and 1 / deviation",
                  OpClass::vector,
                  2,
                  3,
                  {axis, epsilon_attribute(), stash_attribute()},
                  false,
                  1,
                  3},
          true));
  register_group_norm(registry,
                      std::make_unique<TrailingNorm>(
                          OpFacts{"RMSNormalization",
                                  "x by its root mean square over the last dimensions, scaled",
                                  OpClass::vector,
                                  2,
                                  2,
                                  {axis, epsilon_attribute(), stash_attribute()}},
                          false));
  register_group_norm(
      registry,
      std::make_unique<ChannelGroupNorm>(
          OpFacts{"GroupNormalization",
                  "x to mean 0 and variance 1 over groups of channels, scaled and shifted a "
                  "channel",
                  OpClass::vector,
                  3,
                  3,
                  {epsilon_attribute(),
                   {"num_groups", std::int64_t{1}, true, "groups of channels"},
                   stash_attribute()}},
          true));
  register_group_norm(registry,
                      std::make_unique<ChannelGroupNorm>(
                          OpFacts{"InstanceNormalization",
                                  "x to mean 0 and variance 1 a sample and channel, scaled and "
                                  "shifted",
                                  OpClass::vector,
                                  3,
                                  3,
                                  {epsilon_attribute()}},
                          false));
  register_group_norm(registry, std::make_unique<MeanVarianceNormalization>());
}

}  // namespace npusim::workloads
