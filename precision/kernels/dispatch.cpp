// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/dispatch.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#if defined(NPUSIM_X86_KERNELS)
#include <cpuid.h>
#endif

namespace npusim::precision::kernels {
namespace {

enum class Path { baseline, avx2, avx512 };

#if defined(NPUSIM_X86_KERNELS)
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

Path widest_path() {
#if defined(NPUSIM_X86_KERNELS)
  static const bool f16c = has_f16c();
  const bool avx2 = f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return Path::avx512;
  if (avx2) return Path::avx2;
#endif
  return Path::baseline;
}

Path chosen_path() {
  const Path widest = widest_path();
  const char* asked = std::getenv("NPUSIM_SIMD");
  if (asked == nullptr) return widest;
  const std::string name = asked;
  const Path wanted = name == "baseline" ? Path::baseline
                      : name == "avx2"   ? Path::avx2
                                         : Path::avx512;
  return wanted < widest ? wanted : widest;
}

/// The lane types, as far as formats matter.
struct Lane {
  int exponent_bits, fraction_bits, min_exponent, max_exponent;
  int smallest() const { return min_exponent - fraction_bits; }
};
constexpr Lane kFloat = {8, 23, -126, 127};
constexpr Lane kDouble = {11, 52, -1022, 1023};

int smallest_exponent(const Format& f) {
  return f.min_exponent() - f.fraction_bits;
}

bool holds_values(const Format& f, const Lane& lane) {
  return f.precision() <= lane.fraction_bits + 1 && f.max_exponent() <= lane.max_exponent &&
         smallest_exponent(f) >= lane.smallest();
}

bool is_plain(const Arithmetic& a, int exponent_bits, int fraction_bits) {
  const Format& f = a.format;
  return a.rounding == Rounding::rne && f.exponent_bits == exponent_bits &&
         f.fraction_bits == fraction_bits && f.bias == (1 << (exponent_bits - 1)) - 1 &&
         f.overflow == Overflow::infinity && f.subnormals == Subnormals::keep;
}

/// How a lane rounds to the format; nullopt when it cannot. Anything but the native operations goes
/// through sums rounded to odd, which need two bits more than the format has.
std::optional<LaneShape> shape_of(const Arithmetic& a, const Lane& lane) {
  const Format& f = a.format;
  if (a.rounding == Rounding::sr || f.is_fixed_point() || f.is_scale()) return std::nullopt;
  const bool ieee = f.non_finite == NonFinite::ieee && f.nan == NanResult::keep;
  if (ieee && is_plain(a, lane.exponent_bits, lane.fraction_bits)) return kNative;
  if (f.fraction_bits > lane.fraction_bits - 2) return std::nullopt;
  const bool in_float = lane.fraction_bits == kFloat.fraction_bits;
  if (ieee && in_float && is_plain(a, 5, 10)) return kHalf;
  if (ieee && !in_float && is_plain(a, 8, 23)) return kSingle;
  if (in_float && f.min_exponent() == lane.min_exponent && f.max_exponent() == lane.max_exponent) {
    // Where a sum beyond the lanes' range is cut to their largest number, nothing tells it apart.
    const bool nearest = a.rounding == Rounding::rne || a.rounding == Rounding::rna;
    if (f.overflow == Overflow::always_infinity && !nearest) return std::nullopt;
    return ieee && is_plain(a, 8, f.fraction_bits) && f.fraction_bits <= 10 ? kPlainWide : kWide;
  }
  const bool narrow =
      f.max_exponent() + 1 + lane.fraction_bits - f.fraction_bits <= lane.max_exponent &&
      f.min_exponent() >= lane.min_exponent &&
      f.min_exponent() - f.fraction_bits >= lane.smallest();
  return narrow ? std::optional<LaneShape>(kNarrow) : std::nullopt;
}

/// Below which exact magnitude a result of the sign is tiny: Format::subnormals.
double tiny_below(const Arithmetic& a, bool negative, const Lane& lane) {
  const Format& f = a.format;
  const double least = f.min_normal();
  if (f.subnormals == Subnormals::flush_tiny_before) return least;
  if (f.subnormals != Subnormals::flush_tiny_after) return 0.0;
  // With the exponent unbounded, what lies within half a place below rounds up to it, or within a
  // whole place.
  const double place = std::ldexp(1.0, f.min_exponent() - 1 - f.fraction_bits);
  switch (a.rounding) {
    case Rounding::rne:
    case Rounding::rna:
      return least - place / 2;
    case Rounding::ru:
    case Rounding::rd:
      // Above the last number below: only its exact value stays.
      if (negative != (a.rounding == Rounding::rd)) return least;
      return least - place +
             std::ldexp(1.0, std::max(f.min_exponent() - 1 - lane.fraction_bits, lane.smallest()));
    default:
      return least;
  }
}

/// IEEE 754 §7.4: which directions carry an overflow to infinity.
bool carries_to_infinity(const Arithmetic& a, bool negative) {
  if (a.format.overflow == Overflow::always_infinity) return true;
  if (a.rounding == Rounding::rne || a.rounding == Rounding::rna) return true;
  return a.rounding == (negative ? Rounding::rd : Rounding::ru);
}

double infinity_of(const Format& f) {
  if (f.overflow == Overflow::saturate) return f.max_finite();
  return f.overflow == Overflow::nan ? std::numeric_limits<double>::quiet_NaN()
                                     : std::numeric_limits<double>::infinity();
}

/// All but the shape.
LaneArithmetic described(const Arithmetic& arithmetic, const Lane& lane) {
  const Format& format = arithmetic.format;
  LaneArithmetic result{};
  result.mode = static_cast<int>(arithmetic.rounding);
  result.fraction_bits = format.fraction_bits;
  result.min_exponent = format.min_exponent();
  result.max_exponent = format.max_exponent();
  result.max_finite = format.max_finite();
  result.infinity = infinity_of(format);
  result.beyond = carries_to_infinity(arithmetic, false) ? result.infinity : result.max_finite;
  result.beyond_negative =
      carries_to_infinity(arithmetic, true) ? result.infinity : result.max_finite;
  result.flush_below = format.subnormals == Subnormals::flush ? format.min_normal() : 0.0;
  result.tiny = tiny_below(arithmetic, false, lane);
  result.tiny_negative = tiny_below(arithmetic, true, lane);
  const bool keeps_nan = format.has_nan() && format.nan == NanResult::keep;
  result.patches =
      (keeps_nan ? 0 : kNanIsZero) | (format.has_negative_zero() ? 0 : kNoNegativeZero);
  return result;
}

std::optional<LaneArithmetic> lane_arithmetic(const Arithmetic& arithmetic, const Lane& lane) {
  const auto shape = shape_of(arithmetic, lane);
  if (!shape) return std::nullopt;
  LaneArithmetic result = described(arithmetic, lane);
  result.shape = *shape;
  return result;
}

/// Stochastic rounding in float lanes.
std::optional<LaneArithmetic> stochastic_arithmetic(const Arithmetic& arithmetic) {
  constexpr int kMostBits = 24;
  const Format& f = arithmetic.format;
  const bool tiny =
      f.subnormals == Subnormals::flush_tiny_before || f.subnormals == Subnormals::flush_tiny_after;
  if (tiny || arithmetic.random_bits > kMostBits || f.fraction_bits > kFloat.fraction_bits ||
      f.is_fixed_point() || f.is_scale() || !holds_values(f, kFloat))
    return std::nullopt;
  // Overflow and special values are as of a rounding to nearest.
  LaneArithmetic result = described({f, Rounding::rna}, kFloat);
  result.random_bits = arithmetic.random_bits;
  return result;
}

/// Products as they come: what the lanes do.
bool is_plain(const MacUnit& unit) {
  return !unit.flush_a && !unit.flush_b && !unit.flush_c && !unit.product_limit && !unit.scales &&
         unit.passes.order.empty();
}

/// In their own order, through chains and trees.
bool is_chained(const MacUnit& unit) {
  const auto chained = [](const Stage& stage) {
    return (stage.combine == Combine::chain || stage.combine == Combine::tree) &&
           !stage.starts_from_zero;
  };
  return unit.order.empty() && std::all_of(unit.stages.begin(), unit.stages.end(), chained);
}

/// What `step` products below 4, cut to integers, and a running value below 2 may come to.
std::int64_t largest_sum(std::int64_t step, int fraction_bits) {
  return (step << (fraction_bits + 2)) + (std::int64_t{2} << fraction_bits);
}
bool is_half_result(const LaneAlignment& alignment, const Arithmetic& result) {
  const auto half = shape_of(result, kFloat);
  return half && *half == kHalf && alignment.wide == 0;
}

/// One stage of aligned blocks whose terms are cut to integers of 32 bits.
std::optional<LaneAlignment> lane_alignment(const MacUnit& unit) {
  const Stage& stage = unit.stages.front();
  const Alignment& by = stage.alignment;
  const bool simple = unit.stages.size() == 1 && stage.combine == Combine::aligned &&
                      by.by == AlignBy::operands && by.cut == Cut::truncate && !by.running_cut &&
                      !by.running_fraction_bits && !by.running_gap && !unit.product && !unit.c;
  const auto step = stage.terms_of_step();
  // A sum of `step` products below 4 stays within 32 bits; order inside a block leaves no trace.
  if (!simple || step < 1 || step > kMostStep || by.fraction_bits > 26 || by.fraction_bits < 1 ||
      step << (by.fraction_bits + 2) > std::int64_t{1} << 31)
    return std::nullopt;
  const auto result = lane_arithmetic(stage.arithmetic, kDouble);
  const auto power = [](int exponent) {
    return static_cast<float>(std::ldexp(1.0, std::max(exponent, kFloat.min_exponent)));
  };
  if (!result || !holds_values(stage.arithmetic.format, kFloat)) return std::nullopt;
  LaneAlignment alignment{};
  alignment.fraction_bits = by.fraction_bits;
  set_step(alignment, step);
  const int lowest = by.lowest_exponent.value_or(kLowestExponent);
  alignment.has_lowest = by.lowest_exponent && lowest >= kLowestExponent ? 1 : 0;
  alignment.lowest = power(std::max<int>(lowest, kLowestExponent));
  alignment.least_power = power(stage.arithmetic.format.min_exponent());
  alignment.least_power_a = power(unit.a.min_exponent());
  alignment.least_power_b = power(unit.b.min_exponent());
  alignment.result = *result;
  const Format& format = stage.arithmetic.format;
  if (stage.arithmetic.rounding == Rounding::rtz && format.min_exponent() == kFloat.min_exponent &&
      format.max_exponent() == kFloat.max_exponent && format.subnormals == Subnormals::keep &&
      format.has_infinity() && format.nan == NanResult::keep) {
    alignment.result_kind = kTruncatedResult;
    alignment.truncated_bits = format.fraction_bits;
  } else if (is_half_result(alignment, stage.arithmetic)) {
    alignment.result_kind = kHalfResult;
  }
  return alignment;
}

/// A chain of exact products whose sums, cut to 24 bits, show every bit that decides.
bool is_stochastic_chain(const MacUnit& unit, const ReductionPlan& plan) {
  const Arithmetic& sum = unit.accumulator();
  return unit.stages.size() == 1 && is_chained(unit) && !unit.product &&
         sum.rounding == Rounding::sr && plan.chunks.empty() && plan.bias == BiasEntry::preload &&
         sum.random_bits + sum.format.fraction_bits <= kFloat.fraction_bits;
}

std::optional<LaneProgram> stochastic_program(const MacUnit& unit) {
  const auto sum = stochastic_arithmetic(unit.accumulator());
  if (!sum) return std::nullopt;
  LaneProgram program{};
  program.stochastic = program.stages = 1;
  program.stage[0].arithmetic = *sum;
  return program;
}

std::optional<LaneProgram> lane_program(const MacUnit& unit, const ReductionPlan& plan,
                                        const Lane& lane) {
  if (unit.stages.size() > kMaxStages || plan.chunks.size() > kMaxChunks) return std::nullopt;
  if (!is_plain(unit)) return std::nullopt;
  LaneProgram program{};
  const bool in_float = lane.fraction_bits == kFloat.fraction_bits;
  const auto alignment = in_float ? lane_alignment(unit) : std::nullopt;
  if (in_float && is_stochastic_chain(unit, plan)) return stochastic_program(unit);
  if (!alignment && !is_chained(unit)) return std::nullopt;
  if (alignment) program.alignment = *alignment;
  // A bias that comes last is added in the accumulator's own arithmetic.
  const bool adds = !alignment || plan.bias == BiasEntry::after;
  for (const Stage& stage : unit.stages) {
    if (!adds) {
      program.stages = 1;
      continue;
    }
    const auto arithmetic = lane_arithmetic(stage.arithmetic, lane);
    if (!arithmetic || stage.terms > kMaxGroup) return std::nullopt;
    const int tree = stage.combine == Combine::tree ? 1 : 0;
    program.stage[program.stages++] = {static_cast<long>(stage.terms), tree, *arithmetic};
  }
  program.carries_accumulator_values = unit.c ? 0 : 1;
  for (const Chunk& chunk : plan.chunks) {
    auto arithmetic = lane_arithmetic(chunk.arithmetic, lane);
    const bool wide = !arithmetic && in_float && holds_values(chunk.arithmetic.format, lane);
    if (wide) arithmetic = lane_arithmetic(chunk.arithmetic, kDouble);
    if (!arithmetic) return std::nullopt;
    const int carry = chunk.join == Chunk::Join::carry ? 1 : 0;
    if (carry != 0 &&
        chunk.arithmetic.format.fraction_bits > unit.accumulator().format.fraction_bits)
      program.carries_accumulator_values = 0;
    program.chunk[program.chunks++] = {static_cast<long>(chunk.terms), carry, wide ? 1 : 0,
                                       *arithmetic};
  }
  if (unit.product) {
    const auto arithmetic = lane_arithmetic(*unit.product, lane);
    if (!arithmetic) return std::nullopt;
    program.rounds_product = 1;
    program.product = *arithmetic;
    program.product_as_accumulator = *unit.product == unit.accumulator() ? 1 : 0;
  }
  const bool like_sums = program.rounds_product == 0 || program.product_as_accumulator != 0;
  program.chain = !alignment && program.stages == 1 && like_sums ? 1 : 0;
  return program;
}

bool is_native(const LaneProgram& program) {
  if (program.alignment.step != 0 || program.stochastic != 0) return false;
  for (int s = 0; s < program.stages; ++s)
    if (program.stage[s].arithmetic.shape != kNative) return false;
  for (int c = 0; c < program.chunks; ++c)
    if (program.chunk[c].wide != 0 || program.chunk[c].arithmetic.shape != kNative) return false;
  return program.rounds_product == 0 || program.product.shape == kNative;
}

std::optional<LaneFit> fit(const MacUnit& unit, const ReductionPlan& plan, const KernelSet& set,
                           const Lane& lane) {
  const auto program = lane_program(unit, plan, lane);
  if (!program || !holds_values(unit.a, lane) || !holds_values(unit.b, lane) ||
      !holds_values(unit.c_format(), lane))
    return std::nullopt;
  const bool native_product = unit.product && program->product.shape == kNative;
  const bool lone_chain = unit.stages.size() == 1 && !unit.product;
  const bool fused = lone_chain && program->alignment.step == 0 && program->stochastic == 0 &&
                     (program->stage[0].arithmetic.shape == kNative ? set.fused : set.fused_odd);
  if (native_product || fused) return LaneFit{*program, false, is_native(*program)};
  if (unit.a.precision() + unit.b.precision() > lane.fraction_bits + 1) return std::nullopt;
  const bool aligned = program->alignment.step != 0;
  const bool always_in_range =
      unit.a.max_exponent() + unit.b.max_exponent() + 2 <= lane.max_exponent + 1 &&
      smallest_exponent(unit.a) + smallest_exponent(unit.b) >=
          (aligned ? kLowestExponent : lane.smallest());
  return LaneFit{*program, !always_in_range, always_in_range && is_native(*program)};
}

}  // namespace

KernelSet chosen_kernels() {
#if defined(NPUSIM_X86_KERNELS)
  switch (chosen_path()) {
    case Path::avx512:
      return avx512::kernels();
    case Path::avx2:
      return avx2::kernels();
    case Path::baseline:
      break;
  }
#endif
  return baseline::kernels();
}

const char* chosen_name() {
  switch (chosen_path()) {
    case Path::avx512:
      return "avx512";
    case Path::avx2:
      return "avx2";
    case Path::baseline:
      break;
  }
  return "baseline";
}

std::optional<LaneArithmetic> double_arithmetic(const Arithmetic& arithmetic) {
  return lane_arithmetic(arithmetic, kDouble);
}

std::optional<GeneralArithmetic> general_arithmetic(const Arithmetic& arithmetic) {
  const Format& f = arithmetic.format;
  if (arithmetic.rounding != Rounding::sr) {
    const auto lanes = lane_arithmetic(arithmetic, kDouble);
    return lanes ? std::optional<GeneralArithmetic>({*lanes, 0}) : std::nullopt;
  }
  const bool plain = f.subnormals == Subnormals::keep || f.subnormals == Subnormals::flush;
  if (!plain || f.is_fixed_point() || f.is_scale() || f.exponent_bits > 9) return std::nullopt;
  GeneralArithmetic result{described({f, Rounding::rna}, kDouble), 1};
  result.lanes.random_bits = arithmetic.random_bits;
  return result;
}

std::optional<LaneArithmetic> float_arithmetic(const Arithmetic& arithmetic) {
  if (arithmetic.rounding != Rounding::sr) return lane_arithmetic(arithmetic, kFloat);
  return stochastic_arithmetic(arithmetic);
}

std::optional<LaneFit> fit_float(const MacUnit& unit, const ReductionPlan& plan,
                                 const KernelSet& set) {
  return fit(unit, plan, set, kFloat);
}

std::optional<LaneFit> fit_double(const MacUnit& unit, const ReductionPlan& plan,
                                  const KernelSet& set) {
  const auto result = fit(unit, plan, set, kDouble);
  // Products that binary64 does not hold exactly are for the scalar code.
  return result && !result->needs_range ? result : std::nullopt;
}

void set_step(LaneAlignment& alignment, std::int64_t step) {
  alignment.step = static_cast<int>(step);
  alignment.wide = largest_sum(step, alignment.fraction_bits) > (std::int64_t{1} << 31) ? 1 : 0;
}

}  // namespace npusim::precision::kernels
