// SPDX-License-Identifier: Apache-2.0
// The two products behind convolutions: weights with image windows read on the fly, and its
// transpose, which Conv's data gradient and ConvTranspose are. Padding is +0.
#pragma once

#include "workloads/ops/conv_geometry.h"

namespace npusim::workloads {

/// y (N,K,...) of image x (N,C,...) and w (K,C/g,...); bias[K] or nullptr.
void convolve(const MatrixEngine& engine, const ConvGeometry& g, const Tensor& x, const Tensor& w,
              const double* bias, Tensor& y);

/// The image x that gathers y (N,K,...) through the same windows; bias[C] or nullptr.
void convolve_transposed(const MatrixEngine& engine, const ConvGeometry& g, const Tensor& y,
                         const Tensor& w, const double* bias, Tensor& x);

/// The window of the transposed product over y. With a stride, y is read with zeros between its
/// pixels, so that neighbours share more pixels than a window of stride 1 says: its bytes are an
/// upper bound.
std::optional<Window> window_over_outputs(const ConvGeometry& g);

/// The transposed product: of the zeros that a stride inserts too.
Contraction transposed_contraction(const ConvGeometry& g);

/// Of a ConvDataGradient or ConvTranspose: the Conv from the node's result to its input 0.
ConvGeometry data_gradient_geometry(const NodeView& view);
ConvGeometry conv_transpose_geometry(const NodeView& view);

}  // namespace npusim::workloads
