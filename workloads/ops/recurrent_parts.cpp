// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "workloads/ops/recurrent.h"

namespace npusim::workloads {
namespace {

using Integers = std::vector<std::int64_t>;

/// One direction of the unrolled op.
class Unrolled {
 public:
  Unrolled(DecompositionBuilder& d, Cell cell, const RecurrentShape& s,
           std::vector<GateFunction> functions, std::int64_t direction)
      : d_(d),
        cell_(cell),
        s_(s),
        f_(std::move(functions)),
        direction_(direction),
        prefix_("d" + std::to_string(direction) + ".") {}

  /// x: (steps, batch, inputs).
  void run(TensorId x) {
    const std::int64_t rows = s_.gate_rows();
    const TensorId w = of_direction(1, "w", {rows, s_.inputs});
    recurrent_ = of_direction(2, "r", {rows, s_.hidden});
    if (d_.view().has_input(3)) bias_ = of_direction(3, "b", {2 * rows});
    if (d_.view().has_input(7)) peephole_ = of_direction(7, "p", {3 * s_.hidden});
    h_ = initial(5, "h0");
    if (cell_ == Cell::lstm) c_ = initial(6, "c0");
    if (cell_ == Cell::gru && !linear()) split_recurrent();
    const TensorId flat =
        node("ReshapeTo", "x_rows", {x}, {{"shape", Shape{s_.steps * s_.batch, s_.inputs}}});
    from_x_ = gemm("from_x", flat, w, part_of_bias("wb", 0, rows));
    const bool backwards = d_.view().text("direction") == "reverse" || direction_ == 1;
    y_.resize(static_cast<std::size_t>(s_.steps));
    for (std::int64_t i = 0; i < s_.steps; ++i) {
      const std::int64_t t = backwards ? s_.steps - 1 - i : i;
      step(t);
      y_[static_cast<std::size_t>(t)] = h_;
    }
  }

  TensorId h() const { return h_; }
  TensorId c() const { return c_; }
  const std::vector<TensorId>& y() const { return y_; }

 private:
  TensorId node(const std::string& op, const std::string& suffix, std::vector<TensorId> inputs,
                Attributes attributes = {}) {
    return d_.add(op, prefix_ + suffix, std::move(inputs), std::move(attributes));
  }
  TensorId slice(const std::string& suffix, TensorId x, std::int64_t axis, std::int64_t from,
                 std::int64_t to) {
    return node("Slice", suffix, {x},
                {{"axes", Integers{axis}}, {"starts", Integers{from}}, {"ends", Integers{to}}});
  }
  TensorId gemm(const std::string& suffix, TensorId a, TensorId b, TensorId bias) {
    std::vector<TensorId> inputs = {a, b};
    if (bias != kNoTensor) inputs.push_back(bias);
    return node("Gemm", suffix, std::move(inputs), {{"transB", std::int64_t{1}}});
  }
  /// An input whose first dimension counts directions, for this one.
  TensorId of_direction(int input, const std::string& suffix, const Shape& shape) {
    TensorId id = d_.view().node().inputs[static_cast<std::size_t>(input)];
    if (s_.directions > 1) id = slice(suffix + "_slice", id, 0, direction_, direction_ + 1);
    return node("ReshapeTo", suffix, {id}, {{"shape", shape}});
  }
  TensorId initial(int input, const std::string& suffix) {
    const Shape rows = {s_.batch, s_.hidden};
    if (!d_.view().has_input(input)) return node("Filled", suffix, {}, {{"shape", rows}});
    TensorId id = d_.view().node().inputs[static_cast<std::size_t>(input)];
    if (s_.directions > 1)
      id = slice(suffix + "_slice", id, s_.batch_first ? 1 : 0, direction_, direction_ + 1);
    return node("ReshapeTo", suffix, {id}, {{"shape", rows}});
  }
  TensorId part_of_bias(const std::string& suffix, std::int64_t from, std::int64_t to) {
    return bias_ == kNoTensor ? kNoTensor : slice(suffix, bias_, 0, from, to);
  }
  bool linear() const { return d_.view().integer("linear_before_reset") != 0; }

  /// A GRU that resets before R needs R of the last gate apart: its product waits for the reset.
  void split_recurrent() {
    const std::int64_t n = s_.hidden;
    last_recurrent_ = slice("r_last", recurrent_, 0, 2 * n, 3 * n);
    last_bias_ = part_of_bias("rb_last", 5 * n, 6 * n);
    recurrent_ = slice("r_gates", recurrent_, 0, 0, 2 * n);
  }

