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
