// SPDX-License-Identifier: Apache-2.0
// Convolutions by Winograd's minimal filtering (`mapping.winograd`): when, and as which products.
// F(m x m, 3 x 3), m = 2 or 4, with t = m + 2 (workloads/winograd.h):
//   - P = images * ceil(H/m) * ceil(W/m) positions are output tiles; a tile of the mapping holds
//     t * t products of m positions, n output channels and k input channels, one behind the other
//     on the array, each with the cycles (and the port accesses) of the organisation's closed form;
//     its t * t * m * n sums lie in accumulator memory at once and spill as they are;
//   - inputs are loaded as pixels, t x t windows m apart; only their transformed form is (t/m)^2 as
//     large, in the scratchpad;
//   - weights are loaded as t * t numbers (`offline`: transformed before the run in FP64) or as
//     nine, which are transformed each time they are loaded (`on_the_fly`);
//   - `vector_unit`: operands are transformed in the scratchpad, where both forms share the
//     buffer, ahead of the tile before; sums as a tile's first epilogue. `array_edge`: adders at
//     the array's edge, as NVDLA's, without cycles; their energy counts as the vector unit's,
//     operands as often as they pass the edge;
//   - the sums of a point are taken over the channels of a group in the array's order for K; the
//     bias is added behind the output transform.
// It needs: Conv, or its data gradient (a convolution of dy), of images with two dimensions, 3x3,
// strides and dilations 1, groups of any size; both operands in one floating format that the array
// takes, without block scales; address generators for windows (data_layout.im2col implicit); with
// the vector unit, `add` (and `mul` where there are multiplications) in the transforms'
// arithmetic; weights transformed offline must be the same in every run. Others stay direct.
//
// A reference (--pin-mapping) hands on all that is in the bits, and who transforms: a design
// without adders at the array's edge does not follow one that has them.
//
// Chosen by the least estimate (mapping_cost.h) of direct and each output tile listed, direct
// first.
//
// Not modelled: operands in two formats, with block scales or integers by Winograd (they stay
// direct); transformed operands in a wider format than the array's tensors; weights that are
// transformed once in a step and kept; transforms that share operands between neighbouring tiles;
// sums that are transformed in front of the accumulators, as NVDLA's, which leaves room for larger
// tiles: the 3x3 layers of the first three stages of ResNet-50 take 36, 27 and 15 % more array
// cycles here than in its sheet.
#pragma once

#include <string>
#include <vector>

#include "npu_models/gemm_plan.h"
#include "npu_models/mapping.h"

namespace npusim::npu {

/// A product of a graph, as the mapping of its algorithm sees it.
struct ConvolutionCase {
  const NpuSpec& npu;
  const workloads::Graph& graph;
  const workloads::Node& node;
  const workloads::Contraction& contraction;
  const OperandFormats& operands;
  precision::Format internal;          ///< of steps inside vector ops
  const WinogradForm* like = nullptr;  ///< who transforms, weights and arithmetic; else the NPU's
};

/// True for ops that may have another form than the direct one.
bool is_convolution(const workloads::Node& node);

/// Why an output tile of this side cannot be; empty: it can.
std::string why_not_winograd(const ConvolutionCase& c, std::int64_t outputs);

WinogradForm winograd_form(const ConvolutionCase& c, std::int64_t outputs);
std::string output_tile_name(std::int64_t outputs);  ///< "2x2"
/// The products of one point; the form has the convolution.
workloads::Contraction winograd_contraction(const workloads::Contraction& convolution,
                                            std::int64_t outputs);

}  // namespace npusim::npu
