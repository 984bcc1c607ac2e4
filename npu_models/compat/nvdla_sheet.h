// SPDX-License-Identifier: Apache-2.0
// The estimate that NVDLA's performance sheet makes of a layer (nvdla/hw, perf/
// NVDLA_OpenSource_Performance.xlsx), as formulas: the vendor's estimator, not a machine of ours.
// Its own RTL took 2.3 times as long for AlexNet (nvdla/hw issue 202). Sizes in KiB of int8
// elements, without on-chip SRAM, direct convolution (Winograd off):
//
//   input    ceil4(C)*H*W              output  K * (what is left after pooling), twice with a
//                                              second element-wise operand
//   weights  C*R*S*K; strided convolutions as s*s times the channels, 3x3 ones as the sheet stores
//            them for Winograd (16 instead of 9 terms); a fully connected layer over its batch
//   MAC cycles  ceil16(C*s*s) * ceil(H/s)*ceil(W/s) * ceil16(K) * R*S/(s*s) / MACs
//   DRAM cycles (least of: input again for each buffer of weights, weights again for each buffer of
//               input; both with the least of the other side in the buffer, and output) / bandwidth
//   layer       max(MAC, DRAM)
#pragma once

#include <cstdint>
#include <vector>

namespace npusim::npu::compat {

struct NvdlaLayer {
  std::int64_t channels = 1, size = 1;  ///< C; H = W
  std::int64_t kernels = 1, taps = 1;   ///< K; R = S
  std::int64_t stride = 1;
  std::int64_t output_size = 1;  ///< after pooling
  bool elementwise = false;      ///< adds a second operand of the output's size
  std::int64_t batch = 1;        ///< frames that share the weights (fully connected)
};

struct NvdlaSize {
  std::int64_t macs = 0, buffer_kib = 0;
  double dram_gb_per_s = 0.0;
};

/// ResNet-50 as the sheet lists it: 53 convolutions and the classifier.
std::vector<NvdlaLayer> nvdla_resnet50();

struct NvdlaEstimate {
  double mac_cycles = 0.0, dram_cycles = 0.0;
  double cycles() const { return mac_cycles > dram_cycles ? mac_cycles : dram_cycles; }
};
/// At 1 GHz: cycles are nanoseconds.
NvdlaEstimate nvdla_estimate(const NvdlaSize& size, const NvdlaLayer& layer);

}  // namespace npusim::npu::compat
