// SPDX-License-Identifier: Apache-2.0
// Comparisons, logic, bits and remainders, element by element with NumPy broadcasting; IsNaN,
// IsInf, Not, Where. No gradients except Where's.
#include <cmath>
#include <limits>

#include "workloads/ops/broadcast_gradient.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/families.h"

namespace npusim::workloads {
namespace {

std::uint64_t bits_of(double x) {
  return x < 0.0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(x))
                 : static_cast<std::uint64_t>(x);
}
double number_of(std::uint64_t bits, double like_a, double like_b) {
  const bool may_be_negative = like_a < 0.0 || like_b < 0.0;
  return may_be_negative ? static_cast<double>(static_cast<std::int64_t>(bits))
                         : static_cast<double>(bits);
}

struct PairFunction {
  const char* name;
  const char* description;
  double (*value)(double, double);
  bool boolean;  ///< the result's type; else that of the operands
};

const std::vector<PairFunction>& functions() {
  static const std::vector<PairFunction> kTable = {
      {"Equal", "a == b", [](double a, double b) { return a == b ? 1.0 : 0.0; }, true},
      {"Less", "a < b", [](double a, double b) { return a < b ? 1.0 : 0.0; }, true},
      {"LessOrEqual", "a <= b", [](double a, double b) { return a <= b ? 1.0 : 0.0; }, true},
      {"Greater", "a > b", [](double a, double b) { return a > b ? 1.0 : 0.0; }, true},
      {"GreaterOrEqual", "a >= b", [](double a, double b) { return a >= b ? 1.0 : 0.0; }, true},
      {"And", "a and b", [](double a, double b) { return a != 0.0 && b != 0.0 ? 1.0 : 0.0; }, true},
      {"Or", "a or b", [](double a, double b) { return a != 0.0 || b != 0.0 ? 1.0 : 0.0; }, true},
      {"Xor", "a or else b",
       [](double a, double b) { return (a != 0.0) != (b != 0.0) ? 1.0 : 0.0; }, true},
      {"BitwiseAnd", "a and b, bit by bit",
       [](double a, double b) { return number_of(bits_of(a) & bits_of(b), a, b); }, false},
      {"BitwiseOr", "a or b, bit by bit",
       [](double a, double b) { return number_of(bits_of(a) | bits_of(b), a, b); }, false},
      {"BitwiseXor", "a or else b, bit by bit",
       [](double a, double b) { return number_of(bits_of(a) ^ bits_of(b), a, b); }, false},
  };
  return kTable;
}

class PairOp : public SimpleOp {
 public:
  PairOp(OpFacts facts, const char* work, bool boolean)
      : SimpleOp(std::move(facts)), work_(work), boolean_(boolean) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_same_type(view, 0, 1);
    return {{broadcast_inputs(view), boolean_ ? ElementType::boolean : view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{work_, elements_of(view.output())}};
  }

 private:
  const char* work_;
  bool boolean_;
};

class TableOp final : public PairOp {
 public:
  explicit TableOp(const PairFunction& f)
      : PairOp({f.name, f.description, OpClass::vector, 2, 2}, "compare", f.boolean), f_(f) {}
  void forward(Evaluation& e) const override {
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0],
              [&](double a, double b) { return wrapped(f_.value(a, b), e.outputs[0].type); });
  }

 private:
  PairFunction f_;
};

class Mod final : public PairOp {
 public:
  Mod()
      : PairOp({"Mod",
                "remainder of a / b",
                OpClass::vector,
                2,
                2,
                {{"fmod", std::int64_t{0}, false, "1: with the sign of a; 0: of b"}}},
               "div", false) {}
  void forward(Evaluation& e) const override {
    const bool sign_of_a = e.view.integer("fmod") != 0;
    const Step step(e.internal, e.outputs[0].type);
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0], [&](double a, double b) {
      const double rest = std::fmod(a, b);
      const bool other = rest != 0.0 && (rest < 0.0) != (b < 0.0);
      return step(!sign_of_a && other ? rest + b : rest);
    });
  }
};

class BitShift final : public PairOp {
 public:
  BitShift()
      : PairOp({"BitShift",
                "a shifted by b bits",
                OpClass::vector,
                2,
                2,
                {{"direction", std::string(), true, "LEFT or RIGHT"}}},
               "compare", false) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const std::string& direction = view.text("direction");
    if (direction != "LEFT" && direction != "RIGHT")
      shape_error("attribute direction \"" + direction + "\" is none of LEFT, RIGHT");
    return PairOp::infer(view);
  }
  void forward(Evaluation& e) const override {
    const bool left = e.view.text("direction") == "LEFT";
    for_pairs(e.parallel, *e.inputs[0], *e.inputs[1], e.outputs[0], [&](double a, double b) {
      if (b >= 64.0) return 0.0;
      const auto shift = static_cast<unsigned>(b);
      const std::uint64_t bits = left ? bits_of(a) << shift : bits_of(a) >> shift;
      return wrapped(static_cast<double>(bits), e.outputs[0].type);
    });
  }
};

