// SPDX-License-Identifier: Apache-2.0
// One dot product on paper: every step of the unit, what was kept and what was dropped.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "base/json_value.h"
#include "precision/error_metrics.h"
#include "precision/explanation.h"
#include "precision/unit_text.h"
#include "sim/writers/text_table.h"
#include "tools/commands.h"
#include "tools/exit_code.h"
#include "tools/output.h"
#include "tools/unit_operands.h"
#include "workloads/tensor.h"

namespace npusim::tools {
namespace {

using precision::ExplainedStep;
using precision::ExplainedTerm;
using precision::Explanation;

bool is_file(const std::string& text) {
  return text.size() > 4 && text.compare(text.size() - 4, 4, ".npy") == 0;
}

double parse_value(const std::string& text, const std::string& name) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0')
    throw base::InputError("--" + name + ": \"" + text + "\" is no number; allowed: 1.5, 1e-3, " +
                               "0x1p-24, inf, nan, with commas between, or a .npy file",
                           "not-a-number");
  return value;
}

std::vector<double> parse_values(const std::string& text, const std::string& name) {
  std::vector<double> values;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    values.push_back(parse_value(text.substr(begin, end - begin), name));
    begin = end + 1;
  }
  return values;
}

/// The values of one row; c: one value.
UnitOperand read(const std::string& name, const std::string& text, std::int64_t row, bool scalar) {
  UnitOperand operand{name, "", {}};
  if (is_file(text)) {
    operand.file = text;
    operand.array = base::read_npy(text);
    const std::vector<std::int64_t>& shape = operand.array.shape;
    if (shape.size() != (scalar ? 1u : 2u) || row >= shape[0])
      throw base::InputError(text + ": shape " + workloads::to_string(shape) + " has no row " +
                                 std::to_string(row) + (scalar ? " of one value" : " of values"),
                             "shape-mismatch");
    const auto k = static_cast<std::size_t>(scalar ? 1 : shape[1]);
    const auto first = operand.array.values.begin() +
                       static_cast<std::ptrdiff_t>(static_cast<std::size_t>(row) * k);
    operand.array.values = {first, first + static_cast<std::ptrdiff_t>(k)};
  } else if (!text.empty()) {
    operand.array.values = parse_values(text, name);
  }
  if (scalar && operand.array.values.size() > 1)
    throw base::InputError(
        "--c: one value starts the sum, not " + std::to_string(operand.array.values.size()),
        "shape-mismatch");
  operand.array.shape = {static_cast<std::int64_t>(operand.array.values.size())};
  return operand;
}

/// One scale a block, as values; the scale of each term.
std::vector<double> read_scales(const std::string& name, const std::string& text, std::int64_t k,
                                const precision::MacUnit& unit) {
  UnitOperand scales{name, "", {}};
  if (!text.empty()) scales.array.values = parse_values(text, name);
  scales.array.shape = {static_cast<std::int64_t>(scales.array.values.size())};
  if (scales.array.shape[0] != scale_blocks(unit, k))
    throw base::InputError(name + " has " + std::to_string(scales.array.shape[0]) +
                               " values, unit " + unit.name + " wants " +
                               std::to_string(scale_blocks(unit, k)) + " for " + std::to_string(k) +
                               " terms",
                           "shape-mismatch");
  Misfits misfits;
  fit_scales(scales, unit, misfits);
  misfits.throw_if_any();
  return scales_of_terms(scales, 0, k, unit);
}

std::string exponent_text(const std::optional<int>& exponent) {
  return exponent ? fmt::format("2^{}", *exponent) : std::string("-");
}

std::string term_name(const ExplainedTerm& term, const ExplainedStep& step) {
  if (term.index >= 0) return fmt::format("a[{0}]*b[{0}]", term.index);
  return step.stage == 0 ? "padding" : fmt::format("sum of stage {}", step.stage - 1);
}

std::string step_text(const ExplainedStep& step, std::size_t number,
                      const precision::MacUnit& unit) {
  const precision::Stage& stage = unit.stages[step.stage];
  std::string title = fmt::format("step {}: stage {}", number, step.stage);
  if (step.stage + 1 == unit.stages.size()) title += " (accumulator)";
  if (step.aligned_to) title += fmt::format(", all shifted to 2^{}", *step.aligned_to);
  sim::TextTable table;
  table.column("term");
  for (const char* header : {"value", "exponent", "kept", "dropped"}) table.column(header, true);
  const auto row = [&table](const std::string& name, const ExplainedTerm& term) {
    table.row({name, exact_text(term.value), exponent_text(term.exponent), exact_text(term.kept),
               exact_text(term.value - term.kept)});
  };
  if (step.running) row("running sum", *step.running);
  for (const ExplainedTerm& term : step.terms) row(term_name(term, step), term);
  const std::string rounding =
      stage.rounds ? precision::describe(stage.arithmetic) : std::string("handed on unrounded");
  return fmt::format("{}\n{}  sum {} -> {} ({})\n\n", title, table.aligned(), exact_text(step.sum),
                     exact_text(step.result), rounding);
}

