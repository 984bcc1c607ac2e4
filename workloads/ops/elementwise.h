// SPDX-License-Identifier: Apache-2.0
// Loops over broadcast operands.
#pragma once

#include "workloads/ops/broadcast.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {

/// y[i] = f(a[i], b[i]), both broadcast to y.
template <class Function>
void for_pairs(const precision::ParallelFor& parallel, const Tensor& a, const Tensor& b, Tensor& y,
               const Function& f) {
  const BroadcastIndex from_a(a.shape, y.shape);
  const BroadcastIndex from_b(b.shape, y.shape);
  for_blocks(parallel, static_cast<std::int64_t>(y.values.size()),
             [&](std::int64_t begin, std::int64_t end) {
               for (std::int64_t i = begin; i < end; ++i)
                 y.values[static_cast<std::size_t>(i)] =
                     f(a.values[static_cast<std::size_t>(from_a(i))],
                       b.values[static_cast<std::size_t>(from_b(i))]);
             });
}

/// Throws base::InputError ("wrong-type") when two operands have different types.
void require_same_type(const NodeView& view, int a, int b);

/// The common shape of all inputs from `first` on.
Shape broadcast_inputs(const NodeView& view, int first = 0);

}  // namespace npusim::workloads
