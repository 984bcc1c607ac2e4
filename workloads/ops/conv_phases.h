// SPDX-License-Identifier: Apache-2.0
// A transposed convolution (ConvTranspose, ConvDataGradient) with strides above 1 as a product for
// each phase. Along a dimension of stride s and dilation d, positions q, q + s, q + 2s, ... of the
// image are phase q. Tap r reaches an output from there only where (q + pad - r * d) is a multiple
// of s: with g = gcd(s, d) those are every (s / g)th tap from a first one, or none. So a phase is a
// transposed convolution of stride 1 and dilation d / g by these taps alone: K = outputs of a group
// * its taps, none of which meets an inserted zero (those outside the output's edges stay +0, as in
// any convolution). A phase without taps is the bias, or +0; no product makes it.
//
// ConvTransposePhase is one such product, PhaseFill a phase without taps, JoinPhases the image that
// all of them make: its bytes are theirs, so that it moves none.
#pragma once

#include <string>
#include <vector>

#include "workloads/op.h"

namespace npusim::workloads {

/// A transposed convolution between whose pixels a stride inserts zeros.
bool inserts_zeros(const NodeView& view);

/// Of what split_into_phases makes.
inline constexpr std::int64_t kMostPhases = 1 << 20;
std::int64_t phases_of(const NodeView& view);

/// The node's phases and what joins them; a decomposition as Op::decompose makes them.
std::vector<TensorId> split_into_phases(DecompositionBuilder& builder);

bool is_phase_product(const Node& node);
/// Writes a phase without taps.
bool fills_phase(const Node& node);
/// Its inputs are written into its output.
bool joins_phases(const Node& node);

}  // namespace npusim::workloads
