// SPDX-License-Identifier: Apache-2.0
// Products measured on a TPU v4. The shapes with even (m + n + k)/128 were used to fit, the odd
// ones are scored; one shape far outside shows whether the model extrapolates.
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/validation/product_run.h"
#include "sim/validation/tpu_v4_latencies.h"
#include "sim/validation/validation.h"

namespace npusim::sim {
namespace {

constexpr std::int64_t kFar = 4096;

ValidationSet empty_set(const std::string& name, const npu::NpuSpec& npu) {
  ValidationSet set;
  set.name = name;
  set.origin = "silicon";
  set.source = "scalesim-project/SCALE-Sim-validation, commit 45818f1 (MIT)";
  set.model = "SystemC tile model of " + npu.name;
  set.note =
      "one core of two runs the kernel (assumed); clock assumed; fitted on shapes with even "
      "(m+n+k)/128: launch cycles, DRAM bandwidth of a core, gap between folds, vector cycles of a "
      "result";
  set.unit = "us";
  return set;
}

}  // namespace

std::vector<ValidationSet> tpu_v4_products(int jobs) {
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", "google_tpu_v4_core"));
  ValidationSet fitted = empty_set("TPU v4 products, fitted on", npu);
  ValidationSet scored = empty_set("TPU v4 products, scored", npu);
  std::vector<Product> products;
  for (int m = 0; m < kTpuV4Sides; ++m)
    for (int n = 0; n < kTpuV4Sides; ++n)
      for (int k = 0; k < kTpuV4Sides; ++k)
        products.push_back({{(m + 1) * kTpuV4Step, (n + 1) * kTpuV4Step, (k + 1) * kTpuV4Step}});
  products.push_back({{kFar, kFar, kFar}});
  const std::vector<double> cycles = product_cycles(npu, products, jobs);
  for (std::size_t i = 0; i + 1 < products.size(); ++i) {
    const npu::TileShape& p = products[i].shape;
    const auto index = [](std::int64_t side) { return static_cast<int>(side / kTpuV4Step) - 1; };
    ValidationSet& set = (p.m + p.n + p.k) / kTpuV4Step % 2 == 0 ? fitted : scored;
    set.points.push_back(
        {std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k),
         tpu_v4_microseconds(index(p.m), index(p.n), index(p.k)), cycles[i] / npu.clock_mhz});
  }
  const double far_tflops =
      2.0 * static_cast<double>(kFar * kFar * kFar) / (cycles.back() / npu.clock_mhz) * 1e-6;
  scored.limits = {{"median error", scored.median_error(), 0.06, false},
                   {"mean error", scored.mean_error(), 0.09, false},
                   {"rank correlation", scored.spearman().value_or(0.0), 0.98, true},
                   {"4096^3, TFLOP/s", far_tflops, 120.0, true},
                   {"4096^3, TFLOP/s", far_tflops, 160.0, false}};
  return {fitted, scored};
}

}  // namespace npusim::sim
