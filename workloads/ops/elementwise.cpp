// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/elementwise.h"

namespace npusim::workloads {

void require_same_type(const NodeView& view, int a, int b) {
  const TensorInfo& x = view.input(a);
  const TensorInfo& y = view.input(b);
  if (x.type != y.type)
    throw base::InputError(x.name + " holds " + name_of(x.type) + ", " + y.name + " " +
                               name_of(y.type) + ": operands must have one type",
                           "wrong-type");
}

Shape broadcast_inputs(const NodeView& view, int first) {
  Shape shape = view.input(first).shape;
  for (int i = first + 1; i < view.input_count(); ++i)
    shape = broadcast_shape(shape, view.input(i).shape, view.node().op);
  return shape;
}

}  // namespace npusim::workloads
