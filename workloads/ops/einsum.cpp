// SPDX-License-Identifier: Apache-2.0
// Einsum: sums of products over named dimensions, "ij,jk->ik". Runs on the vector unit: a network
// whose products matter says MatMul. For each result, terms are added in row-major order of the
// summed dimensions, one rounding a product and one an addition.
#include <map>

#include "workloads/ops/axes.h"
#include "workloads/ops/families.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

constexpr int kMostOperands = 16;

/// The dimensions of "..." are named by numbers, the last one 0; letters by themselves.
using Label = int;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> operands;
  Labels result;
  std::map<Label, std::int64_t> extents;
  Labels summed;  ///< in order of their first appearance

  Shape shape_of(const Labels& labels) const {
    Shape shape;
    for (const Label label : labels) shape.push_back(extents.at(label));
    return shape;
  }
};

[[noreturn]] void bad(const std::string& text, const std::string& why) {
  throw base::InputError("equation \"" + text + "\": " + why, "bad-expression");
}

/// Labels of one term; the ellipsis stands for `rank` minus the letters, at least 0 dimensions.
Labels parse_term(const std::string& text, const std::string& term, std::size_t rank) {
  Labels labels;
  std::size_t letters = 0;
  for (const char c : term) letters += c != '.';
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (term.compare(i, 3, "...") == 0) {
      if (letters > rank) bad(text, "\"" + term + "\" names too many dimensions");
      for (std::size_t d = rank - letters; d-- > 0;) labels.push_back(static_cast<Label>(d));
      i += 2;
    } else if ((term[i] >= 'a' && term[i] <= 'z') || (term[i] >= 'A' && term[i] <= 'Z')) {
      labels.push_back(term[i]);
    } else {
      bad(text, std::string("'") + term[i] + "' names no dimension");
    }
  }
  return labels;
}

bool is_in(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

void read_operand(const NodeView& view, const std::string& text, const std::string& term, int input,
                  Equation& equation) {
  if (input >= view.input_count()) bad(text, "there are more terms than inputs");
  const Shape& shape = view.input(input).shape;
  const Labels labels = parse_term(text, term, shape.size());
  if (labels.size() != shape.size())
    bad(text, "\"" + term + "\" does not name the dimensions of " + to_string(shape));
  for (std::size_t d = 0; d < labels.size(); ++d) {
    std::int64_t& extent = equation.extents.emplace(labels[d], 1).first->second;
    if (extent != 1 && shape[d] != 1 && extent != shape[d])
      bad(text,
          "a dimension is both " + std::to_string(extent) + " and " + std::to_string(shape[d]));
    if (shape[d] != 1) extent = shape[d];
  }
  equation.operands.push_back(labels);
}

/// Without "->": the ellipsis, then the letters that appear once, in order.
Labels implied_result(const Equation& equation) {
  std::map<Label, int> uses;
  for (const Labels& labels : equation.operands)
    for (const Label label : labels) ++uses[label];
  Labels dots, letters;
  for (const auto& [label, count] : uses) {
    if (label < 'A') dots.insert(dots.begin(), label);
    if (label >= 'A' && count == 1) letters.push_back(label);
  }
  dots.insert(dots.end(), letters.begin(), letters.end());
  return dots;
}

Equation equation_of(const NodeView& view) {
  std::string text;
  for (const char c : view.text("equation"))
    if (c != ' ') text += c;
  const std::size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  Equation equation;
  std::size_t begin = 0;
  for (int input = 0;; ++input) {
    const std::size_t comma = left.find(',', begin);
    read_operand(view, text, left.substr(begin, comma - begin), input, equation);
    if (comma == std::string::npos) break;
    begin = comma + 1;
  }
  if (static_cast<int>(equation.operands.size()) != view.input_count())
    bad(text, "there are fewer terms than inputs");
  if (arrow == std::string::npos) {
    equation.result = implied_result(equation);
  } else {
    std::size_t dots = 0;
    for (const auto& [label, extent] : equation.extents) dots += label < 'A';
    const std::string right = text.substr(arrow + 2);
    std::size_t letters = 0;
    for (const char c : right) letters += c != '.';
    equation.result = parse_term(text, right, letters + dots);
  }
  for (const Label label : equation.result)
    if (equation.extents.count(label) == 0) bad(text, "the result has a dimension no input has");
  for (const Labels& labels : equation.operands)
    for (const Label label : labels)
      if (!is_in(equation.result, label) && !is_in(equation.summed, label))
        equation.summed.push_back(label);
  return equation;
}

class Einsum final : public SimpleOp {
 public:
  Einsum()
      : SimpleOp({"Einsum",
                  "sums of products over named dimensions",
                  OpClass::vector,
                  1,
                  kMostOperands,
                  {{"equation", std::string(), true, "as \"ij,jk->ik\""}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    const Equation equation = equation_of(view);
    return {{equation.shape_of(equation.result), view.input(0).type}};
  }
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const Equation equation = equation_of(view);
    const std::int64_t terms =
        elements_of(view.output()) * element_count(equation.shape_of(equation.summed));
    return {{"mul", terms * (view.input_count() - 1)}, {"add", terms}};
  }
  void forward(Evaluation& e) const override {
    const Equation equation = equation_of(e.view);
    const Shape summed = equation.shape_of(equation.summed);
    std::vector<std::vector<std::int64_t>> outer, inner;
    for (std::size_t i = 0; i < equation.operands.size(); ++i) {
      outer.push_back(steps(equation.result, equation.operands[i], e.inputs[i]->shape));
      inner.push_back(steps(equation.summed, equation.operands[i], e.inputs[i]->shape));
    }
    const Step round(e.internal, e.outputs[0].type);
    for_positions(e.outputs[0].shape, [&](std::int64_t i, const Shape& at) {
      double sum = 0.0;
      for_positions(summed, [&](std::int64_t, const Shape& within) {
        double product = 0.0;
        for (std::size_t k = 0; k < outer.size(); ++k) {
          const double value =
              e.inputs[k]
                  ->values[static_cast<std::size_t>(dot(outer[k], at) + dot(inner[k], within))];
          product = k == 0 ? value : round(product * value);
        }
        sum = round(sum + product);
      });
      e.outputs[0].values[static_cast<std::size_t>(i)] = sum;
    });
  }

 private:
  /// How far one step along each of `labels` moves in the operand; 0 where it is broadcast.
  static std::vector<std::int64_t> steps(const Labels& labels, const Labels& operand,
                                         const Shape& shape) {
    const std::vector<std::int64_t> strides = strides_of(shape);
    std::vector<std::int64_t> result(labels.size(), 0);
    for (std::size_t i = 0; i < labels.size(); ++i)
      for (std::size_t d = 0; d < operand.size(); ++d)
        if (operand[d] == labels[i] && shape[d] != 1) result[i] += strides[d];
    return result;
  }
  static std::int64_t dot(const std::vector<std::int64_t>& strides, const Shape& at) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < strides.size(); ++i) sum += strides[i] * at[i];
    return sum;
  }
};

}  // namespace

void register_einsum(OpRegistry& registry) {
  registry.add(std::make_unique<Einsum>());
}

}  // namespace npusim::workloads
