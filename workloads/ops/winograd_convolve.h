// SPDX-License-Identifier: Apache-2.0
// Convolutions through a WinogradEngine (workloads/winograd.h): inputs and weights are transformed
// in the engine's arithmetic and rounded to operands, each of the (m + 2)^2 points is a product of
// its own over the channels of a group, and the sums are transformed back; there the bias is added,
// one operation more. Tiles lie side by side from the first output; what sticks out is left out,
// padding and what lies outside of the image is +0. The caller rounds results to storage. Rows of
// tiles are taken in bands, so that little memory holds their points; the transformed weights of a
// group are held whole.
#pragma once

#include "workloads/ops/conv_geometry.h"
#include "workloads/winograd.h"

namespace npusim::workloads {

/// As convolve(): 3x3, strides and dilations of 1.
void convolve_by_winograd(const WinogradEngine& engine, const ConvGeometry& g, const Tensor& x,
                          const Tensor& w, const double* bias, Tensor& y,
                          const precision::ParallelFor& parallel);

/// As convolve_transposed() without a bias: a convolution of y, padded by 2 less the padding, with
/// weights turned by 180 degrees.
void convolve_transposed_by_winograd(const WinogradEngine& engine, const ConvGeometry& g,
                                     const Tensor& y, const Tensor& w, Tensor& x,
                                     const precision::ParallelFor& parallel);

}  // namespace npusim::workloads
