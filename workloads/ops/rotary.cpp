// SPDX-License-Identifier: Apache-2.0
// RotaryEmbedding (ONNX opset 23): pairs of elements turned by the angle of their position. Each
// product and each sum rounds to the internal format. The gradient turns dy back.
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/indexing.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

struct RotaryShape {
  std::int64_t batch, heads, length, depth, turned;
  bool packed;  ///< (batch, sequence, heads * depth) instead of (batch, heads, sequence, depth)
};

RotaryShape rotary_shape(const NodeView& view) {
  const Shape& x = view.input(0).shape;
  RotaryShape s{};
  s.packed = x.size() == 3;
  if (x.size() != 3 && x.size() != 4)
    shape_error("x must have rank 3 or 4, not shape " + to_string(x));
  s.batch = x[0];
  s.heads = s.packed ? view.integer("num_heads") : x[1];
  if (s.heads < 1 || (s.packed && x[2] % s.heads != 0))
    shape_error("num_heads " + std::to_string(s.heads) + " does not divide " + to_string(x));
  s.length = x[s.packed ? 1 : 2];
  s.depth = s.packed ? x[2] / s.heads : x[3];
  s.turned = view.integer("rotary_embedding_dim");
  if (s.turned == 0) s.turned = s.depth;
  if (s.turned < 2 || s.turned % 2 != 0 || s.turned > s.depth)
    shape_error("rotary_embedding_dim " + std::to_string(s.turned) + " is not even or too large");
  const Shape& cosines = view.input(1).shape;
  const bool by_position = view.has_input(3);
  const Shape own = {s.batch, s.length, s.turned / 2};
  const bool fits = by_position ? cosines.size() == 2 && cosines[1] == s.turned / 2 &&
                                      view.input(3).shape == Shape{s.batch, s.length}
                                : cosines == own;
  if (!fits || view.input(2).shape != cosines)
    shape_error("cos_cache " + to_string(cosines) + " and sin_cache " +
                to_string(view.input(2).shape) + " do not fit x " + to_string(x));
  return s;
}

class RotaryEmbedding final : public SimpleOp {
 public:
  RotaryEmbedding()
      : SimpleOp({"RotaryEmbedding",
                  "pairs of x turned by the angles of (cos_cache, sin_cache) at position_ids",
                  OpClass::vector,
                  3,
                  4,
                  {{"interleaved", std::int64_t{0}, false, "1: pairs are neighbours; 0: halves"},
                   {"num_heads", std::int64_t{0}, false, "of an input of rank 3"},
                   {"rotary_embedding_dim", std::int64_t{0}, false, "elements turned; 0: all"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    rotary_shape(view);
    return {{view.input(0).shape, ElementType::floating}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const RotaryShape s = rotary_shape(view);
    const std::int64_t turned = s.batch * s.heads * s.length * s.turned;
    return {{"mul", 2 * turned}, {"add", turned}};
  }
  void forward(Evaluation& e) const override {
    const RotaryShape s = rotary_shape(e.view);
    e.outputs[0].values = e.inputs[0]->values;
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t i = 0; i < s.length; ++i) {
        const std::int64_t angles = angle_row(e, s, b, i) * (s.turned / 2);
        for (std::int64_t h = 0; h < s.heads; ++h) {
          const std::int64_t at = s.packed ? ((b * s.length + i) * s.heads + h) * s.depth
                                           : ((b * s.heads + h) * s.length + i) * s.depth;
          turn(e, s, at, angles);
        }
      }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    refuse_gradient(g, 1);
    refuse_gradient(g, 2);
    if (!g.wanted(0)) return;
    std::vector<TensorId> inputs = g.view().node().inputs;
    inputs[0] = g.output_gradient(0);
    inputs[2] = g.add("Neg", "back", {inputs[2]}, {}, TensorRole::activation);
    g.set_input_gradient(
        0, g.add("RotaryEmbedding", "dx", inputs, g.view().node().attributes, gradient_role(g, 0)));
  }

 private:
  static std::int64_t angle_row(const Evaluation& e, const RotaryShape& s, std::int64_t b,
                                std::int64_t i) {
    const std::int64_t at = b * s.length + i;
    if (!e.view.has_input(3)) return at;
    return checked_index(e.inputs[3]->values[static_cast<std::size_t>(at)], e.inputs[1]->shape[0]);
  }
  static void turn(Evaluation& e, const RotaryShape& s, std::int64_t at, std::int64_t angles) {
    const bool interleaved = e.view.integer("interleaved") != 0;
    const std::int64_t half = s.turned / 2;
    for (std::int64_t k = 0; k < half; ++k) {
      const auto first = static_cast<std::size_t>(at + (interleaved ? 2 * k : k));
      const auto second = static_cast<std::size_t>(at + (interleaved ? 2 * k + 1 : k + half));
      const auto angle = static_cast<std::size_t>(angles + k);
      const double c = e.inputs[1]->values[angle];
      const double n = e.inputs[2]->values[angle];
      const double x = e.inputs[0]->values[first];
      const double y = e.inputs[0]->values[second];
      e.outputs[0].values[first] = e.internal(e.internal(c * x) - e.internal(n * y));
      e.outputs[0].values[second] = e.internal(e.internal(n * x) + e.internal(c * y));
    }
  }
};

}  // namespace

void register_rotary(OpRegistry& registry) {
  registry.add(std::make_unique<RotaryEmbedding>());
}

}  // namespace npusim::workloads
