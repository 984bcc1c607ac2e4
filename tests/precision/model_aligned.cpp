// SPDX-License-Identifier: Apache-2.0
#include "model_aligned.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace npusim::precision::model {
namespace {

constexpr int kNone = std::numeric_limits<int>::min() / 2;  ///< no exponent: nothing but zeros

/// A term of an aligned sum.
struct Aligned {
  Number value;
  int exponent;
};

Aligned aligned_product(double x, double y, const Float& a, const Float& b) {
  const Number p = product_of(number_of(x), number_of(y));
  return {p, p.digits == 0 ? kNone : exponent_of(x, a) + exponent_of(y, b)};
}

Aligned aligned_value(double x, const Float& format) {
  return {number_of(x), x == 0.0 ? kNone : exponent_of(x, format)};
}

int largest_exponent(const std::vector<Aligned>& terms) {
  int largest = kNone;
  for (const Aligned& t : terms) largest = std::max(largest, t.exponent);
  return largest;
}

/// |x| * 2^bits without what lies below 1; with sign. The bits must fit.
std::int64_t truncated(const Number& x, int bits) {
  if (x.digits == 0) return 0;
  const int shift = x.exponent + bits;
  const std::uint64_t digits = shift >= 0    ? x.digits << shift
                               : shift > -64 ? x.digits >> -shift
                                             : 0;
  const auto magnitude = static_cast<std::int64_t>(digits);
  return x.negative ? -magnitude : magnitude;
}

/// floor(x * 2^bits).
std::int64_t floored(const Number& x, int bits) {
  const std::int64_t t = truncated(x, bits);
  const int dropped = -(x.exponent + bits);  // digits are odd: any shift to the right loses some
  return x.digits != 0 && x.negative && dropped > 0 ? t - 1 : t;
}

Number scaled(std::int64_t sum, int exponent) {
  Number n = number_of(static_cast<double>(sum));  // below 2^53 by F and K
  n.exponent += exponent;
  return n;
}

Number truncated_sum(const std::vector<Aligned>& terms, int exponent, int fraction_bits) {
  std::int64_t sum = 0;
  for (const Aligned& t : terms) sum += truncated(t.value, fraction_bits - exponent);
  return scaled(sum, exponent - fraction_bits);
}

double t_fdpa(const TFdpa& unit, std::vector<Aligned> terms, double c) {
  terms.push_back(aligned_value(c, unit.c));
  int largest = largest_exponent(terms);
  if (largest == kNone) return 0.0;
  if (unit.lowest_exponent) largest = std::max(largest, *unit.lowest_exponent);
  const Number sum = truncated_sum(terms, largest, unit.fraction_bits);
  return sum.digits == 0 ? 0.0 : LongSum().add(sum).rounded(unit.result);
}

/// The sum where an infinity or a NaN decides it.
std::optional<double> special(const LongSum& sum) {
  if (!sum.is_nan() && !sum.is_infinite()) return std::nullopt;
  return sum.rounded({kFp32});
}

/// Products of magnitude 2^128 or more are infinite.
LongSum with_infinite_products(const double* a, const double* b, std::size_t n) {
  LongSum sum;
  for (std::size_t i = 0; i < n; ++i) {
    const double p = a[i] * b[i];  // exact in binary64 for these formats
    sum.add(std::fabs(p) >= std::ldexp(1.0, 128)
                ? std::copysign(std::numeric_limits<double>::infinity(), p)
                : p);
  }
  return sum;
}

/// The last step of TR-FDPA: sum of products, aligned to `exponent`, and c.
double with_c_floored(const Number& sum, int exponent, double c, bool drops_small_c) {
  const int c_exponent = c == 0.0 ? -126 : exponent_of(c, kFp32);
  const int largest = std::max(exponent, c_exponent);
  const std::int64_t p = floored(sum, 31 - largest);
  const bool dropped = drops_small_c && c_exponent < largest - 25;
  const std::int64_t q = dropped ? 0 : floored(number_of(c), 24 - largest);
  return LongSum().add(scaled(p, largest - 31)).add(scaled(q, largest - 24)).rounded({kFp32});
}

}  // namespace

double t_fdpa_chain(const TFdpa& unit, const double* a, const double* b, std::size_t n, double c) {
  for (std::size_t first = 0; first < n; first += static_cast<std::size_t>(unit.terms)) {
    LongSum exact;
    std::vector<Aligned> terms;
    const std::size_t end = std::min(n, first + static_cast<std::size_t>(unit.terms));
    for (std::size_t i = first; i < end; ++i) exact.add_product(a[i], b[i]);
    const std::optional<double> decided = special(exact.add(c));
    for (std::size_t i = first; i < end && !decided; ++i)
      terms.push_back(aligned_product(a[i], b[i], unit.operands, unit.b.value_or(unit.operands)));
    c = decided ? *decided : t_fdpa(unit, terms, c);
  }
  return c;
}

double t_fdpa_chain(const TFdpa& unit, const Dot& dot) {
  return t_fdpa_chain(unit, dot.a.data(), dot.b.data(), dot.a.size(), dot.c);
}