std::string text_of(const Explanation& explanation, const precision::MacUnit& unit) {
  std::string text = fmt::format("{}: {}\n\n", unit.name, precision::describe(unit));
  for (std::size_t i = 0; i < explanation.steps.size(); ++i)
    text += step_text(explanation.steps[i], i + 1, unit);
  const double error = explanation.result - explanation.exact;
  const double ulp = precision::ulp_of(explanation.exact, unit.accumulator().format);
  text += fmt::format("result  {}\nexact   {}\nnearest {} in {}\n", exact_text(explanation.result),
                      exact_text(explanation.exact), exact_text(explanation.nearest),
                      unit.accumulator().format.name);
  if (std::isfinite(error))
    text += fmt::format("error   {} = {:.3g} ulp\n", exact_text(error), error / ulp);
  return text;
}

base::JsonValue number(double value) {
  return std::isfinite(value) ? base::JsonValue::make_real(value)
                              : base::JsonValue::make_string(exact_text(value));
}

base::JsonValue json_of(const ExplainedTerm& term) {
  base::JsonValue item = base::JsonValue::make_object();
  item.set("index", term.index);
  item.set("value", number(term.value));
  item.set("exponent",
           term.exponent ? base::JsonValue::make_integer(*term.exponent) : base::JsonValue());
  item.set("kept", number(term.kept));
  item.set("dropped", number(term.value - term.kept));
  return item;
}

base::JsonValue json_of(const ExplainedStep& step) {
  base::JsonValue item = base::JsonValue::make_object();
  item.set("stage", static_cast<std::int64_t>(step.stage));
  item.set("aligned_to",
           step.aligned_to ? base::JsonValue::make_integer(*step.aligned_to) : base::JsonValue());
  item.set("running", step.running ? json_of(*step.running) : base::JsonValue());
  base::JsonValue terms = base::JsonValue::make_array();
  for (const ExplainedTerm& term : step.terms) terms.push_back(json_of(term));
  item.set("terms", std::move(terms));
  item.set("sum", number(step.sum));
  item.set("result", number(step.result));
  return item;
}

base::JsonValue json_of(const Explanation& explanation, const precision::MacUnit& unit) {
  base::JsonValue document = base::JsonValue::make_object();
  document.set("unit", unit.name);
  document.set("arithmetic", precision::describe(unit));
  base::JsonValue steps = base::JsonValue::make_array();
  for (const ExplainedStep& step : explanation.steps) steps.push_back(json_of(step));
  document.set("steps", std::move(steps));
  document.set("result", number(explanation.result));
  document.set("exact", number(explanation.exact));
  document.set("nearest", number(explanation.nearest));
  return document;
}

}  // namespace

int explain(const ExplainArguments& arguments) {
  check_destinations({arguments.common.files.json});
  const precision::MacUnit unit = choose_unit(arguments.unit, arguments.common).unit;
  UnitOperand a = read("a", arguments.a, arguments.row, false);
  UnitOperand b = read("b", arguments.b, arguments.row, false);
  UnitOperand c = read("c", arguments.c, arguments.row, true);
  if (a.array.values.size() != b.array.values.size())
    throw base::InputError("a has " + std::to_string(a.array.values.size()) + " values, b " +
                               std::to_string(b.array.values.size()),
                           "shape-mismatch");
  fit_operands(a, b, c, unit, arguments.round_inputs);
  const auto k = static_cast<std::int64_t>(a.array.values.size());
  const std::vector<double> a_scales = read_scales("a-scales", arguments.a_scales, k, unit);
  const std::vector<double> b_scales = read_scales("b-scales", arguments.b_scales, k, unit);
  const precision::Operands operands{a.array.values.data(), b.array.values.data(), k,
                                     unit.scales ? a_scales.data() : nullptr,
                                     unit.scales ? b_scales.data() : nullptr};
  precision::RandomSequence random{
      precision::derived_key({}, static_cast<std::uint64_t>(arguments.common.seed)), 0};
  const double start = c.array.values.empty() ? 0.0 : c.array.values.front();
  const Explanation explanation = precision::explain(unit, operands, start, random);
  write_to(arguments.common.files.json, base::dump_json(json_of(explanation, unit)) + "\n",
           arguments.common.quiet);
  if (arguments.common.files.json != kStdout) print(text_of(explanation, unit));
  return kOk;
}

}  // namespace npusim::tools
