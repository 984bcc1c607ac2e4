// SPDX-License-Identifier: Apache-2.0
// What it costs to have operands in another form than DRAM has them (section data_layout).
//
//   im2col          implicit: address generators make the rows of the image matrix on the way to
//                   the arrays; a tile loads the pixels that its windows touch, a weight gradient
//                   its m * k elements. through_dram: before the product the vector unit copies the
//                   image to a matrix of groups * m * k elements in DRAM, zeros of padding and
//                   strides included; the product then loads that matrix, tile by tile
//   zero_insertion  of data gradients (and transposed convolutions) whose stride is above 1.
//                   implicit: the zeros are made on the way and never moved, but multiplied.
//                   through_dram: before the product the vector unit copies dy to a tensor of
//                   images * channels * prod((d - 1) * stride + 1) elements in DRAM, which the
//                   product then reads as an image (with im2col through_dram: not made, the matrix
//                   has the zeros); they are multiplied too. skip: a product for each phase of the
//                   image with the taps that reach it (workloads/ops/conv_phases.h), so that none
//                   is made or multiplied and no sum has its term. Each is an op of its own with
//                   its own mapping and launch, and loads its part of dy anew; phases that no tap
//                   reaches are filled by the vector unit. Phases are stored where they belong in
//                   the image: a store costs its bytes, however its elements lie apart. A
//                   convolution's epilogue is not fused behind them
//   transpose       of Transpose ops. vector_unit: loaded, copied by the vector unit, stored. dma:
//                   no vector work; the load gathers runs of elements that lie together in both
//                   orders, each in whole bursts: bytes / (runs * ceil(run / burst) * burst) of
//                   what it moves is useful; the store is contiguous
//   transposed_operands  of matrix products, where DRAM has an operand in the other order than the
//                   array takes it (operand_transposes.h). free: read at no cost. vector_unit:
//                   before the product the vector unit copies the whole operand in the other order
//                   to DRAM. dma: each load of a tile gathers its elements one by one, each in
//                   whole bursts; mappings are chosen as if it did not
//   channel_order   of images, between ops: channel_order.h
//
// A rearrangement before a product reads the operand once, writes the new form once and takes one
// `copy` of the vector unit for each element written, in tiles of a scratchpad buffer that overlap
// like those of a vector op; the product's loads of that operand wait for its last byte. It adds to
// the op's own traffic and vector cycles and is listed under `rearranging`. Not modelled: the same
// form made once for several products.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "npu_models/mapping.h"

namespace npusim::npu {

const char* name_of(Rearrangement::Kind kind);
/// Under which name the op lists what it rearranges; empty: nothing.
std::string kind_of_rearranging(const MappedOp& op);

/// What is made for the contraction of a node, whose streamed operand is stored in elements of so
/// many bytes; `contraction` becomes the one that then runs.
std::optional<Rearrangement> rearrange(const DataLayoutSpec& layout,
                                       const workloads::NodeView& node,
                                       workloads::Contraction& contraction,
                                       std::int64_t element_bytes);

/// Elements that a Transpose reads from consecutive places.
std::int64_t run_of_transpose(const workloads::NodeView& node);

}  // namespace npusim::npu
