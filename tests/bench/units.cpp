// SPDX-License-Identifier: Apache-2.0
#include "units.h"

#include <utility>

namespace npusim::bench {
namespace {

using precision::Arithmetic;
using precision::Combine;
using precision::Format;
using precision::MacUnit;
using precision::Rounding;
using precision::Stage;

MacUnit unit(std::string name, const Format& operands, std::vector<Stage> stages) {
  MacUnit result;
  result.name = std::move(name);
  result.a = result.b = operands;
  result.stages = std::move(stages);
  return result;
}

Stage accumulator(const Format& format, Rounding rounding = Rounding::rne) {
  return {0, Combine::chain, {format, rounding}};
}

Stage tree(std::int64_t terms, const Format& format) {
  return {terms, Combine::tree, {format, Rounding::rne}};
}

Stage stochastic(const Format& format) {
  return {0, Combine::chain, {format, Rounding::sr, 12}};
}

/// Products and c shifted to the largest exponent, `bits` kept, added exactly, rounded as said.
MacUnit blocks(std::string name, std::int64_t terms, int bits, const Arithmetic& result) {
  Stage stage{0, Combine::aligned, result};
  stage.step = terms;
  stage.alignment.fraction_bits = bits;
  return unit(std::move(name), precision::fp16(), {stage});
}

MacUnit exact(std::string name, std::int64_t terms, const Format& operands,
              const Arithmetic& result) {
  Stage stage{0, Combine::exact, result};
  stage.step = terms;
  return unit(std::move(name), operands, {stage});
}

MacUnit floored(std::string name, std::int64_t terms, const Arithmetic& result) {
  MacUnit made = blocks(std::move(name), terms, 24, result);
  made.stages[0].alignment.cut = precision::Cut::floor;
  return made;
}

MacUnit unfused(MacUnit fused, const Format& product) {
  fused.name += "_unfused";
  fused.product = Arithmetic{product, Rounding::rne};
  return fused;
}

}  // namespace

std::vector<MacUnit> timed_units() {
  using namespace precision;
  const MacUnit fp16_chain = unit("fp16_chain_fp16", fp16(), {accumulator(fp16())});
  const MacUnit bf16_chain = unit("bf16_chain_bf16", bf16(), {accumulator(bf16())});
  return {
      unit("bf16_chain_fp32", bf16(), {accumulator(fp32())}),
      unit("fp32_chain_fp32", fp32(), {accumulator(fp32())}),
      fp16_chain,
      unfused(fp16_chain, fp16()),
      bf16_chain,
      unfused(bf16_chain, bf16()),
      unit("fp16_tree16_fp32", fp16(), {tree(16, fp32()), accumulator(fp32())}),
      unit("fp16_tree16_fp16", fp16(), {tree(16, fp16()), accumulator(fp16())}),
      unit("fp16_tree64_fp32", fp16(), {tree(64, fp32()), accumulator(fp32())}),
      unit("fp16_tree64_fp16", fp16(), {tree(64, fp16()), accumulator(fp16())}),
      unit("fp16_chain_fp16_rtz", fp16(), {accumulator(fp16(), Rounding::rtz)}),
      blocks("v100_fp16_fp32", 4, 23, {fp32(), Rounding::rtz}),
      blocks("a100_fp16_fp32", 8, 24, {fp32(), Rounding::rtz}),
      blocks("a100_fp16_fp16", 8, 24, {fp16(), Rounding::rne}),
      blocks("h100_fp16_fp32", 16, 25, {fp32(), Rounding::rtz}),
      unit("fp16_chain_fp16_sr", fp16(), {stochastic(fp16())}),
      unit("bf16_chain_bf16_sr", bf16(), {stochastic(bf16())}),
      exact("bf16_exact16_fp32", 16, bf16(), {fp32(), Rounding::rne}),
      floored("fp16_floor8_fp32", 8, {fp32(), Rounding::rne}),
      unit("fp64_chain_fp64", fp64(), {accumulator(fp64())}),
  };
}

}  // namespace npusim::bench
