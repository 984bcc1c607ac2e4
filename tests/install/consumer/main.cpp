// SPDX-License-Identifier: Apache-2.0
// A program of somebody who has only the installed library.
#include <precision/block_quantize.h>
#include <precision/encoding.h>
#include <precision/gemm.h>

#include <cstdio>

int main() {
  using namespace npusim::precision;
  MacUnit unit;
  unit.a = unit.b = fp16();
  unit.stages = {{0, Combine::chain, {fp16(), Rounding::rne}}};
  ReductionPlan plan;
  plan.dims = {{"K", 3}};
  const double a[] = {2048.0, 1.0, 1.0};
  const double b[] = {1.0, 1.0, 1.0};
  double sum = 0.0;
  MatrixOutput out(&sum, 1);
  emulated_gemm(unit, plan, MatrixRows(a, 1, 3, 3, 1), MatrixRows(b, 1, 3, 3, 1), {}, out,
                serial());
  double elements[3];
  double scale = 0.0;
  quantize_row(block_format_from_name("mxfp4"), a, 3, 1.0, {}, 0, elements, &scale);
  std::printf("%g %g %g %llx\n", sum, elements[0], scale,
              static_cast<unsigned long long>(encode(sum, fp16())));
  // 2048 + 1 is a tie in FP16 and stays; 2048 = 4 * 2^9.
  return sum == 2048.0 && elements[0] == 4.0 && scale == 512.0 ? 0 : 1;
}
