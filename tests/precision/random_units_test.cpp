// SPDX-License-Identifier: Apache-2.0
// Units, plans and operands nobody would think of: the fast path gives the bits of planned_dot, on
// every SIMD path. NPUSIM_RANDOM_CASES in the environment asks for more than the default.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "oracle.h"
#include "precision/gemm.h"
#include "simd_path.h"
#include "units.h"

namespace npusim::precision {
namespace {

class RandomCase {
 public:
  explicit RandomCase(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < 8; ++i) random_.bits();  // neighbouring seeds drift apart
    do {
      unit_ = unit();
      plan_ = plan();
    } while (!valid());
    rows_ = 1 + random_.below(6);
    columns_ = 1 + random_.below(70);
    if (one_in(3)) std::swap(rows_, columns_);
    a_ = operands(rows_ * plan_.terms(), unit_.a);
    b_ = operands(columns_ * plan_.terms(), unit_.b);
    bias_values_ = operands(std::max(rows_, columns_), unit_.accumulator().format);
    bias_ = {static_cast<Bias::Axis>(random_.below(3)), bias_values_.data()};
  }

  std::vector<double> by_scalar_code() const {
    const std::int64_t k = plan_.terms();
    std::vector<double> out;
    for (std::int64_t i = 0; i < rows_; ++i)
      for (std::int64_t j = 0; j < columns_; ++j) {
        const double* bias = bias_.values + (bias_.axis == Bias::Axis::by_row ? i : j);
        out.push_back(planned_dot(unit_, plan_, a_.data() + i * k, b_.data() + j * k,
                                  bias_.axis == Bias::Axis::none ? nullptr : bias));
      }
    return out;
  }

  std::vector<double> by_kernels() const {
    const std::int64_t k = plan_.terms();
    std::vector<double> out(static_cast<std::size_t>(rows_ * columns_), -1.0);
    MatrixOutput output(out.data(), columns_);
    emulated_gemm(unit_, plan_, MatrixRows(a_.data(), rows_, k, k, 1),
                  MatrixRows(b_.data(), columns_, k, k, 1), bias_, output, serial());
    return out;
  }

  std::string text() const {
    std::string text = "a " + unit_.a.name + ", b " + unit_.b.name;
    if (unit_.product) text += ", product " + rounding_text(*unit_.product);
    for (const Stage& stage : unit_.stages)
      text += ", " + std::to_string(stage.terms) +
              (stage.combine == Combine::tree ? " tree " : " chain ") +
              rounding_text(stage.arithmetic);
    return text + " | " + describe(plan_) + " | " + std::to_string(rows_) + " x " +
           std::to_string(columns_);
  }

 private:
  bool one_in(int n) { return random_.below(n) == 0; }

  static std::string rounding_text(const Arithmetic& a) {
    return a.format.name + " bias " + std::to_string(a.format.bias) + " " + name_of(a.rounding) +
           (a.format.subnormals == Subnormals::flush ? " flush" : "") +
           (a.format.overflow == Overflow::saturate ? " saturate" : "");
  }

  Format format() {
    switch (random_.below(8)) {
      case 0:
      case 1:
        return fp16();
      case 2:
      case 3:
        return bf16();
      case 4:
        return fp32();
      default:
        return format_from_name("e" + std::to_string(2 + random_.below(7)) + "m" +
                                std::to_string(1 + random_.below(23)));
    }
  }

  Arithmetic arithmetic() {
    Arithmetic a{format(), one_in(2) ? Rounding::rne : static_cast<Rounding>(random_.below(6))};
    if (one_in(4)) a.format.subnormals = Subnormals::flush;
    if (one_in(4)) a.format.overflow = Overflow::saturate;
    if (one_in(15)) a.format.bias += random_.below(20) - 10;
    if (one_in(12)) a = {fp64(), Rounding::rne};
    return a;
  }

