// SPDX-License-Identifier: Apache-2.0
// Expand, Tile, Slice, Pad, Trilu, Compress, ReverseSequence: parts and repetitions of a tensor.
#include <limits>

#include "workloads/ops/axes.h"
#include "workloads/ops/broadcast.h"
#include "workloads/ops/families.h"
#include "workloads/ops/movement.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

/// Offsets where each dimension maps on its own: maps[d][i] is the index in x of index i of y.
Integers separable(const Shape& x, const Shape& y, const std::vector<Integers>& maps) {
  const Integers strides = strides_of(x);
  Integers from(static_cast<std::size_t>(element_count(y)));
  for_positions(y, [&](std::int64_t i, const Integers& at) {
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      const std::int64_t source = maps[d][static_cast<std::size_t>(at[d])];
      if (source == kFill) {
        offset = kFill;
        break;
      }
      offset += source * strides[d];
    }
    from[static_cast<std::size_t>(i)] = offset;
  });
  return from;
}

Integers counted(std::int64_t count) {
  Integers map;
  for (std::int64_t i = 0; i < count; ++i) map.push_back(i);
  return map;
}

class Expand final : public Movement {
 public:
  Expand()
      : Movement({"Expand",
                  "x broadcast with the shape given by input 1",
                  OpClass::vector,
                  2,
                  2,
                  {},
                  false,
                  1,
                  1,
                  {1}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const Shape to = view.constant_integers(1);
    element_count(to);
    return broadcast_shape(x, to, "Expand");
  }
  Integers sources(const Move& move) const override {
    const BroadcastIndex index(move.x, move.y);
    Integers from(static_cast<std::size_t>(element_count(move.y)));
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = index(static_cast<std::int64_t>(i));
    return from;
  }
};

class Tile final : public Movement {
 public:
  Tile()
      : Movement({"Tile",
                  "x repeated as often as input 1 says for each dimension",
                  OpClass::vector,
                  2,
                  2,
                  {},
                  false,
                  1,
                  1,
                  {1}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const Integers repeats = view.constant_integers(1);
    if (repeats.size() != x.size())
      shape_error("repeats " + to_string(repeats) + " are not one a dimension of " + to_string(x));
    Shape y = x;
    for (std::size_t d = 0; d < y.size(); ++d) {
      if (repeats[d] < 0 || repeats[d] > (std::int64_t{1} << 40) / std::max<std::int64_t>(1, y[d]))
        shape_error("repeats " + to_string(repeats) + " are out of range");
      y[d] *= repeats[d];
    }
    return y;
  }
  Integers sources(const Move& move) const override {
    std::vector<Integers> maps;
    for (std::size_t d = 0; d < move.y.size(); ++d) {
      maps.push_back(counted(move.y[d]));
      for (std::int64_t& i : maps.back()) i %= std::max<std::int64_t>(1, move.x[d]);
    }
    return separable(move.x, move.y, maps);
  }
};

struct Range {
  std::int64_t start = 0, step = 1, count = 0;
};

class Slice final : public Movement {
 public:
  Slice()
      : Movement({"Slice",
                  "x from starts to ends by steps along axes: inputs 1 to 4, or attributes",
                  OpClass::vector,
                  1,
                  5,
                  {{"axes", Integers{}, false, "default: the first ones"},
                   {"ends", Integers{}, false, "where no input gives them"},
                   {"starts", Integers{}, false, "where no input gives them"}},
                  false,
                  1,
                  1,
                  {1, 2, 3, 4}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    Shape y;
    for (const Range& range : ranges(view, x)) y.push_back(range.count);
    return y;
  }
  Integers sources(const Move& move) const override {
    std::vector<Integers> maps;
    for (const Range& range : ranges(move.view, move.x)) {
      maps.push_back(counted(range.count));
      for (std::int64_t& i : maps.back()) i = range.start + i * range.step;
    }
    return separable(move.x, move.y, maps);
  }

 private:
  static Integers listed(const NodeView& view, int input, const char* attribute) {
    return view.has_input(input) ? view.constant_integers(input) : view.integers(attribute);
  }
  static std::vector<Range> ranges(const NodeView& view, const Shape& x) {
    const Integers starts = listed(view, 1, "starts");
    const Integers ends = listed(view, 2, "ends");
    Integers axes = listed(view, 3, "axes");
    Integers steps = view.has_input(4) ? view.constant_integers(4) : Integers(starts.size(), 1);
    if (axes.empty()) axes = counted(static_cast<std::int64_t>(starts.size()));
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        steps.size() != starts.size())
      shape_error("starts, ends, axes and steps have different lengths");
    std::vector<Range> result;
    for (const std::int64_t extent : x) result.push_back({0, 1, extent});
    for (std::size_t i = 0; i < starts.size(); ++i) {
      const std::size_t axis = positive_axis(axes[i], x.size());
      result[axis] = range(x[axis], starts[i], ends[i], steps[i]);
    }
    return result;
  }
  static Range range(std::int64_t extent, std::int64_t start, std::int64_t end, std::int64_t step) {
    if (step == 0 || step == std::numeric_limits<std::int64_t>::min())
      shape_error("step " + std::to_string(step) + " is none");
    const bool back = step < 0;
    const auto limited = [&](std::int64_t at) {
      if (at < 0) at = std::max(at, -extent - 1) + extent;
      return std::min(std::max<std::int64_t>(at, back ? -1 : 0), back ? extent - 1 : extent);
    };
    const std::int64_t first = limited(start);
    const std::int64_t span = back ? first - limited(end) : limited(end) - first;
    const std::int64_t stride = back ? -step : step;
    return {first, step, span <= 0 ? 0 : (span - 1) / stride + 1};
  }
};

class Pad final : public Movement {
 public:
  Pad()
      : Movement({"Pad",
                  "x with pads (input 1 or attribute: begins, then ends) around it; input 2 or "
                  "attribute value fills, input 3 names the axes",
                  OpClass::vector,
                  1,
                  4,
                  {{"mode", std::string("constant"), false, "constant, reflect, edge or wrap"},
                   {"pads", Integers{}, false, "where no input gives them"},
                   {"value", 0.0, false, "where no input gives it"}},
                  false,
                  1,
                  1,
                  {1, 3}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const Integers pads = pads_of(view, x.size());
    const std::string& mode = view.text("mode");
    if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
      shape_error("attribute mode \"" + mode + "\" is none of constant, reflect, edge, wrap");
    Shape y = x;
    for (std::size_t d = 0; d < y.size(); ++d) {
      y[d] += pads[d] + pads[d + y.size()];
      if (y[d] < 0) shape_error("pads " + to_string(pads) + " take more than " + to_string(x));
      if (mode != "constant" && x[d] == 0 && y[d] > 0)
        shape_error("mode " + mode + " has nothing to repeat in " + to_string(x));
    }
    return y;
  }
  Integers sources(const Move& move) const override {
    const Integers pads = pads_of(move.view, move.x.size());
    std::vector<Integers> maps;
    for (std::size_t d = 0; d < move.y.size(); ++d) {
      maps.push_back(counted(move.y[d]));
      for (std::int64_t& i : maps.back())
        i = source(move.view.text("mode"), i - pads[d], move.x[d]);
    }
    return separable(move.x, move.y, maps);
  }
  double fill(const Move& move) const override {
    const bool given = move.inputs.size() > 2 && move.inputs[2] != nullptr;
    return given ? move.inputs[2]->values.at(0) : move.view.number("value");
  }

 private:
  static Integers pads_of(const NodeView& view, std::size_t rank) {
    const Integers given = view.has_input(1) ? view.constant_integers(1) : view.integers("pads");
    Integers axes =
        view.has_input(3) ? view.constant_integers(3) : counted(static_cast<std::int64_t>(rank));
    if (given.size() != 2 * axes.size())
      shape_error("pads " + to_string(given) + " are not two for each of " +
                  std::to_string(axes.size()) + " axes");
    Integers pads(2 * rank, 0);
    for (std::size_t i = 0; i < axes.size(); ++i)
      for (const std::size_t end : {0, 1}) {
        const std::int64_t pad = given[i + end * axes.size()];
        if (pad > (std::int64_t{1} << 40) || pad < -(std::int64_t{1} << 40))
          shape_error("pad " + std::to_string(pad) + " is out of range");
        pads[positive_axis(axes[i], rank) + end * rank] = pad;
      }
    return pads;
  }
  static std::int64_t source(const std::string& mode, std::int64_t i, std::int64_t extent) {
    if (i >= 0 && i < extent) return i;
    if (mode == "constant") return kFill;
    if (mode == "edge") return i < 0 ? 0 : extent - 1;
    if (mode == "wrap") return (i % extent + extent) % extent;
    if (extent == 1) return 0;
    const std::int64_t period = 2 * (extent - 1);
    const std::int64_t at = (i % period + period) % period;
    return at < extent ? at : period - at;
  }
};

class Trilu final : public Movement {
 public:
  Trilu()
      : Movement({"Trilu",
                  "the upper or lower triangle of matrices, from diagonal k (input 1), else 0",
                  OpClass::vector,
                  1,
                  2,
                  {{"upper", std::int64_t{1}, false, "0: the lower triangle"}}}) {}
  Shape result_shape(const NodeView&, const Shape& x) const override {
    if (x.size() < 2) shape_error("x must have rank 2 or more, not shape " + to_string(x));
    return x;
  }
  Integers sources(const Move& move) const override {
    const bool upper = move.view.integer("upper") != 0;
    const bool given = move.inputs.size() > 1 && move.inputs[1] != nullptr;
    const double k = given ? move.inputs[1]->values.at(0) : 0.0;
    Integers from(static_cast<std::size_t>(element_count(move.y)));
    for_positions(move.y, [&](std::int64_t i, const Integers& at) {
      const auto diagonal = static_cast<double>(at.back() - at[at.size() - 2]);
      from[static_cast<std::size_t>(i)] = (upper ? diagonal >= k : diagonal <= k) ? i : kFill;
    });
    return from;
  }
};

/// The condition decides the shape, so that it must be known.
class Compress final : public Movement {
 public:
  Compress()
      : Movement({"Compress",
                  "slices of x where the condition (input 1, known) holds",
                  OpClass::vector,
                  2,
                  2,
                  {{"axis", std::int64_t{1} << 31, false, "default: x is flattened"}},
                  false,
                  1,
                  1,
                  {1}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    if (flat(view)) return {static_cast<std::int64_t>(kept(view, element_count(x)).size())};
    Shape y = x;
    const std::size_t axis = positive_axis(view.integer("axis"), x.size());
    y[axis] = static_cast<std::int64_t>(kept(view, x[axis]).size());
    return y;
  }
  Integers sources(const Move& move) const override {
    if (flat(move.view)) return kept(move.view, element_count(move.x));
    const std::size_t axis = positive_axis(move.view.integer("axis"), move.x.size());
    std::vector<Integers> maps;
    for (const std::int64_t extent : move.y) maps.push_back(counted(extent));
    maps[axis] = kept(move.view, move.x[axis]);
    return separable(move.x, move.y, maps);
  }

 private:
  static bool flat(const NodeView& view) { return view.integer("axis") == std::int64_t{1} << 31; }
  static Integers kept(const NodeView& view, std::int64_t extent) {
    Integers result;
    const std::vector<double>& condition = view.constant(1).values;
    for (std::size_t i = 0; i < condition.size() && static_cast<std::int64_t>(i) < extent; ++i)
      if (condition[i] != 0.0) result.push_back(static_cast<std::int64_t>(i));
    return result;
  }
};

class ReverseSequence final : public Movement {
 public:
  ReverseSequence()
      : Movement({"ReverseSequence",
                  "the first sequence_lens[b] steps of each sequence in reverse order",
                  OpClass::vector,
                  2,
                  2,
                  {{"batch_axis", std::int64_t{1}, false, "0 or 1"},
                   {"time_axis", std::int64_t{0}, false, "the other one"}}}) {}
  Shape result_shape(const NodeView& view, const Shape& x) const override {
    const std::int64_t batch = view.integer("batch_axis");
    const std::int64_t time = view.integer("time_axis");
    if (x.size() < 2 || batch < 0 || batch > 1 || time != 1 - batch)
      shape_error("batch_axis and time_axis must be 0 and 1 of a tensor of rank 2 or more");
    const Shape& lengths = view.input(1).shape;
    if (lengths != Shape{x[static_cast<std::size_t>(batch)]})
      shape_error("sequence_lens " + to_string(lengths) + " are not one a sequence of " +
                  to_string(x));
    return x;
  }
  Integers sources(const Move& move) const override {
    const auto batch = static_cast<std::size_t>(move.view.integer("batch_axis"));
    const std::size_t time = 1 - batch;
    const Integers strides = strides_of(move.x);
    Integers from(static_cast<std::size_t>(element_count(move.y)));
    for_positions(move.y, [&](std::int64_t i, const Integers& at) {
      const auto length =
          static_cast<std::int64_t>(move.inputs[1]->values[static_cast<std::size_t>(at[batch])]);
      if (length < 0 || length > move.x[time])
        throw base::InputError("sequence length " + std::to_string(length) + " is out of range",
                               "out-of-range");
      const std::int64_t step = at[time] < length ? length - 1 - 2 * at[time] : 0;
      from[static_cast<std::size_t>(i)] = i + step * strides[time];
    });
    return from;
  }
};

}  // namespace

void register_slicing(OpRegistry& registry) {
  register_movement(registry, std::make_unique<Expand>());
  register_movement(registry, std::make_unique<Tile>());
  register_movement(registry, std::make_unique<Slice>());
  register_movement(registry, std::make_unique<Pad>());
  register_movement(registry, std::make_unique<Trilu>());
  register_movement(registry, std::make_unique<Compress>());
  register_movement(registry, std::make_unique<ReverseSequence>());
}

}  // namespace npusim::workloads
