// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "npu_models/mapping.h"
#include "precision/unit_text.h"

namespace npusim::npu {
namespace {

std::string text_of(const GemmMapping& gemm) {
  std::string text = precision::describe(gemm.unit) + " " + describe_plan(gemm);
  if (gemm.winograd) text += std::string(" transforms at ") + name_of(gemm.winograd->stage);
  for (std::int64_t value : {gemm.contraction.groups, gemm.contraction.m, gemm.contraction.n,
                             gemm.ordered_k, gemm.tile_m, gemm.tile_n, gemm.tile_k})
    text += " " + std::to_string(value);
  text += std::string(" ") + name_of(gemm.loop_order);
  // One array alone needs no words.
  return gemm.split.parts() == 1 ? text : text + " split " + describe(gemm.split);
}

template <class Attention>
std::string text_of_attention(const Attention& attention) {
  return precision::describe(attention.scores.unit) + " " + describe_plan(attention) + " " +
         describe_mapping(attention);
}

}  // namespace

std::string MappedGraph::hash() const {
  std::uint64_t value = base::fnv1a("");
  for (const MappedOp& op : ops) {
    std::string text = "\n" + graph.nodes[static_cast<std::size_t>(op.node)].name + " ";
    text += name_of(op.engine);
    for (int fused : op.epilogue) text += " +" + std::to_string(fused);
    if (op.gemm) text += " " + text_of(*op.gemm);
    if (op.attention) text += " " + text_of_attention(*op.attention);
    if (op.attention_gradient) text += " " + text_of_attention(*op.attention_gradient);
    value = base::fnv1a(text, value);
  }
  for (const precision::Arithmetic& arithmetic : storage)
    value = base::fnv1a(precision::describe(arithmetic) + ";", value);
  if (approximations) value = base::fnv1a(approximations->text(), value);
  return base::hex64(value);
}

}  // namespace npusim::npu
