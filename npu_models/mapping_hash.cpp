// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "npu_models/mapping.h"

namespace npusim::npu {
namespace {

std::string text_of(const precision::Arithmetic& arithmetic) {
  const precision::Format& f = arithmetic.format;
  std::string text = f.name;
  for (int value : {f.exponent_bits, f.fraction_bits, f.bias, static_cast<int>(f.non_finite),
                    static_cast<int>(f.overflow), static_cast<int>(f.subnormals)})
    text += "," + std::to_string(value);
  return text + "," + precision::name_of(arithmetic.rounding);
}

std::string text_of(const precision::MacUnit& unit) {
  std::string text = text_of(precision::Arithmetic{unit.a, precision::Rounding::rne}) + "*" +
                     text_of(precision::Arithmetic{unit.b, precision::Rounding::rne});
  text += unit.product ? text_of(*unit.product) : "exact";
  for (const precision::Stage& stage : unit.stages)
    text += "|" + std::to_string(stage.terms) +
            (stage.combine == precision::Combine::tree ? "t" : "c") + text_of(stage.arithmetic);
  return text;
}

std::string text_of(const GemmMapping& gemm) {
  std::string text = text_of(gemm.unit) + " " + precision::describe(gemm.plan);
  for (std::int64_t value : {gemm.contraction.groups, gemm.contraction.m, gemm.contraction.n,
                             gemm.ordered_k, gemm.tile_m, gemm.tile_n, gemm.tile_k})
    text += " " + std::to_string(value);
  return text + " " + name_of(gemm.loop_order);
}

}  // namespace

std::string MappedGraph::hash() const {
  std::uint64_t value = base::fnv1a("");
  for (const MappedOp& op : ops) {
    std::string text = "\n" + graph.nodes[static_cast<std::size_t>(op.node)].name + " ";
    text += name_of(op.engine);
    for (int fused : op.epilogue) text += " +" + std::to_string(fused);
    if (op.gemm) text += " " + text_of(*op.gemm);
    value = base::fnv1a(text, value);
  }
  for (const precision::Arithmetic& arithmetic : storage)
    value = base::fnv1a(text_of(arithmetic) + ";", value);
  return base::hex64(value);
}

}  // namespace npusim::npu
