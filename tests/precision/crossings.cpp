// SPDX-License-Identifier: Apache-2.0
#include "crossings.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "oracle.h"
#include "precision/counter_random.h"

namespace npusim::precision::crossings {
namespace {

std::vector<std::uint64_t> fractions(int bits) {
  const std::uint64_t all = (std::uint64_t{1} << bits) - 1;
  std::vector<std::uint64_t> list = {0, all};
  for (int i = 0; i < bits; ++i) {
    list.push_back(std::uint64_t{1} << i);                 // a single one
    list.push_back(all ^ (std::uint64_t{1} << i));         // a single zero
    list.push_back(all & ~((std::uint64_t{1} << i) - 1));  // ones, then zeros
    list.push_back((std::uint64_t{1} << i) - 1);           // zeros, then ones
  }
  return list;
}

struct Case {
  double a, b, c;
};

/// IEEE 754 §6.3: the exact zero of x - x is -0 when rounding down.
double sum(double x, double y, Rounding rounding) {
  const double s = odd_sum(x, y);
  const bool both_zero = x == 0.0 && y == 0.0 && std::signbit(x) == std::signbit(y);
  return s == 0.0 && !both_zero ? (rounding == Rounding::rd ? -0.0 : 0.0) : s;
}

class Cases {
 public:
  Cases(const Format& operand, const Format& result, std::uint64_t seed)
      : operands_(corners(operand)), results_(corners(result)), result_(result), state_(seed) {}

  Case next() {
    Case k{pick(operands_), pick(operands_), pick(results_)};
    switch (draw() % 6) {
      case 0:
        k.b = 1.0;
        break;
      case 1:
        k.c = draw() % 2 == 0 ? 0.0 : -0.0;
        break;
      case 2:
        k.c = -round_to(k.a * k.b, result_, draw() % 2 == 0 ? Rounding::rtz : Rounding::rna);
        break;
      case 3: {
        const double p = k.a * k.b;
        if (p == 0.0 || !std::isfinite(p)) break;
        const int away = static_cast<int>(draw() % 64) - 32;
        const double near = std::ldexp(std::frexp(k.c, &unused_), std::ilogb(p) + away);
        if (representable(near, result_)) k.c = near;
        break;
      }
      default:
        break;
    }
    return k;
  }
  std::uint32_t word() { return static_cast<std::uint32_t>(draw() << 7); }
  std::uint64_t draw() { return mixed(state_ += 0x9e3779b97f4a7c15U) >> 20; }

 private:
  double pick(const std::vector<double>& from) {
    return from[static_cast<std::size_t>(draw() % from.size())];
  }

  std::vector<double> operands_, results_;
  Format result_;
  std::uint64_t state_;
  int unused_ = 0;
};

struct Pair {
  const char *operand, *result;
};
constexpr Pair kPairs[] = {{"fp16", "fp16"},
                           {"fp16", "fp32"},
                           {"bf16", "bf16"},
                           {"bf16", "fp32"},
                           {"fp32", "fp32"},
                           {"tf32", "fp32"},
                           {"fp8_e5m2", "fp16"},
                           {"fp8_e4m3", "fp16"},
                           {"fp8_e5m2", "fp8_e5m2"},
                           {"fp8_e4m3", "e6m9"},
                           {"fp8_e5m2fnuz", "fp8_e5m2fnuz"}};

}  // namespace

std::vector<double> corners(const Format& format) {
  const int least = 1 - format.bias;
  const int largest = format.max_exponent();
  std::vector<int> exponents = {least,
                                least + 1,
                                least + format.fraction_bits,
                                -2,
                                -1,
                                0,
                                1,
                                2,
                                largest / 2,
                                least / 2,
                                largest - 1,
                                largest,
                                format.fraction_bits,
                                -format.fraction_bits - 1};
  std::vector<double> all = {0.0, std::numeric_limits<double>::infinity(), std::nan("")};
  for (const std::uint64_t fraction : fractions(format.fraction_bits)) {
    const double part = std::ldexp(static_cast<double>(fraction), -format.fraction_bits);
    all.push_back(std::ldexp(part, least));  // subnormal
    for (const int exponent : exponents) all.push_back(std::ldexp(1.0 + part, exponent));
  }
  const auto foreign = [&](double x) { return !representable(x, format); };
  all.erase(std::remove_if(all.begin(), all.end(), foreign), all.end());
  const std::size_t positive = all.size();
  for (std::size_t i = 0; i < positive; ++i) all.push_back(-all[i]);
  return all;
}

rules::Disagreements compare(const Format& operand, const Format& result, std::uint64_t count,
                             std::uint64_t seed) {
  Cases cases(operand, result, seed);
  const std::vector<Format> variants = rules::every_rule(result);
  rules::Disagreements wrong;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Case k = cases.next();
    const std::uint32_t random = cases.word();
    // Every other case by the plain format, the rest by all combinations of rules in turn.
    const Format& format = i % 2 == 0 ? result : variants[(i / 2) % variants.size()];
    const oracle::Exact product = oracle::Exact::product(oracle::Exact(k.a), oracle::Exact(k.b));
    const oracle::Exact down = oracle::Exact::sum(oracle::Exact(k.c), product, Rounding::rd);
    const oracle::Exact other = oracle::Exact::sum(oracle::Exact(k.c), product, Rounding::rne);
    for (const std::string& name : rounding_names()) {
      Arithmetic arithmetic{format, rounding_from_name(name)};
      if (arithmetic.rounding == Rounding::sr)
        arithmetic.random_bits = 1 + static_cast<int>(i % 24);
      const oracle::Exact& exact = arithmetic.rounding == Rounding::rd ? down : other;
      wrong.note(round_to(sum(k.c, k.a * k.b, arithmetic.rounding), arithmetic, random),
                 exact.rounded(arithmetic, random), [&] {
                   std::ostringstream text;
                   text << std::hexfloat << rules::text_of(format) << ' ' << name << ' '
                        << arithmetic.random_bits << " of " << k.c << " + " << k.a << " * " << k.b;
                   return text.str();
                 });
    }
  }
  return wrong;
}

std::vector<rules::Disagreements> compare_all(std::uint64_t count) {
  std::vector<rules::Disagreements> all(std::size(kPairs));
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t)
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < all.size(); i = next++)
        all[i] = compare(format_from_name(kPairs[i].operand), format_from_name(kPairs[i].result),
                         count, i + 1);
      mpfr_free_cache();
    });
  for (std::thread& worker : workers) worker.join();
  return all;
}

}  // namespace npusim::precision::crossings
