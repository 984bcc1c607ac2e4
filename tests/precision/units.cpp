// SPDX-License-Identifier: Apache-2.0
#include "units.h"

#include <cmath>

#include "patterns.h"

namespace npusim::precision::units {

Arithmetic arithmetic(const Format& format, Rounding rounding) {
  return {format, rounding};
}

MacUnit chain(const Format& operand, const Arithmetic& sum) {
  MacUnit unit;
  unit.name = operand.name + "_" + sum.format.name + "_" + name_of(sum.rounding);
  unit.a = unit.b = operand;
  unit.stages = {{0, Combine::chain, sum}};
  return unit;
}

MacUnit tree(const Format& operand, std::int64_t terms, const Arithmetic& sum) {
  MacUnit unit = chain(operand, sum);
  unit.name += "_tree" + std::to_string(terms);
  unit.stages.insert(unit.stages.begin(), {terms, Combine::tree, sum});
  return unit;
}

MacUnit blocks(const Format& operand, std::int64_t terms, int bits, const Arithmetic& result) {
  MacUnit unit = chain(operand, result);
  unit.name += "_blocks" + std::to_string(terms);
  unit.stages[0].combine = Combine::aligned;
  unit.stages[0].step = terms;
  unit.stages[0].alignment.fraction_bits = bits;
  return unit;
}

std::vector<MacUnit> many_blocks() {
  std::vector<MacUnit> all;
  Format single = fp32();
  single.overflow = Overflow::always_infinity;
  const Arithmetic truncated = arithmetic(single, Rounding::rtz);
  const Arithmetic half = arithmetic(fp16(), Rounding::rne);
  all.push_back(blocks(fp16(), 4, 23, truncated));
  all.push_back(blocks(fp16(), 8, 24, truncated));
  all.push_back(blocks(fp16(), 16, 25, truncated));
  all.push_back(blocks(bf16(), 8, 24, truncated));
  all.push_back(blocks(bf16(), 16, 25, arithmetic(fp32(), Rounding::rne)));
  all.push_back(blocks(tf32(), 4, 24, truncated));
  all.push_back(blocks(fp16(), 8, 24, half));
  all.push_back(blocks(fp16(), 3, 11, half));
  all.push_back(blocks(format_from_name("fp8_e4m3"), 32, 13,
                       arithmetic(format_from_name("e8m13"), Rounding::rtz)));
  all.push_back(blocks(format_from_name("fp8_e5m2"), 16, 25, half));
  MacUnit floor = blocks(fp16(), 8, 24, truncated);
  floor.name += "_floor";
  floor.stages[0].alignment.lowest_exponent = -20;
  all.push_back(floor);
  floor.stages[0].alignment.lowest_exponent = -132;
  all.push_back(floor);
  return all;
}

std::vector<MacUnit> many_stochastic() {
  std::vector<MacUnit> all;
  const auto sr = [](const Format& format, int bits) {
    return Arithmetic{format, Rounding::sr, bits};
  };
  all.push_back(chain(fp16(), sr(fp16(), 13)));
  all.push_back(chain(fp16(), sr(fp16(), 20)));
  all.push_back(chain(bf16(), sr(bf16(), 8)));
  all.push_back(chain(bf16(), sr(bf16(), 16)));
  all.push_back(chain(bf16(), sr(fp16(), 1)));
  all.push_back(chain(fp16(), sr(format_from_name("fp8_e4m3"), 10)));
  all.push_back(chain(fp32(), sr(bf16(), 5)));
  for (const Format& format : patterns::variants(fp16()))
    all.push_back(chain(fp16(), sr(format, 9)));
  MacUnit unfused = chain(fp16(), sr(fp16(), 7));
  unfused.product = arithmetic(fp16(), Rounding::rne);
  all.push_back(unfused);
  all.push_back(tree(fp16(), 4, sr(fp16(), 7)));
  for (MacUnit& unit : all) unit.name += std::to_string(unit.accumulator().random_bits);
  return all;
}

MacUnit exact(const Format& operand, std::int64_t step, const Arithmetic& result) {
  MacUnit unit = chain(operand, result);
  unit.name += "_exact" + std::to_string(step);
  unit.stages[0].combine = Combine::exact;
  unit.stages[0].step = step;
  return unit;
}

/// What only the general kernel does.
std::vector<MacUnit> many_general() {
  std::vector<MacUnit> all;
  const Arithmetic single = arithmetic(fp32(), Rounding::rne);
  for (const std::int64_t step : {0, 2, 16, 64}) {
    all.push_back(exact(bf16(), step, single));
    all.push_back(exact(fp16(), step, arithmetic(fp16(), Rounding::rd)));
  }
  all.push_back(exact(fp32(), 0, single));
  MacUnit floors = blocks(bf16(), 8, 24, single);
  floors.name += "_floors";
  floors.stages[0].alignment.cut = Cut::floor;
  floors.stages[0].alignment.running_fraction_bits = 31;
  floors.stages[0].alignment.running_gap = 20;
  all.push_back(floors);
  MacUnit by_value = blocks(fp16(), 6, 40, single);
  by_value.name += "_by_value";
  by_value.stages[0].alignment.by = AlignBy::value;
  all.push_back(by_value);
  MacUnit handed_on = blocks(fp16(), 1, 28, single);
  handed_on.name += "_handed_on";
  handed_on.stages.insert(handed_on.stages.begin(), blocks(fp16(), 4, 20, single).stages[0]);
  handed_on.stages[0].terms = handed_on.stages[0].step = 4;
  handed_on.stages[0].rounds = false;
  all.push_back(handed_on);
  MacUnit limited = chain(bf16(), arithmetic(fp32(), Rounding::rtz));
  limited.name += "_limited";
  limited.product_limit = 3;
  limited.flush_a = limited.flush_c = true;
  all.push_back(limited);
  MacUnit odd_first = tree(fp16(), 2, arithmetic(fp32(), Rounding::odd));
  odd_first.name += "_odd_first";
  odd_first.order = {1, 0, 3, 2};
  all.push_back(odd_first);
  return all;
}

std::vector<MacUnit> many() {
  std::vector<MacUnit> all;
  const auto rne = [](const Format& f) { return arithmetic(f, Rounding::rne); };
  for (const Format& operand : {fp16(), bf16(), fp32()})
    for (const Format& sum : {fp16(), bf16(), fp32()}) all.push_back(chain(operand, rne(sum)));
  for (const Format& format : {fp16(), bf16(), fp32()}) {
    MacUnit unfused = chain(format, rne(format));
    unfused.product = rne(format);
    unfused.name += "_unfused";
    all.push_back(unfused);
  }
  for (const std::int64_t terms : {2, 5, 16, 64})
    for (const Format& sum : {fp16(), fp32()}) all.push_back(tree(fp16(), terms, rne(sum)));
  for (const Rounding rounding : patterns::kRoundings) {
    all.push_back(chain(fp16(), arithmetic(fp16(), rounding)));
    all.push_back(chain(bf16(), arithmetic(bf16(), rounding)));
    all.push_back(chain(bf16(), arithmetic(fp32(), rounding)));
    all.push_back(tree(fp16(), 4, arithmetic(fp16(), rounding)));
  }
  for (const Format& format : patterns::variants(fp16())) {
    all.push_back(chain(fp16(), rne(format)));
    all.push_back(tree(fp16(), 16, rne(format)));
  }
  for (const Format& format : patterns::variants(bf16())) all.push_back(chain(bf16(), rne(format)));
  MacUnit wide = chain(fp16(), rne(fp32()));  // groups rounded to FP16, then a wide chain
  wide.name = "groups_of_4";
  wide.stages.insert(wide.stages.begin(), {4, Combine::chain, rne(fp16())});
  all.push_back(wide);
  MacUnit three = tree(fp16(), 4, rne(fp16()));
  three.name = "three_stages";
  three.stages.insert(three.stages.begin() + 1, {3, Combine::chain, rne(bf16())});
  all.push_back(three);
  all.push_back(chain(format_from_name("e4m3"), rne(format_from_name("e6m9"))));
  all.push_back(chain(fp32(), rne(fp64())));
  all.push_back(chain(fp64(), rne(fp64())));
  MacUnit host = chain(fp64(), rne(fp64()));  // a = a + x*y as the host computes it
  host.product = rne(fp64());
  host.name = "fp64_unfused";
  all.push_back(host);
  Format skewed = format_from_name("e8m9");  // range beyond binary32's on one side
  skewed.bias = 140;
  all.push_back(chain(bf16(), rne(skewed)));
  all.push_back(tree(fp16(), 16, rne(format_from_name("e8m13"))));
  for (const MacUnit& unit : many_blocks()) all.push_back(unit);
  for (const MacUnit& unit : many_stochastic()) all.push_back(unit);
  for (const MacUnit& unit : many_general()) all.push_back(unit);
  all.push_back(tree(fp16(), 300, rne(fp32())));  // beyond the kernels: the scalar path
  return all;
}

std::uint64_t Random::bits() {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return state_ >> 11;
}

double Random::uniform() {
  return static_cast<double>(bits()) * 0x1p-53;
}

int Random::below(int limit) {
  return static_cast<int>(uniform() * limit);
}

std::vector<double> Random::values(std::int64_t count, const Format& format, double spread) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) {
    const double magnitude =
        std::ldexp(1.0 + uniform(), static_cast<int>((2.0 * uniform() - 1.0) * spread));
    result.push_back(round_to(bits() % 2 == 0 ? magnitude : -magnitude, format, Rounding::rne));
  }
  return result;
}

std::vector<double> Random::special(std::int64_t count, const Format& format, double spread) {
  std::vector<double> result = values(count, format, spread);
  const std::vector<double> corners = patterns::corners(format);
  for (double& x : result)
    if (below(8) == 0)
      x = corners[static_cast<std::size_t>(below(static_cast<int>(corners.size())))];
  return result;
}

}  // namespace npusim::precision::units