  void step(std::int64_t t) {
    at_ = "t" + std::to_string(t) + ".";
    x_t_ = slice(at_ + "x", from_x_, 0, t * s_.batch, (t + 1) * s_.batch);
    const std::int64_t rows = s_.gate_rows();
    const bool apart = cell_ == Cell::gru && !linear();
    if (recurrent_bias_ == kNoTensor)
      recurrent_bias_ = part_of_bias("rb", rows, apart ? 5 * s_.hidden : 2 * rows);
    h_t_ = gemm(at_ + "from_h", h_, recurrent_, recurrent_bias_);
    if (cell_ == Cell::rnn) h_ = active(f_[0], "h", node("Add", at_ + "sum", {x_t_, h_t_}));
    if (cell_ == Cell::gru) gru();
    if (cell_ == Cell::lstm) lstm();
  }

  TensorId columns(TensorId x, const std::string& suffix, std::int64_t gate) {
    return slice(at_ + suffix, x, 1, gate * s_.hidden, (gate + 1) * s_.hidden);
  }
  TensorId sum_of(const std::string& suffix, std::int64_t gate) {
    return node("Add", at_ + suffix + "_sum",
                {columns(x_t_, suffix + "_x", gate), columns(h_t_, suffix + "_h", gate)});
  }

  void gru() {
    const TensorId before = h_;
    const TensorId z = active(f_[0], "z", sum_of("z", 0));
    const TensorId r = active(f_[0], "r", sum_of("r", 1));
    TensorId from_h;
    if (linear())
      from_h = node("Mul", at_ + "reset", {r, columns(h_t_, "n_h", 2)});
    else
      from_h =
          gemm(at_ + "n_h", node("Mul", at_ + "reset", {r, before}), last_recurrent_, last_bias_);
    const TensorId fresh =
        active(f_[1], "n", node("Add", at_ + "n_sum", {columns(x_t_, "n_x", 2), from_h}));
    const TensorId rest = node("Sub", at_ + "one_less_z", {one(), z});
    h_ = node("Add", at_ + "h",
              {node("Mul", at_ + "taken", {rest, fresh}), node("Mul", at_ + "kept", {z, before})});
  }

  void lstm() {
    const TensorId in = active(f_[0], "i", peeped("i", 0, c_));
    const TensorId forget = d_.view().integer("input_forget") != 0
                                ? node("Sub", at_ + "f", {one(), in})
                                : active(f_[0], "f", peeped("f", 2, c_));
    const TensorId fresh = active(f_[1], "g", sum_of("g", 3));
    c_ = node("Add", at_ + "c",
              {node("Mul", at_ + "kept", {forget, c_}), node("Mul", at_ + "taken", {in, fresh})});
    const TensorId out = active(f_[0], "o", peeped("o", 1, c_));
    h_ = node("Mul", at_ + "h", {out, applied(f_[2], "c_active", c_)});
  }

  TensorId peeped(const std::string& suffix, std::int64_t gate, TensorId state) {
    const TensorId sum = sum_of(suffix, gate);
    if (peephole_ == kNoTensor) return sum;
    const TensorId weight =
        slice(at_ + suffix + "_p", peephole_, 0, gate * s_.hidden, (gate + 1) * s_.hidden);
    return node("Add", at_ + suffix + "_peeped",
                {sum, node("Mul", at_ + suffix + "_look", {weight, state})});
  }

  TensorId one() {
    if (one_ == kNoTensor) one_ = node("Filled", "one", {}, {{"shape", Shape{}}, {"value", 1.0}});
    return one_;
  }

  /// The activation of a limited sum.
  TensorId active(const GateFunction& f, const std::string& suffix, TensorId x) {
    const double clip = d_.view().number("clip");
    if (clip > 0.0) x = node("Clip", at_ + suffix + "_clip", {x}, {{"min", -clip}, {"max", clip}});
    return applied(f, suffix, x);
  }
  TensorId applied(const GateFunction& f, const std::string& suffix, TensorId x) {
    const std::string name = at_ + suffix + "_active";
    if (f.op == "Affine") {
      const TensorId scaled = node("Scale", name + "_scaled", {x}, {{"factor", f.alpha}});
      const TensorId shift =
          node("Filled", name + "_shift", {}, {{"shape", Shape{}}, {"value", f.beta}});
      return node("Add", name, {scaled, shift});
    }
    if (f.op == "ScaledTanh") {
      const TensorId inner = node("Scale", name + "_inner", {x}, {{"factor", f.beta}});
      return node("Scale", name, {node("Tanh", name + "_tanh", {inner})}, {{"factor", f.alpha}});
    }
    Attributes attributes;
    if (f.has_alpha) attributes["alpha"] = f.alpha;
    if (f.has_beta) attributes["beta"] = f.beta;
    return node(f.op, name, {x}, attributes);
  }

