// SPDX-License-Identifier: Apache-2.0
// One registration function a family; register_ops.cpp calls them all.
#pragma once

#include "workloads/op.h"

namespace npusim::workloads {

void register_activations(OpRegistry& registry);
void register_arithmetic(OpRegistry& registry);
void register_attention(OpRegistry& registry);
void register_casts(OpRegistry& registry);
void register_channel_order(OpRegistry& registry);
void register_comparisons(OpRegistry& registry);
void register_conv(OpRegistry& registry);
void register_conv_gradients(OpRegistry& registry);
void register_conv_phases(OpRegistry& registry);
void register_conv_transpose(OpRegistry& registry);
void register_counting(OpRegistry& registry);
void register_detection(OpRegistry& registry);
void register_determinant(OpRegistry& registry);
void register_einsum(OpRegistry& registry);
void register_gathering(OpRegistry& registry);
void register_global_pools(OpRegistry& registry);
void register_gradient_checks(OpRegistry& registry);
void register_grid_sample(OpRegistry& registry);
void register_integer_products(OpRegistry& registry);
void register_joining(OpRegistry& registry);
void register_loss(OpRegistry& registry);
void register_lp_normalization(OpRegistry& registry);
void register_math_functions(OpRegistry& registry);
void register_matrix_products(OpRegistry& registry);
void register_ngrams(OpRegistry& registry);
void register_normalization(OpRegistry& registry);
void register_opaque(OpRegistry& registry);
void register_optimizers(OpRegistry& registry);
void register_pool_gradients(OpRegistry& registry);
void register_pooling(OpRegistry& registry);
void register_quantization(OpRegistry& registry);
void register_rectifiers(OpRegistry& registry);
void register_recurrent(OpRegistry& registry);
void register_reductions(OpRegistry& registry);
void register_reshapes(OpRegistry& registry);
void register_resize(OpRegistry& registry);
void register_rotary(OpRegistry& registry);
void register_scattering(OpRegistry& registry);
void register_selection(OpRegistry& registry);
void register_sgd(OpRegistry& registry);
void register_shape_gradients(OpRegistry& registry);
void register_shape_values(OpRegistry& registry);
void register_signal(OpRegistry& registry);
void register_slicing(OpRegistry& registry);
void register_softmax(OpRegistry& registry);
void register_training_optimizers(OpRegistry& registry);
void register_transpose(OpRegistry& registry);
void register_variadic(OpRegistry& registry);

}  // namespace npusim::workloads
