// SPDX-License-Identifier: Apache-2.0
#include "model_chains.h"

#include <mpfr.h>

#include <algorithm>
#include <cmath>

namespace npusim::precision::model {
namespace {

/// Terms first .. first + count, those beyond the end +0.
Values part(const Values& v, std::size_t first, std::size_t count) {
  Values p(count, 0.0);
  for (std::size_t i = 0; i < count && first + i < v.size(); ++i) p[i] = v[first + i];
  return p;
}

double added(const Rule& sum, double x, double y) {
  return LongSum().add(x).add(y).rounded(sum);
}

double reduced(const Rule& sum, Values level) {
  for (; level.size() > 1;) {
    Values next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(added(sum, level[i], level[i + 1]));
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = next;
  }
  return level[0];
}

double slice(double x, const Rule& rule, int index) {
  double s = LongSum().add(x).rounded(rule);
  for (; index > 0; --index) {
    x = std::isinf(s) ? 0.0 : x - s;  // exact: binary32 values and their leading bits
    s = LongSum().add(x).rounded(rule);
  }
  return s;
}

}  // namespace

double fused_chain(const Rule& sum, const Values& a, const Values& b, double c) {
  for (std::size_t i = 0; i < a.size(); ++i)
    c = LongSum().add(c).add_product(a[i], b[i]).rounded(sum);
  return c;
}

double unfused_chain(const Rule& product, const Rule& sum, const Values& a, const Values& b,
                     double c) {
  for (std::size_t i = 0; i < a.size(); ++i)
    c = added(sum, c, LongSum().add_product(a[i], b[i]).rounded(product));
  return c;
}

double fused_tree(const Rule& sum, const Values& a, const Values& b) {
  Values level;
  for (std::size_t i = 0; i < a.size(); i += 2)
    level.push_back(LongSum().add_product(a[i], b[i]).add_product(a[i + 1], b[i + 1]).rounded(sum));
  return reduced(sum, level);
}

double product_tree(const Rule& product, const Rule& sum, const Values& a, const Values& b) {
  Values level;
  for (std::size_t i = 0; i < a.size(); ++i)
    level.push_back(LongSum().add_product(a[i], b[i]).rounded(product));
  return reduced(sum, level);
}

double exact_group(const Rule& sum, const Values& a, const Values& b) {
  LongSum exact;
  for (std::size_t i = 0; i < a.size(); ++i) exact.add_product(a[i], b[i]);
  return exact.rounded(sum);
}

double binary64_chain(const Dot& dot) {
  const mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
  mpfr_set_emin(-1073);  // binary64 with subnormals: the recipe of MPFR's manual
  mpfr_set_emax(1024);
  mpfr_t a, b, sum;
  mpfr_inits2(53, a, b, sum, static_cast<mpfr_ptr>(nullptr));
  mpfr_set_d(sum, dot.c, MPFR_RNDN);
  for (std::size_t i = 0; i < dot.a.size(); ++i) {
    mpfr_set_d(a, dot.a[i], MPFR_RNDN);
    mpfr_set_d(b, dot.b[i], MPFR_RNDN);
    mpfr_subnormalize(sum, mpfr_fma(sum, a, b, sum, MPFR_RNDN), MPFR_RNDN);
  }
  const double result = mpfr_get_d(sum, MPFR_RNDN);
  mpfr_clears(a, b, sum, static_cast<mpfr_ptr>(nullptr));
  mpfr_set_emin(emin);
  mpfr_set_emax(emax);
  return result;
}

double stochastic_chain(const Rule& sum, const Dot& dot) {
  return exact_groups(sum, 1, dot);
}

double add_groups(const Rule& sum, std::size_t terms, const Group& group, const Dot& dot) {
  double c = dot.c;
  for (std::size_t first = 0; first < dot.a.size(); first += terms)
    c = added(sum, c, group(part(dot.a, first, terms), part(dot.b, first, terms)));
  return c;
}

double exact_groups(const Rule& sum, std::size_t terms, const Dot& dot) {
  double c = dot.c;
  std::uint32_t roundings = 0;
  for (std::size_t first = 0; first < dot.a.size(); first += terms) {
    const Values a = part(dot.a, first, terms), b = part(dot.b, first, terms);
    LongSum exact;
    exact.add(c);
    for (std::size_t i = 0; i < terms; ++i) exact.add_product(a[i], b[i]);
    c = exact.rounded(sum, random_word(dot.key, roundings++));
  }
  return c;
}

Dot flushed(Dot dot, const Float& operands) {
  for (double& x : dot.a) x = without_subnormals(x, operands);
  for (double& x : dot.b) x = without_subnormals(x, operands);
  return dot;
}

Dot flushed_c(Dot dot) {
  dot.c = without_subnormals(dot.c, kFp32);
  return dot;
}

double vdpbf16ps(const Dot& dot) {
  const Rule sum{kFp32, Mode::nearest_even, Tiny::flush_after};
  const Dot d = flushed_c(flushed(dot, kBf16));
  double c = d.c;
  for (std::size_t i = 0; i < d.a.size(); i += 2) {
    const Values a = part(d.a, i, 2), b = part(d.b, i, 2);
    c = fused_chain(sum, {a[1], a[0]}, {b[1], b[0]}, c);
  }
  return c;
}

double amx(const Dot& dot, std::size_t tile_terms) {
  const Rule sum{kFp32, Mode::nearest_even, Tiny::flush_after};
  const Group tile = [&sum](const Values& a, const Values& b) {
    double even = 0.0, odd = 0.0;
    for (std::size_t i = 0; i < a.size(); i += 2) {
      even = fused_chain(sum, {a[i]}, {b[i]}, even);
      odd = fused_chain(sum, {a[i + 1]}, {b[i + 1]}, odd);
    }
    return added(sum, even, odd);
  };
  return add_groups(sum, tile_terms, tile, flushed_c(dot));
}

double bfdot(const Dot& dot) {
  const Rule odd{kFp32, Mode::odd, Tiny::flush_before, Over::infinity};
  const Group pair = [&odd](const Values& a, const Values& b) {
    return product_tree(odd, odd, a, b);
  };
  return add_groups(odd, 2, pair, flushed_c(flushed(dot, kBf16)));
}

double pass_after_pass(const Slicing& slicing, const Accumulate& accumulate, const Dot& dot) {
  Dot pass = dot;
  for (const auto& [of_a, of_b] : slicing.passes) {
    for (std::size_t i = 0; i < dot.a.size(); ++i) {
      pass.a[i] = slice(dot.a[i], slicing.a, of_a);
      pass.b[i] = slice(dot.b[i], slicing.b, of_b);
    }
    pass.c = accumulate(pass);
  }
  return pass.c;
}

double passes_of_a_term(const Slicing& slicing, const Accumulate& accumulate, const Dot& dot) {
  Dot all = dot;
  all.a.clear();
  all.b.clear();
  for (std::size_t i = 0; i < dot.a.size(); ++i)
    for (const auto& [of_a, of_b] : slicing.passes) {
      all.a.push_back(slice(dot.a[i], slicing.a, of_a));
      all.b.push_back(slice(dot.b[i], slicing.b, of_b));
    }
  return accumulate(all);
}

}  // namespace npusim::precision::model
