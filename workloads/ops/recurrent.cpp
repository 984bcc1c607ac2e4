// SPDX-License-Identifier: Apache-2.0
// RNN, GRU and LSTM of ONNX: one direction or both, sequence lengths, peepholes, any of ONNX's
// activations. The gradient is that of the decomposition (recurrent.h). X W^T + Wb is one product
// over all steps, H R^T + Rb one a step; sums of the two, activations and products of gates round
// to the internal format.
#include <algorithm>

#include "workloads/ops/families.h"
#include "workloads/ops/recurrent.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

using Rows = std::vector<double>;

class Recurrent final : public SimpleOp {
 public:
  Recurrent(const char* name, const char* description, Cell cell)
      : SimpleOp({name, description, OpClass::vector, 3, cell == Cell::lstm ? 8 : 6,
                  attributes_of(cell), false, 1, cell == Cell::lstm ? 3 : 2}),
        cell_(cell) {}

  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const RecurrentShape s = shape_of(view);
    functions(view, s);
    const OutputSpec state = {s.state(), ElementType::floating};
    return {{s.y(), ElementType::floating}, state, state};
  }
  std::int64_t macs(const NodeView& view) const override {
    const RecurrentShape s = shape_of(view);
    return s.steps * s.batch * s.directions * s.gate_rows() * (s.inputs + s.hidden);
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const RecurrentShape s = shape_of(view);
    const std::int64_t cells = s.steps * s.batch * s.directions * s.hidden;
    const std::int64_t states = cell_ == Cell::rnn ? 0 : 3 * cells;
    return {{"mul", macs(view) + states},
            {"add", macs(view) + s.gates * cells + states},
            {"exp", (s.gates + (cell_ == Cell::lstm ? 1 : 0)) * cells}};
  }
  std::vector<std::string> decomposes_into() const override { return recurrent_parts(); }
  std::vector<TensorId> decompose(DecompositionBuilder& d) const override {
    const RecurrentShape s = shape_of(d.view());
    return decompose_recurrent(d, cell_, s, functions(d.view(), s));
  }
  void forward(Evaluation& e) const override {
    const RecurrentShape s = shape_of(e.view);
    const std::vector<GateFunction> all = functions(e.view, s);
    const std::size_t per_direction = all.size() / static_cast<std::size_t>(s.directions);
    std::fill(e.outputs[0].values.begin(), e.outputs[0].values.end(), 0.0);
    for (std::int64_t d = 0; d < s.directions; ++d) {
      const auto first =
          all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(d) * per_direction);
      run(e, s, d, {first, first + static_cast<std::ptrdiff_t>(per_direction)});
    }
  }

 private:
  static std::vector<AttributeSpec> attributes_of(Cell cell) {
    std::vector<AttributeSpec> result = {
        {"activation_alpha", std::vector<double>{}, false, "of the activations that take one"},
        {"activation_beta", std::vector<double>{}, false, "of the activations that take one"},
        {"activations", std::string(), false, "names, separated by commas; default the usual ones"},
        {"clip", 0.0, false, "limit of what goes into activations; 0: none"},
        {"direction", std::string("forward"), false, "forward, reverse or bidirectional"},
        {"hidden_size", std::int64_t{0}, false, "0: as the weights say"},
        {"layout", std::int64_t{0}, false, "1: batch first"}};
    if (cell == Cell::lstm)
      result.push_back({"input_forget", std::int64_t{0}, false, "1: the forget gate is 1 - input"});
    if (cell == Cell::gru)
      result.push_back({"linear_before_reset", std::int64_t{0}, false, "1: reset after R"});
    return result;
  }

  RecurrentShape shape_of(const NodeView& view) const {
    const Shape& x = view.input(0).shape;
    const Shape& w = view.input(1).shape;
    const Shape& r = view.input(2).shape;
    const std::string& direction = view.text("direction");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
      shape_error("attribute direction \"" + direction +
                  "\" is none of forward, reverse, bidirectional");
    if (x.size() != 3 || w.size() != 3 || r.size() != 3)
      shape_error("X, W and R must have rank 3: " + to_string(x) + ", " + to_string(w) + ", " +
                  to_string(r));
    RecurrentShape s{};
    s.batch_first = view.integer("layout") != 0;
    s.steps = x[s.batch_first ? 1 : 0];
    s.batch = x[s.batch_first ? 0 : 1];
    s.inputs = x[2];
    s.hidden = r[2];
    s.directions = direction == "bidirectional" ? 2 : 1;
    s.gates = cell_ == Cell::rnn ? 1 : cell_ == Cell::gru ? 3 : 4;
    const std::int64_t rows = s.gate_rows();
    if (w != Shape{s.directions, rows, s.inputs} || r != Shape{s.directions, rows, s.hidden})
      shape_error("W " + to_string(w) + " and R " + to_string(r) + " do not fit X " + to_string(x));
    const std::int64_t stated = view.integer("hidden_size");
    if (stated != 0 && stated != s.hidden)
      shape_error("hidden_size " + std::to_string(stated) + " differs from R " + to_string(r));
    const Shape wanted[] = {
        {s.directions, 2 * rows}, {s.batch}, s.state(), s.state(), {s.directions, 3 * s.hidden}};
    for (int i = 3; i < view.input_count(); ++i)
      if (view.has_input(i) && view.input(i).shape != wanted[i - 3])
        shape_error(view.input(i).name + " must have shape " + to_string(wanted[i - 3]) + ", not " +
                    to_string(view.input(i).shape));
    return s;
  }

  std::vector<GateFunction> functions(const NodeView& view, const RecurrentShape& s) const {
    const std::string usual = cell_ == Cell::rnn   ? "Tanh"
                              : cell_ == Cell::gru ? "Sigmoid,Tanh"
                                                   : "Sigmoid,Tanh,Tanh";
    std::string names = view.text("activations");
    if (names.empty()) names = s.directions == 2 ? usual + "," + usual : usual;
    const auto numbers = [&](const char* name) {
      return std::get<std::vector<double>>(view.node().attributes.at(name));
    };
    const std::vector<GateFunction> result =
        gate_functions(names, numbers("activation_alpha"), numbers("activation_beta"));
    const auto each = static_cast<std::size_t>(1 + std::count(usual.begin(), usual.end(), ','));
    if (result.size() != each * static_cast<std::size_t>(s.directions))
      shape_error("activations \"" + names + "\" are not " + std::to_string(each) + " a direction");
    return result;
  }

  /// One direction.
  void run(Evaluation& e, const RecurrentShape& s, std::int64_t d,
           const std::vector<GateFunction>& f) const {
    const std::int64_t rows = s.gate_rows();
    const auto input = [&](std::size_t i) { return i < e.inputs.size() ? e.inputs[i] : nullptr; };
    const double* bias = input(3) == nullptr ? nullptr : input(3)->values.data() + d * 2 * rows;
    Rows from_x(static_cast<std::size_t>(s.steps * s.batch * rows));
    product(e, e.inputs[0]->values.data(), s.steps * s.batch, s.inputs,
            e.inputs[1]->values.data() + d * rows * s.inputs, rows, bias, from_x.data());
    Rows h = state(input(5), s, d);
    Rows c = state(input(6), s, d);
    const bool backwards = e.view.text("direction") == "reverse" || d == 1;
    Rows from_h(static_cast<std::size_t>(s.batch * rows));
    for (std::int64_t step = 0; step < s.steps; ++step) {
      const double* r = e.inputs[2]->values.data() + d * rows * s.hidden;
      const double* r_bias = bias == nullptr ? nullptr : bias + rows;
      product(e, h.data(), s.batch, s.hidden, r, rows, r_bias, from_h.data());
      const Rows before = h;
      for (std::int64_t b = 0; b < s.batch; ++b) {
        const std::int64_t length =
            input(4) == nullptr
                ? s.steps
                : static_cast<std::int64_t>(input(4)->values[static_cast<std::size_t>(b)]);
        if (step >= length) continue;
        const std::int64_t t = backwards ? length - 1 - step : step;
        if (t >= s.steps || t < 0)
          throw base::InputError("a sequence length is too large", "out-of-range");
        const double* x_gates = from_x.data() + s.x_row(t, b) * rows;
        double* h_row = h.data() + b * s.hidden;
        if (cell_ == Cell::rnn) rnn(e, s, f, x_gates, from_h.data() + b * rows, h_row);
        if (cell_ == Cell::gru)
          gru(e, s, f, x_gates, from_h.data() + b * rows, before.data() + b * s.hidden, r, r_bias,
              h_row);
        if (cell_ == Cell::lstm)
          lstm(e, s, f, x_gates, from_h.data() + b * rows,
               input(7) == nullptr ? nullptr : input(7)->values.data() + d * 3 * s.hidden,
               c.data() + b * s.hidden, h_row);
        std::copy_n(h_row, s.hidden, e.outputs[0].values.begin() + s.y_row(t, d, b) * s.hidden);
      }
    }
    store(e, s, d, 1, h);
    store(e, s, d, 2, c);
  }

  static void product(Evaluation& e, const double* a, std::int64_t m, std::int64_t k,
                      const double* b, std::int64_t n, const double* bias, double* y) {
    precision::MatrixOutput out(y, n);
    precision::Bias added;
    if (bias != nullptr) added = {precision::Bias::Axis::by_column, bias};
    e.matrix.multiply(k, precision::MatrixRows(a, m, k, k, 1), precision::MatrixRows(b, n, k, k, 1),
                      added, out);
  }
  static Rows state(const Tensor* initial, const RecurrentShape& s, std::int64_t d) {
    Rows rows(static_cast<std::size_t>(s.batch * s.hidden), 0.0);
    for (std::int64_t b = 0; initial != nullptr && b < s.batch; ++b)
      std::copy_n(initial->values.begin() + s.state_row(d, b) * s.hidden, s.hidden,
                  rows.begin() + b * s.hidden);
    return rows;
  }
  static void store(Evaluation& e, const RecurrentShape& s, std::int64_t d, std::size_t output,
                    const Rows& rows) {
    for (std::int64_t b = 0; output < e.outputs.size() && b < s.batch; ++b)
      std::copy_n(rows.begin() + b * s.hidden, s.hidden,
                  e.outputs[output].values.begin() + s.state_row(d, b) * s.hidden);
  }
  static double limited(const Evaluation& e, double x) {
    const double clip = e.view.number("clip");
    return clip > 0.0 ? std::min(std::max(x, -clip), clip) : x;
  }
  static double gate(const Evaluation& e, const GateFunction& f, double a, double b) {
    return e.internal(f(limited(e, e.internal(a + b)), e.internal));
  }

  static void rnn(const Evaluation& e, const RecurrentShape& s, const std::vector<GateFunction>& f,
                  const double* x, const double* r, double* h) {
    for (std::int64_t i = 0; i < s.hidden; ++i) h[i] = gate(e, f[0], x[i], r[i]);
  }

  /// Gates z, r, h.
  static void gru(Evaluation& e, const RecurrentShape& s, const std::vector<GateFunction>& f,
                  const double* x, const double* from_h, const double* before,
                  const double* weights, const double* bias, double* h) {
    const std::int64_t n = s.hidden;
    Rows reset(static_cast<std::size_t>(n)), last(static_cast<std::size_t>(n));
    const bool linear = e.view.integer("linear_before_reset") != 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      reset[at] = gate(e, f[0], x[n + i], from_h[n + i]);
      if (linear)
        last[at] = e.internal(reset[at] * from_h[2 * n + i]);
      else
        reset[at] = e.internal(reset[at] * before[i]);
    }
    if (!linear)
      product(e, reset.data(), 1, n, weights + 2 * n * n, n,
              bias == nullptr ? nullptr : bias + 2 * n, last.data());
    for (std::int64_t i = 0; i < n; ++i) {
      const double z = gate(e, f[0], x[i], from_h[i]);
      const double fresh = gate(e, f[1], x[2 * n + i], last[static_cast<std::size_t>(i)]);
      h[i] = e.internal(e.internal(e.internal(1.0 - z) * fresh) + e.internal(z * before[i]));
    }
  }

  /// Gates i, o, f, c; peepholes i, o, f.
  static void lstm(const Evaluation& e, const RecurrentShape& s, const std::vector<GateFunction>& f,
                   const double* x, const double* r, const double* peephole, double* c, double* h) {
    const std::int64_t n = s.hidden;
    const auto peeped = [&](std::int64_t gate_index, std::int64_t i, double state) {
      const double sum = e.internal(x[gate_index * n + i] + r[gate_index * n + i]);
      if (peephole == nullptr) return sum;
      return e.internal(sum + e.internal(peephole[gate_index * n + i] * state));
    };
    for (std::int64_t i = 0; i < n; ++i) {
      const double in = e.internal(f[0](limited(e, peeped(0, i, c[i])), e.internal));
      const double forget = e.view.integer("input_forget") != 0
                                ? e.internal(1.0 - in)
                                : e.internal(f[0](limited(e, peeped(2, i, c[i])), e.internal));
      const double fresh = gate(e, f[1], x[3 * n + i], r[3 * n + i]);
      c[i] = e.internal(e.internal(forget * c[i]) + e.internal(in * fresh));
      const double out = e.internal(f[0](limited(e, peeped(1, i, c[i])), e.internal));
      h[i] = e.internal(out * e.internal(f[2](c[i], e.internal)));
    }
  }

  Cell cell_;
};

}  // namespace

void register_recurrent(OpRegistry& registry) {
  registry.add(std::make_unique<Recurrent>("RNN", "H = f(X W^T + H R^T + b)", Cell::rnn));
  registry.add(std::make_unique<Recurrent>("GRU", "gated recurrent unit", Cell::gru));
  registry.add(std::make_unique<Recurrent>("LSTM", "long short-term memory", Cell::lstm));
}

}  // namespace npusim::workloads
