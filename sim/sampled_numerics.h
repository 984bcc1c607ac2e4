// SPDX-License-Identifier: Apache-2.0
// Numeric error of products too large to compute whole: sampled output elements, each over its full
// K through the op's own MAC unit and reduction plan, against FP64 of the same rounded operands.
//
// What is sampled. Of each Gemm, MatMul and Conv on the array: 1024 elements, the crossings of 32
// rows with 32 columns of its product (of several products, of 4 of them, 16 with 16 each), drawn
// without regard to order from the stream "<node>/sample". Where there are fewer, all.
// Operands. Tensors with initial values have exactly those: a generator makes the elements that are
// read, so no tensor is ever held. Activations have stated distributions instead: independent
// draws of NumericOptions::activations (standard normal by default), through what wrote them where
// that is an activation function (Relu, Gelu, Swish, Clip, ...), Softmax (exp of the draw, divided
// by the row length and e^0.5, so that rows add to about 1), LayerNormalization or RMSNormalization
// (gain and offset of the element's channel, outlier channels among them). Reshapes, transposes,
// casts and the like are looked through; behind a transpose a normalisation's channels are not.
// Intervals. The relative Frobenius error is a ratio of sums over elements that share rows and
// columns: its variance is that of the linearised ratio with clusters by row and by column added
// (Cameron, Gelbach, Miller 2011, without the term that would make it smaller), and the interval is
// Student's at 95% for the fewer of the two kinds of clusters, of those that were not drawn whole.
//
// Not sampled: every other op (named with the reason), convolutions by Winograd, errors that travel
// through the graph, and the outputs. Sums rounded stochastically take words of their own.
#pragma once

#include "npu_models/mapping.h"
#include "sim/numerics.h"
#include "sim/result.h"

namespace npusim::sim {

/// Throws as execute().
SampledNumerics sample_numerics(const npu::MappedGraph& mapped, const NumericOptions& options,
                                const precision::ParallelFor& parallel);

/// Two-sided 95% quantile of Student's distribution; at least 1 degree of freedom.
double student_quantile_95(std::int64_t degrees_of_freedom);

}  // namespace npusim::sim
