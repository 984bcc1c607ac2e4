// SPDX-License-Identifier: Apache-2.0
#include "precision/explanation.h"

#include <cmath>

#include "precision/exact_sum.h"

namespace npusim::precision {
namespace {

class Collector final : public StepObserver {
 public:
  explicit Collector(std::vector<ExplainedStep>& steps) : steps_(steps) {}

  void step(const StepReport& report) override {
    ExplainedStep step;
    step.stage = report.stage;
    for (const Term& term : *report.terms) step.terms.push_back(explained(term));
    if (report.running != nullptr) {
      step.running = ExplainedTerm{-1, *report.running, std::nullopt, *report.running};
    }
    if (report.aligned != nullptr) add_alignment(*report.aligned, step);
    step.sum = report.exact;
    step.result = report.result;
    steps_.push_back(std::move(step));
  }

 private:
  static ExplainedTerm explained(const Term& term) {
    ExplainedTerm result{term.index, term.value, std::nullopt, term.value};
    if (term.exponent != Term::kNone) result.exponent = term.exponent;
    return result;
  }

  static void add_alignment(const AlignedSum& aligned, ExplainedStep& step) {
    if (aligned.exponent != Term::kNone) step.aligned_to = aligned.exponent;
    if (aligned.kept.empty()) return;  // only zeros, or not finite
    for (std::size_t i = 0; i < step.terms.size(); ++i) step.terms[i].kept = aligned.kept[i];
    if (step.running) step.running->kept = aligned.kept.back();
  }

  std::vector<ExplainedStep>& steps_;
};

/// a * b * scale: the product as two doubles, the scales are exact factors.
void add_product(double a, double b, double scale, ExactSum& sum) {
  const double product = a * b;
  sum.add(product * scale);
  if (std::isfinite(product)) sum.add(std::fma(a, b, -product) * scale);
}

}  // namespace

Explanation explain(const MacUnit& unit, const Operands& operands, double c,
                    RandomSequence& random) {
  Explanation explanation;
  Collector collector(explanation.steps);
  explanation.result = mac_chain(unit, operands, c, random, &collector);
  ExactSum exact;
  exact.add(c);
  for (std::int64_t i = 0; i < operands.n; ++i) {
    const double a_scale = operands.a_scales != nullptr ? operands.a_scales[i] : 1.0;
    const double b_scale = operands.b_scales != nullptr ? operands.b_scales[i] : 1.0;
    add_product(operands.a[i], operands.b[i], a_scale * b_scale, exact);
  }
  explanation.exact = exact.rounded_to_odd();
  explanation.nearest = round_to(explanation.exact, unit.accumulator().format, Rounding::rne);
  return explanation;
}

}  // namespace npusim::precision
