// SPDX-License-Identifier: Apache-2.0
// What it costs to have operands in another form than DRAM has them (section data_layout).
//
//   im2col          implicit: address generators make the rows of the image matrix on the way to
//                   the arrays; a tile loads the pixels that its windows touch, a weight gradient
//                   its m * k elements. through_dram: before the product the vector unit copies the
//                   image to a matrix of groups * m * k elements in DRAM, zeros of padding and
//                   strides included; the product then loads that matrix, tile by tile
//   zero_insertion  of data gradients (and transposed convolutions) whose stride is above 1. The
//                   arrays multiply the zeros in either case. implicit: they are made on the way
//                   and never moved. through_dram: before the product the vector unit copies dy to
//                   a tensor of images * channels * prod((d - 1) * stride + 1) elements in DRAM,
//                   which the product then reads as an image (with im2col through_dram: not made,
//                   the matrix has the zeros)
//   transpose       of Transpose ops. vector_unit: loaded, copied by the vector unit, stored. dma:
//                   no vector work; the load gathers runs of elements that lie together in both
//                   orders, each in whole bursts: bytes / (runs * ceil(run / burst) * burst) of
//                   what it moves is useful; the store is contiguous
//
// A rearrangement reads the operand once, writes the new form once and takes one `copy` of the
// vector unit for each element written, in tiles of a scratchpad buffer that overlap like those of
// a vector op; the product's loads of that operand wait for its last byte. It adds to the op's own
// traffic and vector cycles and is listed under `rearranging`. Not modelled: transposed operands of
// a product (read in the order the arrays want, at no cost), changes between channel orders.
#pragma once

#include <cstdint>
#include <optional>

#include "npu_models/mapping.h"

namespace npusim::npu {

const char* name_of(Rearrangement::Kind kind);

/// What is made for the contraction of a node, whose streamed operand is stored in elements of so
/// many bytes; `contraction` becomes the one that then runs.
std::optional<Rearrangement> rearrange(const DataLayoutSpec& layout,
                                       const workloads::NodeView& node,
                                       workloads::Contraction& contraction,
                                       std::int64_t element_bytes);

/// Elements that a Transpose reads from consecutive places.
std::int64_t run_of_transpose(const workloads::NodeView& node);

}  // namespace npusim::npu