double scaled_t_fdpa_chain(const TFdpa& unit, const Dot& dot) {
  double c = dot.c;
  for (std::size_t first = 0; first < dot.a.size(); first += 32) {
    const std::size_t end = std::min(dot.a.size(), first + 32);
    const double scales = dot.a_scales[first] * dot.b_scales[first];  // of powers of two, or NaN
    LongSum exact;
    exact.add(c).add(std::isnan(scales) ? scales : 0.0);
    for (std::size_t i = first; i < end; ++i) exact.add_product(dot.a[i], dot.b[i]);
    if (const std::optional<double> decided = special(exact)) {
      c = *decided;
      continue;
    }
    std::vector<Aligned> terms;
    for (std::size_t i = first; i < end; ++i) {
      Aligned t = aligned_product(dot.a[i], dot.b[i], unit.operands, unit.operands);
      if (t.exponent != kNone) t.exponent += std::ilogb(scales);
      t.value.exponent += std::ilogb(scales);
      terms.push_back(t);
    }
    c = t_fdpa(unit, terms, c);
  }
  return c;
}

double scaled_groups_chain(const TFdpa& unit, const Float& scale, const Dot& dot) {
  double c = dot.c;
  for (std::size_t first = 0; first < dot.a.size(); first += 64) {
    LongSum exact;
    exact.add(c);
    std::vector<Aligned> terms;
    for (std::size_t i = first; i < std::min(dot.a.size(), first + 64); i += 16) {
      const double sa = dot.a_scales[i], sb = dot.b_scales[i];
      double group = 0.0;  // quarters, at most 16 * 36: exact
      for (std::size_t j = i; j < std::min(dot.a.size(), i + 16); ++j) group += dot.a[j] * dot.b[j];
      exact.add(std::isnan(sa) || std::isnan(sb) ? std::numeric_limits<double>::quiet_NaN() : 0.0);
      if (exact.is_nan() || sa == 0.0 || sb == 0.0) continue;
      terms.push_back({product_of(product_of(number_of(group), number_of(sa)), number_of(sb)),
                       exponent_of(sa, scale) + exponent_of(sb, scale)});
    }
    const std::optional<double> decided = special(exact);
    c = decided ? *decided : t_fdpa(unit, terms, c);
  }
  return c;
}

double mma_fp8_chain(const TFdpa& unit, const Rule& last, const Dot& dot) {
  double c = dot.c;
  for (std::size_t first = 0; first < dot.a.size(); first += 32) {
    std::vector<double> a, b;
    for (const std::size_t half : {std::size_t{0}, std::size_t{2}})
      for (std::size_t i = 0; i < 32; ++i) {
        const std::size_t k = first + i;
        if (i % 4 != half && i % 4 != half + 1) continue;
        a.push_back(k < dot.a.size() ? dot.a[k] : 0.0);
        b.push_back(k < dot.a.size() ? dot.b[k] : 0.0);
      }
    const double sum = t_fdpa_chain(unit, a.data(), b.data(), a.size(), 0.0);
    c = LongSum().add(sum).add(c).rounded(last);
  }
  return c;
}

double tr_fdpa_chain(const Float& operands, int terms, const Dot& dot) {
  double c = dot.c;
  const std::size_t n = dot.a.size(), block = static_cast<std::size_t>(terms);
  for (std::size_t first = 0; first < n; first += block) {
    const std::size_t count = std::min(block, n - first);
    const double *a = dot.a.data() + first, *b = dot.b.data() + first;
    if (const auto decided = special(with_infinite_products(a, b, count).add(c))) {
      c = *decided;
      continue;
    }
    std::vector<Aligned> products;
    for (std::size_t i = 0; i < count; ++i)
      products.push_back(aligned_product(a[i], b[i], operands, operands));
    const int exponent = largest_exponent(products);
    const Number sum = exponent == kNone ? Number{} : truncated_sum(products, exponent, 24);
    c = with_c_floored(sum, exponent, c, false);
  }
  return c;
}

double tr_fdpa_fp8_chain(const Float& operands, const Dot& dot) {
  double c = dot.c;
  const std::size_t n = dot.a.size();
  for (std::size_t first = 0; first < n; first += 16) {
    const std::size_t count = std::min<std::size_t>(16, n - first);
    const double *a = dot.a.data() + first, *b = dot.b.data() + first;
    if (const auto decided = special(with_infinite_products(a, b, count).add(c))) {
      c = *decided;
      continue;
    }
    std::vector<Aligned> halves[2];
    for (std::size_t i = 0; i < count; ++i)
      halves[i % 2].push_back(aligned_product(a[i], b[i], operands, operands));
    const int exponents[2] = {largest_exponent(halves[0]), largest_exponent(halves[1])};
    const int largest = std::max(exponents[0], exponents[1]);
    std::int64_t sum = 0;
    for (int h = 0; h < 2; ++h)
      if (exponents[h] != kNone)
        sum += floored(truncated_sum(halves[h], exponents[h], 24), 24 - largest);
    c = with_c_floored(scaled(sum, largest == kNone ? 0 : largest - 24), largest, c, true);
  }
  return c;
}

}  // namespace npusim::precision::model
