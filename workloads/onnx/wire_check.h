// SPDX-License-Identifier: Apache-2.0
// Protocol buffers turn two bytes of a file into an object of a few hundred. This looks through the
// bytes first and says no when the objects would not fit, whatever the file claims.
// Wire format: protobuf.dev/programming-guides/encoding.
#pragma once

#include <string_view>

namespace npusim::workloads::onnx {

/// False when a model holds more messages and strings than kMostParts, or nests deeper than 100
/// (protobuf's own limit). Damaged bytes are left to the parser.
inline constexpr long kMostParts = 1'000'000;
bool has_sane_size(std::string_view model);

}  // namespace npusim::workloads::onnx
