// SPDX-License-Identifier: Apache-2.0
#include "npu_models/rearrangement.h"

#include "workloads/op.h"
#include "workloads/ops/conv_phases.h"

namespace npusim::npu {
namespace {

using workloads::Contraction;
using workloads::GemmRole;
using workloads::Shape;

std::int64_t stride_of(const std::vector<std::int64_t>& strides, std::size_t dimension) {
  return dimension < strides.size() ? strides[dimension] : 1;
}

/// dy with stride - 1 zeros between its pixels; as many as before where no stride is above 1.
std::int64_t dilated_elements(const Shape& dy, const std::vector<std::int64_t>& strides) {
  std::int64_t elements = dy[0] * dy[1];
  for (std::size_t d = 2; d < dy.size(); ++d)
    elements *= (dy[d] - 1) * stride_of(strides, d - 2) + 1;
  return elements;
}

void dilate(workloads::Window& window, const std::vector<std::int64_t>& strides) {
  // One dimension is the width.
  const std::size_t width = strides.empty() ? 0 : strides.size() - 1;
  if (strides.size() > 1)
    window.in_height = (window.in_height - 1) * stride_of(strides, width - 1) + 1;
  window.in_width = (window.in_width - 1) * stride_of(strides, width) + 1;
}

}  // namespace

const char* name_of(Rearrangement::Kind kind) {
  switch (kind) {
    case Rearrangement::Kind::im2col:
      return "im2col";
    case Rearrangement::Kind::zero_insertion:
      return "zero_insertion";
    case Rearrangement::Kind::transpose:
      return "transpose";
  }
  return "";
}

std::optional<Rearrangement> rearrange(const DataLayoutSpec& layout,
                                       const workloads::NodeView& node, Contraction& contraction,
                                       std::int64_t element_bytes) {
  const bool phase = workloads::is_phase_product(node.node());
  if (!phase && node.node().attributes.count("strides") == 0) return std::nullopt;
  const Shape& shape = node.input(contraction.m_input).shape;
  const std::int64_t stored = workloads::element_count(shape);
  const auto made = [&](Rearrangement::Kind kind, std::int64_t elements) {
    return Rearrangement{kind, stored * element_bytes, elements * element_bytes, elements};
  };
  const std::int64_t matrix = contraction.groups * contraction.m * contraction.k();
  if (layout.im2col == Rearranging::through_dram && matrix != stored) {
    contraction.window.reset();
    return made(Rearrangement::Kind::im2col, matrix);
  }
  if (layout.zero_insertion != ZeroInsertion::through_dram || contraction.role != GemmRole::dgrad)
    return std::nullopt;
  const std::vector<std::int64_t> strides = node.integers("strides");
  const std::int64_t dilated = dilated_elements(shape, strides);
  if (dilated == stored) return std::nullopt;
  if (contraction.window) dilate(*contraction.window, strides);
  return made(Rearrangement::Kind::zero_insertion, dilated);
}

std::string kind_of_rearranging(const MappedOp& op) {
  if (op.rearrangement) return name_of(op.rearrangement->kind);
  if (!op.transposed.empty()) return "transposed_operands";
  if (op.changes_order) return "channel_order";
  return op.gathered_run > 0 ? "transpose" : "";
}

std::int64_t run_of_transpose(const workloads::NodeView& node) {
  const Shape& shape = node.input(0).shape;
  const std::vector<std::int64_t> perm = node.integers("perm");
  std::int64_t run = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    if (perm.empty() ? shape.size() > 1 : perm[d] != static_cast<std::int64_t>(d)) break;
    run *= shape[d];
  }
  return run;
}

}  // namespace npusim::npu
