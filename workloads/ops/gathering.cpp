// SPDX-License-Identifier: Apache-2.0
// Gather, GatherElements, GatherND; DepthToSpace and SpaceToDepth. Negative indices count from the
// end; others outside are an error when the values are read. The gradient of Gather adds rows up
// where indices repeat (an embedding's).
#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/indexing.h"
#include "workloads/ops/movement.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

AttributeSpec axis_attribute() {
  return {"axis", std::int64_t{0}, false, "axis that the indices run along"};
}

class Gather final : public Movement {
 public:
  Gather()
      : Movement({"Gather",
                  "slices of x at the indices (input 1) along an axis",
                  OpClass::vector,
                  2,
                  2,
                  {axis_attribute()}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const std::size_t axis = positive_axis(view.integer("axis"), x.size());
    const Shape& indices = view.input(1).shape;
    Shape y(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis));
    y.insert(y.end(), indices.begin(), indices.end());
    y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end());
    return y;
  }
  Integers sources(const Move& move) const override {
    const std::size_t axis = positive_axis(move.view.integer("axis"), move.x.size());
    const std::int64_t outer = extent_product(move.x, 0, axis);
    const std::int64_t inner = extent_product(move.x, axis + 1, move.x.size());
    Integers from;
    from.reserve(static_cast<std::size_t>(element_count(move.y)));
    for (std::int64_t o = 0; o < outer; ++o)
      for (const double value : move.inputs[1]->values) {
        const std::int64_t row = o * move.x[axis] + checked_index(value, move.x[axis]);
        for (std::int64_t i = 0; i < inner; ++i) from.push_back(row * inner + i);
      }
    return from;
  }
};

class GatherElements final : public Movement {
 public:
  GatherElements()
      : Movement({"GatherElements",
                  "elements of x at the indices (input 1) along an axis",
                  OpClass::vector,
                  2,
                  2,
                  {axis_attribute()}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    check_element_indices(x, view.input(1).shape, positive_axis(view.integer("axis"), x.size()));
    return view.input(1).shape;
  }
  Integers sources(const Move& move) const override {
    return element_targets(move.x, *move.inputs[1],
                           positive_axis(move.view.integer("axis"), move.x.size()));
  }
};

class GatherND final : public Movement {
 public:
  GatherND()
      : Movement({"GatherND",
                  "slices of x at index tuples, the last dimension of input 1",
                  OpClass::vector,
                  2,
                  2,
                  {{"batch_dims", std::int64_t{0}, false, "leading dimensions shared by both"}}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const Shape& indices = view.input(1).shape;
    const std::size_t batch = batch_dims(view, x, indices);
    const std::size_t taken = batch + static_cast<std::size_t>(indices.back());
    if (taken > x.size())
      shape_error("index tuples of " + to_string(indices) + " are longer than " + to_string(x));
    Shape y(indices.begin(), indices.end() - 1);
    y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(taken), x.end());
    return y;
  }
  Integers sources(const Move& move) const override {
    const Tensor& indices = *move.inputs[1];
    const std::size_t batch = batch_dims(move.view, move.x, indices.shape);
    const std::int64_t batches = extent_product(move.x, 0, batch);
    const std::int64_t per_batch = extent_product(move.x, batch, move.x.size());
    const Shape inner(move.x.begin() + static_cast<std::ptrdiff_t>(batch), move.x.end());
    const Slices slices = tuple_slices(inner, indices);
    const std::int64_t tuples =
        static_cast<std::int64_t>(slices.starts.size()) / std::max<std::int64_t>(1, batches);
    Integers from;
    from.reserve(static_cast<std::size_t>(element_count(move.y)));
    for (std::size_t t = 0; t < slices.starts.size(); ++t)
      for (std::int64_t i = 0; i < slices.length; ++i)
        from.push_back(static_cast<std::int64_t>(t) / tuples * per_batch + slices.starts[t] + i);
    return from;
  }

 private:
  static std::size_t batch_dims(const NodeView& view, const Shape& x, const Shape& indices) {
    const std::int64_t batch = view.integer("batch_dims");
    const bool fits = batch >= 0 && batch < static_cast<std::int64_t>(indices.size()) &&
                      batch < static_cast<std::int64_t>(x.size()) &&
                      std::equal(x.begin(), x.begin() + batch, indices.begin());
    if (!fits)
      shape_error("x " + to_string(x) + " and indices " + to_string(indices) + " do not share " +
                  std::to_string(batch) + " leading dimensions");
    return static_cast<std::size_t>(batch);
  }
};

/// Blocks of pixels to channels and back, as a transposition of six dimensions.
class BlockOp final : public Movement {
 public:
  BlockOp(const char* name, const char* description, bool to_space)
      : Movement({name, description, OpClass::vector, 1, 1, attributes_for(to_space)}),
        to_space_(to_space) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const std::int64_t b = view.integer("blocksize");
    if (x.size() != 4 || b < 1 || b > (1 << 15))
      shape_error("x must have rank 4 and blocksize be positive, not " + to_string(x));
    const bool divides = to_space_ ? x[1] % (b * b) == 0 : x[2] % b == 0 && x[3] % b == 0;
    if (!divides)
      shape_error("blocksize " + std::to_string(b) + " does not divide " + to_string(x));
    if (to_space_) return {x[0], x[1] / (b * b), x[2] * b, x[3] * b};
    return {x[0], x[1] * b * b, x[2] / b, x[3] / b};
  }
  Integers sources(const Move& move) const override {
    const std::int64_t b = move.view.integer("blocksize");
    const Shape& wide = to_space_ ? move.y : move.x;  // more pixels
    const Shape& deep = to_space_ ? move.x : move.y;  // more channels
    const bool crd = to_space_ && move.view.text("mode") == "CRD";
    const Integers deep_strides = strides_of(deep);
    Integers from(static_cast<std::size_t>(element_count(move.y)));
    for_positions(wide, [&](std::int64_t i, const Integers& at) {
      const std::int64_t block = at[2] % b * b + at[3] % b;
      const std::int64_t channel = crd ? at[1] * b * b + block : block * wide[1] + at[1];
      const std::int64_t other = at[0] * deep_strides[0] + channel * deep_strides[1] +
                                 at[2] / b * deep_strides[2] + at[3] / b;
      if (to_space_)
        from[static_cast<std::size_t>(i)] = other;
      else
        from[static_cast<std::size_t>(other)] = i;
    });
    return from;
  }

 private:
  static std::vector<AttributeSpec> attributes_for(bool to_space) {
    std::vector<AttributeSpec> result = {
        {"blocksize", std::int64_t{1}, true, "pixels of a block along each axis"}};
    if (to_space)
      result.push_back({"mode", std::string("DCR"), false, "DCR: depth first, CRD: column first"});
    return result;
  }
  bool to_space_;
};

}  // namespace

void register_gathering(OpRegistry& registry) {
  register_movement(registry, std::make_unique<Gather>());
  register_movement(registry, std::make_unique<GatherElements>());
  register_movement(registry, std::make_unique<GatherND>());
  register_movement(
      registry, std::make_unique<BlockOp>("DepthToSpace", "channels to blocks of pixels", true));
  register_movement(
      registry, std::make_unique<BlockOp>("SpaceToDepth", "blocks of pixels to channels", false));
}

}  // namespace npusim::workloads
