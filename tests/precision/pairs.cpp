// SPDX-License-Identifier: Apache-2.0
#include "pairs.h"

#include <optional>

#include "integer_reference.h"
#include "precision/counter_random.h"

namespace npusim::precision::pairs {
namespace {

using integer_reference::Exact;
using integer_reference::Reference;

struct Values {
  std::vector<Exact> exact;
  std::vector<double> plain;
};

Values values_of(const Format& format, std::uint64_t step) {
  const Reference reference(format);
  Values all;
  for (std::uint64_t code = 0; code < std::uint64_t{1} << format.bits(); code += step) {
    all.exact.push_back(reference.value_of(code));
    all.plain.push_back(integer_reference::as_double(all.exact.back()));
  }
  return all;
}

class Comparison {
 public:
  Comparison(const Format& result, Rounding rounding)
      : arithmetic_{result, rounding, rounding == Rounding::sr ? 7 : 0}, reference_(result) {}

  void note(double computed, const Exact& want, const char* what, std::size_t a, std::size_t b) {
    const std::uint32_t word = random_word({1, 2}, counter_++);
    wrong.note(round_to(computed, arithmetic_, word),
               reference_.rounded(want, arithmetic_.rounding, arithmetic_.random_bits, word), [&] {
                 return rules::text_of(arithmetic_.format) + ' ' + name_of(arithmetic_.rounding) +
                        ' ' + what + " of codes " + std::to_string(a) + ", " + std::to_string(b);
               });
  }

  rules::Disagreements wrong;

 private:
  Arithmetic arithmetic_;
  Reference reference_;
  std::uint32_t counter_ = 0;
};

/// IEEE 754 §6.3: an exact zero sum is -0 when rounding down.
double sum(double x, double y, Rounding rounding) {
  const double s = odd_sum(x, y);
  return s == 0.0 && rounding == Rounding::rd && (x != 0.0 || y != 0.0 || 1.0 / x != 1.0 / y) ? -0.0
                                                                                              : s;
}

}  // namespace

rules::Disagreements compare(const Format& operand, const Format& result, std::uint64_t c_step) {
  rules::Disagreements all;
  const Values v = values_of(operand, 1);
  const Values c = values_of(result, c_step);
  for (const std::string& name : rounding_names()) {
    const Rounding rounding = rounding_from_name(name);
    Comparison comparison(result, rounding);
    for (std::size_t a = 0; a < v.plain.size(); ++a)
      for (std::size_t b = 0; b < v.plain.size(); ++b) {
        comparison.note(sum(v.plain[a], v.plain[b], rounding),
                        integer_reference::sum(v.exact[a], v.exact[b], rounding), "sum", a, b);
        const Exact product = integer_reference::product(v.exact[a], v.exact[b]);
        const double p = v.plain[a] * v.plain[b];
        comparison.note(p, product, "product", a, b);
        for (std::size_t k = 0; k < c.plain.size(); ++k)
          comparison.note(sum(c.plain[k], p, rounding),
                          integer_reference::sum(c.exact[k], product, rounding), "c + a*b", a, b);
      }
    all.add(comparison.wrong);
  }
  return all;
}

}  // namespace npusim::precision::pairs
