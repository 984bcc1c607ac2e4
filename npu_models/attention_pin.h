// SPDX-License-Identifier: Apache-2.0
// Which pin an attention takes. The copies of one for other batches and devices of a step and for
// activations computed again take the pin of the original: with other blocks they would have other
// bits.
#pragma once

#include <string>

#include "npu_models/mapping_options.h"

namespace npusim::npu {

/// "attn.gradient" of "attn.batch1.gradient", "attn" of "attn.device2.again".
std::string original_name(const std::string& node);

/// The first that fits the node's name or that of its original; nullptr: none.
const MappingPin* find_attention_pin(const MappingOptions& options, const std::string& node);

/// What a pin of the attention, or else one of its gradient (NAME.gradient), says of the backward
/// pass; nullptr: nothing.
const MappingPin* find_backward_pin(const MappingOptions& options, const std::string& attention);

}  // namespace npusim::npu
