// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/dispatch.h"

#include <algorithm>
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
  if (f.non_finite != NonFinite::ieee || f.nan != NanResult::keep || a.rounding == Rounding::sr)
    return std::nullopt;
  if (f.overflow != Overflow::infinity && f.overflow != Overflow::saturate) return std::nullopt;
  if (f.subnormals != Subnormals::keep && f.subnormals != Subnormals::flush) return std::nullopt;
  if (is_plain(a, lane.exponent_bits, lane.fraction_bits)) return kNative;
  if (f.fraction_bits > lane.fraction_bits - 2) return std::nullopt;
  const bool in_float = lane.fraction_bits == kFloat.fraction_bits;
  if (in_float && is_plain(a, 5, 10)) return kHalf;
  if (!in_float && is_plain(a, 8, 23)) return kSingle;
  if (in_float && f.min_exponent() == lane.min_exponent && f.max_exponent() == lane.max_exponent)
    return is_plain(a, 8, f.fraction_bits) && f.fraction_bits <= 10 ? kPlainWide : kWide;
  const bool narrow =
      f.max_exponent() + 1 + lane.fraction_bits - f.fraction_bits <= lane.max_exponent &&
      f.min_exponent() >= lane.min_exponent &&
      f.min_exponent() - f.fraction_bits >= lane.smallest();
  return narrow ? std::optional<LaneShape>(kNarrow) : std::nullopt;
}

std::optional<LaneArithmetic> lane_arithmetic(const Arithmetic& arithmetic, const Lane& lane) {
  const auto shape = shape_of(arithmetic, lane);
  if (!shape) return std::nullopt;
  const Format& format = arithmetic.format;
  LaneArithmetic result;
  result.shape = *shape;
  result.mode = static_cast<int>(arithmetic.rounding);
  result.fraction_bits = format.fraction_bits;
  result.min_exponent = format.min_exponent();
  result.max_exponent = format.max_exponent();
  result.max_finite = format.max_finite();
  result.infinity = format.overflow == Overflow::infinity ? std::numeric_limits<double>::infinity()
                                                          : format.max_finite();
  result.flush_below = format.subnormals == Subnormals::flush ? format.min_normal() : 0.0;
  return result;
}

/// Chains and trees of products in their own order: what the lanes do.
bool is_plain(const MacUnit& unit) {
  const auto plain = [](const Stage& stage) {
    return (stage.combine == Combine::chain || stage.combine == Combine::tree) &&
           !stage.starts_from_zero;
  };
  return std::all_of(unit.stages.begin(), unit.stages.end(), plain) && unit.order.empty() &&
         !unit.flush_a && !unit.flush_b && !unit.flush_c && !unit.product_limit && !unit.scales &&
         unit.passes.order.empty();
}

std::optional<LaneProgram> lane_program(const MacUnit& unit, const ReductionPlan& plan,
                                        const Lane& lane) {
  if (unit.stages.size() > kMaxStages || plan.chunks.size() > kMaxChunks) return std::nullopt;
  if (!is_plain(unit)) return std::nullopt;
  LaneProgram program{};
  for (const Stage& stage : unit.stages) {
    const auto arithmetic = lane_arithmetic(stage.arithmetic, lane);
    if (!arithmetic || stage.terms > kMaxGroup) return std::nullopt;
    const int tree = stage.combine == Combine::tree ? 1 : 0;
    program.stage[program.stages++] = {static_cast<long>(stage.terms), tree, *arithmetic};
  }
  program.carries_accumulator_values = unit.c ? 0 : 1;
  for (const Chunk& chunk : plan.chunks) {
    const auto arithmetic = lane_arithmetic(chunk.arithmetic, lane);
    if (!arithmetic) return std::nullopt;
    const int carry = chunk.join == Chunk::Join::carry ? 1 : 0;
    if (carry != 0 &&
        chunk.arithmetic.format.fraction_bits > unit.accumulator().format.fraction_bits)
      program.carries_accumulator_values = 0;
    program.chunk[program.chunks++] = {static_cast<long>(chunk.terms), carry, *arithmetic};
  }
  if (unit.product) {
    const auto arithmetic = lane_arithmetic(*unit.product, lane);
    if (!arithmetic) return std::nullopt;
    program.rounds_product = 1;
    program.product = *arithmetic;
    program.product_as_accumulator = *unit.product == unit.accumulator() ? 1 : 0;
  }
  return program;
}

bool is_native(const LaneProgram& program) {
  for (int s = 0; s < program.stages; ++s)
    if (program.stage[s].arithmetic.shape != kNative) return false;
  for (int c = 0; c < program.chunks; ++c)
    if (program.chunk[c].arithmetic.shape != kNative) return false;
  return program.rounds_product == 0 || program.product.shape == kNative;
}

int smallest_exponent(const Format& f) {
  return f.min_exponent() - f.fraction_bits;
}

bool holds_values(const Format& f, const Lane& lane) {
  return f.precision() <= lane.fraction_bits + 1 && f.max_exponent() <= lane.max_exponent &&
         smallest_exponent(f) >= lane.smallest();
}

std::optional<LaneFit> fit(const MacUnit& unit, const ReductionPlan& plan, const KernelSet& set,
                           const Lane& lane) {
  const auto program = lane_program(unit, plan, lane);
  if (!program || !holds_values(unit.a, lane) || !holds_values(unit.b, lane) ||
      !holds_values(unit.c_format(), lane))
    return std::nullopt;
  const bool native_product = unit.product && program->product.shape == kNative;
  const bool lone_chain = unit.stages.size() == 1 && !unit.product;
  const bool fused =
      lone_chain && (program->stage[0].arithmetic.shape == kNative ? set.fused : set.fused_odd);
  if (native_product || fused) return LaneFit{*program, false, is_native(*program)};
  if (unit.a.precision() + unit.b.precision() > lane.fraction_bits + 1) return std::nullopt;
  const bool always_in_range =
      unit.a.max_exponent() + unit.b.max_exponent() + 2 <= lane.max_exponent + 1 &&
      smallest_exponent(unit.a) + smallest_exponent(unit.b) >= lane.smallest();
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

}  // namespace npusim::precision::kernels