  DecompositionBuilder& d_;
  Cell cell_;
  const RecurrentShape& s_;
  std::vector<GateFunction> f_;
  std::int64_t direction_;
  std::string prefix_;  ///< of names in this direction
  std::string at_;      ///< of names in the current step
  TensorId recurrent_ = kNoTensor, recurrent_bias_ = kNoTensor, bias_ = kNoTensor;
  TensorId last_recurrent_ = kNoTensor, last_bias_ = kNoTensor;
  TensorId peephole_ = kNoTensor, one_ = kNoTensor;
  TensorId h_ = kNoTensor, c_ = kNoTensor;
  TensorId from_x_ = kNoTensor, x_t_ = kNoTensor, h_t_ = kNoTensor;
  std::vector<TensorId> y_;
};

/// Joins what the directions made: (..., directions, ...) along `axis`.
TensorId joined(DecompositionBuilder& d, const std::string& suffix, std::vector<TensorId> parts,
                std::int64_t axis) {
  return parts.size() == 1 ? parts[0] : d.add("Concat", suffix, std::move(parts), {{"axis", axis}});
}

TensorId outputs_of(DecompositionBuilder& d, const RecurrentShape& s,
                    const std::vector<Unrolled>& directions) {
  std::vector<TensorId> sides;
  for (std::size_t i = 0; i < directions.size(); ++i) {
    const std::string side = "d" + std::to_string(i);
    std::vector<TensorId> steps;
    for (std::size_t t = 0; t < directions[i].y().size(); ++t)
      steps.push_back(d.add("ReshapeTo", side + ".y" + std::to_string(t), {directions[i].y()[t]},
                            {{"shape", Shape{1, 1, s.batch, s.hidden}}}));
    sides.push_back(joined(d, side + ".y", steps, 0));
  }
  const TensorId y = joined(d, "y", sides, 1);
  if (!s.batch_first) return y;
  return d.add("Transpose", "y_by_batch", {y}, {{"perm", Integers{2, 0, 1, 3}}});
}

template <class Pick>
TensorId state_of(DecompositionBuilder& d, const RecurrentShape& s, const std::string& suffix,
                  const std::vector<Unrolled>& directions, const Pick& pick) {
  const Shape shape = s.batch_first ? Shape{s.batch, 1, s.hidden} : Shape{1, s.batch, s.hidden};
  std::vector<TensorId> sides;
  for (std::size_t i = 0; i < directions.size(); ++i)
    sides.push_back(
        d.add("ReshapeTo", suffix + std::to_string(i), {pick(directions[i])}, {{"shape", shape}}));
  return joined(d, suffix, sides, s.batch_first ? 1 : 0);
}

}  // namespace

std::vector<std::string> recurrent_parts() {
  return {"Gemm", "Add", "Mul", "Sub", "Slice", "Concat", "ReshapeTo", "Filled", "Sigmoid", "Tanh"};
}

std::vector<TensorId> decompose_recurrent(DecompositionBuilder& d, Cell cell,
                                          const RecurrentShape& s,
                                          const std::vector<GateFunction>& functions) {
  const NodeView view = d.view();
  if (view.has_input(4))
    throw base::InputError(
        view.node().op + " \"" + view.node().name + "\" with sequence lengths does not decompose",
        "unsupported-decomposition");
  TensorId x = view.node().inputs[0];
  if (s.batch_first) x = d.add("Transpose", "x_by_step", {x}, {{"perm", Integers{1, 0, 2}}});
  const auto each =
      static_cast<std::ptrdiff_t>(functions.size()) / static_cast<std::ptrdiff_t>(s.directions);
  std::vector<Unrolled> directions;
  for (std::int64_t i = 0; i < s.directions; ++i) {
    const auto first = functions.begin() + i * each;
    directions.emplace_back(d, cell, s, std::vector<GateFunction>(first, first + each), i);
    directions.back().run(x);
  }
  const auto count = static_cast<std::size_t>(d.view().output_count());
  std::vector<TensorId> results = {outputs_of(d, s, directions)};
  if (count > 1)
    results.push_back(state_of(d, s, "y_h", directions, [](const Unrolled& u) { return u.h(); }));
  if (count > 2)
    results.push_back(state_of(d, s, "y_c", directions, [](const Unrolled& u) { return u.c(); }));
  return results;
}

}  // namespace npusim::workloads
