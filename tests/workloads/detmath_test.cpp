// SPDX-License-Identifier: Apache-2.0
#include "workloads/detmath.h"

#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace npusim::workloads {
namespace {

/// |got - true| in units of the last place of the true value; the true value comes from MPFR.
template <class Function>
double error_in_ulp(double got, double x, Function function) {
  mpfr_t exact, argument, difference;
  mpfr_inits2(200, exact, argument, difference, nullptr);
  mpfr_set_d(argument, x, MPFR_RNDN);
  function(exact, argument);
  mpfr_d_sub(difference, got, exact, MPFR_RNDN);
  const double reference = std::fabs(mpfr_get_d(exact, MPFR_RNDN));
  const double ulp = std::nextafter(reference, std::numeric_limits<double>::infinity()) - reference;
  const double error = std::fabs(mpfr_get_d(difference, MPFR_RNDN)) / ulp;
  mpfr_clears(exact, argument, difference, nullptr);
  return error;
}

TEST(Detmath, ExpAndLogAreWithinOneUlp) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(-700.0, 700.0);
  for (int i = 0; i < 20000; ++i) {
    const double x = exponent(random);
    EXPECT_LE(error_in_ulp(det_exp(x), x, [](mpfr_t y, mpfr_t a) { mpfr_exp(y, a, MPFR_RNDN); }),
              1.0)
        << x;
    const double positive = std::ldexp(1.0 + std::fabs(x) / 1000.0, static_cast<int>(x));
    EXPECT_LE(error_in_ulp(det_log(positive), positive,
                           [](mpfr_t y, mpfr_t a) { mpfr_log(y, a, MPFR_RNDN); }),
              1.0)
        << positive;
  }
}

TEST(Detmath, TanhAndErfAreWithinOneUlp) {
  std::mt19937_64 random(8);
  std::uniform_real_distribution<double> argument(-5.0, 5.0);
  for (int i = 0; i < 20000; ++i) {
    const double x = argument(random);
    EXPECT_LE(error_in_ulp(det_tanh(x), x, [](mpfr_t y, mpfr_t a) { mpfr_tanh(y, a, MPFR_RNDN); }),
              1.0)
        << x;
    EXPECT_LE(error_in_ulp(det_erf(x), x, [](mpfr_t y, mpfr_t a) { mpfr_erf(y, a, MPFR_RNDN); }),
              1.0)
        << x;
  }
}

struct Elementary {
  const char* name;
  double (*function)(double);
  int (*exact)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
  double low, high;
};

TEST(Detmath, ElementaryFunctionsAreWithinOneUlp) {
  const Elementary functions[] = {
      {"sin", det_sin, mpfr_sin, -100, 100},     {"cos", det_cos, mpfr_cos, -100, 100},
      {"tan", det_tan, mpfr_tan, -100, 100},     {"asin", det_asin, mpfr_asin, -1, 1},
      {"acos", det_acos, mpfr_acos, -1, 1},      {"atan", det_atan, mpfr_atan, -9, 9},
      {"sinh", det_sinh, mpfr_sinh, -20, 20},    {"cosh", det_cosh, mpfr_cosh, -20, 20},
      {"asinh", det_asinh, mpfr_asinh, -99, 99}, {"acosh", det_acosh, mpfr_acosh, 1, 99},
      {"atanh", det_atanh, mpfr_atanh, -1, 1},   {"log1p", det_log1p, mpfr_log1p, -0.9, 9},
      {"expm1", det_expm1, mpfr_expm1, -20, 20},
  };
  std::mt19937_64 random(9);
  for (const Elementary& f : functions) {
    std::uniform_real_distribution<double> argument(f.low, f.high);
    for (int i = 0; i < 3000; ++i) {
      const double x = argument(random);
      ASSERT_LE(
          error_in_ulp(f.function(x), x, [&](mpfr_t y, mpfr_t a) { f.exact(y, a, MPFR_RNDN); }),
          1.0)
          << f.name << "(" << x << ")";
    }
  }
}

TEST(Detmath, SinCosPiIsExactAtQuarterTurns) {
  EXPECT_EQ(det_sincospi(0.5).sin, 1.0);
  EXPECT_EQ(det_sincospi(0.5).cos, 0.0);
  EXPECT_EQ(det_sincospi(1.0).cos, -1.0);
  EXPECT_NEAR(det_sincospi(0.25).sin, std::sqrt(0.5), 1e-16);
}

TEST(Detmath, SpecialValues) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(det_exp(-infinity), 0.0);
  EXPECT_EQ(det_exp(infinity), infinity);
  EXPECT_EQ(det_exp(0.0), 1.0);
  EXPECT_EQ(det_log(0.0), -infinity);
  EXPECT_TRUE(std::isnan(det_log(-1.0)));
  EXPECT_EQ(det_pow(2.0, 10.0), 1024.0);
}

// The same bits on every machine: known answers recorded once.
TEST(Detmath, KnownBits) {
  EXPECT_EQ(det_exp(1.0), 0x1.5bf0a8b14576ap+1);
  EXPECT_EQ(det_log(10.0), 0x1.26bb1bbb55516p+1);
  EXPECT_EQ(det_tanh(0.5), 0x1.d9353d7568af3p-2);
  EXPECT_EQ(det_erf(0.5), 0x1.0a7ef5c18edd2p-1);
  EXPECT_EQ(det_sincospi(0.3).sin, 0x1.9e3779b97f4a8p-1);
  EXPECT_EQ(det_sincospi(0.3).cos, 0x1.2cf2304755a5ep-1);
}

// SIMD lanes and the scalar functions are one function, whatever the count.
TEST(Detmath, ArraysHaveTheScalarBits) {
  std::mt19937_64 random(9);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (const int count : {0, 1, 2, 3, 20001}) {
    const auto size = static_cast<std::size_t>(count);
    std::vector<double> x(size), log(size), sin(size), cos(size), tanh(size), exp(size);
    for (double& value : x) value = 1.0 - unit(random);
    det_log(x.data(), log.data(), count);
    det_sincospi(x.data(), sin.data(), cos.data(), count);
    std::vector<double> wide(size);  // every magnitude that tanh tells apart
    for (double& value : wide)
      value = std::ldexp(unit(random) - 0.5, static_cast<int>(random() % 60) - 50);
    det_tanh(wide.data(), tanh.data(), count);
    det_exp(wide.data(), exp.data(), count);
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(log[i], det_log(x[i])) << x[i];
      ASSERT_EQ(tanh[i], det_tanh(wide[i])) << wide[i];
      ASSERT_EQ(exp[i], det_exp(wide[i])) << wide[i];
      ASSERT_EQ(sin[i], det_sincospi(x[i]).sin) << x[i];
      ASSERT_EQ(cos[i], det_sincospi(x[i]).cos) << x[i];
    }
  }
}

}  // namespace
}  // namespace npusim::workloads
