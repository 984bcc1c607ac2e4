// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/families.h"

namespace npusim::workloads {

const OpRegistry& ops() {
  static const OpRegistry registry = [] {
    OpRegistry all;
    register_arithmetic(all);
    register_casts(all);
    register_conv(all);
    register_conv_gradients(all);
    register_loss(all);
    register_matrix_products(all);
    register_normalization(all);
    register_opaque(all);
    register_pooling(all);
    register_pool_gradients(all);
    register_reductions(all);
    register_reshapes(all);
    register_sgd(all);
    register_shape_values(all);
    register_softmax(all);
    register_transpose(all);
    return all;
  }();
  return registry;
}

}  // namespace npusim::workloads
