// SPDX-License-Identifier: Apache-2.0
// The order of an image's channels in DRAM (section data_layout, channel_order), and the passes
// that change it where an engine wants another than the writer left.
//
//   nchw   planes of one channel; nhwc: the channels of a pixel lie together; nchwc: planes of
//          `block` channels, those of a pixel together, the last block filled with zeros. One pixel
//          or one channel has nchw and nhwc in one; a block that C fills exactly is nhwc
//
// Images are the tensors that convolutions and their gradients read and write, and those of the
// same rank and batch that vector ops read or write beside them. What wants which order:
//
//   convolutions     `array`, of the image that they read and of what they write. any: what they
//                    write is in the order of what they read
//   fused behind a   the order of what leaves the array, which is never stored between them; other
//   product          operands are brought to it, so that the same ops are fused as without changes
//   vector ops       `vector_unit`. any: in the order of the image they read first (the array's, if
//                    one of several has it), which their results keep and other images are brought
//                    to
//   filled phases    of a convolution that skips its inserted zeros: the order of the image that
//                    they are part of
//   the rest         `graph`: what the graph is given and what it returns, products of matrices,
//                    Transpose, ops of the host and views (but those of the same shape, which keep
//                    the order)
//
// A change is an op ChannelOrder of the vector unit, named after tensor and order, behind the op
// that writes the tensor: it loads the tensor, copies each element that it writes (padding too) and
// stores the new form, once for all that want it. Such a tensor takes its padding in DRAM, in every
// store and in every load of vector ops. Fused ops stand right behind their product, where they
// run, so that what they write is changed before the next product starts. Values stay, but units
// that round stochastically draw other bits, since ops are numbered anew. A result of the graph
// keeps its name and values; its last change is an op that nobody reads. Not modelled: products
// load the channels that there are, and their tiles are chosen as if they stored no more; weights
// are prepared in the array's order before the run; the order does not change what a tile's bursts
// cost.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "npu_models/epilogue.h"
#include "npu_models/npu_spec.h"
#include "workloads/graph.h"

namespace npusim::npu {

inline constexpr const char* kChannelOrder = "ChannelOrder";  ///< the op

const char* name_of(ChannelOrder order);

/// Elements of an image in memory, padding included.
std::int64_t elements_in_order(const ChannelOrderSpec& spec, ChannelOrder order,
                               const workloads::Shape& shape);

struct OrderedGraph {
  workloads::Graph graph;
  std::vector<std::string> origin;  ///< per node; a ChannelOrder is its own
  std::map<workloads::TensorId, std::int64_t> padded_elements;  ///< of those that have padding
};

/// `origin` and `engines` per node, `storage` per tensor.
OrderedGraph convert_channel_orders(const ChannelOrderSpec& spec, const workloads::Graph& graph,
                                    const std::vector<std::string>& origin,
                                    const std::vector<Engine>& engines, const Fusion& fusion,
                                    const std::vector<precision::Arithmetic>& storage);

}  // namespace npusim::npu
