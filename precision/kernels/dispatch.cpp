// SPDX-License-Identifier: Apache-2.0
#include "precision/kernels/dispatch.h"

#include <cstdlib>
#include <limits>
#include <string>

namespace npusim::precision::kernels {
namespace {

enum class Path { baseline, avx2, avx512 };

Path widest_path() {
#if defined(NPUSIM_X86_KERNELS)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return Path::avx512;
  if (__builtin_cpu_supports("avx2")) return Path::avx2;
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

bool is_plain_ieee(const Arithmetic& a, int exponent_bits, int fraction_bits) {
  return a.rounding == Rounding::rne && a.format.exponent_bits == exponent_bits &&
         a.format.fraction_bits == fraction_bits &&
         a.format.bias == (1 << (exponent_bits - 1)) - 1 &&
         a.format.non_finite == NonFinite::ieee && a.format.overflow == Overflow::infinity &&
         a.format.subnormals == Subnormals::keep;
}

/// Rounding in float lanes needs two spare bits and the format's range inside binary32's.
bool rounds_in_float(const Arithmetic& a) {
  if (is_plain_ieee(a, 8, 23)) return true;
  return a.format.precision() <= 22 && a.format.max_exponent() <= 127 &&
         a.format.min_exponent() >= -126 &&
         a.format.min_exponent() - a.format.fraction_bits >= -149;
}

template <class Check>
bool every_arithmetic(const MacUnit& unit, const ReductionPlan& plan, const Check& check) {
  if (unit.product && !check(*unit.product)) return false;
  for (const Stage& stage : unit.stages)
    if (!check(stage.arithmetic)) return false;
  for (const Chunk& chunk : plan.chunks)
    if (!check(chunk.arithmetic)) return false;
  return true;
}

}  // namespace

KernelSet chosen_kernels() {
#if defined(NPUSIM_X86_KERNELS)
  switch (chosen_path()) {
    case Path::avx512:
      return avx512_kernels();
    case Path::avx2:
      return avx2_kernels();
    case Path::baseline:
      break;
  }
#endif
  return baseline_kernels();
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

LaneArithmetic lane_arithmetic(const Arithmetic& arithmetic, bool in_float) {
  const Format& format = arithmetic.format;
  LaneArithmetic lane;
  lane.native = in_float ? is_plain_ieee(arithmetic, 8, 23) : is_plain_ieee(arithmetic, 11, 52);
  lane.rounding = static_cast<int>(arithmetic.rounding);
  lane.fraction_bits = format.fraction_bits;
  lane.min_exponent = format.min_exponent();
  lane.flush = format.subnormals == Subnormals::flush ? 1 : 0;
  lane.max_finite = format.max_finite();
  lane.min_normal = format.min_normal();
  lane.infinity = format.overflow == Overflow::infinity ? std::numeric_limits<double>::infinity()
                                                        : format.max_finite();
  return lane;
}

bool fits_float(const MacUnit& unit, const ReductionPlan& plan) {
  const auto narrow = [](const Format& f) {
    return f.max_exponent() <= 127 && f.min_exponent() >= -126;
  };
  return unit.a.precision() + unit.b.precision() <= 24 && narrow(unit.a) && narrow(unit.b) &&
         every_arithmetic(unit, plan, rounds_in_float);
}

std::optional<LaneProgram> lane_program(const MacUnit& unit, const ReductionPlan& plan,
                                        bool in_float) {
  const auto has_infinity = [](const Arithmetic& a) {
    return a.format.non_finite == NonFinite::ieee;
  };
  if (unit.stages.size() > kMaxStages || plan.chunks.size() > kMaxChunks) return std::nullopt;
  if (!every_arithmetic(unit, plan, has_infinity)) return std::nullopt;
  LaneProgram program;
  for (const Stage& stage : unit.stages) {
    if (stage.terms > kMaxGroup) return std::nullopt;
    program.stage[program.stages++] = {stage.terms, stage.combine == Combine::tree ? 1 : 0,
                                       lane_arithmetic(stage.arithmetic, in_float)};
  }
  for (const Chunk& chunk : plan.chunks) {
    program.chunk[program.chunks++] = {chunk.terms, chunk.join == Chunk::Join::carry ? 1 : 0,
                                       lane_arithmetic(chunk.arithmetic, in_float)};
  }
  if (unit.product) {
    program.rounds_product = 1;
    program.product = lane_arithmetic(*unit.product, in_float);
  }
  return program;
}

}  // namespace npusim::precision::kernels
