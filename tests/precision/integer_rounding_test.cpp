// SPDX-License-Identifier: Apache-2.0
// round_to and round_array against the look-up reference: every format, mode and rule, on every
// value, every point halfway and the doubles beside them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "integer_reference.h"
#include "patterns.h"
#include "precision/rounding.h"
#include "rules.h"

namespace npusim::precision {
namespace {

using integer_reference::Exact;
using integer_reference::Reference;
using rules::Disagreements;

/// Around every magnitude of either sign.
std::vector<double> points(const Reference& reference) {
  std::vector<double> all = patterns::around(reference.magnitudes(false));
  for (const double x : patterns::around(reference.magnitudes(true))) all.push_back(x);
  for (const double x : {0.0, -0.0}) all.push_back(x);
  return all;
}

void compare(const std::vector<double>& inputs, std::size_t step, const Format& format,
             Disagreements& wrong) {
  const Reference reference(format);
  for (const Rounding rounding : patterns::kRoundings)
    for (std::size_t i = 0; i < inputs.size(); i += step)
      wrong.note(round_to(inputs[i], format, rounding), reference.rounded(inputs[i], rounding),
                 [&] {
                   std::ostringstream text;
                   text << std::hexfloat << rules::text_of(format) << ' ' << name_of(rounding)
                        << " of " << inputs[i];
                   return text.str();
                 });
}

TEST(IntegerReference, EveryPointOfSmallFormatsByEveryRuleInEveryMode) {
  Disagreements wrong;
  for (const Format& base : rules::small_formats()) {
    const std::vector<double> inputs = points(Reference(base));
    for (const Format& format : rules::every_rule(base)) compare(inputs, 1, format, wrong);
  }
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_GT(wrong.seen(), 1000000);
}

TEST(IntegerReference, EveryPointOfFp16AndBf16InEveryMode) {
  Disagreements wrong;
  for (const Format& base : rules::wide_formats()) {
    const std::vector<double> inputs = points(Reference(base));
    compare(inputs, base == fp16() || base == bf16() ? 1 : 7, base, wrong);
    for (const Format& format : rules::every_rule(base)) compare(inputs, 61, format, wrong);
  }
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
}

TEST(IntegerReference, CornersOfFp32Tf32AndFp64ByEveryRuleInEveryMode) {
  std::vector<double> inputs = {0.0, -0.0, HUGE_VAL, -HUGE_VAL, std::nan("")};
  for (int e = -1074; e <= 1023; e += e > -160 && e < 135 ? 1 : 7)
    for (const double m :
         {1.0, 1.0 + 0x1p-23, 1.0 + 0x1p-24, 1.0 + 0x3p-24, 2.0 - 0x1p-23, 2.0 - 0x1p-24,
          1.0 + 0x1p-52, 2.0 - 0x1p-52, 1.0 + 0x1p-24 + 0x1p-52, 1.0 + 0x1p-11, 2.0 - 0x1p-11})
      for (const double sign : {1.0, -1.0}) inputs.push_back(sign * std::ldexp(m, e));
  Disagreements wrong;
  for (const Format& base : {fp32(), tf32()})
    for (const Format& format : rules::every_rule(base)) compare(inputs, 3, format, wrong);
  compare(inputs, 1, fp64(), wrong);
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
}

TEST(IntegerReference, EveryCodeOf16BitFormatsConvertsToEveryFormatInEveryMode) {
  std::vector<Format> targets = rules::tabulated_formats();
  targets.push_back(fp32());
  for (const char* name : {"fp16", "bf16"}) {
    const Reference source(format_from_name(name));
    std::vector<Exact> values;
    std::vector<double> in;
    for (std::uint64_t code = 0; code < 65536; ++code) {
      values.push_back(source.value_of(code));
      in.push_back(integer_reference::as_double(values.back()));
    }
    Disagreements wrong;
    std::vector<double> out(in.size());
    for (const Format& target : targets) {
      const Reference reference(target);
      for (const Rounding rounding : patterns::kRoundings) {
        round_array(in.data(), out.data(), static_cast<long>(in.size()), {target, rounding});
        for (std::size_t code = 0; code < in.size(); ++code)
          wrong.note(out[code], reference.rounded(values[code], rounding), [&] {
            return std::string(name) + " code " + std::to_string(code) + " to " +
                   rules::text_of(target) + ' ' + name_of(rounding);
          });
      }
    }
    EXPECT_EQ(wrong.count(), 0) << wrong.first();
    EXPECT_EQ(wrong.seen(), static_cast<long>(65536 * targets.size() * 6));
  }
}

/// Inputs at many distances between two neighbours, in several binades.
std::vector<double> between(const std::vector<double>& magnitudes) {
  std::vector<double> all;
  const std::size_t step = magnitudes.size() > 300 ? magnitudes.size() / 50 : 1;
  for (std::size_t i = 0; i + 1 < magnitudes.size(); i += step)
    for (const double part :
         {0.0, 0x1p-9, 0x1p-8, 0.1, 0.25, 0x1.fep-2, 0.5, 0x1.02p-1, 0.7, 0x1.fep-1, 1.0 - 0x1p-9})
      all.push_back(magnitudes[i] + (magnitudes[i + 1] - magnitudes[i]) * part);
  for (const double x : {1.25 * magnitudes.back(), 0x1p-400, magnitudes[1] * 0x1p-7,
                         magnitudes[1] * 0x1.2p-6, HUGE_VAL})
    all.push_back(x);
  return all;
}

// All words of N bits: as many go up as the first N bits of the discarded part say, and each of
// them is the one the sum of the two says.
TEST(IntegerReference, StochasticRoundingGoesUpForExactlyTheRightNumberOfWords) {
  Disagreements wrong;
  long counted = 0;
  for (const Format& base : rules::tabulated_formats()) {
    const std::vector<double> inputs = between(Reference(base).magnitudes(false));
    for (const Format& format : rules::every_rule(base)) {
      if (format.bits() > 8 && format.nan == NanResult::zero) continue;
      const Reference reference(format);
      for (const int bits : {1, 2, 3, 5, 8}) {
        const Arithmetic arithmetic{format, Rounding::sr, bits};
        if (bits > (format == base ? 8 : 3) || (format.bits() > 8 && bits > 5)) continue;
        for (const double x : inputs) {
          const double lower = round_to(x, format, Rounding::rtz);
          const bool plain = format.subnormals == Subnormals::keep && std::isfinite(x) && x > 0.0 &&
                             format.overflow != Overflow::saturate && !format.is_scale();
          std::uint64_t up = 0;
          for (std::uint32_t word = 0; word < 1u << bits; ++word) {
            const std::uint32_t random =
                (word << (32 - bits)) | (word * 77u & ((1u << (32 - bits)) - 1u));
            const double got = round_to(x, arithmetic, random);
            if (!(got == lower)) ++up;
            wrong.note(got,
                       reference.rounded(integer_reference::exact(x), Rounding::sr, bits, random),
                       [&] {
                         std::ostringstream text;
                         text << std::hexfloat << rules::text_of(format) << " sr " << bits << " of "
                              << x << " word " << word;
                         return text.str();
                       });
          }
          if (plain && x <= format.max_finite()) {
            ++counted;
            ASSERT_EQ(up, reference.words_up(integer_reference::exact(x), bits))
                << std::hexfloat << rules::text_of(format) << " sr " << bits << " of " << x;
          }
        }
      }
    }
  }
  EXPECT_EQ(wrong.count(), 0) << wrong.first();
  EXPECT_GT(counted, 10000);
}

TEST(IntegerReference, DazReadsSubnormalsAsZerosOfTheirSign) {
  for (const char* name : {"fp16", "bf16", "fp8_e4m3", "fp8_e5m2fnuz", "fp6_e2m3", "fp4_e2m1"}) {
    const Format format = format_from_name(name);
    const Reference reference(format);
    const auto codes = std::uint64_t{1} << format.bits();
    const std::uint64_t fractions = std::uint64_t{1} << format.fraction_bits;
    for (std::uint64_t code = 0; code < codes; ++code) {
      const double x = integer_reference::as_double(reference.value_of(code));
      const bool subnormal = code % (codes / 2) < fractions && !std::isnan(x);
      const double got = without_subnormals(x, format);
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(got));
      } else {
        ASSERT_EQ(got, subnormal ? 0.0 : x) << name << ' ' << code;
        ASSERT_EQ(std::signbit(got), std::signbit(x)) << name << ' ' << code;
      }
    }
  }
  for (const char* name : {"int8", "int4", "e8m0"}) {
    const Format format = format_from_name(name);
    EXPECT_EQ(without_subnormals(format.min_subnormal(), format), format.min_subnormal());
  }
}

}  // namespace
}  // namespace npusim::precision