  MacUnit unit() {
    MacUnit unit;
    unit.a = unit.b = format();
    if (one_in(2)) unit.b = format();
    if (one_in(30)) unit.a = unit.b = fp64();
    const Arithmetic often = arithmetic();
    for (int inner = random_.below(3); inner > 0; --inner)
      unit.stages.push_back({one_in(2) ? std::int64_t{2} << random_.below(5) : 2 + random_.below(6),
                             one_in(2) ? Combine::tree : Combine::chain,
                             one_in(2) ? often : arithmetic()});
    unit.stages.push_back({0, Combine::chain, often});
    if (one_in(3)) unit.product = one_in(2) ? often : arithmetic();
    return unit;
  }

  ReductionPlan plan() {
    ReductionPlan plan;
    plan.dims = {{"K", 1 + random_.below(80)}};
    plan.bias = one_in(2) ? BiasEntry::preload : BiasEntry::after;
    const auto join = [&] { return one_in(2) ? Chunk::Join::add : Chunk::Join::carry; };
    const std::int64_t terms = unit_.block_terms() * (1 + random_.below(5));
    if (one_in(2))
      plan.chunks.push_back({terms, join(), one_in(2) ? unit_.accumulator() : arithmetic()});
    if (one_in(4) && !plan.chunks.empty())
      plan.chunks.push_back({terms * (1 + random_.below(3)), join(), arithmetic()});
    return plan;
  }

  bool valid() const {
    try {
      validate(unit_);
      validate(plan_, unit_);
      return true;
    } catch (const std::invalid_argument&) {
      return false;
    }
  }

  std::vector<double> operands(std::int64_t count, const Format& format) {
    std::vector<double> values = one_in(4) ? random_.special(count, format, 8.0)
                                           : random_.values(count, format, one_in(2) ? 3.0 : 40.0);
    for (double& x : values) {
      if (one_in(20)) x = one_in(2) ? 0.0 : -0.0;
      if (one_in(20)) x = one_in(2) ? format.max_finite() : format.min_subnormal();
    }
    return values;
  }

  units::Random random_;
  MacUnit unit_;
  ReductionPlan plan_;
  std::int64_t rows_ = 0, columns_ = 0;
  std::vector<double> a_, b_, bias_values_;
  Bias bias_;
};

int cases() {
  const char* asked = std::getenv("NPUSIM_RANDOM_CASES");
  return asked == nullptr ? 300 : std::atoi(asked);
}

TEST(RandomUnits, KernelsGiveTheBitsOfTheScalarCode) {
  const std::vector<std::string> paths = simd_paths();
  for (int seed = 0; seed < cases(); ++seed) {
    const RandomCase random_case(static_cast<std::uint64_t>(seed));
    const std::vector<double> want = random_case.by_scalar_code();
    for (const std::string& path : paths) {
      const ForcedSimd forced(path.c_str());
      const std::vector<double> got = random_case.by_kernels();
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_TRUE(oracle::same(got[i], want[i]))
            << "seed " << seed << ", " << path << ", element " << i << std::hexfloat << ": got "
            << got[i] << ", want " << want[i] << "\n"
            << random_case.text();
    }
  }
}

TEST(RandomUnits, NanSurvivesEveryRoundingThatFollows) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Rounding chunk :
       {Rounding::rne, Rounding::rna, Rounding::ru, Rounding::rd, Rounding::rtz, Rounding::odd}) {
    for (const Rounding sum : {Rounding::rne, Rounding::ru, Rounding::odd}) {
      const MacUnit unit = units::chain(bf16(), {format_from_name("e8m1"), sum});
      ReductionPlan plan;
      plan.dims = {{"K", 3}};
      plan.chunks = {{1, Chunk::Join::carry, {fp16(), chunk}}};
      const double a[] = {nan, 1.0, 1.0};
      double out = 0.0;
      MatrixOutput output(&out, 1);
      emulated_gemm(unit, plan, MatrixRows(a, 1, 3, 3, 1), MatrixRows(a, 1, 3, 3, 1), {}, output,
                    serial());
      EXPECT_TRUE(std::isnan(out)) << name_of(chunk) << ' ' << name_of(sum);
    }
  }
}

}  // namespace
}  // namespace npusim::precision