/// One input, tested element by element.
class Test final : public SimpleOp {
 public:
  using Function = bool (*)(double x, bool negative, bool positive);
  Test(const char* name, const char* description, Function function,
       std::vector<AttributeSpec> attributes = {})
      : SimpleOp({name, description, OpClass::vector, 1, 1, std::move(attributes)}),
        function_(function) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, ElementType::boolean}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const bool choice = !attributes().empty();
    const bool negative = choice && e.view.integer("detect_negative") != 0;
    const bool positive = choice && e.view.integer("detect_positive") != 0;
    const std::vector<double>& x = e.inputs[0]->values;
    for (std::size_t i = 0; i < x.size(); ++i)
      e.outputs[0].values[i] = function_(x[i], negative, positive) ? 1.0 : 0.0;
  }

 private:
  Function function_;
};

class BitwiseNot final : public SimpleOp {
 public:
  BitwiseNot() : SimpleOp({"BitwiseNot", "the complement of each bit"}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    return {{view.input(0).shape, view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    const std::vector<double>& x = e.inputs[0]->values;
    for (std::size_t i = 0; i < x.size(); ++i)
      e.outputs[0].values[i] = wrapped(-1.0 - x[i], e.outputs[0].type);
  }
};

class Where final : public SimpleOp {
 public:
  Where() : SimpleOp({"Where", "a where the condition holds, else b", OpClass::vector, 3, 3}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_same_type(view, 1, 2);
    return {{broadcast_inputs(view), view.input(1).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    return {{"compare", elements_of(view.output())}};
  }
  void forward(Evaluation& e) const override {
    Tensor& y = e.outputs[0];
    const BroadcastIndex condition(e.inputs[0]->shape, y.shape);
    const BroadcastIndex a(e.inputs[1]->shape, y.shape);
    const BroadcastIndex b(e.inputs[2]->shape, y.shape);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.values.size()); ++i) {
      const bool first = e.inputs[0]->values[static_cast<std::size_t>(condition(i))] != 0.0;
      y.values[static_cast<std::size_t>(i)] =
          first ? e.inputs[1]->values[static_cast<std::size_t>(a(i))]
                : e.inputs[2]->values[static_cast<std::size_t>(b(i))];
    }
  }
  bool differentiable() const override { return true; }
  void gradient(GradientBuilder& g) const override {
    const TensorId condition = g.view().node().inputs[0];
    const TensorId dy = g.output_gradient(0);
    if (!g.wanted(1) && !g.wanted(2)) return;
    const TensorId zero =
        g.add("Filled", "zero", {}, {{"shape", Shape{}}}, TensorRole::activation_gradient);
    if (g.wanted(1))
      set_broadcast_gradient(g, 1,
                             g.add("Where", "da", {condition, dy, zero}, {}, broadcast_role(g, 1)));
    if (g.wanted(2))
      set_broadcast_gradient(g, 2,
                             g.add("Where", "db", {condition, zero, dy}, {}, broadcast_role(g, 2)));
  }
};

}  // namespace

void register_comparisons(OpRegistry& registry) {
  for (const PairFunction& function : functions())
    registry.add(std::make_unique<TableOp>(function));
  registry.add(std::make_unique<Mod>());
  registry.add(std::make_unique<BitShift>());
  registry.add(std::make_unique<BitwiseNot>());
  registry.add(
      std::make_unique<Test>("Not", "not x", [](double x, bool, bool) { return x == 0.0; }));
  registry.add(std::make_unique<Test>("IsNaN", "x is no number",
                                      [](double x, bool, bool) { return x != x; }));
  registry.add(std::make_unique<Test>(
      "IsInf", "x is infinite",
      [](double x, bool negative, bool positive) {
        return std::isinf(x) && (x < 0.0 ? negative : positive);
      },
      std::vector<AttributeSpec>{{"detect_negative", std::int64_t{1}, false, "0: not -infinity"},
                                 {"detect_positive", std::int64_t{1}, false, "0: not +infinity"}}));
  registry.add(std::make_unique<Where>());
}

}  // namespace npusim::workloads
