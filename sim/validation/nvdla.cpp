// SPDX-License-Identifier: Apache-2.0
// The frame rates that NVDLA's primer prints for int8 ResNet-50 at seven sizes, against the
// formulas of the vendor's own sheet.
#include <fmt/format.h>

#include "npu_models/compat/nvdla_sheet.h"
#include "sim/validation/validation.h"

namespace npusim::sim {
namespace {

struct Published {
  npu::compat::NvdlaSize size;
  double frames_per_second;
};

constexpr Published kPrimer[] = {{{2048, 512, 20.0}, 269.0}, {{1024, 256, 15.0}, 153.0},
                                 {{512, 256, 10.0}, 93.0},   {{256, 256, 5.0}, 46.0},
                                 {{128, 256, 2.0}, 20.0},    {{64, 128, 1.0}, 7.3},
                                 {{32, 128, 0.5}, 3.6}};

}  // namespace

ValidationSet nvdla_resnet50_sizes() {
  ValidationSet set;
  set.name = "NVDLA ResNet-50";
  set.origin = "vendor's estimator";
  set.source = "nvdla/doc, doc/primer.rst; formulas of nvdla/hw, perf/*.xlsx";
  set.model = "closed form: max(MAC, DRAM) of each layer";
  set.note =
      "not silicon; Winograd off (weights sized as in the sheet, batch 16 for the classifier); "
      "nothing fitted";
  set.unit = "frames/s";
  const auto layers = npu::compat::nvdla_resnet50();
  for (const Published& published : kPrimer) {
    double nanoseconds = 0.0;
    for (const npu::compat::NvdlaLayer& layer : layers)
      nanoseconds += npu::compat::nvdla_estimate(published.size, layer).cycles();
    set.points.push_back({fmt::format("{} MACs, {} KiB, {:g} GB/s", published.size.macs,
                                      published.size.buffer_kib, published.size.dram_gb_per_s),
                          published.frames_per_second, 1e9 / nanoseconds});
  }
  set.limits = {{"mean error", set.mean_error(), 0.05, false}};
  return set;
}

}  // namespace npusim::sim
