// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

void shape_error(const std::string& message) {
  throw base::InputError(message, "shape-mismatch");
}

void require_rank(const NodeView& view, int input, std::size_t rank, const std::string& what) {
  const Shape& shape = view.input(input).shape;
  if (shape.size() != rank) {
    throw base::InputError(what + " " + view.input(input).name + " must have rank " +
                               std::to_string(rank) + ", not shape " + to_string(shape),
                           "unsupported-rank");
  }
}

void require_floating(const NodeView& view, int input) {
  const TensorInfo& info = view.input(input);
  if (info.type != ElementType::floating)
    throw base::InputError("input " + std::to_string(input) + " (" + info.name +
                               ") must hold floating values, not " + name_of(info.type),
                           "wrong-type");
}

std::int64_t elements_of(const TensorInfo& tensor) {
  return element_count(tensor.shape);
}

TensorRole gradient_role(const GradientBuilder& builder, int input) {
  return builder.view().input(input).role == TensorRole::weight ? TensorRole::weight_gradient
                                                                : TensorRole::activation_gradient;
}

void refuse_gradient(const GradientBuilder& builder, int input) {
  if (!builder.wanted(input)) return;
  const NodeView view = builder.view();
  throw base::InputError(view.node().op + " \"" + view.node().name +
                             "\" has no gradient by its input " + std::to_string(input) + " (" +
                             view.input(input).name + ")",
                         "no-gradient");
}

TensorId as_gradient_of(GradientBuilder& builder, int input, TensorId gradient) {
  const TensorRole role = gradient_role(builder, input);
  if (builder.view().graph().tensor(gradient).role == role) return gradient;
  return builder.add("Cast", "d" + std::to_string(input), {gradient}, {}, role);
}

void for_blocks(const precision::ParallelFor& parallel, std::int64_t count,
                const std::function<void(std::int64_t, std::int64_t)>& body) {
  constexpr std::int64_t kBlock = 1 << 14;
  parallel((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    body(block * kBlock, std::min(count, (block + 1) * kBlock));
  });
}

}  // namespace npusim::workloads
