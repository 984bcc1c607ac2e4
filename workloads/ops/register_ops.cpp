// SPDX-License-Identifier: Apache-2.0
#include "workloads/ops/block_scales.h"
#include "workloads/ops/collectives.h"
#include "workloads/ops/families.h"
#include "workloads/ops/scales.h"

namespace npusim::workloads {

const OpRegistry& ops() {
  static const OpRegistry registry = [] {
    OpRegistry all;
    register_activations(all);
    register_arithmetic(all);
    register_attention(all);
    register_casts(all);
    register_channel_order(all);
    register_collectives(all);
    register_comparisons(all);
    register_conv(all);
    register_conv_gradients(all);
    register_conv_phases(all);
    register_conv_transpose(all);
    register_counting(all);
    register_detection(all);
    register_determinant(all);
    register_einsum(all);
    register_gathering(all);
    register_global_pools(all);
    register_gradient_checks(all);
    register_grid_sample(all);
    register_integer_products(all);
    register_joining(all);
    register_loss(all);
    register_lp_normalization(all);
    register_math_functions(all);
    register_matrix_products(all);
    register_ngrams(all);
    register_normalization(all);
    register_opaque(all);
    register_optimizers(all);
    register_pool_gradients(all);
    register_pooling(all);
    register_quantization(all);
    register_rectifiers(all);
    register_recurrent(all);
    register_reductions(all);
    register_reshapes(all);
    register_resize(all);
    register_rotary(all);
    register_scales(all);
    register_block_scales(all);
    register_scattering(all);
    register_selection(all);
    register_sgd(all);
    register_shape_gradients(all);
    register_shape_values(all);
    register_signal(all);
    register_slicing(all);
    register_softmax(all);
    register_training_optimizers(all);
    register_transpose(all);
    register_variadic(all);
    return all;
  }();
  return registry;
}

}  // namespace npusim::workloads
